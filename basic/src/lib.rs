//! The authorization code flow with PKCE: `/login` sends the browser to the provider, `/auth`
//! takes it back and shows the token.
//!
//! The flow itself, step by step and with its checks, is [`common::oauth`].

use askama::Template;
use axum::{Json, Router, extract::State, response::Redirect, routing::get};
use common::{
    Page, Params, Result,
    error::NoStore,
    oauth::OAuth,
    server::{PublicHost, get_only},
    token::Token,
};
use tower_cookies::{CookieManagerLayer, Cookies};

/// The routes, in the order of the walkthrough.
pub fn app(oauth: OAuth) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/login", get_only(login))
        .route("/auth", get_only(auth))
        .layer(CookieManagerLayer::new())
        .with_state(oauth)
}

#[derive(Template)]
#[template(path = "index.html")]
struct Index {
    provider: String,
    login_url: String,
}

/// `GET /`: what this shows, and a link to begin.
async fn index(State(oauth): State<OAuth>) -> Page<Index> {
    let provider = oauth.provider().name.clone();
    let login_url = oauth.public_url().join("/login");
    Page::new("basic: log in and see the token", Index { provider, login_url })
}

/// `GET /login`: to the provider.
async fn login(_: PublicHost, State(oauth): State<OAuth>, cookies: Cookies) -> Result<Redirect> {
    oauth.begin(&cookies, None)
}

/// `GET /auth?code=…&state=…`: back from the provider.
///
/// Shows the token, which no real application should do: what is on a page is also in the
/// browser's history, its extensions and in screenshots.
async fn auth(
    State(oauth): State<OAuth>,
    cookies: Cookies,
    answer: Params,
) -> Result<(NoStore, Json<Token>)> {
    let login = oauth.finish(&cookies, &answer).await?;

    tracing::info!("4/4 the token goes to the browser, for you to look at");
    Ok((NoStore, Json(login.token)))
}
