//! Settings from the environment, as typed values.
//!
//! Every problem is collected, so that a person can fix all of them at once, and no message repeats
//! the value of a secret.

use std::{
    collections::{HashMap, HashSet},
    env, fmt,
    net::SocketAddr,
    path::Path,
    str::FromStr,
};

use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use url::Url;

mod env_file;
mod public_url;
mod secrets;
mod table;

use env_file::{EnvFile, HAS_A_MEANING};
pub(crate) use public_url::url_of_host;
pub use public_url::{PublicUrl, check_endpoint, is_loopback, is_this_machine};
pub use secrets::{Secrets, is_published};
pub(crate) use table::DEFAULT_ADDR;
pub use table::{FromSettings, Home, RUST_LOG, SERVER_SETTINGS, Setting, table};

/// The settings while they are being read.
#[derive(Debug)]
pub struct Settings {
    vars: Vars,
    /// The settings whose value the syntax of the `.env` file changes.
    changed_by_file: HashSet<String>,
    problems: Vec<String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) notices: Vec<String>,
    background: TaskTracker,
    bind_addr: SocketAddr,
    public_url: PublicUrl,
}

/// The variables. Their values can be secrets, so `Debug` shows the names alone.
struct Vars(HashMap<String, String>);

impl fmt::Debug for Vars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Settings {
    /// From the environment and, for what is not set there, from `.env` in the working directory.
    ///
    /// Only the settings in the table are read.
    pub fn from_env(table: impl Iterator<Item = &'static Setting>) -> Self {
        let mut settings = Self::from_vars([]);
        let mut file = EnvFile::read(Path::new(".env")).unwrap_or_else(|(name, what)| {
            settings.problem(&name, what);
            EnvFile::default()
        });
        for &Setting { name, .. } in table {
            match env::var(name) {
                Ok(value) => {
                    settings.vars.0.insert(name.into(), value);
                }
                Err(env::VarError::NotUnicode(_)) => settings.problem(name, "is not UTF-8"),
                Err(env::VarError::NotPresent) => {
                    settings.vars.0.extend(file.vars.remove_entry(name));
                    settings.changed_by_file.extend(file.changed.take(name));
                }
            }
        }
        settings
    }

