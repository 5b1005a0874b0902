//! Several providers in one application.
//!
//! ```sh
//! cargo run -p sessions --example providers
//! ```
//!
//! With nothing set there are two demo providers. `DISCORD_CLIENT_ID` and `DISCORD_CLIENT_SECRET`
//! enable Discord, likewise `GOOGLE_…`, `GITHUB_…`, and `OIDC_…` with `OIDC_ISSUER` for any
//! OpenID provider.
//!
//! What differs from the server `sessions`:
//!
//! | file | what it does |
//! |---|---|
//! | `main.rs` | the routes: each provider has its own redirect URI, and every user an account |
//! | `choice.rs` | the provider that the user chose |
//! | `openid.rs` | OpenID providers: they are found by discovery and issue ID tokens |
//! | `settings.rs` | which providers there are |
//! | `../db/accounts.rs` | the database, and the account of a user |

use std::{process::ExitCode, sync::Arc};

use askama::Template;
use axum::{
    Json, Router,
    extract::{FromRef, State},
    http::HeaderMap,
    response::Redirect,
    routing::{get, post},
};
use common::{
    Error, Page, Params, Result,
    cookies::{self, CookieKeys},
    flow::{self, Flows},
    provider::Identity,
    server::{Companion, PublicHost, check_same_origin, get_only, protect},
    settings::PublicUrl,
};
use sessions::{
    ended::EndedSessions,
    session::{Session, SessionCookies},
};
use tokio_util::task::TaskTracker;
use tower_cookies::Cookies;

#[path = "../db/accounts.rs"]
pub mod accounts;
mod choice;
mod openid;
mod settings;

use accounts::{Account, Accounts};
use choice::Choice;

fn main() -> ExitCode {
    common::run(app)
}

/// The routes, in the order of the walkthrough.
pub fn app(providers: Providers) -> Router {
    let public_url = providers.public_url.clone();
    let routes = Router::new()
        .route("/", get(index))
        .route("/login", get_only(index))
        .route("/login/{provider}", get_only(login))
        .route("/auth/{provider}", get_only(auth))
        .route("/users/me", get_only(me))
        .route("/logout", post(logout))
        .merge(flow::routes())
        .layer(cookies::layer())
        .with_state(providers);

    protect(routes, &public_url) // last: it covers the routes above and none below
}

/// What the handlers share.
#[derive(Clone)]
pub struct Providers {
    choices: Arc<Vec<Choice>>,
    keys: CookieKeys,
    public_url: PublicUrl,
    /// Those of all providers.
    flows: Flows,
    accounts: Accounts,
    ended: EndedSessions,
    /// Work that continues after a response; a shutdown waits for it.
    background: TaskTracker,
    /// The demo providers run until this is dropped.
    _demos: Arc<Vec<Companion>>,
}

#[derive(Template)]
#[template(path = "providers.html")]
struct Index {
    public_url: PublicUrl,
    choices: Arc<Vec<Choice>>,
    user: Option<String>,
}

/// `GET /` and `GET /login`: the providers to choose from.
async fn index(
    _: PublicHost,
    State(providers): State<Providers>,
    cookies: SessionCookies,
) -> Page<Index> {
    let user = cookies
        .of_any_provider()
        .map(|session| session.identity.name);
    let Providers {
        public_url,
        choices,
        ..
    } = providers;
    Page::new(
        "providers: choose where to log in",
        Index {
            public_url,
            choices,
            user,
        },
    )
}

/// `GET /login/{provider}`: sends the browser to the provider.
async fn login(_: PublicHost, choice: Choice, cookies: Cookies) -> Result<Redirect> {
    choice.begin(&cookies).await
}

/// `GET /auth/{provider}?code=…&state=…`: back from the provider.
///
/// The login remembers which redirect URI it must come back to. A callback from one provider is
/// therefore rejected at another's redirect URI; otherwise an attacker's provider could trick us
/// into sending it the code (mix-up, RFC 9700, section 4.4).
async fn auth(
    choice: Choice,
    State(providers): State<Providers>,
    cookies: Cookies,
    session: SessionCookies,
    callback: Params,
) -> Result<Redirect> {
    let (login, identity) = choice.finish(&cookies, &callback).await?;
    let account = providers.accounts.find_or_create(&identity).await?;
    tracing::info!("account {} has logged in", account.id);
    session.begin(identity, login.token)?;
    Ok(Redirect::to("/users/me"))
}

/// `GET /users/me`: the account, which is our own, whatever the provider calls the user.
async fn me(State(providers): State<Providers>, cookies: SessionCookies) -> Result<Json<Account>> {
    let session = providers.session(&cookies).ok_or(Error::NotLoggedIn)?;
    let account = providers.accounts.find(&session.identity).await?;
    let deleted = || {
        cookies.forget(&session);
        Error::NotLoggedIn
    };
    account.map(Json).ok_or_else(deleted)
}

/// `POST /logout`: ends the session here, and revokes the token at the provider that issued it.
async fn logout(
    State(providers): State<Providers>,
    cookies: SessionCookies,
    headers: HeaderMap,
) -> Result<Redirect> {
    check_same_origin(&headers, &providers.public_url)?;
    providers.end(&cookies);
    Ok(Redirect::to("/"))
}

impl Providers {
    /// The session of this browser, while its provider is still one of ours.
    fn session(&self, cookies: &SessionCookies) -> Option<Session> {
        let session = cookies.of_any_provider()?;
        self.find(&session).is_some().then_some(session)
    }

    fn find(&self, session: &Session) -> Option<&Choice> {
        self.choices
            .iter()
            .find(|choice| choice.id == session.identity.provider)
    }

    /// Ends the session of this browser, whatever its provider does: a separate task revokes the
    /// token, and the response does not wait for it.
    fn end(&self, cookies: &SessionCookies) {
        let session = cookies.of_any_provider();
        let token = session
            .as_ref()
            .and_then(|session| cookies.token(session).zip(self.find(session).cloned()));
        cookies.end();
        if let Some((token, choice)) = token {
            self.background
                .spawn(async move { choice.revoke(&token).await });
        }
    }
}

impl Accounts {
    /// The account of this user, unless it was deleted: only a login makes a new one.
    async fn find(&self, user: &Identity) -> Result<Option<Account>> {
        const SQL: &str = "SELECT id, provider, subject, name FROM accounts
            WHERE provider = $1 AND subject = $2";
        let query = sqlx::query_as(SQL).bind(&user.provider).bind(&user.subject);
        Ok(query.fetch_optional(&self.0).await?)
    }
}

impl FromRef<Providers> for CookieKeys {
    fn from_ref(providers: &Providers) -> Self {
        providers.keys.clone()
    }
}

impl FromRef<Providers> for EndedSessions {
    fn from_ref(providers: &Providers) -> Self {
        providers.ended.clone()
    }
}

impl FromRef<Providers> for Flows {
    fn from_ref(providers: &Providers) -> Self {
        providers.flows.clone()
    }
}

impl FromRef<Providers> for PublicUrl {
    fn from_ref(providers: &Providers) -> Self {
        providers.public_url.clone()
    }
}
