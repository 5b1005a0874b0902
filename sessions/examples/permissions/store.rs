//! The SQL of sessions and permissions. What comes from outside is bound, never put into the text:
//! `sqlx` takes nothing but literals for a statement.

use common::Result;
use serde::Serialize;
use sessions::session::LIFETIME;

use super::{
    accounts::{Account, Accounts},
    guard::{ADMIN, PERMISSIONS},
};

/// The id of the first account ever: `AUTOINCREMENT` begins with it and gives none out twice.
const FIRST: i64 = 1;

/// An account and what it may do.
#[derive(Debug, Serialize, sqlx::FromRow)]
pub struct Entry {
    /// Who it is.
    #[serde(flatten)]
    #[sqlx(flatten)]
    pub account: Account,
    /// What was granted.
    #[sqlx(json)]
    pub permissions: Vec<String>,
}

impl Accounts {
    /// Writes a session down; those that have run out are forgotten.
    pub async fn begin_session(&self, session: &str, account: i64) -> Result<()> {
        const EXPIRED: &str = "DELETE FROM sessions WHERE expires <= unixepoch()";
        const BEGIN: &str =
            "INSERT INTO sessions (id, account, expires) VALUES (?1, ?2, unixepoch() + ?3)";
        sqlx::query(EXPIRED).execute(&self.0).await?;
        let lifetime = LIFETIME.as_secs().cast_signed();
        sqlx::query(BEGIN)
            .bind(session)
            .bind(account)
            .bind(lifetime)
            .execute(&self.0)
            .await?;
        Ok(())
    }

    /// Whose session this is, unless it has ended.
    pub async fn account_of(&self, session: &str) -> Result<Option<Account>> {
        const SQL: &str = "SELECT accounts.id, provider, subject, name
            FROM sessions JOIN accounts ON accounts.id = sessions.account
            WHERE sessions.id = ?1 AND expires > unixepoch()";
        Ok(sqlx::query_as(SQL)
            .bind(session)
            .fetch_optional(&self.0)
            .await?)
    }

    /// Ends a session.
    pub async fn end_session(&self, session: &str) -> Result<()> {
        const SQL: &str = "DELETE FROM sessions WHERE id = ?1";
        sqlx::query(SQL).bind(session).execute(&self.0).await?;
        Ok(())
    }

    /// Makes this account an admin if `ADMIN` names it; where nobody is named, if it is the first
    /// account ever and there is no admin yet.
    pub async fn appoint_admin(&self, account: &Account, named: Option<&str>) -> Result<()> {
        // One statement: whoever lost `Admin` to another admin does not get it back by logging in.
        const FIRST_ADMIN: &str = "INSERT INTO permissions (account, permission) SELECT ?1, ?2
            WHERE NOT EXISTS (SELECT 1 FROM permissions WHERE permission = ?2)";
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
        const SQL: &str =
            "SELECT EXISTS (SELECT 1 FROM permissions WHERE account = ?1 AND permission = ?2)";
        Ok(sqlx::query_scalar(SQL)
            .bind(account)
            .bind(permission)
            .fetch_one(&self.0)
            .await?)
    }

    /// Grants a permission; false when there is no such account, or it has it already.
    pub async fn grant(&self, account: i64, permission: &'static str) -> Result<bool> {
        const SQL: &str = "INSERT OR IGNORE INTO permissions (account, permission)
            SELECT id, ?2 FROM accounts WHERE id = ?1";
        let query = sqlx::query(SQL).bind(account).bind(permission);
        Ok(query.execute(&self.0).await?.rows_affected() > 0)
    }

    /// Revokes a permission; false when the account does not have it, or is the last admin.
    pub async fn revoke(&self, account: i64, permission: &'static str) -> Result<bool> {
        // One statement: two admins who revoke each other's at the same time leave one.
        const SQL: &str = "DELETE FROM permissions WHERE account = ?1 AND permission = ?2
            AND (?2 <> ?3 OR EXISTS
                (SELECT 1 FROM permissions WHERE permission = ?3 AND account <> ?1))";
        let query = sqlx::query(SQL)
            .bind(account)
            .bind(permission)
            .bind(PERMISSIONS[ADMIN]);
        Ok(query.execute(&self.0).await?.rows_affected() > 0)
    }

    /// Every account.
    pub async fn users(&self) -> Result<Vec<Entry>> {
        Ok(sqlx::query_as(USERS)
            .bind(None::<i64>)
            .fetch_all(&self.0)
            .await?)
    }

    /// One account.
    pub async fn user(&self, account: i64) -> Result<Option<Entry>> {
        Ok(sqlx::query_as(USERS)
            .bind(account)
            .fetch_optional(&self.0)
            .await?)
    }
}

const USERS: &str = "SELECT id, provider, subject, name,
        (SELECT json_group_array(permission) FROM permissions WHERE account = id) AS permissions
    FROM accounts WHERE ?1 IS NULL OR id = ?1 ORDER BY id";
