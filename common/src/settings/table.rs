//! The table of settings: what a server reads, and where it listens when nothing is set.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use super::Settings;

/// One line of the table of settings: what `--help`, `.env.example` and the README list.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The environment variable.
    pub name: &'static str,
    /// What applies when it is not set, in words.
    pub default: &'static str,
    /// What it is for, in a sentence.
    pub help: &'static str,
}

/// What an app needs, read from the settings.
pub trait FromSettings: Sized {
    /// The tables of the settings that are read, in addition to [`SERVER_SETTINGS`].
    const SETTINGS: &'static [&'static [Setting]];

    /// Where it listens when nothing is set, and the host name that browsers use.
    const HOME: Home = Home::DEFAULT;

    /// Reads it. Returns `None` only after recording why with [`Settings::problem`].
    ///
    /// Only another `from_settings` calls this: it may return something despite a problem. A `main`
    /// calls [`Settings::read`], which then returns nothing.
    fn from_settings(settings: &mut Settings) -> impl Future<Output = Option<Self>> + Send;
}

/// Where a server is when neither `BIND_ADDR` nor `PUBLIC_URL` is set.
#[derive(Clone, Copy, Debug)]
pub struct Home {
    /// The address and port to listen on.
    pub addr: SocketAddr,
    /// The host of `PUBLIC_URL`, instead of the address, while only this machine can reach the
    /// server.
    pub host: Option<&'static str>,
    /// The same in words: [`SERVER_SETTINGS`] with other defaults.
    pub settings: &'static [Setting],
}

impl Home {
    /// Port 5000 of this machine, by its address.
    pub const DEFAULT: Self = Self {
        addr: DEFAULT_ADDR,
        host: None,
        settings: SERVER_SETTINGS,
    };
}

/// Every setting of a server whose app needs an `S`.
pub fn table<S: FromSettings>() -> impl Iterator<Item = &'static Setting> {
    S::HOME
        .settings
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
    help: "How much to log: error, warn, info, debug or trace, or per crate (info,common=debug).",
};

/// Where a server listens when nothing is set.
pub(crate) const DEFAULT_ADDR: SocketAddr =
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 5000));
