//! The users, shared with the example `users`: what else this server needs to know about them.

use sqlx::FromRow;

/// A user who may log in. The scope decides what others may learn about them: see `userinfo`.
#[derive(Clone, FromRow)]
pub struct Account {
    /// The `sub` of the tokens. A name is never given to another person.
    pub username: String,
    pub email: String,
    pub full_name: String,
    /// The scopes that tokens of this user may have, separated by spaces.
    pub scopes: String,
}

/// The user with this name. `None` if they have been deleted or disabled, so nothing that was
/// issued to them works any longer.
pub async fn find(db: impl sqlx::AnyExecutor<'_>, username: &str) -> sqlx::Result<Option<Account>> {
    const SQL: &str = "SELECT username, email, full_name, scopes FROM users
        WHERE username = $1 AND disabled = 0";
    sqlx::query_as(SQL).bind(username).fetch_optional(db).await
}
