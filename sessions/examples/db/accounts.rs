//! Accounts in SQLite: whoever logs in gets an id of our own, always the same.

use std::time::Duration;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use common::{
    config::{Setting, Settings},
    error::Detail,
    provider::Identity,
};
use serde::Serialize;
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

/// The line for the table of settings.
pub const DATABASE_URL: Setting = Setting {
    name: "DATABASE_URL",
    default: "none: all is kept in memory, and gone when the server stops",
    help: "The file of the database, such as sqlite://file.db; it is made when there is none.",
};

/// How long a request waits for the database; less than the server gives a request.
const PATIENCE: Duration = Duration::from_secs(5);

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
    /// Opens what `DATABASE_URL` says and brings its tables up to date.
    ///
    /// `None` after a problem was noted.
    pub async fn from_settings(settings: &mut Settings) -> Option<Self> {
        let file = settings.get("DATABASE_URL").map(file_of);
        let pool = match file {
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
            sqlx::migrate!().run(&pool).await?;
            Ok::<_, sqlx::migrate::MigrateError>(Self(pool))
        };
        // The value is not repeated: it could be the address, with a password, of another database.
        let noted = |error| settings.problem("DATABASE_URL", format!("cannot be used: {error}"));
        opened.await.map_err(noted).ok()
    }

    /// The account of this user, a new one at the first login.
    ///
    /// Who it is depends on provider and subject alone. Names and e-mail addresses change hands:
    /// to join accounts by them would give one person's account to another.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn find_or_create(&self, user: &Identity) -> Result<Account, DatabaseError> {
        // One statement: between a SELECT and an INSERT a parallel login could come.
        const SQL: &str = "INSERT INTO accounts (provider, subject, name) VALUES (?1, ?2, ?3)
            ON CONFLICT (provider, subject) DO UPDATE SET name = excluded.name
            RETURNING id, provider, subject, name";
        let query = sqlx::query_as(SQL).bind(&user.provider).bind(&user.subject).bind(&user.name);
        Ok(query.fetch_one(&self.0).await?)
    }
}

/// The file that `sqlite://path` names; nothing that SQLite would take for something else.
fn file_of(url: &str) -> Option<SqliteConnectOptions> {
    let path = url.strip_prefix("sqlite://")?;
    let special = path.is_empty() || path.starts_with([':']) || path.starts_with("file:");
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    (!special && !path.contains('?')).then_some(options)
}

/// A database in memory lives as long as its connection, so there is exactly one, for ever.
async fn in_memory() -> sqlx::Result<SqlitePool> {
    let pool = SqlitePoolOptions::new().min_connections(1).max_connections(1);
    let pool = pool.idle_timeout(None).max_lifetime(None).acquire_timeout(PATIENCE);
    pool.connect_with(SqliteConnectOptions::new().foreign_keys(true)).await
}

async fn in_file(options: SqliteConnectOptions) -> sqlx::Result<SqlitePool> {
    let options = options
        .foreign_keys(true)
        // Readers do not wait for who writes ...
        .journal_mode(SqliteJournalMode::Wal)
        // ... and what was answered is on the disk, also when the power fails.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE);
    let pool = SqlitePoolOptions::new().max_connections(4).acquire_timeout(PATIENCE);
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
        let detail = Detail::of("the database cannot be used at the moment; please try again");
        (StatusCode::SERVICE_UNAVAILABLE, detail).into_response()
    }
}
