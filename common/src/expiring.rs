//! A small in-memory table whose values expire.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Values under string keys, each for a limited time, and only so many at once: anyone can make a
/// server remember something, so there must be a limit.
///
/// The lock is inside. It is held only during one call, so an atomic change must be one call:
/// change a value with [`update`](Self::update), not with `get` and `insert`.
pub struct Expiring<V> {
    lifetime: Duration,
    capacity: usize,
    table: Mutex<Table<V>>,
}

struct Table<V> {
    /// When each value expires, and the value.
    values: HashMap<String, (Instant, V)>,
    /// The same keys, the oldest first.
    order: VecDeque<String>,
}

impl<V> Expiring<V> {
    /// An empty table.
    pub fn new(lifetime: Duration, capacity: usize) -> Self {
        let table = Mutex::new(Table {
            values: HashMap::new(),
            order: VecDeque::new(),
        });
        Self {
            lifetime,
            capacity,
            table,
        }
    }

    /// Adds a value, or replaces it and restarts its lifetime. A full table drops its oldest value.
    pub fn insert(&self, key: String, value: V) {
        self.insert_into(&mut self.lock(), key, value);
    }

    /// Adds a value if there is none under this key; says whether it was added.
    pub fn insert_new(&self, key: &str, value: V) -> bool {
        let mut table = self.lock();
        let is_new = table.get_mut(key).is_none();
        if is_new {
            self.insert_into(&mut table, key.to_owned(), value);
        }
        is_new
    }

    /// A copy of the value, unless it has expired.
    pub fn get(&self, key: &str) -> Option<V>
    where
        V: Clone,
    {
        self.update(key, |value| value.clone())
    }

    /// Changes the value, unless it has expired, and returns what `change` returns. This does not
    /// extend the value's lifetime.
    pub fn update<R>(&self, key: &str, change: impl FnOnce(&mut V) -> R) -> Option<R> {
        self.lock().get_mut(key).map(change)
    }

    /// A copy of the value. If it is missing or has expired, `make` creates it first.
    pub fn get_or_insert_with(&self, key: &str, make: impl FnOnce() -> V) -> V
    where
        V: Clone,
    {
        let mut table = self.lock();
        if let Some(value) = table.get_mut(key) {
            return value.clone();
        }
        let value = make();
        self.insert_into(&mut table, key.to_owned(), value.clone());
        value
    }

    /// Forgets a value.
    pub fn remove(&self, key: &str) {
        self.take(key);
    }

    /// Forgets a value and returns it, unless it has expired.
    pub fn take(&self, key: &str) -> Option<V> {
        let (expires, value) = self.lock().remove(key)?;
        (expires > Instant::now()).then_some(value)
    }

    /// Keeps only the values for which `keep` is true.
    pub fn retain(&self, keep: impl Fn(&V) -> bool) {
        let Table { values, order } = &mut *self.lock();
        values.retain(|_, (_, value)| keep(value));
        order.retain(|key| values.contains_key(key));
    }

    fn insert_into(&self, table: &mut Table<V>, key: String, value: V) {
        let now = Instant::now();
        table.remove(&key);
        while table.order.len() >= self.capacity || table.oldest_has_expired(now) {
            if let Some(oldest) = table.order.pop_front() {
                table.values.remove(&oldest);
            }
        }
        table.order.push_back(key.clone());
        table.values.insert(key, (now + self.lifetime, value));
    }

    fn lock(&self) -> MutexGuard<'_, Table<V>> {
        // A change that panicked leaves a value of its type, which is all that is promised.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Table<V> {
    fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        let (expires, value) = self.values.get_mut(key)?;
        (*expires > Instant::now()).then_some(value)
    }

    fn remove(&mut self, key: &str) -> Option<(Instant, V)> {
        let removed = self.values.remove(key)?;
        // Free its place in `order` too: otherwise a key that comes and goes would push the others
        // out.
        self.order.retain(|known| known != key);
        Some(removed)
    }

    fn oldest_has_expired(&self, now: Instant) -> bool {
        let oldest = self.order.front().and_then(|key| self.values.get(key));
        oldest.is_some_and(|(expires, _)| *expires <= now)
    }
}

/// Shows only how full it is: keys and values can be codes and tokens.
impl<V> fmt::Debug for Expiring<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expiring")
            .field("len", &self.lock().order.len())
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes<V>(table: &Expiring<V>) -> (usize, usize) {
        let table = table.lock();
        (table.values.len(), table.order.len())
    }

    #[tokio::test(start_paused = true)]
    async fn it_forgets_expired_entries() {
        let table = Expiring::new(Duration::from_secs(30), 10);
        table.insert("a".into(), 1);
        tokio::time::advance(Duration::from_secs(29)).await;
        table.insert("b".into(), 2);
        assert_eq!(table.get("a"), Some(1));
        table.update("a", |value| *value += 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((table.get("a"), table.get("b")), (None, Some(2)));
        assert_eq!(table.update("a", |_| ()), None);
        table.insert("c".into(), 3);
        assert_eq!(sizes(&table), (2, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn an_expired_entry_is_created_again() {
        let table = Expiring::new(Duration::from_secs(30), 10);
        assert_eq!(table.get_or_insert_with("a", || 1), 1);
        assert_eq!(table.get_or_insert_with("a", || 2), 1);
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(table.get_or_insert_with("a", || 3), 3);
        assert!(!table.insert_new("a", 4));
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(table.insert_new("a", 5));
        assert_eq!(sizes(&table), (1, 1));
    }

    #[test]
    fn it_never_grows_beyond_its_capacity() {
        let table = Expiring::new(Duration::from_secs(30), 3);
        for n in 0..100 {
            table.insert(n.to_string(), n);
            table.remove(&(n / 2).to_string());
        }
        let (values, order) = sizes(&table);
        assert!(values <= 3 && order <= 3);
        assert_eq!(table.get("99"), Some(99));
    }

    #[test]
    fn an_entry_that_comes_and_goes_evicts_no_other() {
        let table = Expiring::new(Duration::from_secs(30), 3);
        table.insert("kept".into(), 0);
        for n in 1..100 {
            table.insert("busy".into(), n);
            match n % 3 {
                0 => table.remove("busy"),
                1 => table.retain(|value| *value != n),
                _ => {}
            }
        }
        table.insert("busy".into(), 100);
        assert_eq!((table.get("kept"), table.get("busy")), (Some(0), Some(100)));
        assert_eq!(sizes(&table), (2, 2));
    }

    // check 145
    #[test]
    fn its_debug_shows_neither_keys_nor_values() {
        let table = Expiring::new(Duration::from_secs(30), 3);
        table.insert("a-refresh-token".into(), "an-access-token");
        assert_eq!(format!("{table:?}"), "Expiring { len: 1, capacity: 3, .. }");
    }
}
