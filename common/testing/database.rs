//! A database of its own for each test: in memory or in a file, and on Postgres where the tests of
//! `postgres.rs` include this file.

use axum::Router;
use common::{server::Server, settings::FromSettings};

/// A new database on Postgres, for `DATABASE_URL`; `None` where the tests run on SQLite.
pub fn on_postgres() -> Option<String> {
    #[cfg(feature = "postgres")]
    if env!("CARGO_CRATE_NAME") == "postgres" {
        return Some(testing::postgres::Postgres::shared().database());
    }
    None
}

/// As [`testing::start`].
pub async fn start<S: FromSettings>(
    app: impl FnOnce(S) -> Router,
    vars: &[(&str, &str)],
) -> Server {
    let url = on_postgres();
    let database = url.as_ref().map(|url| ("DATABASE_URL", url.as_str()));
    // What a test says itself comes last, and counts.
    testing::start(app, &[database.as_slice(), vars].concat()).await
}
