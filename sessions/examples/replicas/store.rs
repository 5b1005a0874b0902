//! Where sessions are stored. Neither store can read them.

use common::{
    Result,
    settings::{Setting, Settings},
};

mod memory;
mod redis;

use memory::Memory;
use redis::Redis;

/// The setting that chooses the store.
pub const REDIS_URL: Setting = Setting {
    name: "REDIS_URL",
    default: "none: sessions are kept in the memory of this one process",
    help: "The Redis or Valkey that keeps the sessions of all processes, as redis:// or rediss:// (TLS).",
};

/// How many sessions a user may have; the oldest ends to make room for the next.
const MAX_SESSIONS: usize = 100;
/// How long a claimed refresh may take before its token is sent, in milliseconds. That
/// is one request to the store.
const UNSENT: u64 = 2_000;
/// How long it may take after that, in milliseconds: the 10 s limit of a request to the provider,
/// and one request to the store.
const SENT: u64 = 12_000;

/// The memory of this process, or a Redis for any number of processes.
#[derive(Clone, Debug)]
pub enum Store {
    Memory(Memory),
    Redis(Redis),
}

/// What is stored of a session, encrypted.
#[derive(Clone, Debug)]
pub struct Stored {
    pub login: Vec<u8>,
    pub token: Vec<u8>,
    /// By the clock of the store.
    pub token_has_expired: bool,
}

/// A session in the list of its user's sessions.
pub struct Listed {
    pub key: String,
    pub login: Vec<u8>,
    /// When its last request came, in Unix seconds.
    pub seen: u64,
}

/// Who may refresh the token of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// This attempt may, until [`Store::finish`] or [`Store::release`].
    Yours,
    /// Another attempt may.
    Wait,
    /// Nobody: the token has changed in the meantime.
    Changed,
    /// Nobody: the session has ended, or its token was abandoned.
    Gone,
}

impl Store {
    /// The store that the settings name. `None` after recording a problem.
    pub async fn from_settings(settings: &mut Settings) -> Option<Self> {
        if settings.get("REDIS_URL").is_none() {
            let notice = "sessions are kept in memory; set REDIS_URL to share them and to keep them after a restart";
            settings.notice(notice);
            return Some(Self::Memory(Memory::default()));
        }
        Redis::from_settings(settings).await.map(Self::Redis)
    }

    /// Whether it can be written to.
    pub async fn check(&self) -> Result<()> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Redis(redis) => redis.check().await,
        }
    }

    /// Stores a session whose token is valid for `valid_for` seconds.
    pub async fn begin(
        &self,
        key: &str,
        user: &str,
        stored: &Stored,
        valid_for: Option<u64>,
    ) -> Result<()> {
        match self {
            Self::Memory(memory) => memory.begin(key, user, stored, valid_for),
            Self::Redis(redis) => redis.begin(key, user, stored, valid_for).await?,
        }
        Ok(())
    }

    /// Loads a session, and records that it was seen now.
    pub async fn load(&self, key: &str) -> Result<Option<Stored>> {
        match self {
            Self::Memory(memory) => Ok(memory.load(key)),
            Self::Redis(redis) => redis.load(key).await,
        }
    }

    /// Ends a session; returns its token.
    pub async fn end(&self, key: &str, user: &str) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Memory(memory) => Ok(memory.end(key)),
            Self::Redis(redis) => redis.end(key, user).await,
        }
    }

    /// Ends all sessions of a user; returns their keys and tokens.
    pub async fn end_all(&self, user: &str) -> Result<Vec<(String, Vec<u8>)>> {
        match self {
            Self::Memory(memory) => Ok(memory.end_all(user)),
            Self::Redis(redis) => redis.end_all(user).await,
        }
    }

    /// The sessions of a user.
    pub async fn sessions(&self, user: &str) -> Result<Vec<Listed>> {
        match self {
            Self::Memory(memory) => Ok(memory.sessions(user)),
            Self::Redis(redis) => redis.sessions(user).await,
        }
    }

    /// Claims the refresh of this token for this attempt.
    pub async fn claim(&self, key: &str, user: &str, attempt: &str, token: &[u8]) -> Result<Claim> {
        match self {
            Self::Memory(memory) => Ok(memory.claim(key, attempt, token)),
            Self::Redis(redis) => redis.claim(key, user, attempt, token).await,
        }
    }

    /// Records that the refresh token is about to be sent. Returns whether it may be.
    pub async fn will_send(&self, key: &str, attempt: &str) -> Result<bool> {
        match self {
            Self::Memory(memory) => Ok(memory.will_send(key, attempt)),
            Self::Redis(redis) => redis.will_send(key, attempt).await,
        }
    }

    /// Stores the new token and ends the attempt. Returns whether the attempt was still there.
    pub async fn finish(
        &self,
        key: &str,
        attempt: &str,
        token: &[u8],
        valid_for: Option<u64>,
    ) -> Result<bool> {
        match self {
            Self::Memory(memory) => Ok(memory.finish(key, attempt, token, valid_for)),
            Self::Redis(redis) => redis.finish(key, attempt, token, valid_for).await,
        }
    }

    /// Ends the attempt and keeps the old token.
    pub async fn release(&self, key: &str, attempt: &str) -> Result<()> {
        match self {
            Self::Memory(memory) => memory.release(key, attempt),
            Self::Redis(redis) => redis.release(key, attempt).await?,
        }
        Ok(())
    }
}
