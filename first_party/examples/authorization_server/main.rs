//! `cargo run -p first_party --example authorization_server`: the other side of the code flow.
//!
//! It logs people in for clients, asks them what each client may do, and issues tokens that
//! anyone can verify with its public keys. Log in as `johndoe` with `secret123`. The servers
//! `sessions` and `basic` and the example `providers` log in here with the commands that it prints.
//!
//! In the order in which a login meets them:
//!
//! | file | what it does |
//! |---|---|
//! | `settings.rs`, `registration.rs` | what the server needs; its clients; the commands |
//! | `metadata.rs` | discovery, and which endpoints scripts of other sites may call |
//! | `authorize.rs`, `request.rs` | the authorization request: `prompt`; what is missing? |
//! | `login.rs` | the password form |
//! | `session.rs` | the cookie, so that the user need not enter the password for the next client |
//! | `consent.rs`, `consents.rs` | Allow and Deny; withdrawing |
//! | `token.rs` | the token endpoint; a client that acts on its own behalf |
//! | `clients.rs` | how a client authenticates, and where its users may be sent |
//! | `codes.rs` | issues a code and redeems it once; PKCE is checked; what a second use revokes |
//! | `refresh.rs` | a new refresh token with each use; what the reuse of an old one revokes |
//! | `scopes.rs`, `resources.rs` | what a token grants access to, and at which API |
//! | `tokens.rs` | the claims of the tokens, and when they expire |
//! | `keys.rs` | the keys that sign them, and the public keys |
//! | `userinfo.rs`, `revoke.rs` | what a token reveals; revoking one; introspecting one |
//! | `logout.rs` | the end of the session |
//! | `store.rs`, `accounts.rs` | the tables; the users, shared with the example `users` |
//! | `docs.rs` | Swagger UI, a public client |
//! | `../resource_server/access_token.rs` | `/endpoint1` to `3`, and the tokens that they accept |

use std::process::ExitCode;

use askama::Template;
use axum::{
    Router,
    middleware::{from_fn, map_response_with_state},
    routing::{get, post},
};
use common::{
    Page, cookies,
    error::oauth_endpoint,
    server::{PublicHost, get_and_post, get_only, protect},
};

#[path = "../resource_server/access_token.rs"]
mod access_token;
pub mod accounts;
mod authorize;
pub mod clients;
pub mod codes;
mod consent;
mod consents;
mod docs;
pub mod keys;
mod login;
mod logout;
mod metadata;
#[path = "../users/passwords.rs"]
pub(crate) mod passwords;
pub mod refresh;
mod registration;
mod request;
mod resources;
mod revoke;
mod scopes;
mod session;
pub mod settings;
pub mod store;
mod token;
mod tokens;
mod userinfo;
#[path = "../users/users.rs"]
mod users;

use settings::Server;

fn main() -> ExitCode {
    common::run(|server: Server| {
        if let Some(commands) = &server.commands {
            // To the terminal and not to the log: there is a secret in it.
            println!("{commands}");
        }
        app(server)
    })
}

/// The routes.
pub fn app(server: Server) -> Router {
    let public_url = server.public_url.clone();
    let pages = Router::new()
        .route("/", get(index))
        .route(
            "/authorize",
            get_and_post(authorize::authorize, authorize::by_form),
        )
        .route("/login", post(login::login))
        .route("/consent", post(consent::decide))
        .route(
            "/consents",
            get_and_post(consents::consents, consents::withdraw),
        )
        .route("/logout", get_and_post(logout::logout, authorize::by_form))
        .route("/logout/confirm", post(logout::confirm))
        .layer(cookies::layer());
    let name_metadata = map_response_with_state(public_url.clone(), metadata::name_it);
    let endpoints = access_token::endpoints().route_layer(name_metadata);
    let routes = pages
        .merge(for_clients())
        .merge(endpoints)
        .merge(docs::routes(&public_url))
        .with_state(server);

    protect(routes, &public_url) // last: it covers the routes above and none below
}

/// What clients call, on their own behalf and from any origin.
fn for_clients() -> Router<Server> {
    let metadata = || get_only(metadata::authorization_server);
    let oauth = Router::new()
        .route("/token", post(token::token))
        .route("/revoke", post(revoke::revoke))
        .route_layer(from_fn(oauth_endpoint));
    // Not for scripts: a client that introspects needs a secret.
    let introspect = Router::new()
        .route("/introspect", post(revoke::introspect))
        .route_layer(from_fn(oauth_endpoint));
    Router::new()
        .route("/.well-known/oauth-authorization-server", metadata())
        .route("/.well-known/openid-configuration", metadata())
        .route(
            metadata::PROTECTED_RESOURCE,
            get_only(metadata::protected_resource),
        )
        .route("/jwks.json", get_only(keys::jwks))
        .route(
            "/userinfo",
            get_and_post(userinfo::userinfo, userinfo::userinfo),
        )
        .merge(oauth)
        .route_layer(from_fn(metadata::for_every_origin))
        .merge(introspect)
}

#[derive(Template)]
#[template(path = "authorization_server/index.html")]
struct Index;

/// `GET /`: explains what this is.
async fn index(_: PublicHost) -> Page<Index> {
    Page::new("authorization_server: the other side of a login", Index)
}
