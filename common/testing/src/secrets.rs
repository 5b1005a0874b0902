//! The secrets that a test has seen, which must not be logged.

use std::collections::BTreeSet;

use serde_json::Value;
use url::form_urlencoded;

use crate::{Answer, provider::Seen};

/// Everything secret that a test has seen, which must not be logged.
#[derive(Debug, Default)]
pub struct Secrets(BTreeSet<String>);

impl Secrets {
    /// Adds a setting, a password or any other secret that is known beforehand.
    ///
    /// # Panics
    /// When it is so short that it could appear in a log by chance.
    pub fn add(&mut self, secret: impl Into<String>) {
        let secret = secret.into();
        assert!(secret.len() >= 6, "{secret:?} could be said by chance");
        self.0.insert(secret);
    }

    /// Adds the secrets in a response: cookies, and codes, states and tokens in the body or a
    /// redirect.
    ///
    /// # Panics
    /// When a header is not ASCII.
    pub fn see(&mut self, answer: &Answer) {
        for cookie in answer.set_cookies() {
            let value = cookie
                .split(';')
                .next()
                .and_then(|pair| Some(pair.split_once('=')?.1));
            self.add_all(value);
        }
        let redirect = answer
            .headers
            .get("location")
            .map(|_| answer.header("location"));
        let redirect = redirect.and_then(|to| answer.url.join(to).ok());
        for url in redirect.iter().chain([&answer.url]) {
            let query = url.query().unwrap_or_default();
            self.see_form(query);
            self.see_form(url.fragment().unwrap_or_default());
        }
        if let Ok(Value::Object(members)) = serde_json::from_str(&answer.body) {
            let members = members
                .iter()
                .filter(|(name, _)| SECRET.contains(&name.as_str()));
            self.add_all(members.filter_map(|(_, value)| value.as_str()));
        }
    }

    /// Adds the secrets in the requests that a provider saw.
    pub fn see_requests(&mut self, seen: &[Seen]) {
        for request in seen {
            self.see_form(&request.body);
            let credentials = request.header("authorization").split_once(' ');
            self.add_all(credentials.map(|(_, credentials)| credentials));
        }
    }

    fn see_form(&mut self, form: &str) {
        let pairs = form_urlencoded::parse(form.as_bytes());
        let secret = pairs.filter(|(name, _)| SECRET.contains(&&**name));
        let values: Vec<_> = secret.map(|(_, value)| value.into_owned()).collect();
        self.add_all(values.iter().map(String::as_str));
    }

    fn add_all<'a>(&mut self, found: impl IntoIterator<Item = &'a str>) {
        self.0.extend(
            found
                .into_iter()
                .filter(|found| found.len() >= 6)
                .map(str::to_owned),
        );
    }

    /// Asserts that none of them was logged, and that every line is a log line (log injection).
    ///
    /// # Panics
    /// When one was.
    pub fn assert_unsaid(&self, said: &str, at_least: usize) {
        assert!(self.0.len() >= at_least, "too few are known: {:#?}", self.0);
        for secret in &self.0 {
            assert!(
                !said.contains(secret.as_str()),
                "{secret} was said:\n{said}"
            );
        }
        for line in said.lines() {
            let time: String = line
                .chars()
                .take(27)
                .map(|c| if c.is_ascii_digit() { '0' } else { c })
                .collect();
            assert_eq!(
                time, "0000-00-00T00:00:00.000000Z",
                "a line that nobody logged: {line:?}"
            );
            assert!(!line.contains(char::is_control), "{line:?}");
        }
    }
}

/// The names of secret parameters, in forms, queries, fragments and JSON.
const SECRET: [&str; 10] = [
    "access_token",
    "client_secret",
    "code",
    "code_verifier",
    "id_token",
    "nonce",
    "password",
    "refresh_token",
    "state",
    "token",
];
