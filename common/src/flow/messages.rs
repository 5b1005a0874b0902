//! The messages of a diagram: what they show, and what they never show.

use std::hash::{BuildHasher, RandomState};

/// The longest value that is shown, in characters.
pub(super) const MAX_VALUE: usize = 120;

/// One of the three columns of a diagram, from left to right.
#[derive(Clone, Copy, Debug)]
pub enum Column {
    First = 1,
    Second,
    Third,
}

/// The messages of a step, in the order in which they were sent.
pub struct Messages<'a> {
    hasher: &'a RandomState,
    messages: Vec<Message>,
}

#[derive(Clone)]
pub(super) struct Message {
    pub(super) from: Column,
    pub(super) to: Column,
    pub(super) what: String,
    pub(super) parameters: Vec<(String, Shown)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shown {
    AsIs(String),
    /// The first characters of a keyed hash.
    Hash(String),
}

impl<'a> Messages<'a> {
    pub(super) fn new(hasher: &'a RandomState) -> Self {
        Self {
            hasher,
            messages: Vec::new(),
        }
    }

    pub(super) fn into_list(self) -> Vec<Message> {
        self.messages
    }

    /// A message, such as `GET /auth`, with the parameters that may be shown.
    pub fn message<N: AsRef<str>, V: AsRef<str>>(
        &mut self,
        (from, to): (Column, Column),
        what: impl Into<String>,
        parameters: impl IntoIterator<Item = (N, V)>,
    ) {
        let shown = |(name, value): (N, V)| {
            let (name, value) = (name.as_ref(), value.as_ref());
            Some((name.to_owned(), self.shown(name, value)?))
        };
        let message = Message {
            from,
            to,
            what: what.into(),
            parameters: parameters.into_iter().filter_map(shown).collect(),
        };
        self.messages.push(message);
    }

    /// A message whose parameters do not matter.
    pub fn plain(&mut self, direction: (Column, Column), what: impl Into<String>) {
        self.message(direction, what, [("", ""); 0]);
    }

    /// Only names from the standards: anything else in a request may be a secret.
    fn shown(&self, name: &str, value: &str) -> Option<Shown> {
        match name {
            "access_token" | "code" | "code_challenge" | "code_verifier" | "id_token" | "nonce"
            | "refresh_token" | "state" | "token" => {
                let hash = self.hasher.hash_one(value) >> 32;
                Some(Shown::Hash(format!("{hash:08x}")))
            }
            "client_id"
            | "code_challenge_method"
            | "error"
            | "expires_in"
            | "grant_type"
            | "iss"
            | "redirect_uri"
            | "response_type"
            | "scope"
            | "sub"
            | "token_type"
            | "token_type_hint" => Some(Shown::AsIs(value.chars().take(MAX_VALUE).collect())),
            _ => None,
        }
    }
}
