//! Free ports in place of those that a README shows, so that its commands disturb no other program.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    process,
    sync::atomic::{AtomicU16, Ordering},
};

/// The ports in use, by the ports shown.
#[derive(Default)]
pub struct Ports(BTreeMap<u16, u16>);

impl Ports {
    /// Shown text, with the ports in use.
    pub fn real(&mut self, text: &str) -> String {
        with_ports(text, |shown| *self.0.entry(shown).or_insert_with(free_port))
    }

    /// Printed text, with the ports shown.
    pub fn shown(&self, text: &str) -> String {
        let shown = |real| {
            self.0
                .iter()
                .find(|(_, port)| **port == real)
                .map(|(shown, _)| *shown)
        };
        with_ports(text, |real| shown(real).unwrap_or(real))
    }
}

/// A port below those that the system assigns for port 0, which other tests take at the same time.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let start = u16::try_from(process::id() % 100).expect("two digits") * 100;
        let port = 20_000 + start + NEXT.fetch_add(1, Ordering::Relaxed) % 2000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A text with other ports of this machine in it, also where they are percent-encoded.
fn with_ports(text: &str, mut port: impl FnMut(u16) -> u16) -> String {
    const HOSTS: [&str; 4] = ["127.0.0.1:", "localhost:", "127.0.0.1%3A", "localhost%3A"];
    let (mut changed, mut rest) = (String::new(), text);
    let next = |rest: &str| {
        let ends = HOSTS
            .iter()
            .filter_map(|host| Some(rest.find(host)? + host.len()));
        ends.min()
    };
    while let Some(end) = next(rest) {
        changed += &rest[..end];
        rest = &rest[end..];
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        if let Ok(number) = rest[..digits].parse() {
            changed += &port(number).to_string();
            rest = &rest[digits..];
        }
    }
    changed + rest
}
