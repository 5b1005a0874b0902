#![cfg_attr(doc, doc = include_str!("../README.md"))]
//!
//! ## In code
//!
//! The authorization code flow with PKCE: `/login` sends the browser to the provider, `/auth`
//! receives it back and shows the token.
//!
//! [`common::oauth`] is the flow itself, with its checks. Here is what a browser sees:
//!
//! ```
//! use testing::{Browser, start};
//!
//! # #[tokio::main]
//! # async fn main() {
//! let server = start(basic::app, &[]).await;
//! let mut browser = Browser::new();
//!
//! // Step 1: to the provider, with a state and a PKCE challenge.
//! let login = browser.get(server.public_url.join("/login")).await;
//! assert!(login.location().contains("code_challenge_method=S256"));
//!
//! // The user clicks Allow, and the provider issues a code.
//! let back = browser.allow(&login, "ada").await;
//! assert!(back.starts_with(&server.public_url.join("/auth?code=")));
//!
//! // Steps 2 and 3: the callback is checked, and the code is redeemed for a token.
//! let token = browser.get(back).await.json();
//! assert_eq!(token["token_type"], "Bearer");
//! # }
//! ```
//!
//! Read [`app`] first; [`common`] explains how it is run.

use askama::Template;
use axum::{Json, Router, extract::State, response::Redirect, routing::get};
use common::{
    Page, Params, Result, cookies,
    error::{NO_STORE, NoStore},
    flow,
    oauth::OAuth,
    server::{PublicHost, get_only, protect},
    token::Token,
};
use tower_cookies::Cookies;

/// The routes, in the order of the walkthrough in the README.
pub fn app(oauth: OAuth) -> Router {
    let public_url = oauth.public_url().clone();
    let routes = Router::new()
        .route("/", get(index))
        // `get` would run the handler for `HEAD` too, and so start a login or use up a code.
        .route("/login", get_only(login))
        .route("/auth", get_only(auth))
        .merge(flow::routes())
        .layer(cookies::layer())
        .with_state(oauth);

    // Headers, limits and error pages. Last: it covers the routes above and none below.
    protect(routes, &public_url)
}

#[derive(Template)]
#[template(path = "index.html")]
struct Index {
    provider: String,
    login_url: String,
    flow: bool,
}

/// `GET /`: explains what this example shows, with a link to begin.
async fn index(State(oauth): State<OAuth>) -> Page<Index> {
    let provider = oauth.provider().name.clone();
    let login_url = oauth.public_url().join("/login");
    Page::new(
        "basic: log in and see the token",
        Index {
            provider,
            login_url,
            flow: oauth.flows().are_shown(),
        },
    )
}

/// `GET /login`: sends the browser to the provider. On this machine, which has several names,
/// [`PublicHost`] makes sure that the cookie is set on the one where the login ends.
async fn login(_: PublicHost, State(oauth): State<OAuth>, cookies: Cookies) -> Result<Redirect> {
    oauth.begin(&cookies, None) // step 1
}

/// `GET /auth?code=…&state=…`: back from the provider.
///
/// Shows the token, which no real application should do: what is on a page can be read by the
/// browser's extensions, and ends up in screenshots.
async fn auth(
    State(oauth): State<OAuth>,
    cookies: Cookies,
    callback: Params,
) -> Result<(NoStore, Json<Token>)> {
    let verified = oauth.verify(&cookies, &callback)?; // step 2: ours, from this browser, once
    let login = oauth.exchange(verified).await?; // step 3: the code for a token

    oauth.narrate_shown(&login.token); // step 4, for the log
    Ok((NO_STORE, Json(login.token)))
}