    /// From these variables alone, as tests do.
    pub fn from_vars<'a>(vars: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            vars: Vars(vars.into_iter().map(own).collect()),
            changed_by_file: HashSet::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
            notices: Vec::new(),
            background: TaskTracker::new(),
            bind_addr: DEFAULT_ADDR,
            public_url: PublicUrl::of(DEFAULT_ADDR),
        }
    }

    /// The value of a setting; an empty one counts as unset.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.vars
            .0
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// Records what is wrong with a setting and how to fix it; only the first problem of each
    /// setting is kept.
    pub fn problem(&mut self, name: &str, what: impl fmt::Display) {
        let start = format!("{name} ");
        if !self.problems.iter().any(|known| known.starts_with(&start)) {
            self.problems.push(format!("{start}{what}"));
        }
    }

    /// Records a warning, which is logged once the server is up.
    pub fn warning(&mut self, what: impl fmt::Display) {
        self.warnings.push(what.to_string());
    }

    /// Records a line to log once the server is up.
    pub fn notice(&mut self, what: impl fmt::Display) {
        self.notices.push(what.to_string());
    }

    /// Parses the value. If it is not what is `expected`, records a problem.
    pub fn parse<T: FromStr>(&mut self, name: &str, expected: &str) -> Option<T> {
        let value = self.get(name)?;
        let parsed = value.parse().ok();
        if parsed.is_none() {
            self.problem(name, format!("is not {expected}"));
        }
        parsed
    }

    /// An id and the secret that belongs to it. If one of them is missing, records a problem and
    /// returns `Err`, which is not the same as having neither.
    pub fn pair(
        &mut self,
        id_setting: &str,
        secret_setting: &str,
    ) -> Result<Option<(String, String)>, Incomplete> {
        let secret = self.secret(secret_setting);
        let (present, missing) = match (self.get(id_setting).map(str::to_owned), secret) {
            (Some(id), Some(secret)) => return Ok(Some((id, secret))),
            (None, None) => return Ok(None),
            (Some(_), None) => (id_setting, secret_setting),
            (None, Some(_)) => (secret_setting, id_setting),
        };
        self.problem(missing, format!("is missing; it belongs to {present}"));
        Err(Incomplete)
    }

    /// An endpoint of a provider (RFC 6749, section 3): https except on this machine, no fragment.
    pub fn endpoint(&mut self, name: &str) -> Option<Url> {
        let url: Url = self.parse(
            name,
            "an absolute URL, such as https://provider.example/path",
        )?;
        match check_endpoint(&url) {
            Ok(()) => Some(url),
            Err(why) => {
                self.problem(name, why);
                None
            }
        }
    }

    /// Where browsers find this server.
    pub fn public_url(&self) -> &PublicUrl {
        &self.public_url
    }

    /// Whether only this machine can reach the server. Where others can, anything meant for this
    /// machine only is a problem, not a warning.
    pub fn is_loopback(&self) -> bool {
        self.bind_addr.ip().is_loopback() && self.public_url.is_loopback()
    }

    /// Where an app spawns work that goes on after its response, such as a revocation: a shutdown
    /// waits for it.
    pub fn background(&self) -> TaskTracker {
        self.background.clone()
    }

    /// Reads `PUBLIC_URL`, whose default is the address that was bound.
    pub(crate) fn resolve_public_url(&mut self, bound: Option<SocketAddr>, home: &Home) {
        const EXPECTED: &str = "an origin and nothing after it, such as https://app.example.com";
        if let Some(address) = bound {
            self.bind_addr = address;
            let public_url = PublicUrl::of(address);
            self.public_url = match home.host {
                Some(name) if address.ip().is_loopback() => public_url.named(name),
                _ => public_url,
            };
        }
        if self.get("PUBLIC_URL").is_some() {
            if let Some(public_url) = self.parse("PUBLIC_URL", EXPECTED) {
                self.public_url = public_url;
            }
        } else if self.bind_addr.ip().is_unspecified() {
            let what = "is missing; with this BIND_ADDR, set it to the origin that browsers see";
            self.problem("PUBLIC_URL", what);
        }
        if !self.public_url.is_https() && !self.public_url.is_loopback() {
            let what = "must be https:// where other machines can connect: over http, anyone on the \
                        network can read codes, tokens and cookies";
            self.problem("PUBLIC_URL", what);
        }
        if !self.bind_addr.ip().is_loopback() {
            let bind_addr = self.bind_addr;
            self.warning(format_args!(
                "other machines can reach this server: BIND_ADDR is {bind_addr}"
            ));
        }
    }

    /// Reads what an app needs. Fails with every problem, one line each.
    ///
    /// [`run`](crate::run) does the same. A `main` of your own calls this before it serves: a
    /// problem means that a secret is missing, that the network can read the cookies, or that
    /// others can use what is meant for this machine alone. The listener says which others.
    ///
    /// ```
    /// use common::{
    ///     server::listen,
    ///     settings::{FromSettings, PublicUrl, Setting, Settings, table},
    /// };
    ///
    /// struct Api { public_url: PublicUrl }
    ///
    /// impl FromSettings for Api {
    ///     const SETTINGS: &'static [&'static [Setting]] = &[];
    ///
    ///     async fn from_settings(settings: &mut Settings) -> Option<Self> {
    ///         Some(Self { public_url: settings.public_url().clone() })
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut settings = Settings::from_env(table::<Api>());
    /// # settings = Settings::from_vars([("BIND_ADDR", "127.0.0.1:0")]);
    /// let listener = listen(&mut settings, "BIND_ADDR", Api::HOME.addr).await.unwrap();
    /// let api: Api = settings.read(&listener).await.unwrap();
    /// // Build the app from it, and serve that with the listener.
    /// # assert_eq!(api.public_url.to_string(), format!("http://{}", listener.local_addr().unwrap()));
    /// # }
    /// ```
    pub async fn read<S: FromSettings>(
        &mut self,
        listener: &TcpListener,
    ) -> Result<S, Vec<String>> {
        let no_address = |error| vec![format!("the listener has no address: {error}")];
        let bound = listener.local_addr().map_err(no_address)?;
        self.read_at(Some(bound)).await
    }

    /// The same, without an address for a program that does not listen.
    pub(crate) async fn read_at<S: FromSettings>(
        &mut self,
        bound: Option<SocketAddr>,
    ) -> Result<S, Vec<String>> {
        self.resolve_public_url(bound, &S::HOME);
        let state = S::from_settings(self).await;
        if !self.problems.is_empty() {
            return Err(self.problems.clone());
        }
        state.ok_or_else(|| vec![OUR_MISTAKE.into()])
    }
}

/// One of two settings that belong together is missing.
#[derive(Clone, Copy, Debug)]
pub struct Incomplete;

pub(crate) const OUR_MISTAKE: &str =
    "a setting is wrong, but this program did not record which; this is a bug";
