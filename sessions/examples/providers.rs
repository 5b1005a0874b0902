//! `cargo run -p sessions --example providers`: several providers in one application.
//!
//! What differs from the server `sessions`: the person chooses where to log in, each provider has
//! a redirect URI of its own, some are OpenID providers that are found by discovery, and whoever
//! logs in has an account in a database.
//!
//! With nothing set there are two demo providers. `DISCORD_CLIENT_ID` and `DISCORD_CLIENT_SECRET`
//! switch on Discord, likewise `GOOGLE_…`, `GITHUB_…`, and `OIDC_…` with `OIDC_ISSUER` for any
//! OpenID provider.

use std::{process::ExitCode, sync::Arc, time::Duration};

use askama::Template;
use axum::{
    Json, Router,
    extract::{FromRef, FromRequestParts, Path, State},
    http::{HeaderMap, StatusCode, request::Parts},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use common::{
    Error, Page, Params, cookies,
    cookies::CookieKeys,
    demo,
    error::Detail,
    oauth::{Login, OAuth},
    oidc::OpenId,
    provider::{DEMO_ADDR, Identity, Provider, Registration, SESSION_SECRET, registration},
    random_token,
    server::{Companion, PublicHost, check_same_origin, get_only, protect},
    settings::{FromSettings, PublicUrl, Setting, Settings},
};
use oauth2::{ClientId, ClientSecret};
use sessions::session::{self, Session};
use tokio::time::timeout;
use tower_cookies::Cookies;

#[path = "db/accounts.rs"]
pub mod accounts;

use accounts::{Account, Accounts, DATABASE_URL, DatabaseError};

/// How long a logout waits for the provider: less than a request may take.
const LOGOUT_TIMEOUT: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    common::run(app)
}

/// The routes, in the order of the walkthrough.
pub fn app(providers: Providers) -> Router {
    let public_url = providers.public_url.clone();
    let routes = Router::new()
        .route("/", get(index))
        .route("/login", get_only(index))
        .route("/login/{provider}", get_only(login))
        .route("/auth/{provider}", get_only(auth))
        .route("/users/me", get_only(me))
        .route("/logout", post(logout))
        .layer(cookies::layer())
        .with_state(providers);

    protect(routes, &public_url) // last: it covers the routes above and none below
}

/// What the handlers share.
#[derive(Clone)]
pub struct Providers {
    choices: Arc<Vec<Choice>>,
    keys: CookieKeys,
    public_url: PublicUrl,
    accounts: Accounts,
    /// The demo providers run as long as this.
    _demos: Arc<Vec<Companion>>,
}

/// One of the providers. As an extractor it is the one in the path, or 404.
#[derive(Clone)]
struct Choice {
    id: String,
    name: String,
    client: Client,
}

/// How a login goes: with an access token that opens the provider's API, or with a signed ID token.
#[derive(Clone)]
enum Client {
    OAuth(OAuth),
    OpenId(OpenId),
}

#[derive(Template)]
#[template(path = "providers.html")]
struct Index {
    public_url: PublicUrl,
    choices: Arc<Vec<Choice>>,
    user: Option<String>,
}

/// `GET /` and `GET /login`: the providers to choose from.
async fn index(_: PublicHost, State(providers): State<Providers>, cookies: Cookies) -> Page<Index> {
    let user = session::of_any_provider(&providers.keys, &cookies).map(|session| session.user.name);
    let Providers {
        public_url,
        choices,
        ..
    } = providers;
    Page::new(
        "providers: choose where to log in",
        Index {
            public_url,
            choices,
            user,
        },
    )
}

/// `GET /login/{provider}`: to the provider.
async fn login(_: PublicHost, choice: Choice, cookies: Cookies) -> Result<Redirect, Error> {
    match &choice.client {
        Client::OAuth(oauth) => oauth.begin(&cookies, None),
        Client::OpenId(openid) => openid.begin(&cookies, None).await,
    }
}

