//! Settings from the environment, as typed values.
//!
//! Every problem is collected, so that a person mends all of them at once, and no message
//! repeats the value of a secret.

use std::{
    collections::HashMap,
    env, fmt,
    net::{IpAddr, SocketAddr},
    path::Path,
    str::FromStr,
};

use axum::{Router, http::Uri};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use url::{Host, Url};

use crate::random_token;

/// One line of the table of settings: what `--help`, `.env.example` and the README list.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// What holds when it is not set, in words.
    pub default: &'static str,
    /// What it is for, in a sentence.
    pub help: &'static str,
}

/// What an app is made of, read from the settings.
pub trait FromSettings: Sized {
    /// The tables of what is read here, beside [`SERVER_SETTINGS`].
    const SETTINGS: &'static [&'static [Setting]];

    /// Reads it. `None` only after [`Settings::problem`] was told why.
    fn from_settings(settings: &mut Settings) -> impl Future<Output = Option<Self>> + Send;
}

/// Every setting of a server that is made of this.
pub fn table<S: FromSettings>() -> impl Iterator<Item = &'static Setting> {
    SERVER_SETTINGS
        .iter()
        .chain(S::SETTINGS.iter().copied().flatten())
}

/// The settings of every server.
pub const SERVER_SETTINGS: &[Setting] = &[
    Setting {
        name: "BIND_ADDR",
        default: "127.0.0.1:5000",
        help: "The address and port to listen on; port 0 takes a free one.",
    },
    Setting {
        name: "PUBLIC_URL",
        default: "http:// and the bound address",
        help: "The origin that browsers see, such as https://app.example.com. https:// turns on Secure cookies and HSTS.",
    },
    RUST_LOG,
];

/// The setting of every program.
pub const RUST_LOG: Setting = Setting {
    name: "RUST_LOG",
    default: "info",
    help: "How much is logged: error, warn, info, debug or trace, also by crate (info,common=debug).",
};

/// Secrets that stand in this repository for everybody to read, so that no server accepts them.
const PUBLISHED_SECRETS: &[&str] =
    &["replace-me-with-the-output-of--openssl-rand-hex-32--and-keep-it-secret"];

/// The settings while they are being read.
#[derive(Debug)]
pub struct Settings {
    vars: Vars,
    problems: Vec<String>,
    warnings: Vec<String>,
    notices: Vec<String>,
    companions: Vec<Companion>,
    background: TaskTracker,
    bind_addr: SocketAddr,
    public_url: PublicUrl,
}

/// Another server in the same process, such as the demo provider.
pub(crate) type Companion = (TcpListener, Router);

/// The variables; their values are secrets, so that `Debug` shows the names alone.
struct Vars(HashMap<String, String>);

impl fmt::Debug for Vars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Settings {
    /// From the environment and, for what is not set there, from `.env` in the working directory.
    ///
    /// Only what stands in a table of settings is read.
    pub fn from_env(table: impl Iterator<Item = &'static Setting>) -> Self {
        let mut settings = Self::from_vars([]);
        let mut file = settings.read_file(Path::new(".env"));
        for &Setting { name, .. } in table {
            match env::var(name) {
                Ok(value) => drop(settings.vars.0.insert(name.into(), value)),
                Err(env::VarError::NotUnicode(_)) => settings.problem(name, "is not UTF-8 text"),
                Err(env::VarError::NotPresent) => settings.vars.0.extend(file.remove_entry(name)),
            }
        }
        settings
    }

