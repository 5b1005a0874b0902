//! The users: who they are, and who of them may log in.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::FromRef,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use common::{
    database::{self, DATABASE_URL, DatabaseError},
    error::{Detail, OAuthError},
    expiring::Expiring,
    settings::{FromSettings, Setting, Settings},
};
use first_party::{
    password::{Authenticated, User},
    scopes::Scopes,
    token::Tokens,
};
use serde::Serialize;
use sqlx::{FromRow, SqlitePool, migrate::Migrator};

use super::passwords::Passwords;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// So many wrong passwords for one name, in so long a time, and no more.
pub const MAX_FAILURES: u32 = 5;
const FAILURES_LAST: Duration = Duration::from_mins(5);
/// How many names with failures are remembered: anybody can make some up.
const MAX_NAMES: usize = 10_000;
/// Longer than any that a person or a password manager makes, in bytes.
const MAX_PASSWORD: usize = 1024;

/// What the routes share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Users {
    /// Makes tokens and checks them.
    pub tokens: Tokens,
    /// The database.
    pub db: SqlitePool,
    /// Checks passwords.
    pub passwords: Passwords,
    failures: Arc<Expiring<u32>>,
}

/// What others may know of a user. The hash is in another type, so that it cannot get in here.
#[derive(Serialize, FromRow)]
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

/// What decides about a login; neither `Debug` nor `Serialize`, for the sake of the hash.
#[derive(FromRow)]
struct Account {
    username: String,
    password_hash: String,
    scopes: String,
    disabled: bool,
}

impl Users {
    /// The user with this password. Nobody learns here which users there are: for a name that
    /// nobody has, there is the same answer, the same work and the same limit.
    pub async fn authenticate(&self, username: &str, password: &str) -> Authenticated {
        if password.len() > MAX_PASSWORD {
            return Err(OAuthError::invalid_request("the password is too long").into_response());
        }
        // The limit is looked at by those alone whose turn it is: of a thousand guesses at once, no
        // more get through than there are turns.
        let turn = self.passwords.turn().await;
        let failures = self.failures.get(username);
        if failures.is_some_and(|count| count >= MAX_FAILURES) {
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
        self.count(username, account.is_some());
        drop(turn);
        match account {
            None => Err(INCORRECT.into_response()),
            Some(account) if account.disabled => Err(INACTIVE.into_response()),
            Some(Account {
                username, scopes, ..
            }) => Ok(User {
                subject: username,
                scopes: Scopes::known_in(&scopes),
            }),
        }
    }

    /// What a login does to the failures of this name: it adds one, or ends them.
    fn count(&self, username: &str, logged_in: bool) {
        if logged_in {
            self.failures.remove(username);
        } else {
            self.failures.get_or_insert_with(username, || 0);
            self.failures.update(username, |count| *count += 1);
        }
    }

    async fn account(&self, username: &str) -> Result<Option<Account>, DatabaseError> {
        // Bound, never formatted in: whatever a name has in it stays a name.
        const SQL: &str =
            "SELECT username, password_hash, scopes, disabled FROM users WHERE username = ?";
        Ok(sqlx::query_as(SQL)
            .bind(username)
            .fetch_optional(&self.db)
            .await?)
    }

    /// Who has this name.
    pub async fn profile(&self, username: &str) -> Result<Option<Profile>, DatabaseError> {
        const SQL: &str =
            "SELECT username, email, full_name, disabled FROM users WHERE username = ?";
        Ok(sqlx::query_as(SQL)
            .bind(username)
            .fetch_optional(&self.db)
            .await?)
    }

    /// What belongs to the user of this name.
    pub async fn items(&self, owner: &str) -> Result<Vec<Item>, DatabaseError> {
        const SQL: &str = "SELECT item_id, owner FROM items WHERE owner = ? ORDER BY item_id";
        Ok(sqlx::query_as(SQL).bind(owner).fetch_all(&self.db).await?)
    }

    /// Whether a user still has a password that the README tells everybody.
    async fn has_published_passwords(&self) -> Result<bool, DatabaseError> {
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

/// 429, also for the right password: or else one could go on guessing.
fn too_many_failures() -> Response {
    tracing::info!("refused: too many wrong passwords for this user name");
    let wait = [(header::RETRY_AFTER, FAILURES_LAST.as_secs().to_string())];
    let detail = Detail::of("Too many wrong passwords; try again later");
    (StatusCode::TOO_MANY_REQUESTS, wait, detail).into_response()
}

impl FromRef<Users> for Tokens {
    fn from_ref(users: &Users) -> Self {
        users.tokens.clone()
    }
}

impl FromSettings for Users {
    const SETTINGS: &'static [&'static [Setting]] = &[Tokens::SETTINGS[0], &[DATABASE_URL]];

    async fn from_settings(settings: &mut Settings) -> Option<Self> {
        let tokens = Tokens::from_settings(settings).await;
        let db = database::open(settings, &MIGRATIONS).await;
        let (tokens, db) = tokens.zip(db)?;
        let failures = Arc::new(Expiring::new(FAILURES_LAST, MAX_NAMES));
        let users = Self {
            tokens,
            db,
            passwords: Passwords::new(),
            failures,
        };
        if !settings.is_loopback() && users.has_published_passwords().await.unwrap_or(true) {
            let what = "has users with the passwords of the README; before others can reach this \
                        server, change or delete johndoe and alice in a file";
            settings.problem("DATABASE_URL", what);
            return None;
        }
        Some(users)
    }
}
