//! The database: its tables, what is hashed in it, and how old rows are deleted.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use common::{
    database::{self, DATABASE_URL, cannot_be_used},
    settings::Settings,
    unix_now,
};
use sqlx::AnyPool;
use tokio::time::{MissedTickBehavior, interval};

const TABLES: [&str; 5] = [
    "DELETE FROM authorization_sessions WHERE expires <= $1",
    "DELETE FROM authorization_consents WHERE expires <= $1",
    "DELETE FROM authorization_refresh_tokens WHERE expires <= $1",
    // A code that nobody redeemed would otherwise be a row for as long as its tokens could have been.
    "DELETE FROM authorization_grants
        WHERE expires <= $1 OR (redeemed = 0 AND code_expires <= $1)",
    "DELETE FROM authorization_revoked_tokens WHERE expires <= $1",
];

/// Creates the tables of this server next to those of the users, in the same database. `None` after
/// recording a problem.
pub async fn migrate(db: &AnyPool, settings: &mut Settings) -> Option<()> {
    let migrations = sqlx::migrate!("examples/authorization_server/migrations");
    let migrated = database::migrate(db, "_authorization_server_migrations", migrations).await;
    let noted = |error| settings.problem(DATABASE_URL.name, cannot_be_used(&error));
    migrated.map_err(noted).ok()
}

/// Forgets what has expired. Every query checks the time itself: this only makes room.
pub async fn sweep(db: &AnyPool, now: i64) -> sqlx::Result<()> {
    for sql in TABLES {
        sqlx::query(sql).bind(now).execute(db).await?;
    }
    Ok(())
}

/// Sweeps now and once a minute.
pub async fn keep_sweeping(db: AnyPool) {
    let mut minutes = interval(Duration::from_mins(1));
    minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        minutes.tick().await;
        if let Err(error) = sweep(&db, now()).await {
            tracing::warn!("expired rows could not be deleted: {error}");
        }
    }
}

/// What is stored instead of a secret. The secret is 256 random bits, which nobody can guess, so
/// unlike a password it needs no salt and no slow hash.
pub fn hash(secret: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, secret.as_bytes()))
}

/// Unix time in seconds, as the tables have it.
pub fn now() -> i64 {
    unix_now().try_into().unwrap_or(i64::MAX)
}

/// When something that begins now ends.
pub fn after(lifetime: Duration) -> i64 {
    now().saturating_add(seconds(lifetime))
}

fn seconds(lifetime: Duration) -> i64 {
    lifetime.as_secs().try_into().unwrap_or(i64::MAX)
}
