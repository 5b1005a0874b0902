//! The database of the examples that keep something: SQLite, in memory or in a file, or Postgres.
//!
//! Both run the same SQL, through sqlx's `Any`: parameters are `$1`, times and flags are BIGINT, and
//! the time comes from Rust. Read what a `RETURNING` returns inside a transaction: `Any` hands out
//! the row before Postgres has committed the statement.

use std::{fs, net::IpAddr, path::Path, time::Duration};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::crypto::ring;
use sqlx::{
    AnyPool, ConnectOptions,
    any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers},
    migrate::{MigrateError, Migrator},
    postgres::{PgConnectOptions, PgSslMode},
};
use url::Url;

use crate::{
    Error,
    settings::{Setting, Settings},
};

/// The setting that names the database.
pub const DATABASE_URL: Setting = Setting {
    name: "DATABASE_URL",
    default: "none: everything is kept in memory, and is lost when the server stops",
    help: "The database: sqlite://file.db, which is created if it does not exist, or postgres://user:password@host/name.",
};

/// How long a request waits for the database; less than the timeout of the whole request.
const DB_TIMEOUT: Duration = Duration::from_secs(5);

/// What may follow the `?` of `postgres://…?`.
const PARAMETERS: [&str; 12] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];

/// Opens what `DATABASE_URL` names and brings the tables of this program up to date, as [`migrate`]
/// does.
///
/// Returns `None` after recording a problem.
pub async fn open(
    settings: &mut Settings,
    list: &'static str,
    migrations: Migrator,
) -> Option<AnyPool> {
    install_default_drivers();
    let url = settings.get("DATABASE_URL").map(str::to_owned);
    let pool = match url.as_deref().map(|url| (url, url.split_once("://"))) {
        None => in_memory().await,
        Some((_, Some(("sqlite", path)))) if is_file(path) => in_file(settings, path).await,
        Some((url, Some(("postgres" | "postgresql", _)))) => postgres(settings, url).await,
        Some(_) => {
            let what = "is neither sqlite:// and the path of a file, such as sqlite://file.db, \
                        nor postgres:// with a user, a password, a host and the name of a database";
            settings.problem("DATABASE_URL", what);
            return None;
        }
    };
    let opened = async {
        let pool = pool?;
        migrate(&pool, list, migrations).await?;
        Ok::<_, MigrateError>(pool)
    };
    // The value is not repeated: there can be a password in it.
    let noted = |error| settings.problem("DATABASE_URL", cannot_be_used(&error));
    opened.await.map_err(noted).ok()
}

/// Brings tables up to date. Each program records its migrations in its own table, which has this
/// name, so that several programs can share a database.
pub async fn migrate(
    db: &AnyPool,
    list: &'static str,
    mut migrations: Migrator,
) -> Result<(), MigrateError> {
    migrations.dangerous_set_table_name(list);
    migrations.run(db).await
}

/// What is wrong with `DATABASE_URL`.
pub fn cannot_be_used(error: &MigrateError) -> String {
    match error {
        MigrateError::Execute(sqlx::Error::PoolTimedOut) => {
            format!(
                "cannot be used: no answer within {} s",
                DB_TIMEOUT.as_secs()
            )
        }
        MigrateError::Execute(error) => format!("cannot be used: {error}"),
        error => format!("cannot be used: {error}"),
    }
}

/// Whether SQLite would take this for the path of a file, and for nothing else.
fn is_file(path: &str) -> bool {
    let special = path.is_empty() || path.starts_with(':') || path.starts_with("file:");
    !special && !path.contains('?')
}

/// Creates the file if there is none, for its owner only, whatever the umask: it holds permissions,
/// and sessions or password hashes. SQLite gives its other files the same mode. A failure is
/// ignored here, because SQLite reports it.
fn make_private(file: &Path) {
    let mut new = fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut new, 0o600);
    let _ = new.write(true).create_new(true).open(file);
}

