//! `cargo run -p basic --example machine_client`: a program that calls an API on its own behalf,
//! without a user or a browser (RFC 6749, section 4.4).
//!
//! It exchanges its id and its secret for a token, uses it for every call until shortly before it
//! expires, and then gets the next one. The example `client_credentials` of `first_party` is the
//! other half; it prints the command that runs this one.

use std::{process::ExitCode, time::Duration};

use common::{
    http::Http,
    oauth::Client,
    provider::registration,
    settings::{FromSettings, Setting, Settings, is_loopback},
    token::Token,
    unix_now,
};
use oauth2::{
    AccessToken, HttpResponse, RequestTokenError, Scope, TokenUrl, http::StatusCode, url::Url,
};
use tokio::sync::Mutex;

/// How long before its expiry a token is no longer used: a call takes time, and clocks differ.
const EARLY: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    common::run_command(call_twice)
}

/// Calls the API twice but requests only one token.
async fn call_twice(api: Api) -> Result<(), String> {
    for call in 1..=2 {
        let answer = api.call().await?;
        let (status, body) = (answer.status(), String::from_utf8_lossy(answer.body()));
        println!("call {call}: {status}: {body}");
        if !status.is_success() {
            return Err(format!("the API answered {status}"));
        }
    }
    Ok(())
}

/// An API, and the token that grants access to it.
#[derive(Debug)]
pub struct Api {
    url: Url,
    client: Client,
    scopes: Vec<Scope>,
    http: Http,
    /// Requested by the first caller that needs it; the others wait for the same one.
    token: Mutex<Option<Token>>,
}

impl Api {
    /// Sends a `GET` to the API with a token that has not expired.
    pub async fn call(&self) -> Result<HttpResponse, String> {
        let token = self.token(None).await?;
        let answer = self.get(&token).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        // The API rejects this token, whatever our clock says: try once more with another.
        tracing::info!("the API rejected the token; requesting a new one");
        let token = self.token(Some(&token)).await?;
        self.get(&token).await
    }

    async fn get(&self, token: &AccessToken) -> Result<HttpResponse, String> {
        self.http
            .get(&self.url, Some(token))
            .await
            .map_err(|error| format!("the API: {error}"))
    }

    /// The stored token, or a new one if it expires soon or is the `refused` one.
    async fn token(&self, refused: Option<&AccessToken>) -> Result<AccessToken, String> {
        let mut kept = self.token.lock().await;
        if let Some(token) = &*kept
            && token
                .expires_at
                .is_none_or(|end| unix_now() + EARLY.as_secs() < end)
            && refused.is_none_or(|refused| refused.secret() != token.access_token.secret())
        {
            return Ok(token.access_token.clone());
        }
        let token = self.request().await?;
        let access_token = token.access_token.clone();
        *kept = Some(token);
        Ok(access_token)
    }

    /// The client credentials grant: exchanges id and secret for a token (RFC 6749, section 4.4.2).
    async fn request(&self) -> Result<Token, String> {
        let asked = unix_now();
        let request = self
            .client
            .exchange_client_credentials()
            .add_scopes(self.scopes.clone());
        let answer = request.request_async(&self.http).await;
        // `Display`, not `Debug`: `Debug` shows what the server sent, which may contain a token.
        let token = answer.map_err(|error| match error {
            RequestTokenError::Request(error) => format!("no token: {error}"),
            other => format!("no token: {other}"),
        })?;
        let token = token
            .checked(asked)
            .map_err(|error| format!("no token: {error}"))?;

        let scope = token.scope.as_deref().unwrap_or("as requested");
        let lifetime = token
            .expires_in
            .map_or("unknown".into(), |seconds| format!("{seconds} s"));
        tracing::info!("the server issued a token; scope: {scope}; lifetime: {lifetime}");
        Ok(token)
    }
}

impl FromSettings for Api {
    const SETTINGS: &'static [&'static [Setting]] = &[&[
        Setting {
            name: "TOKEN_URL",
            default: "http://127.0.0.1:5000/token",
            help: "The token endpoint.",
        },
        Setting {
            name: "API_URL",
            default: "http://127.0.0.1:5000/endpoint1",
            help: "The URL to call with the token.",
        },
        Setting {
            name: "MACHINE_CLIENT_ID",
            default: "none; it is required",
            help: "The id of this program at the token endpoint.",
        },
        Setting {
            name: "MACHINE_CLIENT_SECRET",
            default: "none; it is required",
            help: "The secret that belongs to MACHINE_CLIENT_ID.",
        },
        Setting {
            name: "MACHINE_CLIENT_SCOPES",
            default: "some.scope",
            help: "The scopes to request, separated by spaces.",
        },
    ]];

    async fn from_settings(settings: &mut Settings) -> Option<Self> {
        let token_url = endpoint(settings, "TOKEN_URL", "http://127.0.0.1:5000/token");
        let url = endpoint(settings, "API_URL", "http://127.0.0.1:5000/endpoint1");
        let registration = registration(settings, "MACHINE_CLIENT_ID", "MACHINE_CLIENT_SECRET");
        let registration = registration.ok()?;
        if registration.is_none() {
            let what = "and MACHINE_CLIENT_SECRET are missing; to try it, `cargo run -p first_party \
                        --example client_credentials` prints both";
            settings.problem("MACHINE_CLIENT_ID", what);
        }
        let ((id, secret), (token_url, url)) = registration.zip(token_url.zip(url))?;
        let scopes = settings
            .get("MACHINE_CLIENT_SCOPES")
            .unwrap_or("some.scope")
            .split_whitespace();
        let scopes = scopes.map(|scope| Scope::new(scope.to_owned())).collect();
        let http = match Http::new(is_loopback(&token_url) && is_loopback(&url)) {
            Ok(http) => http,
            Err(why) => {
                settings.problem("HTTPS", why);
                return None;
            }
        };
        let client = oauth2::Client::new(id)
            .set_client_secret(secret)
            .set_token_uri(TokenUrl::from_url(token_url));
        Some(Self {
            url,
            client,
            scopes,
            http,
            token: Mutex::new(None),
        })
    }
}

/// A URL where secrets may be sent: https, or on this machine.
fn endpoint(settings: &mut Settings, name: &str, default: &str) -> Option<Url> {
    match settings.get(name) {
        Some(_) => settings.endpoint(name),
        None => default.parse().ok(),
    }
}
