//! Accounts in a database: each user who logs in has an id of ours, the same at every login.

use common::{Result, database, provider::Identity, settings::Settings};
use serde::Serialize;
use sqlx::AnyPool;

pub use common::database::DATABASE_URL;

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Accounts(pub AnyPool);

/// A user who has logged in at least once.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Account {
    /// Our own id, which is never given to another account.
    pub id: i64,
    /// The provider's id, such as `discord`.
    pub provider: String,
    /// The user's id at the provider.
    pub subject: String,
    /// What to call the user, as of their last login; names change.
    pub name: String,
}

impl Accounts {
    /// Opens what `DATABASE_URL` says, with the tables of `migrations/`.
    ///
    /// Returns `None` after recording a problem.
    pub async fn from_settings(settings: &mut Settings) -> Option<Self> {
        let migrations = sqlx::migrate!();
        let db = database::open(settings, "_accounts_migrations", migrations).await?;
        Some(Self(db))
    }

    /// The account of this user, a new one at the first login.
    ///
    /// Only provider and subject identify a user. Names and e-mail addresses change hands: matching
    /// accounts by them would give one user's account to another.
    pub async fn find_or_create(&self, user: &Identity) -> Result<Account> {
        const FIND: &str = "UPDATE accounts SET name = $3 WHERE provider = $1 AND subject = $2
            RETURNING id, provider, subject, name";
        // A transaction that creates an account locks this row until it ends. If it fails, the
        // number goes back, so the first account ever has the id 1.
        const NEXT: &str = "UPDATE last_account SET id = id + 1";
        // If another process has created the account in the meantime, that one is returned.
        const CREATE: &str = "INSERT INTO accounts (id, provider, subject, name)
            SELECT id, $1, $2, $3 FROM last_account WHERE TRUE
            ON CONFLICT (provider, subject) DO UPDATE SET name = excluded.name
            RETURNING id, provider, subject, name";
        let query = |sql| {
            sqlx::query_as(sql)
                .bind(&user.provider)
                .bind(&user.subject)
                .bind(&user.name)
        };
        let mut tx = self.0.begin().await?;
        let known = query(FIND).fetch_optional(&mut *tx).await?;
        let account = if let Some(account) = known {
            account
        } else {
            sqlx::query(NEXT).execute(&mut *tx).await?;
            query(CREATE).fetch_one(&mut *tx).await?
        };
        tx.commit().await?;
        Ok(account)
    }
}