/// Whether a file's mode gives other users access. The mode is left alone: a backup group may need
/// it.
#[cfg(unix)]
fn others_can_use(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;

    fs::metadata(file).is_ok_and(|file| file.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn others_can_use(_: &Path) -> bool {
    false
}

/// A database in memory lives as long as its connection, so there is exactly one, and it is never
/// closed.
async fn in_memory() -> sqlx::Result<AnyPool> {
    let pool = AnyPoolOptions::new()
        .min_connections(1)
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(DB_TIMEOUT)
        // A request that is cancelled during this test would close the connection.
        .test_before_acquire(false);
    pool.connect_with(quiet("sqlite::memory:")?).await
}

/// sqlx itself turns on foreign keys and waits 5 s for another writer. SQLite writes each commit to
/// the disk before it reports success (`synchronous = FULL`).
async fn in_file(settings: &mut Settings, path: &str) -> sqlx::Result<AnyPool> {
    make_private(Path::new(path));
    if others_can_use(Path::new(path)) {
        let what = "DATABASE_URL names a file that other users of this machine can use; chmod 600 \
                    it, and what SQLite keeps next to it";
        settings.warning(what);
    }
    let path = utf8_percent_encode(path, NON_ALPHANUMERIC);
    let options = quiet(&format!("sqlite:{path}?mode=rwc"))?;
    let pool = several(AnyPoolOptions::new(), options).await?;
    // Readers do not wait for a writer; the file itself remembers this.
    let wal = sqlx::query("PRAGMA journal_mode = WAL");
    wal.execute(&pool).await?;
    Ok(pool)
}

async fn postgres(settings: &mut Settings, url: &str) -> sqlx::Result<AnyPool> {
    let options = parse(url)?;
    if !is_proven(options.get_ssl_mode()) && !is_this_machine(&options) {
        let what = "DATABASE_URL does not verify the database server: anyone on the network can \
                    read and change everything; add sslmode=verify-full";
        settings.warning(what);
    }
    // The cryptography for TLS, unless the program has already chosen another.
    let _ = ring::default_provider().install_default();
    let pool = AnyPoolOptions::new().after_connect(|connection, _| {
        // As with SQLite, a statement waits for another's lock, but not for ever.
        let wait = sqlx::query("SET lock_timeout = '5s'").execute(connection);
        Box::pin(async move { wait.await.map(drop) })
    });
    several(pool, quiet(url)?).await
}

/// sqlx only logs a parameter that it does not know, with its value: a misspelled `sslmode` would
/// mean no TLS, and a misspelled `password` would be in the log.
fn parse(url: &str) -> sqlx::Result<PgConnectOptions> {
    let parsed = Url::parse(url).map_err(|error| sqlx::Error::Configuration(error.into()))?;
    let mut names = parsed.query_pairs().map(|(name, _)| name);
    if !names.all(|name| PARAMETERS.contains(&&*name)) {
        let what = format!("a parameter is none of {}", PARAMETERS.join(", "));
        return Err(sqlx::Error::Configuration(what.into()));
    }
    url.parse()
}

/// Whether the database has to show a certificate; `require` takes any.
fn is_proven(mode: PgSslMode) -> bool {
    matches!(mode, PgSslMode::VerifyCa | PgSslMode::VerifyFull)
}

fn is_this_machine(options: &PgConnectOptions) -> bool {
    let host = options.get_host().trim_matches(['[', ']']);
    let is_loopback = || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    options.get_socket().is_some() || host.eq_ignore_ascii_case("localhost") || is_loopback()
}

async fn several(pool: AnyPoolOptions, options: AnyConnectOptions) -> sqlx::Result<AnyPool> {
    let pool = pool.max_connections(4).acquire_timeout(DB_TIMEOUT);
    pool.connect_with(options).await
}

/// Migrations can hold password hashes, as can any statement that is not a constant: none is logged.
fn quiet(url: &str) -> sqlx::Result<AnyConnectOptions> {
    let options: AnyConnectOptions = url.parse()?;
    Ok(options.disable_statement_logging())
}

impl From<sqlx::Error> for Error {
    fn from(cause: sqlx::Error) -> Self {
        Self::Database(cause.to_string())
    }
}
