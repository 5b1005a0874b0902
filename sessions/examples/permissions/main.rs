//! Users and their permissions in a database: being logged in does not mean being allowed
//! everything.
//!
//! ```sh
//! cargo run -p sessions --example permissions
//! ```
//!
//! What differs from the server `sessions`:
//!
//! | file | what it does |
//! |---|---|
//! | `main.rs` | the routes: `/admin` and `/privileged` need a permission |
//! | `login.rs` | `/auth` finds or creates the account; `/logout` ends the session on the server too |
//! | `guard.rs` | the guards [`ActiveSession`] and [`Permitted`], which ask the database at each request |
//! | `users.rs` | the JSON API with which an admin grants and revokes permissions |
//! | `store.rs` | the SQL of sessions and permissions |
//! | `../db/accounts.rs` | the database, and the account of a user |

use std::process::ExitCode;

use askama::Template;
use axum::{
    Json, Router,
    extract::{FromRef, State},
    routing::{get, post, put},
};
use common::{
    Error, Page, Result,
    cookies::{self, CookieKeys},
    flow::{self, Flows},
    oauth::OAuth,
    provider::CLIENT_SETTINGS,
    server::{get_only, protect},
    settings::{FromSettings, PublicUrl, Setting, Settings},
};
use serde_json::{Map, Value};
use sessions::{
    AppState,
    ended::EndedSessions,
    session::{LoggedIn, SessionCookies},
};

#[path = "../db/accounts.rs"]
pub(crate) mod accounts;
mod guard;
mod login;
mod store;
mod users;

use accounts::{Accounts, DATABASE_URL};
use guard::{ADMIN, ActiveSession, Permitted, SOMETHING};
use store::Entry;

fn main() -> ExitCode {
    common::run(app)
}

/// The routes, in the order of the walkthrough.
pub fn app(permissions: Permissions) -> Router {
    let one_permission = put(users::grant).delete(users::revoke);
    let public_url = PublicUrl::from_ref(&permissions);
    let routes = Router::new()
        .route("/", get(index))
        .route("/login", get_only(sessions::login::login))
        .route("/auth", get_only(login::auth))
        .route("/users/me", get_only(me))
        .route("/admin", get_only(admin))
        .route("/privileged", get_only(privileged))
        .route("/admin/users", get_only(users::list))
        .route("/admin/users/{id}/permissions/{permission}", one_permission)
        .route("/logout", post(login::logout))
        .merge(flow::routes())
        .layer(cookies::layer())
        .with_state(permissions);

    protect(routes, &public_url) // last: it covers the routes above and none below
}

/// What the handlers share.
#[derive(Clone, Debug)]
pub struct Permissions {
    sessions: AppState,
    accounts: Accounts,
    /// The `provider:subject` of the user who becomes Admin.
    admin: Option<String>,
}

const ADMIN_SETTING: Setting = Setting {
    name: "ADMIN",
    default: "none: the first account becomes Admin; required where others can log in",
    help: "The account that becomes Admin at login, as provider:subject, such as demo:1234567890.",
};

impl FromSettings for Permissions {
    const SETTINGS: &'static [&'static [Setting]] =
        &[CLIENT_SETTINGS, &[DATABASE_URL, ADMIN_SETTING]];

    async fn from_settings(settings: &mut Settings) -> Option<Self> {
        refuse_defaults_in_public(settings);
        let sessions = AppState::from_settings(settings).await;
        let accounts = Accounts::from_settings(settings).await;
        let (sessions, accounts) = sessions.zip(accounts)?;
        let provider = OAuth::from_ref(&sessions).provider().id.clone();
        let admin = settings.get("ADMIN").map(str::to_owned);
        // Users of another provider cannot log in here.
        let is_of_provider = |admin: &String| admin.starts_with(&format!("{provider}:"));
        if !admin.as_ref().is_none_or(is_of_provider) {
            let what =
                format!("is not {provider}: followed by a user's id there ({provider}:1234)");
            settings.problem("ADMIN", what);
        }
        Some(Self {
            sessions,
            accounts,
            admin,
        })
    }
}

/// Where others can log in, the first account must not become Admin: a stranger may be first, and
/// with a database in memory there is a first account after each restart.
fn refuse_defaults_in_public(settings: &mut Settings) {
    const REQUIRED: [(&str, &str); 2] = [
        (
            "ADMIN",
            "is missing; others can log in here, so name the account that becomes Admin, as \
             provider:subject",
        ),
        (
            "DATABASE_URL",
            "is missing; others can log in here, so name a database for the permissions, such \
             as sqlite://permissions.db",
        ),
    ];
    if !settings.is_loopback() {
        for (name, what) in REQUIRED {
            if settings.get(name).is_none() {
                settings.problem(name, what);
            }
        }
    }
}

#[derive(Template)]
#[template(path = "permissions.html")]
struct Index {
    provider: String,
    login_url: String,
    user: Option<Entry>,
}

/// `GET /`: shows who is logged in, what this account may do, and where to go next.
async fn index(
    State(Permissions { accounts, .. }): State<Permissions>,
    State(oauth): State<OAuth>,
    session: Option<ActiveSession>,
) -> Result<Page<Index>> {
    let user = match session {
        Some(ActiveSession { account, .. }) => accounts.user(account.id).await?,
        None => None,
    };
    let (provider, login_url) = (
        oauth.provider().name.clone(),
        oauth.public_url().join("/login"),
    );
    Ok(Page::new(
        "permissions: who may do what",
        Index {
            provider,
            login_url,
            user,
        },
    ))
}

/// `GET /users/me`: what the provider knows about the user.
async fn me(
    ActiveSession { session, .. }: ActiveSession,
    State(Permissions {
        sessions, accounts, ..
    }): State<Permissions>,
    cookies: SessionCookies,
) -> Result<Json<Map<String, Value>>> {
    let id = session.id.clone();
    let user = sessions::users::me(LoggedIn(session), State(sessions), cookies).await;
    if matches!(user, Err(Error::NotLoggedIn)) {
        // The provider has ended the login, so the session ends too.
        accounts.end_session(&id).await?;
    }
    user
}

/// `GET /admin`: for admins.
async fn admin(_: Permitted<{ ADMIN }>) -> Json<&'static str> {
    Json("You are an admin!")
}

/// `GET /privileged`: for accounts with `Something`; being an admin is not enough.
async fn privileged(_: Permitted<{ SOMETHING }>) -> Json<&'static str> {
    Json("You are truly privileged!")
}

impl FromRef<Permissions> for OAuth {
    fn from_ref(permissions: &Permissions) -> Self {
        Self::from_ref(&permissions.sessions)
    }
}

impl FromRef<Permissions> for CookieKeys {
    fn from_ref(permissions: &Permissions) -> Self {
        Self::from_ref(&permissions.sessions)
    }
}

impl FromRef<Permissions> for EndedSessions {
    fn from_ref(permissions: &Permissions) -> Self {
        Self::from_ref(&permissions.sessions)
    }
}

impl FromRef<Permissions> for Flows {
    fn from_ref(permissions: &Permissions) -> Self {
        Self::from_ref(&permissions.sessions)
    }
}

impl FromRef<Permissions> for PublicUrl {
    fn from_ref(permissions: &Permissions) -> Self {
        Self::from_ref(&permissions.sessions)
    }
}

impl FromRef<Permissions> for Accounts {
    fn from_ref(permissions: &Permissions) -> Self {
        permissions.accounts.clone()
    }
}
