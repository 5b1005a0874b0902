//! `cargo run -p first_party --example resource_server`: an API in a separate process, for tokens
//! of the example `authorization_server`.
//!
//! It shares no secret with that server and asks it nothing about a token: the published keys are
//! enough. The price is that a revoked token works here until it expires.
//!
//! | file | what it does |
//! |---|---|
//! | `main.rs` | the settings |
//! | `keys.rs` | the keys of the authorization server, by discovery |
//! | `access_token.rs` | `/endpoint1` to `3`, and the tokens that they accept |

use std::process::ExitCode;

use axum::{Router, extract::FromRef, routing::get};
use common::{
    http::Http,
    server::protect,
    settings::{FromSettings, PublicUrl, Setting, Settings, check_endpoint, is_loopback},
};
use url::Url;

pub mod access_token;
pub mod keys;

use access_token::Accepted;
use keys::Keys;

fn main() -> ExitCode {
    common::run(app)
}

/// The routes.
pub fn app(api: Api) -> Router {
    let public_url = api.public_url.clone();
    let routes = Router::new()
        .route(
            "/",
            get("/endpoint1 and /endpoint2 require a token from the authorization server\n"),
        )
        .merge(access_token::endpoints())
        .with_state(api);

    protect(routes, &public_url)
}

/// What the routes share. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    accepted: Accepted,
    public_url: PublicUrl,
}

impl FromRef<Api> for Accepted {
    fn from_ref(api: &Api) -> Self {
        api.accepted.clone()
    }
}

impl FromSettings for Api {
    const SETTINGS: &'static [&'static [Setting]] = &[&[
        Setting {
            name: "ISSUER",
            default: "http://localhost:5003; required when others can reach the server",
            help: "The authorization server whose tokens are accepted.",
        },
        Setting {
            name: "AUDIENCE",
            default: "ISSUER; required when others can reach the server",
            help: "The aud of the tokens for this API: one of the authorization server's RESOURCES.",
        },
    ]];

    async fn from_settings(settings: &mut Settings) -> Option<Self> {
        for name in ["ISSUER", "AUDIENCE"] {
            if settings.get(name).is_none() && !settings.is_loopback() {
                settings.problem(name, "is missing; a server that others can reach needs it");
            }
        }
        let issuer = settings
            .get("ISSUER")
            .unwrap_or("http://localhost:5003")
            .to_owned();
        let audience = settings.get("AUDIENCE").unwrap_or(&issuer).to_owned();
        let checked = Url::parse(&issuer).map_err(|_| "is not an absolute URL");
        let url = checked.and_then(|url| check_endpoint(&url).map(|()| url));
        let noted = |what: &str| settings.problem("ISSUER", what);
        let url = url.map_err(noted).ok()?;
        let http = Http::new(is_loopback(&url));
        let http = http.map_err(|what| settings.problem("ISSUER", what)).ok()?;
        let keys = Keys::new(&issuer, http);
        Some(Self {
            accepted: Accepted {
                keys,
                issuer,
                audience,
            },
            public_url: settings.public_url().clone(),
        })
    }
}
