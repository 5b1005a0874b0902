//! The users, who are those of the example `users`: what else this server needs to know of them.

use sqlx::FromRow;

/// A user who may log in. What others may know of them is decided by the scope: see `userinfo`.
#[derive(Clone, FromRow)]
pub struct Account {
    /// The `sub` of the tokens. A name is never given to another person.
    pub username: String,
    pub email: String,
    pub full_name: String,
    /// What tokens of this user may open, separated by spaces.
    pub scopes: String,
}

/// The user of this name. `None` when they were deleted or disabled since: nothing that was issued
/// to them works any more.
pub async fn find(db: impl sqlx::AnyExecutor<'_>, username: &str) -> sqlx::Result<Option<Account>> {
    const SQL: &str = "SELECT username, email, full_name, scopes FROM users
        WHERE username = $1 AND disabled = 0";
    sqlx::query_as(SQL).bind(username).fetch_optional(db).await
}
