//! The users: who they are, and which of them may log in.

use std::sync::Arc;

use axum::{
    extract::FromRef,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use common::{
    Error,
    database::{self, DATABASE_URL},
    error::{Detail, OAuthError},
    settings::{FromSettings, Setting, Settings},
};
use first_party::{
    password::User,
    scopes::Scopes,
    token::{JWT_SECRET, Tokens},
};
use serde::Serialize;
use sqlx::{AnyPool, FromRow};

use super::passwords::Passwords;

// Here and not in `main.rs`: anyone who copies this file needs the limit too.
#[path = "guesses.rs"]
pub(crate) mod guesses;

use guesses::{Guesses, WINDOW};

/// The longest password, in bytes: more than any person or password manager uses.
const MAX_PASSWORD: usize = 1024;

/// What the routes share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Users {
    /// Issues and verifies tokens.
    pub tokens: Tokens,
    /// The database.
    pub db: AnyPool,
    /// Checks passwords.
    pub passwords: Passwords,
    guesses: Arc<Guesses>,
}

/// What others may know about a user. The hash is in another type, so it cannot end up here.
#[derive(Serialize)]
pub struct Profile {
    /// The name to log in with.
    pub username: String,
    email: String,
    full_name: String,
    /// Whether this user may not log in any more.
    pub disabled: bool,
}

/// What belongs to a user.
#[derive(Serialize, FromRow)]
pub struct Item {
    item_id: String,
    owner: String,
}

/// What a login is checked against; neither `Debug` nor `Serialize`, to protect the hash.
#[derive(FromRow)]
struct Account {
    username: String,
    password_hash: String,
    scopes: String,
    /// 0 or 1: not every database has a type for that.
    disabled: i64,
}

impl Users {
    /// The user with this password. It does not reveal which users exist: an unknown name gets the
    /// same answer, the same work and the same limit.
    pub async fn authenticate(&self, username: &str, password: &str) -> Result<User, Response> {
        if password.len() > MAX_PASSWORD {
            return Err(OAuthError::invalid_request("the password is too long").into_response());
        }
        // The limit is checked only after a turn was acquired: of a thousand guesses at once, no
        // more get through than there are turns.
        let turn = self.passwords.turn().await;
        if self.guesses.are_too_many(username) {
            return Err(too_many_failures());
        }
        let account = self
            .account(username)
            .await
            .map_err(IntoResponse::into_response)?;
        let hash = account
            .as_ref()
            .map(|account| account.password_hash.clone());
        let (is_right, turn) = self.passwords.verify(turn, hash, password.to_owned()).await;
        let account = account.filter(|_| is_right);
        self.guesses.count(username, account.is_some());
        drop(turn);
        match account {
            None => Err(INCORRECT.into_response()),
            Some(account) if account.disabled != 0 => Err(INACTIVE.into_response()),
            Some(Account {
                username, scopes, ..
            }) => Ok(User {
                subject: username,
                scopes: Scopes::known_in(&scopes),
            }),
        }
    }

    async fn account(&self, username: &str) -> Result<Option<Account>, Error> {
        // The name is bound, never formatted into the SQL: whatever it contains, it stays a name.
        const SQL: &str =
            "SELECT username, password_hash, scopes, disabled FROM users WHERE username = $1";
        Ok(sqlx::query_as(SQL)
            .bind(username)
            .fetch_optional(&self.db)
            .await?)
    }

    /// The user with this name.
    pub async fn profile(&self, username: &str) -> Result<Option<Profile>, Error> {
        const SQL: &str =
            "SELECT username, email, full_name, disabled FROM users WHERE username = $1";
        let query = sqlx::query_as(SQL).bind(username);
        let row: Option<(String, String, String, i64)> = query.fetch_optional(&self.db).await?;
        let profile = |(username, email, full_name, disabled)| Profile {
            username,
            email,
            full_name,
            disabled: disabled != 0,
        };
        Ok(row.map(profile))
    }

    /// The items of the user with this name.
    pub async fn items(&self, owner: &str) -> Result<Vec<Item>, Error> {
        const SQL: &str = "SELECT item_id, owner FROM items WHERE owner = $1 ORDER BY item_id";
        Ok(sqlx::query_as(SQL).bind(owner).fetch_all(&self.db).await?)
    }

    /// Whether a user still has a password that the README publishes.
    async fn has_published_passwords(&self) -> Result<bool, Error> {
        for (username, password) in [("johndoe", "secret123"), ("alice", "password456")] {
            if let Some(Account { password_hash, .. }) = self.account(username).await? {
                let turn = self.passwords.turn().await;
                let hash = Some(password_hash);
                if self
                    .passwords
                    .verify(turn, hash, password.to_owned())
                    .await
                    .0
                {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

const INCORRECT: OAuthError = OAuthError {
    error: "invalid_grant",
    description: "Incorrect username or password",
};

const INACTIVE: OAuthError = OAuthError {
    error: "invalid_grant",
    description: "Inactive user",
};

/// 429, even for the right password; otherwise an attacker could keep guessing.
fn too_many_failures() -> Response {
    tracing::info!("rejected: too many wrong passwords for this user name");
    let wait = [(header::RETRY_AFTER, WINDOW.as_secs().to_string())];
    let detail = Detail::of("Too many wrong passwords; try again later");
    (StatusCode::TOO_MANY_REQUESTS, wait, detail).into_response()
}

impl FromRef<Users> for Tokens {
    fn from_ref(users: &Users) -> Self {
        users.tokens.clone()
    }
}

impl FromSettings for Users {
    const SETTINGS: &'static [&'static [Setting]] = &[&[JWT_SECRET, DATABASE_URL]];

    async fn from_settings(settings: &mut Settings) -> Option<Self> {
        let tokens = Tokens::from_settings(settings).await?;
        Self::open(settings, tokens).await
    }
}

impl Users {
    /// The users in the database that the settings name. `None` after recording a problem.
    pub async fn open(settings: &mut Settings, tokens: Tokens) -> Option<Self> {
        let db = database::open(settings, "_users_migrations", sqlx::migrate!()).await?;
        let users = Self {
            tokens,
            db,
            passwords: Passwords::new(),
            guesses: Arc::default(),
        };
        if !settings.is_loopback() && users.has_published_passwords().await.unwrap_or(true) {
            let what = "has users with the passwords of the README; before others can reach this \
                        server, change or delete johndoe and alice in a database file";
            settings.problem("DATABASE_URL", what);
            return None;
        }
        Some(users)
    }
}
