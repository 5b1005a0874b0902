//! Accounts in SQLite: whoever logs in gets an id of our own, always the same.

use common::{Result, database, provider::Identity, settings::Settings};
use serde::Serialize;
use sqlx::SqlitePool;

pub use common::database::DATABASE_URL;

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Accounts(pub SqlitePool);

/// Who has logged in at least once.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Account {
    /// Our own, never given out again.
    pub id: i64,
    /// The provider's id, such as `discord`.
    pub provider: String,
    /// The user's id at the provider.
    pub subject: String,
    /// What to call the user; may be another one tomorrow.
    pub name: String,
}

impl Accounts {
    /// Opens what `DATABASE_URL` says, with the tables of `migrations/`.
    ///
    /// `None` after a problem was noted.
    pub async fn from_settings(settings: &mut Settings) -> Option<Self> {
        database::open(settings, &sqlx::migrate!()).await.map(Self)
    }

    /// The account of this user, a new one at the first login.
    ///
    /// Who it is depends on provider and subject alone. Names and e-mail addresses change hands:
    /// to join accounts by them would give one person's account to another.
    pub async fn find_or_create(&self, user: &Identity) -> Result<Account> {
        // One statement: between a SELECT and an INSERT a parallel login could come.
        const SQL: &str = "INSERT INTO accounts (provider, subject, name) VALUES (?1, ?2, ?3)
            ON CONFLICT (provider, subject) DO UPDATE SET name = excluded.name
            RETURNING id, provider, subject, name";
        let query = sqlx::query_as(SQL)
            .bind(&user.provider)
            .bind(&user.subject)
            .bind(&user.name);
        Ok(query.fetch_one(&self.0).await?)
    }
}
