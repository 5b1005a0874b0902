//! Which providers there are.

use std::sync::Arc;

use common::{
    cookies::CookieKeys,
    demo,
    flow::Flows,
    oauth::OAuth,
    provider::{DEMO_ADDR, Provider, Registration, SESSION_SECRET, registration},
    random_token,
    server::Companion,
    settings::{FromSettings, Setting, Settings},
};
use oauth2::{ClientId, ClientSecret};
use sessions::ended::EndedSessions;

use super::{
    Providers,
    accounts::{Accounts, DATABASE_URL},
    choice::{Choice, Client},
    openid::OpenId,
};

/// The settings that enable a provider.
const CLIENTS: &[Setting] = &[
    client_setting(
        "DISCORD_CLIENT_ID",
        "Turns on Discord, together with its secret.",
    ),
    client_setting("DISCORD_CLIENT_SECRET", "The secret that belongs to it."),
    client_setting(
        "GITHUB_CLIENT_ID",
        "Enables GitHub, together with its secret.",
    ),
    client_setting("GITHUB_CLIENT_SECRET", "The secret that belongs to it."),
    client_setting(
        "GOOGLE_CLIENT_ID",
        "Enables Google, together with its secret.",
    ),
    client_setting("GOOGLE_CLIENT_SECRET", "The secret that belongs to it."),
    client_setting(
        "OIDC_ISSUER",
        "Enables any OpenID provider, found by this URL.",
    ),
    client_setting("OIDC_CLIENT_ID", "The id that it gave your application."),
    client_setting("OIDC_CLIENT_SECRET", "The secret that belongs to it."),
];

const fn client_setting(name: &'static str, help: &'static str) -> Setting {
    Setting {
        name,
        default: "none; without any provider there are two demo providers",
        help,
    }
}

impl FromSettings for Providers {
    const SETTINGS: &'static [&'static [Setting]] = &[
        CLIENTS,
        &[
            SESSION_SECRET,
            DATABASE_URL,
            DEMO_ADDR,
            demo::openid::DEMO_OPENID_ADDR,
        ],
    ];

    async fn from_settings(settings: &mut Settings) -> Option<Self> {
        let secrets = settings.signing_secrets(SESSION_SECRET.name, 64);
        let accounts = Accounts::from_settings(settings).await;
        let public_url = settings.public_url().clone();
        let keys = CookieKeys::new(&secrets, public_url.is_https());
        let background = settings.background();
        let flows = Flows::new(settings);
        let mut choices = Choices {
            settings,
            keys: &keys,
            flows: &flows,
            list: Vec::new(),
            demos: Vec::new(),
        };
        choices.add_all().await?;
        let Choices { list, demos, .. } = choices;
        Some(Self {
            choices: Arc::new(list),
            _demos: Arc::new(demos),
            keys,
            public_url,
            flows,
            accounts: accounts?,
            ended: EndedSessions::default(),
            background,
        })
    }
}

/// The providers, while the settings are being read.
struct Choices<'a> {
    settings: &'a mut Settings,
    keys: &'a CookieKeys,
    flows: &'a Flows,
    list: Vec<Choice>,
    demos: Vec<Companion>,
}

impl Choices<'_> {
    /// Adds the providers that are enabled, or the demo providers if there are none.
    async fn add_all(&mut self) -> Option<()> {
        for (id, prefix) in [("discord", "DISCORD"), ("github", "GITHUB")] {
            if let Some(registration) = self.registration(prefix) {
                self.add_oauth(id, Provider::preset(id, registration)?);
            }
        }
        if let Some(client) = self.registration("GOOGLE") {
            self.add_openid(("google", "Google"), "https://accounts.google.com", client);
        }
        let issuer = self.settings.get("OIDC_ISSUER").map(str::to_owned);
        match (issuer, self.registration("OIDC")) {
            (Some(issuer), Some(client)) => self.add_openid(("oidc", &issuer), &issuer, client),
            (None, Some(_)) => self.settings.problem("OIDC_ISSUER", "is missing"),
            (Some(_), None) => self.settings.problem("OIDC_CLIENT_ID", "is missing"),
            (None, None) => {}
        }
        if self.list.is_empty() {
            self.add_demos().await?;
        }
        Some(())
    }

    fn registration(&mut self, prefix: &str) -> Option<Registration> {
        let names = (
            format!("{prefix}_CLIENT_ID"),
            format!("{prefix}_CLIENT_SECRET"),
        );
        registration(self.settings, &names.0, &names.1).ok()?
    }

    fn add_oauth(&mut self, id: &str, provider: Provider) {
        let (name, public_url) = (provider.name.clone(), self.settings.public_url().clone());
        let oauth = OAuth::new(
            provider,
            self.keys.clone(),
            public_url,
            &format!("/auth/{id}"),
            self.flows.clone(),
        );
        self.add(id, &name, oauth.map(Client::OAuth), "HTTPS");
    }

    fn add_openid(&mut self, (id, name): (&str, &str), issuer: &str, client: Registration) {
        let public_url = self.settings.public_url().clone();
        let ours = (self.keys.clone(), public_url, self.flows.clone());
        let openid = OpenId::new((id, name), issuer, client, ours);
        self.add(id, name, openid.map(Client::OpenId), "OIDC_ISSUER");
    }

    fn add(&mut self, id: &str, name: &str, client: Result<Client, String>, setting: &str) {
        let redirect_uri = self.settings.public_url().join(&format!("/auth/{id}"));
        match client {
            Ok(client) => {
                self.settings.notice(format_args!(
                    "{name}: the redirect URI to register is {redirect_uri}"
                ));
                self.list.push(Choice {
                    id: id.into(),
                    name: name.into(),
                    client,
                });
            }
            Err(why) => self.settings.problem(setting, why),
        }
    }

    /// One that plays Discord, and one that is an OpenID provider.
    async fn add_demos(&mut self) -> Option<()> {
        let client = (
            ClientId::new("demo".into()),
            ClientSecret::new(random_token()),
        );
        let (discord, discord_demo) = Provider::demo(self.settings, client, "/auth/demo").await?;
        let (issuer, client, openid_demo) =
            demo::openid::start(self.settings, "/auth/openid").await?;
        self.add_oauth("demo", discord);
        self.add_openid(("openid", "OpenID demo"), &issuer, client);
        self.demos.extend([discord_demo, openid_demo]);
        Some(())
    }
}
