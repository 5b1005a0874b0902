//! The database of the examples that keep something: SQLite, in memory or in a file.

use std::time::Duration;

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use sqlx::{
    SqlitePool,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    error::Detail,
    settings::{Setting, Settings},
};

/// Which database: the line for the table of settings.
pub const DATABASE_URL: Setting = Setting {
    name: "DATABASE_URL",
    default: "none: all is kept in memory, and gone when the server stops",
    help: "The file of the database, such as sqlite://file.db; it is made when there is none.",
};

/// How long a request waits for the database; less than the server gives a request.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens what `DATABASE_URL` says and brings its tables up to date.
///
/// `None` after a problem was noted.
pub async fn open(settings: &mut Settings, migrations: &Migrator) -> Option<SqlitePool> {
    let pool = match settings.get("DATABASE_URL").map(file_of) {
        None => in_memory().await,
        Some(Some(options)) => in_file(options).await,
        Some(None) => {
            let what = "is not sqlite:// and the path of a file, such as sqlite://file.db";
            settings.problem("DATABASE_URL", what);
            return None;
        }
    };
    let opened = async {
        let pool = pool?;
        migrations.run(&pool).await?;
        Ok::<_, MigrateError>(pool)
    };
    // The value is not repeated: it could be the address, with a password, of another database.
    let noted = |error| settings.problem("DATABASE_URL", format!("cannot be used: {error}"));
    opened.await.map_err(noted).ok()
}

/// The file that `sqlite://path` names; nothing that SQLite would take for something else.
fn file_of(url: &str) -> Option<SqliteConnectOptions> {
    let path = url.strip_prefix("sqlite://")?;
    let special = path.is_empty() || path.starts_with(':') || path.starts_with("file:");
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    (!special && !path.contains('?')).then_some(options)
}

/// A database in memory lives as long as its connection, so there is exactly one, for ever.
async fn in_memory() -> sqlx::Result<SqlitePool> {
    let pool = SqlitePoolOptions::new()
        .min_connections(1)
        .max_connections(1);
    let pool = pool
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(PATIENCE);
    // A request that breaks off during this test would close the connection.
    let pool = pool.test_before_acquire(false);
    pool.connect_with(SqliteConnectOptions::new().foreign_keys(true))
        .await
}

async fn in_file(options: SqliteConnectOptions) -> sqlx::Result<SqlitePool> {
    let options = options
        .foreign_keys(true)
        // Readers do not wait for who writes ...
        .journal_mode(SqliteJournalMode::Wal)
        // ... and what was answered is on the disk, also when the power fails.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE);
    let pool = SqlitePoolOptions::new()
        .max_connections(4)
        .acquire_timeout(PATIENCE);
    pool.connect_with(options).await
}

/// 503: the database cannot be used. The cause is for the log.
#[derive(Debug)]
pub struct DatabaseError(sqlx::Error);

impl From<sqlx::Error> for DatabaseError {
    fn from(cause: sqlx::Error) -> Self {
        Self(cause)
    }
}

impl IntoResponse for DatabaseError {
    fn into_response(self) -> Response {
        tracing::error!("the database failed: {}", self.0);
        let wait = [(header::RETRY_AFTER, "5")];
        let detail = Detail::of("the database cannot be used at the moment; please try again");
        (StatusCode::SERVICE_UNAVAILABLE, wait, detail).into_response()
    }
}
