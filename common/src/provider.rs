//! What differs between providers: URLs, scopes, how the client authenticates, who the user is.

use oauth2::{AuthType, ClientId, ClientSecret};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::{
    error::{Error, Result},
    server::Companion,
    settings::{Incomplete, Setting, Settings},
};

/// The settings of a client: its provider and its cookies.
pub const CLIENT_SETTINGS: &[Setting] = &[
    Setting {
        name: "PROVIDER",
        default: "custom with AUTH_URL, else discord with CLIENT_ID, else demo",
        help: "Who logs people in: discord, google, github, demo (built in, plays Discord) or custom.",
    },
    Setting {
        name: "CLIENT_ID",
        default: "none; the demo provider needs none",
        help: "The id that the provider gave your application.",
    },
    Setting {
        name: "CLIENT_SECRET",
        default: "none; the demo provider needs none",
        help: "The secret that belongs to CLIENT_ID.",
    },
    Setting {
        name: "AUTH_URL",
        default: "the provider's",
        help: "The authorization endpoint; with PROVIDER=custom only, as the next three.",
    },
    Setting {
        name: "TOKEN_URL",
        default: "the provider's",
        help: "The token endpoint.",
    },
    Setting {
        name: "USERINFO_URL",
        default: "the provider's",
        help: "Who the user is, as JSON; basic does without.",
    },
    Setting {
        name: "REVOCATION_URL",
        default: "the provider's",
        help: "Where a logout revokes the token (RFC 7009); a custom provider may have none.",
    },
    Setting {
        name: "CLIENT_AUTH_METHOD",
        default: "the provider's, for custom client_secret_basic",
        help: "How the client authenticates at the token endpoint: client_secret_basic or client_secret_post.",
    },
    Setting {
        name: "SCOPES",
        default: "the provider's (identify for Discord)",
        help: "What to ask for, separated by spaces.",
    },
    Setting {
        name: "ISSUER",
        default: "the provider's, where it has one",
        help: "When known, an iss in the provider's answer must be equal to it (RFC 9207).",
    },
    SESSION_SECRET,
    DEMO_ADDR,
];

/// What protects the cookies.
pub const SESSION_SECRET: Setting = Setting {
    name: "SESSION_SECRET",
    default: "random at each start; required when others can reach the server",
    help: "Protects the cookies: 64 characters or more (openssl rand -hex 32); several, separated by commas, to change it.",
};

/// Where the demo provider listens.
pub const DEMO_ADDR: Setting = Setting {
    name: "DEMO_ADDR",
    default: "127.0.0.1:5001",
    help: "Where the demo provider listens; browsers are sent to localhost, to be on another site.",
};

/// A provider, and what this application is called there.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The name that is stored with a user: `discord`, or the host of a custom provider.
    pub id: String,
    /// The name that people read: `Discord`.
    pub name: String,
    /// The authorization endpoint (RFC 6749, section 3.1), with the parameters that are always sent.
    pub auth_url: Url,
    /// The token endpoint (RFC 6749, section 3.2).
    pub token_url: Url,
    /// Answers who the user is.
    pub userinfo_url: Option<Url>,
    /// The revocation endpoint (RFC 7009).
    pub revocation_url: Option<Url>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// Who must have signed for an answer, when that is known (RFC 9207).
    pub issuer: Option<String>,
    /// Whether it has announced that it does (RFC 9207, section 3).
    pub always_sends_iss: bool,
    /// How the client authenticates at the token endpoint (RFC 6749, section 2.3.1).
    pub auth_type: AuthType,
    /// The client identifier (RFC 6749, section 2.2).
    pub client_id: ClientId,
    /// The client's password.
    pub client_secret: ClientSecret,
}

/// What is known of a provider before anybody has registered there.
struct Preset {
    id: &'static str,
    name: &'static str,
    auth_url: &'static str,
    token_url: &'static str,
    userinfo_url: &'static str,
    revocation_url: Option<&'static str>,
    scopes: &'static str,
    issuer: Option<&'static str>,
    auth_type: AuthType,
}

