//! The secrets among the settings.

use std::{fmt, iter};

use super::{HAS_A_MEANING, Settings};
use crate::random_token;

/// Secrets that are published in this repository.
const PUBLISHED: &[&str] = &[
    "replace-me-with-the-output-of--openssl-rand-hex-32--and-keep-it-secret",
    "your-secret",
];

/// Whether our documentation contains this secret.
pub fn is_published(secret: &str) -> bool {
    PUBLISHED.contains(&secret)
}

/// One secret or several to sign with: the first one signs, and all are accepted, so that a secret
/// can be replaced without logging everybody out.
#[derive(Clone)]
pub struct Secrets {
    first: String,
    older: Vec<String>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets([redacted])")
    }
}

impl Secrets {
    /// A new random secret, which is lost when this process ends.
    pub fn random() -> Self {
        Self::from(format!("{}{}", random_token(), random_token()))
    }

    /// The one that signs.
    pub fn first(&self) -> &str {
        &self.first
    }

    /// All that are accepted, the one that signs first.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        iter::once(&self.first)
            .chain(&self.older)
            .map(String::as_str)
    }
}

impl From<String> for Secrets {
    fn from(secret: String) -> Self {
        Self {
            first: secret,
            older: Vec::new(),
        }
    }
}

impl Settings {
    /// A secret, exactly as it is set. An empty one is an error: to treat it as unset would hide a
    /// broken deployment.
    pub fn secret(&mut self, name: &str) -> Option<String> {
        let value = self.vars.0.get(name)?.clone();
        if value.trim().is_empty() {
            self.problem(name, "is empty; give it a value or remove it");
        } else if self.changed_by_file.contains(name) {
            self.problem(name, HAS_A_MEANING);
        } else if value.trim() != value {
            self.problem(name, "begins or ends with white space; remove it");
        } else {
            return Some(value);
        }
        None
    }

    /// The secrets of a setting that may have several, separated by commas.
    ///
    /// Unset, it is random as long as only this machine can reach the server. After a problem it is
    /// random too, so that the other settings can be checked.
    pub fn signing_secrets(&mut self, name: &str, min_length: usize) -> Secrets {
        if !self.vars.0.contains_key(name) {
            self.missing_secret(name);
            return Secrets::random();
        }
        let Some(value) = self.secret(name) else {
            return Secrets::random();
        };
        let mut secrets = value.split(',').map(|secret| secret.trim().to_owned());
        let secrets = Secrets {
            first: secrets.next().unwrap_or_default(),
            older: secrets.collect(),
        };
        if secrets.iter().any(|secret| secret.len() < min_length) {
            let what =
                format!("is too short: {min_length} characters or more (openssl rand -hex 32)");
            self.problem(name, what);
        } else if secrets.iter().any(is_published) {
            let what = "is the published example; generate your own: openssl rand -hex 32";
            self.problem(name, what);
        } else {
            return secrets;
        }
        Secrets::random()
    }

    fn missing_secret(&mut self, name: &str) {
        if self.is_loopback() {
            self.warning(format_args!(
                "{name} is not set: using a random one until this process ends"
            ));
        } else {
            let what = "is missing; a server that others can reach needs one: openssl rand -hex 32";
            self.problem(name, what);
        }
    }
}
