//! Who is logged in at this server, so that the user need not enter the password for the next
//! client: a random id in a cookie, and its hash in the database.

use std::time::Duration;

use common::random_token;
use sqlx::AnyPool;
use tower_cookies::{
    Cookie, Cookies,
    cookie::{SameSite, time},
};

use super::{
    accounts::{self, Account},
    settings::Server,
    store::{after, hash, now},
};

/// A session ends after a working day, however much it is used.
const LIFETIME: Duration = Duration::from_hours(8);

/// The name of the cookie. It differs from those of other servers on this host, because cookies
/// ignore ports.
const NAME: &str = "authorization_session";

/// A browser in which a user has logged in.
#[derive(Clone)]
pub struct Session {
    pub account: Account,
    /// When they gave their password, in Unix seconds.
    pub auth_time: i64,
    /// The hash of its id, which is its key in the database.
    pub id_hash: String,
}

impl Server {
    /// The session of this browser, while it lasts and its user is active.
    pub async fn session(&self, cookies: &Cookies) -> sqlx::Result<Option<Session>> {
        const SQL: &str = "SELECT subject, auth_time FROM authorization_sessions
            WHERE id_hash = $1 AND expires > $2";
        let Some(cookie) = cookies.get(&self.cookie_name()) else {
            return Ok(None);
        };
        let id_hash = hash(cookie.value());
        let query = sqlx::query_as(SQL).bind(&id_hash).bind(now());
        let row: Option<(String, i64)> = query.fetch_optional(&self.db).await?;
        let Some((subject, auth_time)) = row else {
            return Ok(None);
        };
        let account = accounts::find(&self.db, &subject).await?;
        Ok(account.map(|account| Session {
            account,
            auth_time,
            id_hash,
        }))
    }

    /// Begins a session after a login. Its id is new: an id that an attacker planted in the browser
    /// earlier never becomes valid (session fixation).
    pub async fn begin_session(&self, cookies: &Cookies, subject: &str) -> sqlx::Result<()> {
        const SQL: &str =
            "INSERT INTO authorization_sessions (id_hash, subject, auth_time, expires)
            VALUES ($1, $2, $3, $4)";
        self.end_session(cookies).await?;
        let id = random_token();
        let query = sqlx::query(SQL).bind(hash(&id)).bind(subject);
        let query = query.bind(now()).bind(after(LIFETIME));
        query.execute(&self.db).await?;
        cookies.add(self.cookie(id, LIFETIME));
        Ok(())
    }

    /// Ends the session of this browser, and with it the codes that were not redeemed yet.
    pub async fn end_session(&self, cookies: &Cookies) -> sqlx::Result<()> {
        if let Some(cookie) = cookies.get(&self.cookie_name()) {
            delete(&self.db, &hash(cookie.value())).await?;
            cookies.remove(self.cookie(String::new(), Duration::ZERO));
        }
        Ok(())
    }

    /// Out of reach of scripts; not sent with forms of other sites, but with the links by which a
    /// client sends its users here, where `Strict` would be missing. Under https browsers insist on
    /// what `__Host-` promises: no other host of the same site can plant one.
    fn cookie(&self, id: String, lifetime: Duration) -> Cookie<'static> {
        let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        Cookie::build((self.cookie_name(), id))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(self.public_url.is_https())
            .max_age(time::Duration::seconds(seconds))
            .build()
    }

    fn cookie_name(&self) -> String {
        let prefix = if self.public_url.is_https() {
            "__Host-"
        } else {
            ""
        };
        format!("{prefix}{NAME}")
    }
}

/// Also invalidates the codes that were issued in this session: see `codes`.
async fn delete(db: &AnyPool, id_hash: &str) -> sqlx::Result<()> {
    const SQL: &str = "DELETE FROM authorization_sessions WHERE id_hash = $1";
    sqlx::query(SQL).bind(id_hash).execute(db).await?;
    Ok(())
}
