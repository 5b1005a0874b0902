//! A small table in memory that forgets.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    time::Duration,
};

use tokio::time::Instant;

/// Values under keys that are used once, kept for a while and never more than so many: what
/// anybody can make the server remember must have an end.
pub struct Expiring<V> {
    values: HashMap<String, (Instant, V)>,
    /// The keys, the oldest first.
    order: VecDeque<String>,
    lifetime: Duration,
    capacity: usize,
}

impl<V> Expiring<V> {
    /// An empty table.
    pub fn new(lifetime: Duration, capacity: usize) -> Self {
        Self {
            values: HashMap::new(),
            order: VecDeque::new(),
            lifetime,
            capacity,
        }
    }

    /// Adds a value; when there is no room, the oldest goes.
    pub fn insert(&mut self, key: String, value: V) {
        self.remove(&key);
        while self.order.len() >= self.capacity || self.oldest_has_expired() {
            self.order
                .pop_front()
                .map(|oldest| self.values.remove(&oldest));
        }
        self.order.push_back(key.clone());
        self.values
            .insert(key, (Instant::now() + self.lifetime, value));
    }

    /// The value, unless it has expired.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        let (expires, value) = self.values.get_mut(key)?;
        (*expires > Instant::now()).then_some(value)
    }

    /// Forgets a value.
    pub fn remove(&mut self, key: &str) {
        // With its place: or else what is removed and added again pushes the others out.
        if self.values.remove(key).is_some() {
            self.order.retain(|known| known != key);
        }
    }

    /// Forgets all values but these.
    pub fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        self.values.retain(|_, (_, value)| keep(value));
    }

    fn oldest_has_expired(&self) -> bool {
        let expired = |key| {
            self.values
                .get(key)
                .is_none_or(|(expires, _)| *expires <= Instant::now())
        };
        self.order.front().is_some_and(expired)
    }
}

/// Only how full it is: keys and values are codes and tokens.
impl<V> fmt::Debug for Expiring<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expiring")
            .field("len", &self.order.len())
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_forgets_what_is_old() {
        let mut table = Expiring::new(Duration::from_secs(30), 10);
        table.insert("a".into(), 1);
        tokio::time::advance(Duration::from_secs(29)).await;
        table.insert("b".into(), 2);
        assert_eq!(table.get_mut("a"), Some(&mut 1));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(table.get_mut("a"), None);
        assert_eq!(table.get_mut("b"), Some(&mut 2));
        table.insert("c".into(), 3);
        assert_eq!(table.values.len(), 2);
    }

    #[test]
    fn it_never_grows_beyond_its_capacity() {
        let mut table = Expiring::new(Duration::from_secs(30), 3);
        for n in 0..100 {
            table.insert(n.to_string(), n);
            table.remove(&(n / 2).to_string());
        }
        assert!(table.values.len() <= 3 && table.order.len() <= 3);
        assert_eq!(table.get_mut("99"), Some(&mut 99));
    }

    #[test]
    fn what_comes_and_goes_pushes_nothing_out() {
        let mut table = Expiring::new(Duration::from_secs(30), 3);
        table.insert("kept".into(), 0);
        for n in 1..100 {
            table.insert("busy".into(), n);
            if n % 2 == 0 {
                table.remove("busy");
            }
        }
        assert_eq!(table.get_mut("kept"), Some(&mut 0));
        assert_eq!(table.get_mut("busy"), Some(&mut 99));
        assert_eq!(table.order.len(), 2);
    }
}
