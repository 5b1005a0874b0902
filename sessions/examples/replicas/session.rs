//! The session: the browser has a random id in a signed cookie, the rest is in the store.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::request::Parts,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use common::{Error, Result, provider::Identity, random_token, token::Token, unix_now};
use oauth2::{AccessToken, RefreshToken};
use serde::{Deserialize, Serialize};
use tower_cookies::Cookies;

use super::{Replica, store::Stored};

/// How long a session lasts after the login, by the clock of the store.
pub const LIFETIME: Duration = Duration::from_hours(7 * 24);
/// How much longer the cookie lasts: a replica whose clock is fast must not end a session that the
/// store still has.
const CLOCK_SKEW: Duration = Duration::from_hours(1);
/// How much of a browser's name is kept, in characters.
const MAX_BROWSER: usize = 200;

const SESSION: &str = "session";

/// A session as the store has it.
#[derive(Clone, Debug)]
pub struct Session {
    /// Where it is stored: a hash of its id, so that an attacker who reads the store learns no id.
    pub key: String,
    /// Who is logged in.
    pub identity: Identity,
    /// The provider's token, encrypted; see [`Replica::open_token`].
    pub stored: Stored,
}

/// What is stored of a login and never changes.
#[derive(Serialize, Deserialize)]
pub struct Login {
    pub identity: Identity,
    /// In Unix seconds.
    pub since: u64,
    /// The `User-Agent` that the browser sent.
    pub browser: String,
}

/// The provider's token as it is stored. Its expiry is stored separately, by the store's clock.
#[derive(Serialize, Deserialize)]
pub struct KeptToken {
    pub access_token: AccessToken,
    pub refresh_token: Option<RefreshToken>,
}

/// The guard: a handler that takes a `LoggedIn` is for logged-in users; anyone else gets 401. One
/// that takes an `Option<LoggedIn>` is for everybody.
///
/// It asks the store at each request, so a logout takes effect everywhere at the next request, even
/// for copies of the cookie.
#[derive(Debug)]
pub struct LoggedIn(pub Session);

impl FromRequestParts<Replica> for LoggedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, replica: &Replica) -> Result<Self> {
        let cookies = Cookies::from_request_parts(parts, replica).await?;
        let session = replica.session(&cookies).await?;
        session.map(Self).ok_or(Error::NotLoggedIn)
    }
}

impl OptionalFromRequestParts<Replica> for LoggedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, replica: &Replica) -> Result<Option<Self>> {
        let cookies = Cookies::from_request_parts(parts, replica).await?;
        Ok(replica.session(&cookies).await?.map(Self))
    }
}

impl Replica {
    /// Begins a session. Its id is new, so nobody can have planted it before the login (session
    /// fixation). It replaces this browser's previous session.
    pub async fn begin(
        &self,
        cookies: &Cookies,
        (identity, token): (Identity, Token),
        browser: &str,
    ) -> Result<()> {
        if let Some(replaced) = self.session(cookies).await? {
            self.store
                .end(&replaced.key, &user_key(&replaced.identity))
                .await?;
        }
        let (id, user) = (random_token(), user_key(&identity));
        let key = session_key(&id);
        let login = Login {
            identity,
            since: unix_now(),
            browser: browser.chars().take(MAX_BROWSER).collect(),
        };
        let stored = Stored {
            login: self.seal.seal(&login_of(&key), &login),
            token: self.seal_token(&key, &token),
            token_has_expired: false,
        };
        self.store
            .begin(&key, &user, &stored, valid_for(&token))
            .await?;
        let lifetime = LIFETIME + CLOCK_SKEW;
        let keys = self.oauth.cookie_keys();
        keys.sign(cookies, SESSION, &id, lifetime)
    }

    /// The session of this browser. It must belong to this provider: another provider's token must
    /// not be sent to this one.
    pub async fn session(&self, cookies: &Cookies) -> Result<Option<Session>> {
        let id: Option<String> = self.oauth.cookie_keys().verify(cookies, SESSION);
        match id {
            Some(id) => self.load(session_key(&id)).await,
            None => Ok(None),
        }
    }

    /// The session that is stored there. One that cannot be read has ended: it was written with a
    /// secret that is gone, or by another version of this program.
    pub async fn load(&self, key: String) -> Result<Option<Session>> {
        let Some(stored) = self.store.load(&key).await? else {
            return Ok(None);
        };
        let login: Option<Login> = self.seal.open(&login_of(&key), &stored.login);
        let own = &self.oauth.provider().id;
        let login = login.filter(|login| login.identity.provider == *own);
        Ok(login.map(|Login { identity, .. }| Session {
            key,
            identity,
            stored,
        }))
    }

    /// Removes the cookie, and nothing from the store.
    pub fn forget(&self, cookies: &Cookies) {
        self.oauth.cookie_keys().remove(cookies, SESSION);
    }

    /// Encrypts a token for a session.
    pub fn seal_token(&self, key: &str, token: &Token) -> Vec<u8> {
        let kept = KeptToken {
            access_token: token.access_token.clone(),
            refresh_token: token.refresh_token.clone(),
        };
        self.seal.seal(&token_of(key), &kept)
    }

    /// Decrypts the token of a session.
    pub fn open_token(&self, key: &str, sealed: &[u8]) -> Option<KeptToken> {
        self.seal.open(&token_of(key), sealed)
    }

    /// Decrypts what is stored about a login.
    pub fn open_login(&self, key: &str, sealed: &[u8]) -> Option<Login> {
        self.seal.open(&login_of(key), sealed)
    }
}

/// For how many seconds the token is still valid. The store counts them by its own clock, which is
/// the same for all replicas.
pub fn valid_for(token: &Token) -> Option<u64> {
    token.expires_at.map(|end| end.saturating_sub(unix_now()))
}

/// The key of all sessions of one user. It is a hash, because an id may contain anything; the
/// length keeps `a` and `bc` apart from `ab` and `c`.
pub fn user_key(identity: &Identity) -> String {
    let Identity {
        provider, subject, ..
    } = identity;
    let length = provider.len();
    format!(
        "replicas:user:{}",
        hash(&format!("{length}:{provider}{subject}"))
    )
}

fn session_key(id: &str) -> String {
    format!("replicas:session:{}", hash(id))
}

fn hash(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

fn login_of(key: &str) -> String {
    format!("login {key}")
}

fn token_of(key: &str) -> String {
    format!("token {key}")
}
