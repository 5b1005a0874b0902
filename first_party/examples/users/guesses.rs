//! The limit on guesses, which an attacker cannot reset with made-up names (NIST SP 800-63B,
//! section 5.2.2).

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How many wrong passwords a name may have within [`WINDOW`].
pub const MAX_FAILURES: u32 = 5;
/// How long failures count, starting with the first.
pub const WINDOW: Duration = Duration::from_mins(5);
/// How many counters there are: 6 MiB, and the chance that two given names share one is one in a
/// quarter of a million.
const COUNTERS: usize = 1 << 18;

/// Counters of wrong passwords, found by a keyed hash of the name.
///
/// A table of names would have to drop some when it is full, and an attacker could fill it between
/// two guesses. Here no counter is ever dropped early. Names that share a counter share a
/// limit; the key is random, so nobody can choose such a name.
pub struct Guesses {
    hasher: RandomState,
    counters: Mutex<Box<[Option<Counter>]>>,
}

#[derive(Clone, Copy)]
struct Counter {
    first: Instant,
    failures: u32,
}

impl Default for Guesses {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            counters: Mutex::new(vec![None; COUNTERS].into()),
        }
    }
}

impl Guesses {
    /// Whether this name has too many failures, so that even the right password is rejected.
    pub fn are_too_many(&self, name: &str) -> bool {
        self.change(name, |counter| {
            counter.is_some_and(|counter| counter.failures >= MAX_FAILURES)
        })
    }

    /// Counts a wrong password; the right one ends the count.
    pub fn count(&self, name: &str, logged_in: bool) {
        self.change(name, |counter| {
            let first = counter.map_or_else(Instant::now, |counter| counter.first);
            let failures = counter.map_or(0, |counter| counter.failures) + 1;
            *counter = (!logged_in).then_some(Counter { first, failures });
        });
    }

    fn change<T>(&self, name: &str, change: impl FnOnce(&mut Option<Counter>) -> T) -> T {
        let hash = self.hasher.hash_one(name);
        let index = usize::try_from(hash % COUNTERS as u64).expect("less than COUNTERS");
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = &mut counters[index];
        if counter.is_some_and(|counter| counter.first.elapsed() >= WINDOW) {
            *counter = None;
        }
        change(counter)
    }
}

impl fmt::Debug for Guesses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guesses").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // check 172
    #[tokio::test(start_paused = true)]
    async fn made_up_names_do_not_evict_the_count_of_a_real_name() {
        let guesses = Guesses::default();
        for guess in 0..MAX_FAILURES {
            guesses.count("johndoe", false);
            for n in 0..20_000 {
                guesses.count(&format!("made-up-{guess}-{n}"), false);
            }
        }
        assert!(guesses.are_too_many("johndoe"));
        tokio::time::advance(Duration::from_secs(299)).await;
        assert!(guesses.are_too_many("johndoe"));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!guesses.are_too_many("johndoe"));
    }

    #[test]
    fn the_right_password_resets_the_count() {
        let guesses = Guesses::default();
        for _ in 0..3 {
            for _ in 1..MAX_FAILURES {
                guesses.count("johndoe", false);
            }
            assert!(!guesses.are_too_many("johndoe"));
            guesses.count("johndoe", true);
        }
    }
}