    /// From these variables alone, as tests do.
    pub fn from_vars<'a>(vars: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let default = SocketAddr::from(([127, 0, 0, 1], 5000));
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            vars: Vars(vars.into_iter().map(own).collect()),
            problems: Vec::new(),
            warnings: Vec::new(),
            notices: Vec::new(),
            companions: Vec::new(),
            background: TaskTracker::new(),
            bind_addr: default,
            public_url: PublicUrl::of(default),
        }
    }

    fn read_file(&mut self, path: &Path) -> HashMap<String, String> {
        match dotenvy::from_path_iter(path).map(Iterator::collect::<Result<_, _>>) {
            Ok(Ok(vars)) => return vars,
            Err(error) if error.not_found() => {}
            // The errors quote the line, and the line may hold a secret.
            Ok(Err(_)) => self.problem(".env", "has a line that is not NAME=value"),
            Err(_) => self.problem(".env", "cannot be read"),
        }
        HashMap::new()
    }

    /// The value of a setting; an empty one counts as not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.vars
            .0
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// Notes what is wrong with a setting, and how to mend it; the first thing wrong is enough.
    pub fn problem(&mut self, name: &str, what: impl fmt::Display) {
        let start = format!("{name} ");
        if !self.problems.iter().any(|known| known.starts_with(&start)) {
            self.problems.push(format!("{start}{what}"));
        }
    }

    /// Notes what a person should know, though it works.
    pub fn warning(&mut self, what: String) {
        self.warnings.push(what);
    }

    /// Notes what is said when the server is up.
    pub fn notice(&mut self, what: String) {
        self.notices.push(what);
    }

    /// The value as a `T`, or else what was `expected` is a problem.
    pub fn parse<T: FromStr>(&mut self, name: &str, expected: &str) -> Option<T> {
        let value = self.get(name)?;
        let parsed = value.parse().ok();
        if parsed.is_none() {
            self.problem(name, format!("is not {expected}"));
        }
        parsed
    }

    /// A secret. An empty one is not taken for one that is not set: that hides a broken deployment.
    pub fn secret(&mut self, name: &str) -> Option<String> {
        if self
            .vars
            .0
            .get(name)
            .is_some_and(|value| value.trim().is_empty())
        {
            self.problem(name, "is empty; give it a value or remove it");
        }
        self.get(name).map(str::to_owned)
    }

    /// An id and the secret that belongs to it, which only make sense together.
    ///
    /// # Errors
    /// When one is missing; the problem has been noted.
    pub fn pair(&mut self, id: &str, secret: &str) -> Result<Option<(String, String)>, Incomplete> {
        let secret_value = self.secret(secret);
        match (self.get(id).map(str::to_owned), secret_value) {
            (Some(id), Some(secret)) => Ok(Some((id, secret))),
            (None, None) => Ok(None),
            (Some(_), None) => {
                self.problem(secret, format!("is missing; it belongs to {id}"));
                Err(Incomplete)
            }
            (None, Some(_)) => {
                self.problem(id, format!("is missing; it belongs to {secret}"));
                Err(Incomplete)
            }
        }
    }

    /// One or several secrets to sign with, separated by commas: the first signs, all are accepted,
    /// so that a secret can be changed without logging everybody out.
    ///
    /// Without a value there is a random one, as long as nobody else can reach the server. After a
    /// problem it is random too, so that the other settings can be looked at.
    pub fn signing_secrets(&mut self, name: &str, min_length: usize) -> Vec<String> {
        let random = vec![format!("{}{}", random_token(), random_token())];
        let Some(value) = self.secret(name) else {
            if self.public_url.is_https() || !self.bind_addr.ip().is_loopback() {
                let what = "is missing; a server that others reach needs one: openssl rand -hex 32";
                self.problem(name, what);
            } else {
                self.warning(format!(
                    "{name} is not set: a random one is used, until this process ends"
                ));
            }
            return random;
        };
        let secrets: Vec<_> = value
            .split(',')
            .map(|secret| secret.trim().to_owned())
            .collect();
        if secrets.iter().any(|secret| secret.len() < min_length) {
            let what =
                format!("is too short: {min_length} characters or more (openssl rand -hex 32)");
            self.problem(name, what);
            return random;
        }
        if secrets
            .iter()
            .any(|secret| PUBLISHED_SECRETS.contains(&secret.as_str()))
        {
            self.problem(
                name,
                "is the published example; make your own: openssl rand -hex 32",
            );
            return random;
        }
        secrets
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

    /// Whether only this machine can reach the server.
    pub fn is_loopback(&self) -> bool {
        self.bind_addr.ip().is_loopback() && self.public_url.is_loopback()
    }

    /// Binds what the setting says. Port 0 has become the real port in the listener.
    pub async fn listen(&mut self, name: &str, default: SocketAddr) -> Option<TcpListener> {
        let address = match self.get(name) {
            Some(_) => self.parse(name, "an IP address and a port, such as 127.0.0.1:5000")?,
            None => default,
        };
        match TcpListener::bind(address).await {
            Ok(listener) => Some(listener),
            Err(error) => {
                let airplay = if cfg!(target_os = "macos") && address.port() == 5000 {
                    " (on macOS the AirPlay receiver sits on port 5000)"
                } else {
                    ""
                };
                let what =
                    format!("{address} cannot be bound: {error}{airplay}; choose another port");
                self.problem(name, what);
                None
            }
        }
    }

    /// Binds the server itself, after which [`Settings::public_url`] is known.
    pub(crate) async fn bind(&mut self) -> Option<TcpListener> {
        let listener = self.listen("BIND_ADDR", self.bind_addr).await;
        if let Some(address) = listener
            .as_ref()
            .and_then(|listener| listener.local_addr().ok())
        {
            self.bind_addr = address;
            self.public_url = PublicUrl::of(address);
        }
        if self.get("PUBLIC_URL").is_some() {
            const EXPECTED: &str =
                "an origin and nothing after it, such as https://app.example.com";
            if let Some(public_url) = self.parse("PUBLIC_URL", EXPECTED) {
                self.public_url = public_url;
            }
        } else if self.bind_addr.ip().is_unspecified() {
            let what = "is missing; with that BIND_ADDR give the origin that browsers see";
            self.problem("PUBLIC_URL", what);
        }
        if !self.bind_addr.ip().is_loopback() {
            let bind_addr = self.bind_addr;
            self.warning(format!(
                "BIND_ADDR {bind_addr} can be reached by other machines"
            ));
        }
        listener
    }

    /// Another server to run beside this one, as long as this one.
    pub fn also_serve(&mut self, listener: TcpListener, app: Router) {
        self.companions.push((listener, app));
    }

    /// Where an app spawns work that goes on after its response, such as a revocation: a shutdown
    /// waits for it.
    pub fn background(&self) -> TaskTracker {
        self.background.clone()
    }

    /// What was found, or every problem.
    pub(crate) fn finish(self) -> Result<Found, Vec<String>> {
        let Self {
            problems,
            warnings,
            notices,
            companions,
            background,
            ..
        } = self;
        if problems.is_empty() {
            Ok(Found {
                warnings,
                notices,
                companions,
                background,
            })
        } else {
            Err(problems)
        }
    }
}

