#![cfg_attr(doc, doc = include_str!("../README.md"))]
//!
//! ## In code
//!
//! The authorization code flow, and a session: the token stays behind a cookie.
//!
//! | file | what it does |
//! |---|---|
//! | [`login`] | `/login`, `/auth`, `/logout`: how a session begins and ends |
//! | [`session`] | the two cookies, and the guard [`LoggedIn`](session::LoggedIn) |
//! | [`ended`] | the sessions that have ended recently, whose requests may still be in progress |
//! | [`refresh`] | the provider's token, renewed when it has expired |
//! | [`users`] | the pages for logged-in users |
//!
//! [`common::oauth`] is the flow itself, with its checks. After its last step, [`login::auth`] begins
//! a session. From then on, the user reaches the handlers that take a
//! [`LoggedIn`](session::LoggedIn):
//!
//! ```
//! use axum::{Router, extract::FromRef, routing::get};
//! use common::{
//!     cookies,
//!     server::{get_only, protect},
//!     settings::PublicUrl,
//! };
//! use testing::{Browser, start};
//! use sessions::{AppState, login, session::LoggedIn};
//!
//! async fn hello(LoggedIn(session): LoggedIn) -> String {
//!     format!("Hello, {}", session.identity.name)
//! }
//!
//! fn app(state: AppState) -> Router {
//!     let routes = Router::new()
//!         .route("/login", get_only(login::login))
//!         .route("/auth", get_only(login::auth))
//!         .route("/hello", get(hello))
//!         .layer(cookies::layer())
//!         .with_state(state.clone());
//!     protect(routes, &PublicUrl::from_ref(&state))
//! }
//!
//! # #[tokio::main]
//! # async fn main() {
//! let server = start(app, &[]).await;
//! let hello = server.public_url.join("/hello");
//! let mut browser = Browser::new();
//! assert_eq!(browser.get(&hello).await.status, 401);
//!
//! browser.log_in(&server, "ada").await;
//! assert_eq!(browser.get(&hello).await.body, "Hello, ada");
//! # }
//! ```

use askama::Template;
use axum::{
    Router,
    extract::{FromRef, State},
    routing::{get, post},
};
use common::{
    Page,
    cookies::{self, CookieKeys},
    flow::{self, Flows},
    oauth::OAuth,
    provider::require_userinfo,
    server::{get_only, protect},
    settings::{FromSettings, PublicUrl, Setting, Settings},
};
use tokio_util::task::TaskTracker;

pub mod ended;
pub mod login;
pub mod refresh;
pub mod session;
pub mod users;

use crate::{ended::EndedSessions, refresh::Refreshes, session::LoggedIn};

/// The routes, in the order of the walkthrough.
pub fn app(state: AppState) -> Router {
    let public_url = state.oauth.public_url().clone();
    let routes = Router::new()
        .route("/", get(index))
        .route("/login", get_only(login::login))
        .route("/auth", get_only(login::auth))
        .route("/users/me", get_only(users::me))
        .route("/privileged", get_only(users::privileged))
        .route("/logout", post(login::logout))
        .merge(flow::routes())
        .layer(cookies::layer())
        .with_state(state);

    protect(routes, &public_url) // last: it covers the routes above and none below
}

/// What the handlers share.
#[derive(Clone, Debug)]
pub struct AppState {
    oauth: OAuth,
    refreshes: Refreshes,
    ended: EndedSessions,
    /// Work that continues after a response; a shutdown waits for it.
    background: TaskTracker,
}

impl FromRef<AppState> for OAuth {
    fn from_ref(state: &AppState) -> Self {
        state.oauth.clone()
    }
}

impl FromRef<AppState> for CookieKeys {
    fn from_ref(state: &AppState) -> Self {
        state.oauth.cookie_keys().clone()
    }
}

impl FromRef<AppState> for EndedSessions {
    fn from_ref(state: &AppState) -> Self {
        state.ended.clone()
    }
}

impl FromRef<AppState> for Flows {
    fn from_ref(state: &AppState) -> Self {
        Self::from_ref(&state.oauth)
    }
}

impl FromRef<AppState> for PublicUrl {
    fn from_ref(state: &AppState) -> Self {
        state.oauth.public_url().clone()
    }
}

impl FromSettings for AppState {
    const SETTINGS: &'static [&'static [Setting]] = OAuth::SETTINGS;

    async fn from_settings(settings: &mut Settings) -> Option<Self> {
        require_userinfo(settings);
        let oauth = OAuth::from_settings(settings).await?;
        Some(Self {
            oauth,
            refreshes: Refreshes::default(),
            ended: EndedSessions::default(),
            background: settings.background(),
        })
    }
}

#[derive(Template)]
#[template(path = "index.html")]
struct Index {
    provider: String,
    login_url: String,
    user: Option<String>,
    flow: bool,
}

/// `GET /`: shows who is logged in, and where to go next.
async fn index(State(oauth): State<OAuth>, user: Option<LoggedIn>) -> Page<Index> {
    Page::new(
        "sessions: log in and stay logged in",
        Index {
            provider: oauth.provider().name.clone(),
            login_url: oauth.public_url().join("/login?next=/"),
            user: user.map(|LoggedIn(session)| session.identity.name),
            flow: oauth.flows().are_shown(),
        },
    )
}