const PRESETS: &[Preset] = &[
    Preset {
        id: "discord",
        name: "Discord",
        auth_url: "https://discord.com/oauth2/authorize",
        token_url: "https://discord.com/api/oauth2/token",
        userinfo_url: "https://discord.com/api/users/@me",
        revocation_url: Some("https://discord.com/api/oauth2/token/revoke"),
        scopes: "identify",
        issuer: None,
        auth_type: AuthType::BasicAuth,
    },
    Preset {
        id: "google",
        name: "Google",
        // Without access_type=offline there is no refresh token.
        auth_url: "https://accounts.google.com/o/oauth2/v2/auth?access_type=offline",
        token_url: "https://oauth2.googleapis.com/token",
        userinfo_url: "https://openidconnect.googleapis.com/v1/userinfo",
        revocation_url: Some("https://oauth2.googleapis.com/revoke"),
        scopes: "openid email profile",
        issuer: Some("https://accounts.google.com"),
        auth_type: AuthType::RequestBody,
    },
    Preset {
        id: "github",
        name: "GitHub",
        auth_url: "https://github.com/login/oauth/authorize",
        token_url: "https://github.com/login/oauth/access_token",
        userinfo_url: "https://api.github.com/user",
        // GitHub revokes in a way of its own, not by RFC 7009.
        revocation_url: None,
        scopes: "read:user",
        issuer: None,
        auth_type: AuthType::RequestBody,
    },
];

/// What is special in the settings of a custom provider.
const CUSTOM_ONLY: [&str; 4] = ["AUTH_URL", "TOKEN_URL", "USERINFO_URL", "REVOCATION_URL"];

impl Provider {
    /// The provider that the settings choose. `None` after a problem was noted.
    pub async fn from_settings(settings: &mut Settings) -> Option<(Self, Option<Companion>)> {
        let choice = choice(settings).to_owned();
        let registration = registration(settings, "CLIENT_ID", "CLIENT_SECRET");
        let is_preset = PRESETS.iter().any(|preset| preset.id == choice);
        if is_preset || choice == "demo" {
            for name in CUSTOM_ONLY {
                if settings.get(name).is_some() {
                    settings.problem(
                        name,
                        format!("is for PROVIDER=custom, not for {choice}; remove it"),
                    );
                }
            }
        }
        let mut companion = None;
        let mut provider = match choice.as_str() {
            "custom" => {
                let registration = required(settings, registration);
                Self::custom(settings, registration)
            }
            "demo" => match registration {
                Ok(registration) => {
                    let client = registration.unwrap_or_else(demo_client);
                    let demo = Self::demo(settings, client, "/auth").await;
                    let (provider, demo) = demo.unzip();
                    companion = demo;
                    provider
                }
                Err(Incomplete) => None,
            },
            preset if is_preset => required(settings, registration)
                .and_then(|(id, secret)| Self::preset(preset, id, secret)),
            _ => {
                settings.problem("PROVIDER", "is not discord, google, github, demo or custom");
                None
            }
        };
        refine(settings, provider.as_mut());
        Some((provider?, companion))
    }

    /// `discord`, `google` or `github`, for an application that is registered there.
    ///
    /// # Panics
    /// Never: a test reads every preset.
    pub fn preset(id: &str, client_id: ClientId, client_secret: ClientSecret) -> Option<Self> {
        let preset = PRESETS.iter().find(|preset| preset.id == id)?;
        let url = |url| Url::parse(url).expect("the URLs of presets are URLs");
        Some(Self {
            id: preset.id.to_owned(),
            name: preset.name.to_owned(),
            auth_url: url(preset.auth_url),
            token_url: url(preset.token_url),
            userinfo_url: Some(url(preset.userinfo_url)),
            revocation_url: preset.revocation_url.map(url),
            scopes: vec_of(preset.scopes),
            issuer: preset.issuer.map(str::to_owned),
            always_sends_iss: false,
            auth_type: preset.auth_type.clone(),
            client_id,
            client_secret,
        })
    }

