//! The SQL of sessions and permissions. Values from outside are bound, never put into the SQL text:
//! `sqlx` accepts only string literals as statements.

use common::{Result, unix_now};
use serde::Serialize;
use sessions::session::LIFETIME;

use super::{
    accounts::{Account, Accounts},
    guard::{ADMIN, PERMISSIONS},
};

/// The id of the first account ever, which is given out once.
const FIRST: i64 = 1;

/// An account and what it may do.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// The account itself.
    #[serde(flatten)]
    pub account: Account,
    /// The permissions that it was granted.
    pub permissions: Vec<String>,
}

/// An account and one of the things that it may do, or nothing.
#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(flatten)]
    account: Account,
    permission: Option<String>,
}

impl Accounts {
    /// Stores a session, and forgets the expired ones.
    pub async fn begin_session(&self, session: &str, account: i64) -> Result<()> {
        const EXPIRED: &str = "DELETE FROM sessions WHERE expires <= $1";
        const BEGIN: &str = "INSERT INTO sessions (id, account, expires) VALUES ($1, $2, $3)";
        sqlx::query(EXPIRED).bind(now()).execute(&self.0).await?;
        let lifetime = LIFETIME.as_secs().cast_signed();
        sqlx::query(BEGIN)
            .bind(session)
            .bind(account)
            .bind(now() + lifetime)
            .execute(&self.0)
            .await?;
        Ok(())
    }

    /// Whose session this is, unless it has ended.
    pub async fn account_of(&self, session: &str) -> Result<Option<Account>> {
        const SQL: &str = "SELECT accounts.id, provider, subject, name
            FROM sessions JOIN accounts ON accounts.id = sessions.account
            WHERE sessions.id = $1 AND expires > $2";
        Ok(sqlx::query_as(SQL)
            .bind(session)
            .bind(now())
            .fetch_optional(&self.0)
            .await?)
    }

    /// Ends a session.
    pub async fn end_session(&self, session: &str) -> Result<()> {
        const SQL: &str = "DELETE FROM sessions WHERE id = $1";
        sqlx::query(SQL).bind(session).execute(&self.0).await?;
        Ok(())
    }

    /// Makes this account an admin if `ADMIN` names it; if `ADMIN` is not set, it becomes one if it
    /// is the first account ever and there is no admin yet.
    pub async fn appoint_admin(&self, account: &Account, named: Option<&str>) -> Result<()> {
        // One statement: an account whose `Admin` another admin revoked does not get it back by
        // logging in.
        const FIRST_ADMIN: &str = "INSERT INTO permissions (account, permission) SELECT $1, $2
            WHERE NOT EXISTS (SELECT 1 FROM permissions WHERE permission = $2)
            ON CONFLICT (account, permission) DO NOTHING";
        let admin = PERMISSIONS[ADMIN];
        let appointed = match named {
            Some(named) => {
                let Account {
                    id,
                    provider,
                    subject,
                    ..
                } = account;
                named == format!("{provider}:{subject}") && self.grant(*id, admin).await?
            }
            None if account.id == FIRST => {
                let query = sqlx::query(FIRST_ADMIN).bind(account.id).bind(admin);
                query.execute(&self.0).await?.rows_affected() > 0
            }
            None => false,
        };
        if appointed {
            tracing::info!("account {} becomes {admin}", account.id);
        }
        Ok(())
    }

    /// Whether an account has a permission.
    pub async fn has(&self, account: i64, permission: &str) -> Result<bool> {
        const SQL: &str = "SELECT COUNT(*) FROM permissions WHERE account = $1 AND permission = $2";
        let query = sqlx::query_scalar(SQL).bind(account).bind(permission);
        let granted: i64 = query.fetch_one(&self.0).await?;
        Ok(granted > 0)
    }

    /// Grants a permission; returns false if there is no such account or it already has the
    /// permission.
    pub async fn grant(&self, account: i64, permission: &'static str) -> Result<bool> {
        const SQL: &str = "INSERT INTO permissions (account, permission)
            SELECT id, $2 FROM accounts WHERE id = $1
            ON CONFLICT (account, permission) DO NOTHING";
        let query = sqlx::query(SQL).bind(account).bind(permission);
        Ok(query.execute(&self.0).await?.rows_affected() > 0)
    }

    /// Revokes a permission; returns false if the account does not have it or is the last admin.
    pub async fn revoke(&self, account: i64, permission: &'static str) -> Result<bool> {
        // One at a time: of two admins who revoke each other's `Admin` at once, one remains.
        const TURN: &str = "UPDATE revoking SET turn = turn + 1";
        const SQL: &str = "DELETE FROM permissions WHERE account = $1 AND permission = $2
            AND ($2 <> $3 OR EXISTS
                (SELECT 1 FROM permissions WHERE permission = $3 AND account <> $1))";
        let mut tx = self.0.begin().await?;
        sqlx::query(TURN).execute(&mut *tx).await?;
        let query = sqlx::query(SQL)
            .bind(account)
            .bind(permission)
            .bind(PERMISSIONS[ADMIN]);
        let revoked = query.execute(&mut *tx).await?.rows_affected() > 0;
        tx.commit().await?;
        Ok(revoked)
    }

    /// Every account.
    pub async fn users(&self) -> Result<Vec<Entry>> {
        self.entries(None).await
    }

    /// One account.
    pub async fn user(&self, account: i64) -> Result<Option<Entry>> {
        Ok(self.entries(Some(account)).await?.pop())
    }

    async fn entries(&self, account: Option<i64>) -> Result<Vec<Entry>> {
        const SQL: &str = "SELECT id, provider, subject, name, permission
            FROM accounts LEFT JOIN permissions ON account = id
            WHERE $1 IS NULL OR id = $1 ORDER BY id, permission";
        let rows: Vec<Row> = sqlx::query_as(SQL).bind(account).fetch_all(&self.0).await?;
        let of_one = |one: &Row, next: &Row| one.account.id == next.account.id;
        Ok(rows.chunk_by(of_one).map(Entry::of).collect())
    }
}

impl Entry {
    fn of(rows: &[Row]) -> Self {
        Self {
            account: rows[0].account.clone(),
            permissions: rows
                .iter()
                .filter_map(|row| row.permission.clone())
                .collect(),
        }
    }
}

/// Unix time in seconds, as the tables have it.
fn now() -> i64 {
    unix_now().cast_signed()
}
