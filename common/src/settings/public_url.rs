//! Where browsers find a server, and which URLs secrets may be sent to.

use std::{fmt, net::SocketAddr, str::FromStr, sync::Arc};

use axum::http::{HeaderValue, Uri};
use url::{Host, Position, Url};

/// The origin under which browsers find a server: the only source of its redirect URIs, never
/// the `Host` header, which anyone can write (RFC 9700, section 2.1). Cheap to clone.
#[derive(Clone, Debug)]
pub struct PublicUrl(Arc<Url>);

impl PublicUrl {
    /// The address itself, without the scope id that IPv6 may add and no URL can have.
    pub(crate) fn of(address: SocketAddr) -> Self {
        let address = SocketAddr::new(address.ip(), address.port());
        let url = Url::parse(&format!("http://{address}")).expect("an IP address makes a URL");
        Self(Arc::new(url))
    }

    /// The same place under another name.
    pub(crate) fn named(mut self, host: &str) -> Self {
        Arc::make_mut(&mut self.0)
            .set_host(Some(host))
            .expect("a host name that is hard-coded");
        self
    }

    /// The URL of a path, which begins with a slash, on this server.
    pub fn join(&self, path: &str) -> String {
        format!("{self}{path}")
    }

    /// The root, to resolve paths against.
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// Whether browsers use https.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether a `Host` field is exactly what browsers send to this server. Others can mean the same;
    /// this only saves reading the usual one as a URL, which costs more than most handlers do.
    pub(crate) fn has_host(&self, host: &HeaderValue) -> bool {
        *host == self.0[Position::BeforeHost..Position::AfterPort]
    }

    /// Whether only browsers on this machine can reach the server.
    pub fn is_loopback(&self) -> bool {
        is_this_machine(&self.0)
    }
}

impl fmt::Display for PublicUrl {
    /// The origin, without a slash at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0[..Position::BeforePath])
    }
}

impl FromStr for PublicUrl {
    type Err = ();

    fn from_str(value: &str) -> Result<Self, ()> {
        let url = Url::parse(value).map_err(drop)?;
        let is_origin = url.origin().ascii_serialization() == value;
        if is_origin && matches!(url.scheme(), "http" | "https") {
            Ok(Self(Arc::new(url)))
        } else {
            Err(())
        }
    }
}

/// The host and the port of a `Host` field, as the URL of their root.
pub(crate) fn url_of_host(host: &HeaderValue) -> Option<Url> {
    Url::parse(&format!("http://{}", host.to_str().ok()?)).ok()
}

/// Whether a URL can be an endpoint of a provider (RFC 6749, sections 3.1 and 3.2); `Err` says what
/// is wrong with it.
pub fn check_endpoint(url: &Url) -> Result<(), &'static str> {
    let encrypted = url.scheme() == "https" || url.scheme() == "http" && is_loopback(url);
    if !encrypted {
        Err("must be https: codes, tokens and the client secret go there")
    } else if url.fragment().is_some() {
        Err("has a #fragment; remove it")
    } else if !url.username().is_empty() || url.password().is_some() {
        Err("has a user name in it; remove it")
    } else if url.as_str().parse::<Uri>().is_err() {
        // `https://a{b/` is a URL to browsers, but no URI to HTTP.
        Err("has a host or a length that a request cannot have")
    } else {
        Ok(())
    }
}

/// Whether a URL leads to this machine, wherever it is resolved (RFC 8252, section 8.3).
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The same, and the names under `localhost`, which browsers resolve to this machine (RFC 6761,
/// section 6.3). Not every resolver does, so no token is sent there.
pub fn is_this_machine(url: &Url) -> bool {
    is_loopback(url)
        || url
            .domain()
            .is_some_and(|name| name.ends_with(".localhost"))
}
