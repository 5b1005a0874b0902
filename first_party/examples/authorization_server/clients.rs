//! The clients: which are registered, where their users may be sent, and how they authenticate.

use std::sync::Arc;

use axum::http::HeaderMap;
use common::{
    Params,
    client_auth::{ClientCredentials, INVALID_CLIENT},
    error::OAuthError,
};
use url::{Host, Url};

/// A registered client (RFC 6749, section 2).
#[derive(Clone)]
pub struct Client {
    /// Its id, which also names it on the pages.
    pub id: String,
    /// `None` for a public client, such as a phone app, which could not protect one (RFC 6749,
    /// section 2.1).
    pub secret: Option<String>,
    /// Where codes may be sent.
    pub redirect_uris: Vec<String>,
    /// Where a browser may be sent after a logout.
    pub post_logout_redirect_uris: Vec<String>,
    /// The scopes that it may request, separated by spaces.
    pub scopes: String,
    /// The resources that it serves: it may introspect the tokens that are issued for them.
    pub resources: Vec<String>,
}

/// Replace this with your own table of clients. A randomly generated secret needs no slow hash in
/// storage; SHA-256 is enough.
#[derive(Clone)]
pub struct Clients(pub Arc<Vec<Client>>);

impl Clients {
    pub fn find(&self, id: &str) -> Option<&Client> {
        self.0.iter().find(|client| client.id == id)
    }

    /// Authenticates the client by Basic, by the body, or without a secret if it is public
    /// (RFC 6749, sections 2.3.1 and 3.2.1).
    pub fn authenticate(
        &self,
        headers: &HeaderMap,
        params: &Params,
    ) -> Result<&Client, OAuthError> {
        let says_secret =
            headers.contains_key("authorization") || params.get("client_secret").is_some();
        if !says_secret {
            let client = params.get("client_id").and_then(|id| self.find(id));
            return client
                .filter(|client| client.secret.is_none())
                .ok_or(INVALID_CLIENT);
        }
        let sent = ClientCredentials::read(headers, params)?;
        let is_it = |client: &&Client| {
            let secret = client.secret.as_deref();
            secret.is_some_and(|secret| sent.is(&client.id, secret))
        };
        self.0.iter().find(is_it).ok_or(INVALID_CLIENT)
    }
}

impl Client {
    /// Whether codes may be sent to this URI. Whole strings are compared (RFC 9700, section 2.1);
    /// only the port of an application on the user's own machine may differ, because the system
    /// chooses a new one each time (RFC 8252, section 7.3).
    pub fn may_redirect_to(&self, uri: &str) -> bool {
        let is_registered = |registered: &String| {
            registered == uri || self.secret.is_none() && differ_in_loopback_port(registered, uri)
        };
        self.redirect_uris.iter().any(is_registered)
    }
}

/// `localhost` is not among them: what it resolves to can be changed (RFC 8252, section 8.3).
fn differ_in_loopback_port(registered: &str, uri: &str) -> bool {
    let (Ok(registered), Ok(mut url)) = (Url::parse(registered), Url::parse(uri)) else {
        return false;
    };
    let is_loopback_ip = match registered.host() {
        Some(Host::Ipv4(ip)) => ip == std::net::Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        _ => false,
    };
    // Parsing repairs a URI where it can, so only a URI that parsing leaves unchanged counts.
    let is_plain = url.as_str() == uri;
    let has_same_port = url.set_port(registered.port()).is_ok();
    is_loopback_ip
        && registered.scheme() == "http"
        && is_plain
        && has_same_port
        && url == registered
}