/// One of two settings that belong together is missing.
#[derive(Clone, Copy, Debug)]
pub struct Incomplete;

/// What the settings say beside the app itself.
pub(crate) struct Found {
    pub(crate) warnings: Vec<String>,
    pub(crate) notices: Vec<String>,
    pub(crate) companions: Vec<Companion>,
    pub(crate) background: TaskTracker,
}

/// The origin under which browsers find a server: the only source of its redirect URIs, never
/// the `Host` header, which anybody can write (RFC 9700, section 2.1).
#[derive(Clone, Debug)]
pub struct PublicUrl(Url);

impl PublicUrl {
    fn of(address: SocketAddr) -> Self {
        Self(Url::parse(&format!("http://{address}")).expect("an IP address makes a URL"))
    }

    /// The URL of a path, which begins with a slash, on this server.
    pub fn join(&self, path: &str) -> String {
        format!("{self}{path}")
    }

    /// The root, to resolve paths against.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// Whether browsers come by https.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether only browsers on this machine can come here.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }
}

impl fmt::Display for PublicUrl {
    /// The origin, without a slash at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.origin().ascii_serialization())
    }
}

impl FromStr for PublicUrl {
    type Err = ();

    fn from_str(value: &str) -> Result<Self, ()> {
        let url = Url::parse(value).map_err(drop)?;
        let origin = url.origin().ascii_serialization();
        (matches!(url.scheme(), "http" | "https") && origin == value)
            .then_some(Self(url))
            .ok_or(())
    }
}

/// Whether a URL can be an endpoint of a provider (RFC 6749, sections 3.1 and 3.2).
///
/// # Errors
/// Says what is wrong with it.
pub fn check_endpoint(url: &Url) -> Result<(), &'static str> {
    let encrypted = url.scheme() == "https" || url.scheme() == "http" && is_loopback(url);
    if !encrypted {
        Err("must be https: codes, tokens and the client secret go there")
    } else if url.fragment().is_some() {
        Err("has a #fragment; remove it")
    } else if !url.username().is_empty() || url.password().is_some() {
        Err("has a user name in it; remove it")
    } else if url.as_str().parse::<Uri>().is_err() {
        // `https://a{b/` is a URL to browsers, and no URI to HTTP.
        Err("has a host or a length that no request can have")
    } else {
        Ok(())
    }
}

/// Whether a URL leads to this very machine (RFC 8252, section 8.3).
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
