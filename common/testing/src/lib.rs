//! For tests: a server on a free port, and a browser that shows everything.

#[cfg(feature = "browser")]
pub mod chromium;

use std::{collections::BTreeMap, net::SocketAddr};

use axum::Router;
use common::{
    server::Server,
    settings::{FromSettings, Settings},
};
use reqwest::{
    Certificate, Client, ClientBuilder, Method, RequestBuilder, Url, header, redirect::Policy,
};
use serde_json::Value;

pub mod crowd;
pub mod debug;
pub mod fault;
pub mod load;
pub mod plain;
#[cfg(feature = "services")]
pub mod postgres;
pub mod program;
pub mod provider;
#[cfg(feature = "proxy")]
pub mod proxy;
#[cfg(feature = "services")]
pub mod redis;
pub mod rubbish;
mod secrets;
mod sockets;
pub mod tls;

/// Starts an app on free ports of this machine, with these additional settings.
///
/// # Panics
/// With the problems of the settings, when there are any.
pub async fn start<S: FromSettings>(
    app: impl FnOnce(S) -> Router,
    vars: &[(&str, &str)],
) -> Server {
    // As `run` does: some tests open more than the usual 1024 files.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let names = ["BIND_ADDR", "DEMO_ADDR", "DEMO_OPENID_ADDR"];
    let free_ports = names.map(|name| (name, "127.0.0.1:0"));
    let settings = Settings::from_vars(free_ports.into_iter().chain(vars.iter().copied()));
    Server::start(app, settings)
        .await
        .unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// Keeps cookies, by host as browsers do, and follows no redirect: tests look at each step.
#[derive(Clone, Debug)]
pub struct Browser {
    client: Client,
    /// The cookies, by host and name.
    pub cookies: BTreeMap<(String, String), String>,
}

/// A complete response.
#[derive(Debug)]
pub struct Answer {
    /// The URL that was asked for.
    pub url: Url,
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: header::HeaderMap,
    /// The body.
    pub body: String,
}

impl Default for Browser {
    fn default() -> Self {
        Self::new()
    }
}

impl Browser {
    /// A browser without cookies.
    ///
    /// # Panics
    /// Never: it needs nothing from this machine.
    pub fn new() -> Self {
        // Without root certificates, which take longer to read than a test takes: everything is
        // http here.
        Self::with(|client| client.tls_certs_only([]))
    }

    /// A browser without cookies that resolves this host to this machine and trusts this
    /// certificate, as PEM.
    ///
    /// # Panics
    /// When it is no certificate.
    pub fn of_host(host: &str, certificate: &str) -> Self {
        let certificate = Certificate::from_pem(certificate.as_bytes()).expect("a certificate");
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::with(|client| client.tls_certs_only([certificate]).resolve(host, any_port))
    }

    fn with(change: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().redirect(Policy::none()).no_proxy();
        Self {
            client: change(client).build().expect("an HTTP client"),
            cookies: BTreeMap::new(),
        }
    }

    /// `GET`, for JSON.
    pub async fn get(&mut self, url: impl AsRef<str>) -> Answer {
        let request = self.request(Method::GET, url);
        self.send(request).await
    }

    /// `GET` of a page, as a real browser requests it.
    pub async fn visit(&mut self, url: impl AsRef<str>) -> Answer {
        let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        let request = self.client.get(url.as_ref()).header(header::ACCEPT, accept);
        self.send(request).await
    }

    /// `POST` of a form.
    pub async fn post(&mut self, url: impl AsRef<str>, form: &[(&str, &str)]) -> Answer {
        let request = self.request(Method::POST, url).form(form);
        self.send(request).await
    }

    /// A request to change before it is sent with [`Browser::send`]; it accepts JSON.
    pub fn request(&self, method: Method, url: impl AsRef<str>) -> RequestBuilder {
        self.client
            .request(method, url.as_ref())
            .header(header::ACCEPT, "application/json")
    }

    /// Sends a request with the cookies, and keeps those of the answer.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn send(&mut self, request: RequestBuilder) -> Answer {
        let request = request.build().expect("a request");
        let (url, host) = (request.url().clone(), host_of(request.url()));
        let own = self.cookies.iter().filter(|((at, _), _)| *at == host);
        let cookies: Vec<_> = own
            .map(|((_, name), value)| format!("{name}={value}"))
            .collect();
        let mut request = RequestBuilder::from_parts(self.client.clone(), request);
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        for cookie in headers.get_all(header::SET_COOKIE) {
            self.keep(&host, cookie.to_str().expect("a cookie in ASCII"));
        }
        let body = response.text().await.expect("a whole body");
        Answer {
            url,
            status,
            headers,
            body,
        }
    }

    /// Keeps a `Set-Cookie` of this host, as from an answer that comes late.
    ///
    /// # Panics
    /// When it is too large for a browser.
    pub fn keep(&mut self, host: &str, cookie: &str) {
        let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
        let (name, value) = pair.split_once('=').expect("name=value");
        let key = (host.to_owned(), name.to_owned());
        // Browsers silently drop a larger cookie (RFC 6265bis, section 5.6).
        assert!(pair.len() <= 4097, "{name} is too large for a browser");
        if attributes
            .split(';')
            .any(|attribute| attribute.trim() == "Max-Age=0")
        {
            self.cookies.remove(&key);
        } else {
            self.cookies.insert(key, value.to_owned());
        }
    }

    /// The value of a cookie, on whatever host.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies
            .iter()
            .find(|((_, n), _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    /// The names of the cookies, on whatever host.
    pub fn cookie_names(&self) -> Vec<&str> {
        self.cookies.keys().map(|(_, name)| name.as_str()).collect()
    }

    /// The names of the cookies of logins in progress.
    pub fn logins(&self) -> Vec<&str> {
        let mut names = self.cookie_names();
        names.retain(|name| name.trim_start_matches("__Host-").starts_with("login_"));
        names
    }

    /// Changes a cookie that the browser has.
    pub fn set_cookie(&mut self, name: &str, value: impl Into<String>) {
        let key = self
            .cookies
            .keys()
            .find(|(_, n)| n == name)
            .expect("such a cookie")
            .clone();
        self.cookies.insert(key, value.into());
    }

    /// Logs in at the demo provider: `/login`, the form, `Allow`; returns the response of `/auth`.
    pub async fn log_in(&mut self, server: &Server, username: &str) -> Answer {
        let login = self.get(server.public_url.join("/login")).await;
        let callback = self.allow(&login, username).await;
        self.get(callback).await
    }

    /// Logs in at a scripted provider, which asks no user: `/login`, then `/auth` with a code;
    /// returns the response of `/auth`.
    pub async fn log_in_with_code(&mut self, server: &Server) -> Answer {
        let login = self.get(url(server, "/login")).await;
        self.come_back(server, &login, "code=good").await
    }

    /// Comes back from the provider, with what it answers to this login: `code=...`, `error=...`.
    pub async fn come_back(&mut self, server: &Server, login: &Answer, answer: &str) -> Answer {
        self.get(callback(server, login, answer)).await
    }

    /// Follows the redirect to the demo provider and presses `Allow`; returns the callback URL.
    pub async fn allow(&mut self, login: &Answer, username: &str) -> String {
        self.decide(login, &[("username", username), ("decision", "allow")])
            .await
    }

    /// Follows the redirect to the demo provider and presses `Deny`; returns the callback URL.
    pub async fn deny(&mut self, login: &Answer) -> String {
        self.decide(login, &[("decision", "deny")]).await
    }

    async fn decide(&mut self, login: &Answer, decision: &[(&str, &str)]) -> String {
        let consent = self.get(login.location()).await;
        assert_eq!(consent.status, 200, "{}", consent.body);
        let hidden = consent.hidden_fields();
        let hidden = hidden.iter().map(|(name, value)| (&**name, &**value));
        let form: Vec<_> = hidden.chain(decision.iter().copied()).collect();
        let answer = self
            .post(consent.url.join("/oauth2/authorize").expect("a URL"), &form)
            .await;
        answer.location().to_owned()
    }
}

impl Answer {
    /// Where it redirects to.
    ///
    /// # Panics
    /// When it does not.
    pub fn location(&self) -> &str {
        assert_eq!(self.status, 303, "{}", self.body);
        self.header("location")
    }

    /// A header, or an empty string.
    ///
    /// # Panics
    /// When it is not ASCII.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("a header in ASCII"))
    }

    /// The `Set-Cookie` headers.
    ///
    /// # Panics
    /// When one is not ASCII.
    pub fn set_cookies(&self) -> Vec<&str> {
        let cookies = self.headers.get_all(header::SET_COOKIE).iter();
        cookies
            .map(|cookie| cookie.to_str().expect("a cookie in ASCII"))
            .collect()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        assert_eq!(
            self.header("content-type"),
            "application/json",
            "{}",
            self.body
        );
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// The hidden fields of the form on a page.
    ///
    /// # Panics
    /// When the page is not written as our templates write it.
    pub fn hidden_fields(&self) -> Vec<(String, String)> {
        let fields = self.body.split(r#"<input type="hidden" name=""#).skip(1);
        let field = |text: &str| {
            let (name, rest) = text.split_once(r#"" value=""#)?;
            Some((unescape(name), unescape(rest.split_once('"')?.0)))
        };
        fields
            .map(|text| field(text).expect("a hidden field"))
            .collect()
    }
}

/// Undoes askama's escaping.
fn unescape(text: &str) -> String {
    let entities = [
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#38;", "&"),
    ];
    entities
        .iter()
        .fold(text.to_owned(), |text, (entity, char)| {
            text.replace(entity, char)
        })
}

/// The URL of a path on a server, by the address where it really listens.
pub fn url(server: &Server, path: &str) -> String {
    format!("http://{}{path}", server.addr)
}

/// The URL by which a provider answers this login, with `answer` (`code=...`, `error=...`) as it is.
pub fn callback(server: &Server, login: &Answer, answer: &str) -> String {
    callback_at(&url(server, ""), login, answer)
}

/// The same for a server that is known by its origin.
pub fn callback_at(origin: &str, login: &Answer, answer: &str) -> String {
    let state = param_of(login.location(), "state");
    format!("{origin}/auth?{answer}&state={state}")
}

/// The parameters in the query of a URL, in their order.
///
/// # Panics
/// When it is no URL.
pub fn query_of(url: &str) -> Vec<(String, String)> {
    Url::parse(url)
        .expect("a URL")
        .query_pairs()
        .into_owned()
        .collect()
}

/// One parameter of the query of a URL, or an empty string.
pub fn param_of(url: &str, name: &str) -> String {
    query_of(url)
        .into_iter()
        .find(|(key, _)| key == name)
        .unwrap_or_default()
        .1
}

fn host_of(url: &Url) -> String {
    url.host_str().expect("a host").to_owned()
}
