//! The provider that the settings choose.

use oauth2::{AuthType, ClientId, ClientSecret};

use super::{
    Provider, Registration,
    presets::{GITHUB_QUIRKS, is_preset},
    scopes,
};
use crate::{
    random_token,
    server::Companion,
    settings::{Incomplete, Settings},
};

/// The settings that only a custom provider has.
const CUSTOM_ONLY: [&str; 4] = ["AUTH_URL", "TOKEN_URL", "USERINFO_URL", "REVOCATION_URL"];

/// The chosen provider, and the running demo provider if that is the one.
type Chosen = (Provider, Option<Companion>);

/// The value of `PROVIDER`, or what the other settings imply without it.
fn choice(settings: &Settings) -> &str {
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

/// What two settings say of a registration: both, neither, or, after recording a problem, one.
type Registered = Result<Option<Registration>, Incomplete>;

/// The id and the secret from these two settings, which only make sense together.
pub fn registration(settings: &mut Settings, id: &str, secret: &str) -> Registered {
    let pair = settings.pair(id, secret)?;
    Ok(pair.map(|(id, secret)| (ClientId::new(id), ClientSecret::new(secret))))
}

/// For a server that must learn who the user is: a custom provider without `USERINFO_URL` is a
/// problem.
pub fn require_userinfo(settings: &mut Settings) {
    if choice(settings) == "custom" && settings.get("USERINFO_URL").is_none() {
        let what = "is missing; a session needs it to learn who the user is";
        settings.problem("USERINFO_URL", what);
    }
}

impl Provider {
    /// The provider that the settings choose. `None` after recording a problem.
    pub async fn from_settings(settings: &mut Settings) -> Option<Chosen> {
        let choice = choice(settings).to_owned();
        let registration = registration(settings, "CLIENT_ID", "CLIENT_SECRET");
        let mut chosen = match choice.as_str() {
            "custom" => custom(settings, registration),
            "demo" => demo(settings, registration).await,
            id => preset(settings, id, registration),
        };
        refine(settings, chosen.as_mut().map(|(provider, _)| provider));
        chosen
    }
}

fn preset(settings: &mut Settings, id: &str, registration: Registered) -> Option<Chosen> {
    if !is_preset(id) {
        settings.problem("PROVIDER", "is not discord, google, github, demo or custom");
        return None;
    }
    refuse_urls(settings, id);
    let registration = required(settings, registration)?;
    Some((Provider::preset(id, registration)?, None))
}

fn custom(settings: &mut Settings, registration: Registered) -> Option<Chosen> {
    let registration = required(settings, registration);
    for name in ["AUTH_URL", "TOKEN_URL"] {
        if settings.get(name).is_none() {
            settings.problem(name, "is missing; PROVIDER=custom needs it");
        }
    }
    let [auth_url, token_url, userinfo_url, revocation_url] =
        CUSTOM_ONLY.map(|name| settings.endpoint(name));
    let (auth_url, token_url) = auth_url.zip(token_url)?;
    let host = auth_url.host_str().unwrap_or_default().to_owned();
    let provider = Provider {
        userinfo_url,
        revocation_url,
        // It may be a self-hosted GitHub.
        quirks: GITHUB_QUIRKS,
        ..Provider::new(&host, &host, (auth_url, token_url), registration?)
    };
    Some((provider, None))
}

/// No application has to be registered at the demo provider.
async fn demo(settings: &mut Settings, registration: Registered) -> Option<Chosen> {
    refuse_urls(settings, "demo");
    let new_client = || {
        let secret = ClientSecret::new(random_token());
        (ClientId::new("demo".into()), secret)
    };
    let client = registration.ok()?.unwrap_or_else(new_client);
    let (provider, companion) = Provider::demo(settings, client, "/auth").await?;
    Some((provider, Some(companion)))
}

/// A preset's URLs cannot be changed: otherwise its tokens could go to another provider.
fn refuse_urls(settings: &mut Settings, choice: &str) {
    for name in CUSTOM_ONLY {
        if settings.get(name).is_some() {
            let what = format!("is for PROVIDER=custom, not for {choice}; remove it");
            settings.problem(name, what);
        }
    }
}

fn required(settings: &mut Settings, registration: Registered) -> Option<Registration> {
    let registration = registration.ok()?;
    if registration.is_none() {
        let what = "and CLIENT_SECRET are missing; register your application at the provider";
        settings.problem("CLIENT_ID", what);
    }
    registration
}

/// Applies the settings that every provider has.
fn refine(settings: &mut Settings, provider: Option<&mut Provider>) {
    let list = settings.get("SCOPES").map(scopes);
    if list.iter().flatten().any(|scope| !is_scope(scope)) {
        let what = "has a character that no scope can have (RFC 6749, section 3.3)";
        settings.problem("SCOPES", what);
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
    if let Some(list) = list {
        provider.scopes = list;
    }
    if let Some(auth_type) = auth_type {
        provider.auth_type = auth_type;
    }
    if let Some(issuer) = settings.get("ISSUER") {
        provider.issuer = Some(issuer.to_owned());
    }
}

/// `scope-token` of RFC 6749, section 3.3.
fn is_scope(scope: &str) -> bool {
    scope
        .chars()
        .all(|c| matches!(c, '\x21' | '\x23'..='\x5B' | '\x5D'..='\x7E'))
}
