//! Password checks, which are slow on purpose: they run away from the threads that serve requests,
//! and only a few at a time.

use std::{
    fmt,
    num::NonZero,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use common::random_token;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

/// Checks passwords against Argon2id hashes. Cheap to clone.
#[derive(Clone)]
pub struct Passwords {
    /// One permit for each processor: each check needs 19 MiB.
    pub turns: Arc<Semaphore>,
    /// How many were checked so far: for a metric, and for the tests.
    pub checked: Arc<AtomicUsize>,
    /// Stands in for the hash of a user who does not exist.
    nobody: String,
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords")
            .field("checked", &self.checked)
            .finish_non_exhaustive()
    }
}

impl Passwords {
    /// As many turns as there are processors.
    pub fn new() -> Self {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            turns: Arc::new(Semaphore::new(processors)),
            checked: Arc::default(),
            nobody: hash(&random_token()),
        }
    }

    /// Waits for a turn, in order of arrival, until the request times out.
    pub async fn turn(&self) -> OwnedSemaphorePermit {
        self.turns
            .clone()
            .acquire_owned()
            .await
            .expect("nobody closes the semaphore")
    }

    /// Whether this is the password of the hash. Without a hash the answer is no, after the same
    /// work.
    ///
    /// Returns the turn with the answer. If the caller disconnects in the meantime, the turn is
    /// released when the work ends and not earlier; otherwise any number could run at a time.
    pub async fn verify(
        &self,
        turn: OwnedSemaphorePermit,
        hash: Option<String>,
        password: String,
    ) -> (bool, OwnedSemaphorePermit) {
        self.checked.fetch_add(1, Ordering::Relaxed);
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        let work = move || {
            // The parameters are those of the hash. A real system hashes the password again at a
            // login if these are outdated.
            let is_right = argon2()
                .verify_password(password.as_bytes(), &*hash)
                .is_ok();
            (is_right, turn)
        };
        spawn_blocking(work)
            .await
            .expect("checking a password does not panic")
    }
}

/// A hash with a new salt, to store for a new user or a new password.
pub fn hash(password: &str) -> String {
    let hash = argon2().hash_password(password.as_bytes());
    hash.expect("the salt is generated, and a password can have any length")
        .to_string()
}

/// Argon2id with 19 MiB, two passes and one lane (OWASP Password Storage cheat sheet).
fn argon2() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).expect("these are in the allowed range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}
