#![cfg_attr(doc, doc = include_str!("../README.md"))]
//!
//! ## In code
//!
//! Your own tokens: a login form, signed tokens, and endpoints that ask for scopes.
//!
//! | file | what it does |
//! |---|---|
//! | [`form`] | `GET /login`: the form |
//! | [`password`] | `POST /token`: the password grant, and the check of the password |
//! | [`implicit`] | `POST /login`: the implicit grant |
//! | [`token`] | the claims of a token, and how it is issued and verified |
//! | [`bearer`] | the token of a request, or the challenge |
//! | [`scopes`] | the scopes, and the guard that requires one |
//! | `narration` | what the log and `GET /flow` say |
//! | [`docs`] | `/docs`: Swagger UI and the `OpenAPI` document |
//!
//! A token is issued for a user, and its scopes decide what it grants access to:
//!
//! ```
//! use common::flow::Flows;
//! use first_party::{scopes::Scopes, token::Tokens};
//!
//! # fn main() -> Result<(), ()> {
//! // In a server both come from the settings.
//! let secrets = common::random_token().into();
//! let tokens = Tokens::new(&secrets, "http://127.0.0.1:5000".parse()?, Flows::default());
//!
//! let answer = tokens.issue("ada", "first_party", Scopes::known_in("some.scope"));
//! let claims = tokens.verify(&answer.access_token).expect("it is one of ours");
//! assert_eq!((&*claims.sub, &*claims.scope.to_string()), ("ada", "some.scope"));
//!
//! // With one more character, it is not ours.
//! assert!(tokens.verify(&format!("{}x", answer.access_token)).is_none());
//! # Ok(())
//! # }
//! ```
//!
//! In a handler, [`AnyOf`] does the second half: see [`endpoints`], then [`password::token`] for the
//! first.

use askama::Template;
use axum::{
    Json, Router,
    extract::{FromRef, State},
    middleware::from_fn,
    routing::{get, post},
};
use common::{
    Page,
    error::oauth_endpoint,
    flow,
    server::{get_and_post, get_only, protect},
};

pub mod bearer;
pub mod docs;
pub mod form;
pub mod implicit;
mod narration;
pub mod password;
pub mod scopes;
pub mod token;

use crate::{
    password::AcceptsEveryone,
    scopes::{AnyOf, OTHER, SOME, THIRD},
    token::Tokens,
};

/// The server. It accepts any user, so it runs on this machine only.
pub fn app(state: AcceptsEveryone) -> Router {
    let tokens = Tokens::from_ref(&state);
    let public_url = tokens.public_url().clone();
    let logins = Router::new()
        .route("/login", get_and_post(form::form, implicit::submit))
        .route(
            "/token",
            post(password::token).layer(from_fn(oauth_endpoint)),
        )
        .with_state(state);
    let routes = endpoints()
        .route("/", get(index))
        .route("/endpoint3", get_only(endpoint3))
        .merge(docs::routes(&public_url))
        .merge(flow::routes())
        .with_state(tokens)
        .merge(logins);

    protect(routes, &public_url) // last: it covers the routes above and none below
}

/// The endpoints that need a token.
pub fn endpoints() -> Router<Tokens> {
    Router::new()
        .route("/endpoint1", get_only(endpoint1))
        .route("/endpoint2", get_only(endpoint2))
}

#[derive(Template)]
#[template(path = "index.html")]
struct Index {
    flow: bool,
}

/// `GET /`: explains what this server shows.
async fn index(State(tokens): State<Tokens>) -> Page<Index> {
    let flow = tokens.flows().are_shown();
    Page::new("first_party: your own tokens", Index { flow })
}

/// `GET /endpoint1`: for `some.scope` or `third.scope`.
#[utoipa::path(
    get,
    tag = "endpoints",
    path = "/endpoint1",
    summary = "Greets a token with some.scope or third.scope",
    description = "The handler takes an `AnyOf`, the guard for scopes.",
    responses(
        (status = 200, description = "A greeting", body = String, content_type = "application/json"),
        (status = 400, description = "More than one Authorization header"),
        (status = 401, description = "No token, or a bad one"),
        (status = 403, description = "A good token without the scope"),
    ),
    security(("oauth2" = ["some.scope"]), ("oauth2" = ["third.scope"]), ("token" = []))
)]
async fn endpoint1(_: AnyOf<{ SOME | THIRD }>) -> Json<&'static str> {
    Json("Hello from endpoint 1")
}

/// `GET /endpoint2`: for `other.scope` or `third.scope`.
#[utoipa::path(
    get,
    tag = "endpoints",
    path = "/endpoint2",
    summary = "Greets a token with other.scope or third.scope",
    description = "The handler takes an `AnyOf`, the guard for scopes.",
    responses(
        (status = 200, description = "A greeting", body = String, content_type = "application/json"),
        (status = 400, description = "More than one Authorization header"),
        (status = 401, description = "No token, or a bad one"),
        (status = 403, description = "A good token without the scope"),
    ),
    security(("oauth2" = ["other.scope"]), ("oauth2" = ["third.scope"]), ("token" = []))
)]
async fn endpoint2(_: AnyOf<{ OTHER | THIRD }>) -> Json<&'static str> {
    Json("Hello from endpoint 2")
}

/// `GET /endpoint3`: for everyone, with or without a token.
#[utoipa::path(
    get,
    tag = "endpoints",
    path = "/endpoint3",
    summary = "Greets everyone",
    description = "It requires no token.",
    responses((status = 200, description = "A greeting", body = String, content_type = "application/json"))
)]
pub async fn endpoint3() -> Json<&'static str> {
    Json("Hello from the unprotected endpoint 3")
}
