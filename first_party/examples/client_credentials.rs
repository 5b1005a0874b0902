//! `cargo run -p first_party --example client_credentials`: tokens for programs, without a person
//! (RFC 6749, section 4.4).
//!
//! A registered client proves who it is with its secret and gets a token for itself, with the
//! scopes that it may have, for `/endpoint1` and `/endpoint2`. There is no refresh token: who has
//! the secret can ask again. The other half is the example `client_credentials` of `basic`.

use std::{process::ExitCode, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::HeaderMap,
    middleware::from_fn,
    routing::{get, post},
};
use common::{
    Params,
    client_auth::{ClientCredentials, INVALID_CLIENT},
    error::{NO_STORE, NoStore, OAuthError, oauth_endpoint},
    random_token,
    server::protect,
    settings::{FromSettings, PublicUrl, Setting, Settings},
};
use first_party::{
    scopes::Scopes,
    token::{CLIENT, TokenResponse, Tokens},
};

fn main() -> ExitCode {
    common::run(|server: Server| {
        if let Some(command) = &server.command {
            // To the terminal and not to the log: there is a secret in it.
            println!("{command}");
        }
        app(server)
    })
}

/// The routes.
pub fn app(server: Server) -> Router {
    let public_url = server.tokens.public_url().clone();
    let routes = Router::new()
        .route(
            "/",
            get("POST /token gives a program a token, which opens /endpoint1\n"),
        )
        .route("/token", post(token).layer(from_fn(oauth_endpoint)))
        .with_state(server.clone())
        .merge(first_party::endpoints().with_state(server.tokens));

    protect(routes, &public_url)
}

/// What the routes share. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    tokens: Tokens,
    clients: Arc<[Client]>,
    /// Plays the client that was made because none is registered.
    pub command: Option<String>,
}

/// A program that is registered here.
struct Client {
    id: String,
    secret: String,
    /// What its tokens may open.
    scopes: Scopes,
}

/// `POST /token`: the client credentials grant (RFC 6749, section 4.4.2).
async fn token(
    State(server): State<Server>,
    headers: HeaderMap,
    params: Params,
) -> Result<(NoStore, Json<TokenResponse>), OAuthError> {
    let client = server.authenticate(&headers, &params)?;
    match params.get("grant_type") {
        Some("client_credentials") => {}
        Some(_) => {
            let description = "the grant type here is client_credentials";
            return Err(OAuthError {
                error: "unsupported_grant_type",
                description,
            });
        }
        None => return Err(OAuthError::invalid_request("grant_type is missing")),
    }
    let requested: Scopes = params.get("scope").unwrap_or_default().parse()?;
    // A client that is called like a user is not taken for the user.
    let subject = format!("{CLIENT}{}", client.id);

    let scopes = requested & client.scopes;
    let token = server.tokens.issue(&subject, &client.id, scopes);

    tracing::info!("a client proved who it is and got a token of its own");
    Ok((NO_STORE, Json(token)))
}

impl Server {
    /// The registered client that sent this (RFC 6749, section 2.3.1).
    fn authenticate(&self, headers: &HeaderMap, params: &Params) -> Result<&Client, OAuthError> {
        let sent = ClientCredentials::read(headers, params)?;
        let is_it = |client: &&Client| sent.is(&client.id, &client.secret);
        self.clients.iter().find(is_it).ok_or(INVALID_CLIENT)
    }
}

impl FromSettings for Server {
    const SETTINGS: &'static [&'static [Setting]] = &[
        Tokens::SETTINGS[0],
        &[
            Setting {
                name: "CLIENT_ID",
                default: "none: a client is made at each start; required when others can reach the server",
                help: "The id of the client that is registered.",
            },
            Setting {
                name: "CLIENT_SECRET",
                default: "none, as CLIENT_ID",
                help: "The secret that belongs to CLIENT_ID (openssl rand -hex 32).",
            },
            Setting {
                name: "CLIENT_SCOPES",
                default: "some.scope",
                help: "What the client may have, separated by spaces.",
            },
        ],
    ];

    async fn from_settings(settings: &mut Settings) -> Option<Self> {
        let tokens = Tokens::from_settings(settings).await;
        let scopes = settings.get("CLIENT_SCOPES").unwrap_or("some.scope");
        let scopes = scopes.parse().ok();
        if scopes.is_none() {
            settings.problem("CLIENT_SCOPES", "has a scope that does not exist");
        }
        let registered = settings.pair("CLIENT_ID", "CLIENT_SECRET").ok()?;
        if registered.is_none() && !settings.is_loopback() {
            let what = "and CLIENT_SECRET are missing; a server that others reach needs them";
            settings.problem("CLIENT_ID", what);
        }
        let is_made = registered.is_none();
        let (id, secret) = registered.unwrap_or_else(|| ("demo-client".into(), random_token()));
        let command = is_made.then(|| command(settings.public_url(), &id, &secret));
        // Replace this with your own list of clients. Secrets that a machine has made need no slow
        // hash where they are kept, as passwords do; SHA-256 is enough, as nobody guesses 256 bits.
        let clients = Arc::new([Client {
            id,
            secret,
            scopes: scopes?,
        }]);
        Some(Self {
            tokens: tokens?,
            clients,
            command,
        })
    }
}

/// What runs the example of `basic` with this client.
fn command(own: &PublicUrl, id: &str, secret: &str) -> String {
    let (token_url, api_url) = (own.join("/token"), own.join("/endpoint1"));
    format!(
        "TOKEN_URL={token_url} API_URL={api_url} CLIENT_ID={id} CLIENT_SECRET={secret} \
         cargo run -p basic --example client_credentials"
    )
}
