//! The database of the examples that keep something: SQLite, in memory or in a file.

use std::{fs, path::Path, time::Duration};

use sqlx::{
    ConnectOptions, SqlitePool,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    Error,
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
        Some(Some(options)) => {
            make_private(options.get_filename());
            if others_can_use(options.get_filename()) {
                let what = "DATABASE_URL names a file that other users of this machine can use; \
                            chmod 600 it, and what SQLite keeps beside it";
                settings.warning(what.into());
            }
            in_file(options).await
        }
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

/// Makes the file for its owner alone if there is none, whatever the umask: it holds who may do what,
/// and sessions or password hashes. SQLite gives the files beside it the same mode. That it cannot
/// be made is for SQLite to say.
fn make_private(file: &Path) {
    let mut new = fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
    let _ = new.write(true).create_new(true).open(file);
}

/// Whether a file's mode lets others in. It is left as it is: they may be a group that makes backups.
#[cfg(unix)]
fn others_can_use(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    fs::metadata(file).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn others_can_use(_: &Path) -> bool {
    false
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
    let options = SqliteConnectOptions::new().foreign_keys(true);
    pool.connect_with(options.disable_statement_logging()).await
}

async fn in_file(options: SqliteConnectOptions) -> sqlx::Result<SqlitePool> {
    let options = options
        .foreign_keys(true)
        // Readers do not wait for a writer ...
        .journal_mode(SqliteJournalMode::Wal)
        // ... and what was answered is on the disk, also when the power fails.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE)
        // Migrations can hold password hashes, as can any statement that is not a constant.
        .disable_statement_logging();
    let pool = SqlitePoolOptions::new()
        .max_connections(4)
        .acquire_timeout(PATIENCE);
    pool.connect_with(options).await
}

/// What a handler's error is called where nothing else can go wrong.
pub type DatabaseError = Error;

impl From<sqlx::Error> for Error {
    fn from(cause: sqlx::Error) -> Self {
        Self::Database(cause.to_string())
    }
}