    fn custom(settings: &mut Settings, registration: Option<Registration>) -> Option<Self> {
        for name in ["AUTH_URL", "TOKEN_URL"] {
            if settings.get(name).is_none() {
                settings.problem(name, "is missing; PROVIDER=custom needs it");
            }
        }
        let [auth_url, token_url, userinfo_url, revocation_url] =
            CUSTOM_ONLY.map(|name| settings.endpoint(name));
        let ((client_id, client_secret), auth_url) = registration.zip(auth_url)?;
        let host = auth_url.host_str().unwrap_or_default().to_owned();
        Some(Self {
            id: host.clone(),
            name: host,
            token_url: token_url?,
            auth_url,
            userinfo_url,
            revocation_url,
            scopes: Vec::new(),
            issuer: None,
            always_sends_iss: false,
            auth_type: AuthType::BasicAuth,
            client_id,
            client_secret,
        })
    }

    /// The demo provider, which runs as long as its companion.
    #[cfg(feature = "demo")]
    pub async fn demo(
        settings: &mut Settings,
        (client_id, client_secret): Registration,
        redirect_path: &str,
    ) -> Option<(Self, Companion)> {
        let client = (&client_id, &client_secret);
        let demo = crate::demo::start(settings, client, redirect_path).await?;
        let (browser, direct) = (demo.browser_url.as_url(), demo.direct_url.as_url());
        let provider = Self {
            id: "demo".into(),
            name: "Discord".into(),
            auth_url: browser.join("/oauth2/authorize").ok()?,
            token_url: direct.join("/api/oauth2/token").ok()?,
            userinfo_url: Some(direct.join("/api/users/@me").ok()?),
            revocation_url: Some(direct.join("/api/oauth2/token/revoke").ok()?),
            scopes: vec!["identify".into()],
            issuer: None,
            always_sends_iss: false,
            auth_type: AuthType::BasicAuth,
            client_id,
            client_secret,
        };
        Some((provider, demo.companion))
    }

    #[cfg(not(feature = "demo"))]
    async fn demo(settings: &mut Settings, _: Registration, _: &str) -> Option<(Self, Companion)> {
        let what = "and CLIENT_SECRET are missing; this build has no demo provider";
        settings.problem("CLIENT_ID", what);
        None
    }

    /// Who the user is, from what the provider's userinfo endpoint answers.
    ///
    /// # Errors
    /// [`Error::Provider`] when there is no subject: nothing else is required, as all else can be
    /// null somewhere.
    pub fn identify(&self, user: &Map<String, Value>) -> Result<Identity> {
        let text = |name: &&str| match user.get(*name)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            // Only whole ones: two large numbers can be one and the same as floating point.
            Value::Number(number) if !number.is_f64() => Some(number.to_string()),
            _ => None,
        };
        let subject = ["sub", "id"].iter().find_map(text);
        let subject = subject.ok_or_else(|| Error::Provider("a user without sub or id".into()))?;
        let name = [
            "name",
            "global_name",
            "preferred_username",
            "login",
            "username",
        ];
        let name = name
            .iter()
            .find_map(text)
            .unwrap_or_else(|| subject.clone());
        // The name is for display alone, and a cookie is small.
        let name = name.chars().take(100).collect();
        Ok(Identity {
            provider: self.id.clone(),
            subject,
            name,
        })
    }
}

/// A user as the provider knows him. Only provider and subject together identify him: names and
/// e-mail addresses change hands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The provider's id, such as `discord`.
    pub provider: String,
    /// The user's id at the provider, which never changes.
    pub subject: String,
    /// What to call the user.
    pub name: String,
}