/// `GET /auth/{provider}?code=…&state=…`: back from the provider.
///
/// The login remembers to which redirect URI it must come back. An answer of one provider is thus
/// refused here at another's, who could have lured us into giving him its code (mix-up, RFC 9700,
/// section 4.4).
async fn auth(
    choice: Choice,
    State(providers): State<Providers>,
    cookies: Cookies,
    answer: Params,
) -> Result<Redirect, Response> {
    let (login, user) = choice
        .finish(&cookies, &answer)
        .await
        .map_err(IntoResponse::into_response)?;
    let account = providers.accounts.find_or_create(&user).await;
    let account = account.map_err(IntoResponse::into_response)?;
    tracing::info!("the account is number {}", account.id);
    let oauth = choice.oauth().await.map_err(IntoResponse::into_response)?;
    session::begin(&oauth, &cookies, user, login.token).map_err(IntoResponse::into_response)?;
    Ok(Redirect::to("/users/me"))
}

/// `GET /users/me`: the account, which is our own, whatever the provider calls the user.
async fn me(
    State(providers): State<Providers>,
    cookies: Cookies,
) -> Result<Json<Account>, Response> {
    let session = providers
        .session(&cookies)
        .ok_or_else(|| Error::NotLoggedIn.into_response())?;
    let account = providers.accounts.find(&session.user).await;
    account
        .map_err(IntoResponse::into_response)?
        .map(Json)
        .ok_or_else(|| {
            session::forget(&providers.keys, &cookies);
            Error::NotLoggedIn.into_response()
        })
}

/// `POST /logout`: ends the session here and the token at the provider that gave it.
async fn logout(
    State(providers): State<Providers>,
    cookies: Cookies,
    headers: HeaderMap,
) -> Result<Redirect, Error> {
    check_same_origin(&headers, &providers.public_url)?;
    let session = providers.session(&cookies);
    if let Some(choice) = session.and_then(|session| providers.find(&session.user.provider)) {
        let at_provider = async {
            if let Ok(oauth) = choice.oauth().await {
                session::end(&oauth, &cookies).await;
            }
        };
        // To find it and to tell it can take long together, and must not keep anybody logged in.
        if timeout(LOGOUT_TIMEOUT, at_provider).await.is_err() {
            tracing::warn!(
                "the token could not be revoked: {} is too slow",
                choice.name
            );
        }
    }
    session::forget(&providers.keys, &cookies);
    Ok(Redirect::to("/"))
}

impl Choice {
    /// Steps 2 to 4: the provider's answer, its token, and who the user is.
    async fn finish(&self, cookies: &Cookies, answer: &Params) -> Result<(Login, Identity), Error> {
        match &self.client {
            Client::OAuth(oauth) => {
                let login = oauth.exchange(oauth.verify(cookies, answer)?).await?;
                let user = oauth.identity(&login.token).await?;
                Ok((login, user))
            }
            Client::OpenId(openid) => {
                let login = openid.finish(cookies, answer).await?;
                let user = openid.identity(&login).await?;
                Ok((login, user))
            }
        }
    }

    async fn oauth(&self) -> Result<OAuth, Error> {
        match &self.client {
            Client::OAuth(oauth) => Ok(oauth.clone()),
            Client::OpenId(openid) => openid.oauth().await.cloned(),
        }
    }
}

impl Providers {
    fn find(&self, id: &str) -> Option<&Choice> {
        self.choices.iter().find(|choice| choice.id == id)
    }

    /// The session of this browser, while its provider is still one of ours.
    fn session(&self, cookies: &Cookies) -> Option<Session> {
        let session = session::of_any_provider(&self.keys, cookies)?;
        self.find(&session.user.provider)
            .is_some()
            .then_some(session)
    }
}

impl Accounts {
    /// The account of this user, unless it was deleted: only a login makes a new one.
    async fn find(&self, user: &Identity) -> Result<Option<Account>, DatabaseError> {
        const SQL: &str = "SELECT id, provider, subject, name FROM accounts
            WHERE provider = ?1 AND subject = ?2";
        let query = sqlx::query_as(SQL).bind(&user.provider).bind(&user.subject);
        Ok(query.fetch_optional(&self.0).await?)
    }
}

