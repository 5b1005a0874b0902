//! The memory of this process: for a single process, and only until it ends.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use common::{expiring::Expiring, unix_now};
use tokio::time::Instant;

use super::super::session::LIFETIME;
use super::{Claim, Listed, MAX_SESSIONS, SENT, Stored, UNSENT};

/// How many sessions are kept; the oldest makes room for the next.
const MAX: usize = 10_000;

/// The sessions, and the keys of each user's sessions.
#[derive(Clone, Debug)]
pub struct Memory {
    sessions: Arc<Expiring<Entry>>,
    users: Arc<Expiring<Vec<String>>>,
    /// Held while the keys of a user change, which takes more than one step.
    changing: Arc<Mutex<()>>,
}

#[derive(Clone)]
struct Entry {
    login: Vec<u8>,
    token: Vec<u8>,
    token_end: Option<Instant>,
    seen: u64,
    attempt: Option<Attempt>,
}

#[derive(Clone)]
struct Attempt {
    id: String,
    since: Instant,
    sent: bool,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            sessions: Arc::new(Expiring::new(LIFETIME, MAX)),
            users: Arc::new(Expiring::new(LIFETIME, MAX)),
            changing: Arc::default(),
        }
    }
}

impl Memory {
    pub fn begin(&self, key: &str, user: &str, stored: &Stored, valid_for: Option<u64>) {
        let entry = Entry {
            login: stored.login.clone(),
            token: stored.token.clone(),
            token_end: end(valid_for),
            seen: unix_now(),
            attempt: None,
        };
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.sessions.insert(key.to_owned(), entry);
        let mut keys = self.users.get(user).unwrap_or_default();
        keys.retain(|key| self.sessions.update(key, |_| ()).is_some());
        keys.push(key.to_owned());
        while keys.len() > MAX_SESSIONS {
            self.sessions.remove(&keys.remove(0));
        }
        self.users.insert(user.to_owned(), keys);
    }

    pub fn load(&self, key: &str) -> Option<Stored> {
        self.sessions.update(key, |entry| {
            entry.seen = unix_now();
            Stored {
                login: entry.login.clone(),
                token: entry.token.clone(),
                token_has_expired: entry.token_end.is_some_and(|end| end <= Instant::now()),
            }
        })
    }

    pub fn end(&self, key: &str) -> Option<Vec<u8>> {
        self.sessions.take(key).map(|entry| entry.token)
    }

    pub fn end_all(&self, user: &str) -> Vec<(String, Vec<u8>)> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = self.users.get(user).unwrap_or_default();
        self.users.remove(user);
        let end = |key: String| self.end(&key).map(|token| (key, token));
        keys.into_iter().filter_map(end).collect()
    }

    pub fn sessions(&self, user: &str) -> Vec<Listed> {
        let listed = |key: String| {
            let entry = self.sessions.get(&key)?;
            let (login, seen) = (entry.login, entry.seen);
            Some(Listed { key, login, seen })
        };
        let keys = self.users.get(user).unwrap_or_default();
        keys.into_iter().filter_map(listed).collect()
    }

    pub fn claim(&self, key: &str, attempt: &str, token: &[u8]) -> Claim {
        let claim = self
            .sessions
            .update(key, |entry| entry.claim(attempt, token));
        if claim == Some(Claim::Gone) {
            self.sessions.remove(key);
        }
        claim.unwrap_or(Claim::Gone)
    }

    pub fn will_send(&self, key: &str, attempt: &str) -> bool {
        let send = |entry: &mut Entry| {
            let own = entry.attempt.as_mut().filter(|own| own.id == attempt)?;
            (own.sent, own.since) = (true, Instant::now());
            Some(())
        };
        self.sessions.update(key, send).flatten().is_some()
    }

    pub fn finish(&self, key: &str, attempt: &str, token: &[u8], valid_for: Option<u64>) -> bool {
        let finish = |entry: &mut Entry| {
            entry.attempt.take_if(|own| own.id == attempt)?;
            entry.token = token.to_vec();
            entry.token_end = end(valid_for);
            Some(())
        };
        self.sessions.update(key, finish).flatten().is_some()
    }

    pub fn release(&self, key: &str, attempt: &str) {
        self.sessions.update(key, |entry| {
            entry.attempt.take_if(|own| own.id == attempt);
        });
    }
}

impl Entry {
    /// As `scripts/claim.lua` does it.
    fn claim(&mut self, attempt: &str, token: &[u8]) -> Claim {
        if self.token != token {
            return Claim::Changed;
        }
        if let Some(other) = &self.attempt {
            let limit = Duration::from_millis(if other.sent { SENT } else { UNSENT });
            if other.since.elapsed() < limit {
                return Claim::Wait;
            }
            if other.sent {
                return Claim::Gone;
            }
        }
        self.attempt = Some(Attempt {
            id: attempt.to_owned(),
            since: Instant::now(),
            sent: false,
        });
        Claim::Yours
    }
}

fn end(valid_for: Option<u64>) -> Option<Instant> {
    Instant::now().checked_add(Duration::from_secs(valid_for?))
}
