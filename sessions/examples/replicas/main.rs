//! Sessions on the server, shared by any number of processes.
//!
//! ```sh
//! cargo run -p sessions --example replicas
//! REDIS_URL=redis://127.0.0.1 SESSION_SECRET=$(openssl rand -hex 32) cargo run -p sessions --example replicas
//! ```
//!
//! What differs from the server `sessions`:
//!
//! | file | what it does |
//! |---|---|
//! | `main.rs` | the routes, the settings and the first page |
//! | `session.rs` | the cookie with a random id, and the guard [`LoggedIn`] |
//! | `login.rs` | how a session begins and ends: `/auth`, `/logout`, `/logout/everywhere` |
//! | `list.rs` | `/sessions`: where this user is logged in |
//! | `refresh.rs` | one refresh for all processes |
//! | `users.rs` | what logged-in users get |
//! | `health.rs` | `/healthz` and `/readyz`, for the orchestrator and the load balancer |
//! | `seal.rs` | the encryption of what is stored |
//! | `store.rs` | where it is stored: `store/memory.rs`, or `store/redis.rs` with `scripts/` |
//!
//! `sessions/nginx.conf` is a proxy in front of three of them.

use std::process::ExitCode;

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
    provider::{CLIENT_SETTINGS, require_userinfo},
    server::{get_only, protect},
    settings::{FromSettings, PublicUrl, Secrets, Setting, Settings},
};
use tokio_util::task::TaskTracker;

mod health;
mod list;
mod login;
mod refresh;
mod seal;
mod session;
mod store;
mod users;

use seal::Seal;
use session::LoggedIn;
use store::{REDIS_URL, Store};

fn main() -> ExitCode {
    common::run(app)
}

/// The routes, in the order of the walkthrough.
pub fn app(replica: Replica) -> Router {
    let public_url = PublicUrl::from_ref(&replica);
    let routes = Router::new()
        .route("/", get(index))
        .route("/login", get_only(sessions::login::login))
        .route("/auth", get_only(login::auth))
        .route("/users/me", get_only(users::me))
        .route("/privileged", get_only(users::privileged))
        .route("/sessions", get_only(list::sessions))
        .route("/logout", post(login::logout))
        .route("/logout/everywhere", post(login::logout_everywhere))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .merge(flow::routes())
        .layer(cookies::layer())
        .with_state(replica);

    protect(routes, &public_url) // last: it covers the routes above and none below
}

/// What the handlers share. A replica is one of several processes that act as one service.
#[derive(Clone, Debug)]
pub struct Replica {
    oauth: OAuth,
    store: Store,
    seal: Seal,
    /// Work that continues after a response; a shutdown waits for it.
    background: TaskTracker,
}

impl FromSettings for Replica {
    const SETTINGS: &'static [&'static [Setting]] = &[CLIENT_SETTINGS, &[REDIS_URL]];

    async fn from_settings(settings: &mut Settings) -> Option<Self> {
        require_userinfo(settings);
        let secrets = match settings.get("SESSION_SECRET") {
            Some(_) => settings.signing_secrets("SESSION_SECRET", 64),
            // It encrypts only data that is lost when this process ends.
            None => Secrets::random(),
        };
        let oauth = OAuth::from_settings(settings).await;
        let store = Store::from_settings(settings).await;
        let (oauth, store) = oauth.zip(store)?;
        Some(Self {
            oauth,
            store,
            seal: Seal::new(&secrets),
            background: settings.background(),
        })
    }
}

#[derive(Template)]
#[template(path = "replicas.html")]
struct Index {
    provider: String,
    login_url: String,
    user: Option<String>,
    store_is_down: bool,
}

/// `GET /`: shows who is logged in, and where to go next, even while the store is down.
async fn index(State(oauth): State<OAuth>, user: common::Result<Option<LoggedIn>>) -> Page<Index> {
    Page::new(
        "replicas: one session on many machines",
        Index {
            provider: oauth.provider().name.clone(),
            login_url: oauth.public_url().join("/login"),
            store_is_down: user.is_err(),
            user: user.ok().flatten().map(|user| user.0.identity.name),
        },
    )
}

impl FromRef<Replica> for OAuth {
    fn from_ref(replica: &Replica) -> Self {
        replica.oauth.clone()
    }
}

impl FromRef<Replica> for CookieKeys {
    fn from_ref(replica: &Replica) -> Self {
        replica.oauth.cookie_keys().clone()
    }
}

impl FromRef<Replica> for Flows {
    fn from_ref(replica: &Replica) -> Self {
        Self::from_ref(&replica.oauth)
    }
}

impl FromRef<Replica> for PublicUrl {
    fn from_ref(replica: &Replica) -> Self {
        replica.oauth.public_url().clone()
    }
}