impl FromRequestParts<Providers> for Choice {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &Providers) -> Result<Self, Response> {
        let id = Path::<String>::from_request_parts(parts, state).await;
        let choice = id.ok().and_then(|Path(id)| state.find(&id).cloned());
        let unknown = (
            StatusCode::NOT_FOUND,
            Detail::of("There is no such provider here"),
        );
        choice.ok_or_else(|| unknown.into_response())
    }
}

impl FromRef<Providers> for PublicUrl {
    fn from_ref(providers: &Providers) -> Self {
        providers.public_url.clone()
    }
}

/// The settings that switch a provider on.
const CLIENTS: &[Setting] = &[
    client_setting(
        "DISCORD_CLIENT_ID",
        "Switches on Discord, together with its secret.",
    ),
    client_setting("DISCORD_CLIENT_SECRET", "The secret that belongs to it."),
    client_setting(
        "GITHUB_CLIENT_ID",
        "Switches on GitHub, together with its secret.",
    ),
    client_setting("GITHUB_CLIENT_SECRET", "The secret that belongs to it."),
    client_setting(
        "GOOGLE_CLIENT_ID",
        "Switches on Google, together with its secret.",
    ),
    client_setting("GOOGLE_CLIENT_SECRET", "The secret that belongs to it."),
    client_setting(
        "OIDC_ISSUER",
        "Switches on any OpenID provider, found by this URL.",
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
        let mut choices = Choices {
            settings,
            keys: &keys,
            list: Vec::new(),
            demos: Vec::new(),
        };
        for (id, prefix) in [("discord", "DISCORD"), ("github", "GITHUB")] {
            if let Some((client_id, client_secret)) = choices.registration(prefix) {
                choices.add_oauth(id, Provider::preset(id, client_id, client_secret)?);
            }
        }
        if let Some(client) = choices.registration("GOOGLE") {
            choices.add_openid(("google", "Google"), "https://accounts.google.com", client);
        }
        match (
            choices.settings.get("OIDC_ISSUER").map(str::to_owned),
            choices.registration("OIDC"),
        ) {
            (Some(issuer), Some(client)) => choices.add_openid(("oidc", &issuer), &issuer, client),
            (None, Some(_)) => choices.settings.problem("OIDC_ISSUER", "is missing"),
            (Some(_), None) => choices.settings.problem("OIDC_CLIENT_ID", "is missing"),
            (None, None) => {}
        }
        if choices.list.is_empty() {
            choices.add_demos().await?;
        }
        let Choices { list, demos, .. } = choices;
        Some(Self {
            choices: Arc::new(list),
            _demos: Arc::new(demos),
            keys,
            public_url,
            accounts: accounts?,
        })
    }
}

/// The providers, while the settings are being read.
struct Choices<'a> {
    settings: &'a mut Settings,
    keys: &'a CookieKeys,
    list: Vec<Choice>,
    demos: Vec<Companion>,
}

impl Choices<'_> {
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
        );
        self.add(id, &name, oauth.map(Client::OAuth), "HTTPS");
    }

    fn add_openid(&mut self, (id, name): (&str, &str), issuer: &str, client: Registration) {
        let public_url = self.settings.public_url().clone();
        let openid = OpenId::new((id, name), issuer, client, self.keys.clone(), public_url);
        self.add(id, name, openid.map(Client::OpenId), "OIDC_ISSUER");
    }

    fn add(&mut self, id: &str, name: &str, client: Result<Client, String>, setting: &str) {
        let redirect_uri = self.settings.public_url().join(&format!("/auth/{id}"));
        match client {
            Ok(client) => {
                self.settings
                    .notice(format!("{name}: the redirect URI there is {redirect_uri}"));
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
        let discord = Provider::demo(self.settings, client, "/auth/demo").await?;
        let (discord, discord_demo) = discord;
        let (issuer, client, openid_demo) =
            demo::openid::start(self.settings, "/auth/openid").await?;
        self.add_oauth("demo", discord);
        self.add_openid(("openid", "OpenID demo"), &issuer, client);
        self.demos.extend([discord_demo, openid_demo]);
        Some(())
    }
}