/// Which provider the settings choose: what `PROVIDER` says, or what the others mean without it.
pub fn choice(settings: &Settings) -> &str {
    settings.get("PROVIDER").unwrap_or_else(|| {
        if settings.get("AUTH_URL").is_some() {
            "custom"
        } else if settings.get("CLIENT_ID").is_some() {
            "discord"
        } else {
            "demo"
        }
    })
}

/// What the application is called at the provider, and its password there.
pub type Registration = (ClientId, ClientSecret);

/// The id and the secret from these two settings, which only make sense together.
///
/// # Errors
/// When one is missing; the problem has been noted.
pub fn registration(
    settings: &mut Settings,
    id: &str,
    secret: &str,
) -> Result<Option<Registration>, Incomplete> {
    let pair = settings.pair(id, secret)?;
    Ok(pair.map(|(id, secret)| (ClientId::new(id), ClientSecret::new(secret))))
}

/// For the demo provider, where no application has to be registered.
fn demo_client() -> Registration {
    let secret = ClientSecret::new(crate::random_token());
    (ClientId::new("demo".into()), secret)
}

fn required(
    settings: &mut Settings,
    registration: Result<Option<Registration>, Incomplete>,
) -> Option<Registration> {
    let registration = registration.ok()?;
    if registration.is_none() {
        let what = "and CLIENT_SECRET are missing; register your application at the provider";
        settings.problem("CLIENT_ID", what);
    }
    registration
}

/// What may be set for every provider.
fn refine(settings: &mut Settings, provider: Option<&mut Provider>) {
    let scopes = settings.get("SCOPES").map(vec_of);
    if scopes.iter().flatten().any(|scope| !is_scope(scope)) {
        settings.problem(
            "SCOPES",
            "has a character that no scope can have (RFC 6749, section 3.3)",
        );
    }
    let auth_type = match settings.get("CLIENT_AUTH_METHOD") {
        Some("client_secret_basic") => Some(AuthType::BasicAuth),
        Some("client_secret_post") => Some(AuthType::RequestBody),
        Some(_) => {
            let what = "is not client_secret_basic or client_secret_post";
            settings.problem("CLIENT_AUTH_METHOD", what);
            None
        }
        None => None,
    };
    let Some(provider) = provider else { return };
    if let Some(scopes) = scopes {
        provider.scopes = scopes;
    }
    if let Some(auth_type) = auth_type {
        provider.auth_type = auth_type;
    }
    if let Some(issuer) = settings.get("ISSUER") {
        provider.issuer = Some(issuer.to_owned());
    }
}

fn vec_of(scopes: &str) -> Vec<String> {
    scopes.split_whitespace().map(str::to_owned).collect()
}

/// `scope-token` of RFC 6749, section 3.3.
fn is_scope(scope: &str) -> bool {
    scope
        .chars()
        .all(|c| matches!(c, '\x21' | '\x23'..='\x5B' | '\x5D'..='\x7E'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn identify(user: &Value) -> Result<Identity> {
        let registered = (
            ClientId::new("id".into()),
            ClientSecret::new("secret".into()),
        );
        let discord = Provider::preset("discord", registered.0, registered.1).unwrap();
        discord.identify(user.as_object().unwrap())
    }

    #[test]
    fn only_the_subject_is_required_of_a_user() {
        let discord = json!({"id": "80", "username": "n", "global_name": null, "avatar": null});
        let github = json!({"id": 583_231, "login": "octocat", "name": null});
        let google = json!({"sub": "110", "id": "other", "name": "Ada"});
        for (user, subject, name) in [
            (discord, "80", "n"),
            (github, "583231", "octocat"),
            (google, "110", "Ada"),
            (json!({"id": "7"}), "7", "7"),
        ] {
            let identity = identify(&user).unwrap();
            assert_eq!((&*identity.subject, &*identity.name), (subject, name));
        }
        for user in [
            json!({}),
            json!({"id": null}),
            json!({"id": ""}),
            json!({"sub": ["a"]}),
        ] {
            assert!(matches!(identify(&user), Err(Error::Provider(_))), "{user}");
        }
    }
}
