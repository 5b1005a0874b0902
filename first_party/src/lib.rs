#![cfg_attr(doc, doc = include_str!("../README.md"))]
//!
//! ## In code
//!
//! Your own tokens: a login form, signed tokens, and endpoints that ask for scopes.
//!
//! | file | what it does |
//! |---|---|
//! | [`login`] | `/login` and `/token`: how a person gets a token |
//! | [`token`] | what is in a token, how it is made and checked |
//! | [`scopes`] | the guard that asks for a scope |
//! | [`docs`] | `/docs`: Swagger UI and the `OpenAPI` document |
//!
//! A token is made for a user, and opens what its scopes say:
//!
//! ```
//! use first_party::token::Tokens;
//!
//! # fn main() -> Result<(), ()> {
//! // In a server both come from the settings.
//! let secrets = common::random_token().into();
//! let tokens = Tokens::new(&secrets, "http://127.0.0.1:5000".parse()?);
//!
//! let answer = tokens.issue("ada", "first_party", "some.scope".into());
//! let claims = tokens.verify(&answer.access_token).expect("it is one of ours");
//! assert_eq!((&*claims.sub, &*claims.scope), ("ada", "some.scope"));
//!
//! // One character more, and it is nobody's.
//! assert!(tokens.verify(&format!("{}x", answer.access_token)).is_none());
//! # Ok(())
//! # }
//! ```
//!
//! In a handler, [`AnyOf`] does the second half: see [`endpoints`], then [`login::token`] for the
//! first.

use askama::Template;
use axum::{
    Json, Router,
    middleware::from_fn,
    routing::{get, post},
};
use common::{
    Page,
    error::oauth_endpoint,
    server::{get_and_post, get_only, protect},
};

pub mod docs;
pub mod login;
pub mod scopes;
pub mod token;

use crate::{
    login::{AcceptsEveryone, Authenticated, authenticate},
    scopes::{AnyOf, OTHER, SOME, THIRD},
    token::Tokens,
};

/// The server, which accepts everyone, on this machine.
pub fn app(AcceptsEveryone(tokens): AcceptsEveryone) -> Router {
    let public_url = tokens.public_url().clone();
    let routes = server(tokens, authenticate, endpoints()).route("/", get(index));

    protect(routes, &public_url) // last: it covers the routes above and none below
}

/// The routes, with what tokens open and with the check of a password as their parts: the example
/// `users` has its own.
pub fn server<A, F>(tokens: Tokens, authenticate: A, endpoints: Router<Tokens>) -> Router
where
    A: Fn(String, String) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Authenticated> + Send + 'static,
{
    let check = authenticate.clone();
    let submit = move |tokens, headers, params| login::submit(tokens, headers, params, check);
    let token = move |tokens, params| login::token(tokens, params, authenticate);

    endpoints
        .route("/endpoint3", get_only(endpoint3))
        .route("/login", get_and_post(login::form, submit))
        .route("/token", post(token).layer(from_fn(oauth_endpoint)))
        .merge(docs::app(tokens.public_url()))
        .with_state(tokens)
}

/// What tokens open.
pub fn endpoints() -> Router<Tokens> {
    Router::new()
        .route("/endpoint1", get_only(endpoint1))
        .route("/endpoint2", get_only(endpoint2))
}

#[derive(Template)]
#[template(path = "index.html")]
struct Index;

/// `GET /`: what this shows.
async fn index() -> Page<Index> {
    Page::new("first_party: your own tokens", Index)
}

/// `GET /endpoint1`: for `some.scope` or `third.scope`.
#[utoipa::path(
    get,
    tag = "endpoints",
    path = "/endpoint1",
    responses(
        (status = 200, description = "A greeting", body = String, content_type = "application/json"),
        (status = 400, description = "More than one Authorization header"),
        (status = 401, description = "No token, or a bad one"),
        (status = 403, description = "A good token without the scope"),
    ),
    security(("oauth2" = ["some.scope"]), ("oauth2" = ["third.scope"]))
)]
async fn endpoint1(_: AnyOf<{ SOME | THIRD }>) -> Json<&'static str> {
    Json("Hello from endpoint 1")
}

/// `GET /endpoint2`: for `other.scope` or `third.scope`.
#[utoipa::path(
    get,
    tag = "endpoints",
    path = "/endpoint2",
    responses(
        (status = 200, description = "A greeting", body = String, content_type = "application/json"),
        (status = 400, description = "More than one Authorization header"),
        (status = 401, description = "No token, or a bad one"),
        (status = 403, description = "A good token without the scope"),
    ),
    security(("oauth2" = ["other.scope"]), ("oauth2" = ["third.scope"]))
)]
async fn endpoint2(_: AnyOf<{ OTHER | THIRD }>) -> Json<&'static str> {
    Json("Hello from endpoint 2")
}

/// `GET /endpoint3`: for everybody, whatever token comes along.
#[utoipa::path(
    get,
    tag = "endpoints",
    path = "/endpoint3",
    responses((status = 200, description = "A greeting", body = String, content_type = "application/json"))
)]
async fn endpoint3() -> Json<&'static str> {
    Json("Hello from the unprotected endpoint 3")
}
