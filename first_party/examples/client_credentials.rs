//! `cargo run -p first_party --example client_credentials`: tokens for programs, without a person
//! (RFC 6749, section 4.4).
//!
//! A registered client authenticates with its secret and gets a token on its own behalf, with the
//! scopes that it may have, for `/endpoint1` and `/endpoint2`. There is no refresh token: anyone
//! who has the secret can ask again. The other half is the example `machine_client` of `basic`.

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
    settings::{FromSettings, PublicUrl, Setting, Settings, is_published},
};
use first_party::{
    scopes::Scopes,
    token::{CLIENT, JWT_SECRET, TokenResponse, Tokens},
};

/// The minimum length of a client secret, in characters, where others can try to guess it.
const MIN_SECRET: usize = 32;

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
            get("POST /token issues a token to a program; it grants access to /endpoint1\n"),
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
    /// The command that runs the demo client, if none is registered.
    pub command: Option<String>,
}

/// A program that is registered here.
struct Client {
    id: String,
    secret: String,
    /// The scopes that its tokens may have.
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
            let description = "grant_type must be client_credentials";
            return Err(OAuthError {
                error: "unsupported_grant_type",
                description,
            });
        }
        None => return Err(OAuthError::invalid_request("grant_type is missing")),
    }
    let requested: Scopes = params.get("scope").unwrap_or_default().parse()?;
    // The prefix keeps a client from being mistaken for a user with the same name.
    let subject = format!("{CLIENT}{}", client.id);

    let scopes = requested & client.scopes;
    let token = server.tokens.issue(&subject, &client.id, scopes);

    tracing::info!("a client authenticated and got a token for itself");
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
        &[JWT_SECRET],
        &[
            Setting {
                name: "MACHINE_CLIENT_ID",
                default: "none: a new client at each start; required when others can reach the server",
                help: "The id of the client that is registered.",
            },
            Setting {
                name: "MACHINE_CLIENT_SECRET",
                default: "none, like MACHINE_CLIENT_ID; 32 characters or more where others can reach the server",
                help: "The secret that belongs to MACHINE_CLIENT_ID (openssl rand -hex 32).",
            },
            Setting {
                name: "MACHINE_CLIENT_SCOPES",
                default: "some.scope",
                help: "The scopes that the client may have, separated by spaces.",
            },
        ],
    ];

    async fn from_settings(settings: &mut Settings) -> Option<Self> {
        let tokens = Tokens::from_settings(settings).await;
        let scopes = settings.get("MACHINE_CLIENT_SCOPES");
        let scopes = scopes.unwrap_or("some.scope").parse().ok();
        if scopes.is_none() {
            let what = "has a scope that does not exist";
            settings.problem("MACHINE_CLIENT_SCOPES", what);
        }
        let registered = settings.pair("MACHINE_CLIENT_ID", "MACHINE_CLIENT_SECRET");
        let registered = registered.ok()?;
        if !settings.is_loopback() {
            let secret = registered.as_ref().map(|(_, secret)| &**secret);
            check_public(settings, secret);
        }
        let is_made = registered.is_none();
        let (id, secret) = registered.unwrap_or_else(|| ("demo-client".into(), random_token()));
        let command = is_made.then(|| command(settings.public_url(), &id, &secret));
        // Replace this with your own list of clients. Randomly generated secrets need no slow hash
        // in storage, unlike passwords; SHA-256 is enough, because nobody guesses 256 bits.
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

/// Where others can reach the server, a client has a secret that nobody can guess or look up:
/// `/token` takes as many guesses as anyone sends (RFC 6749, sections 2.3.1 and 10.10).
fn check_public(settings: &mut Settings, secret: Option<&str>) {
    let Some(secret) = secret else {
        let what =
            "and MACHINE_CLIENT_SECRET are missing; a server that others can reach needs them";
        return settings.problem("MACHINE_CLIENT_ID", what);
    };
    if secret.len() < MIN_SECRET {
        let what = format!(
            "is too short for a server that others can reach: {MIN_SECRET} characters or more \
             (openssl rand -hex 32)"
        );
        settings.problem("MACHINE_CLIENT_SECRET", what);
    } else if is_published(secret) {
        let what = "is the published example; generate your own: openssl rand -hex 32";
        settings.problem("MACHINE_CLIENT_SECRET", what);
    }
}

/// The command that runs the example of `basic` with this client.
fn command(own: &PublicUrl, id: &str, secret: &str) -> String {
    let (token_url, api_url) = (own.join("/token"), own.join("/endpoint1"));
    format!(
        "TOKEN_URL={token_url} API_URL={api_url} MACHINE_CLIENT_ID={id} \
         MACHINE_CLIENT_SECRET={secret} cargo run -p basic --example machine_client"
    )
}
