//! An app under plain `axum::serve`, as someone who copied it may run it.

use std::net::SocketAddr;

use axum::Router;
use common::settings::{FromSettings, Settings};
use reqwest::Method;
use tokio::{net::TcpListener, task::JoinSet};

use crate::{Answer, Browser, start};

/// Serves an app without `common::run`. It ends when the tasks are dropped.
pub async fn serve_plain<S: FromSettings>(
    app: impl FnOnce(S) -> Router,
    vars: &[(&str, &str)],
) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    let mut settings = Settings::from_vars(vars.iter().copied());
    let state = settings.read(&listener).await;
    let app = app(state.unwrap_or_else(|problems| panic!("{problems:#?}")));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, app).await.expect("it serves") });
    (addr, tasks)
}

/// A request, as [`assert_whole`] sends it to both.
#[derive(Debug)]
pub struct Sent {
    pub method: Method,
    pub path: &'static str,
    pub headers: &'static [(&'static str, &'static str)],
    pub body: String,
}

impl Sent {
    pub fn new(method: Method, path: &'static str) -> Self {
        Self {
            method,
            path,
            headers: &[],
            body: String::new(),
        }
    }

    pub fn get(path: &'static str) -> Self {
        Self::new(Method::GET, path)
    }

    #[must_use]
    pub fn with(mut self, headers: &'static [(&'static str, &'static str)]) -> Self {
        self.headers = headers;
        self
    }

    #[must_use]
    pub fn form(mut self, body: impl Into<String>) -> Self {
        self.headers = &[("content-type", "application/x-www-form-urlencoded")];
        self.body = body.into();
        self
    }
}

/// Asserts what every app promises, however it is served: the same responses as under
/// `common::run`, each with its security headers and, if it is an error, with a body that says why.
pub async fn assert_whole<S: FromSettings>(
    app: fn(S) -> Router,
    vars: &[(&str, &str)],
    requests: Vec<Sent>,
) {
    let ports = ["DEMO_ADDR", "DEMO_OPENID_ADDR"].map(|name| (name, "127.0.0.1:0"));
    let vars = [&ports[..], &[("PUBLIC_URL", "http://127.0.0.1:9")], vars].concat();
    let server = start(app, &vars).await;
    let (plain, _tasks) = serve_plain(app, &vars).await;
    let everywhere = [
        Sent::get("/"),
        Sent::get("/").with(&[("accept", "text/html")]),
        Sent::get("/").with(&[("host", "evil.example")]),
        Sent::get("/style.css"),
        Sent::get("/nothing"),
        Sent::get("/nothing").with(&[("accept", "text/html")]),
        Sent::new(Method::DELETE, "/"),
    ];
    for sent in everywhere.into_iter().chain(requests) {
        let under_run = send(server.addr, &sent).await;
        let alone = send(plain, &sent).await;
        assert_eq!(seen(&alone), seen(&under_run), "{sent:?}");
        for name in [
            "x-content-type-options",
            "x-frame-options",
            "referrer-policy",
            "content-security-policy",
            "cross-origin-resource-policy",
            "cache-control",
        ] {
            assert_ne!(alone.header(name), "", "{name} of {sent:?}");
        }
        if alone.status >= 400 && sent.method != Method::HEAD {
            assert_ne!(alone.body, "", "{sent:?}");
        }
    }
}

async fn send(addr: SocketAddr, sent: &Sent) -> Answer {
    let mut browser = Browser::new();
    let url = format!("http://{addr}{}", sent.path);
    let mut request = browser.request(sent.method.clone(), url);
    for (name, value) in sent.headers {
        request = request.header(*name, *value);
    }
    browser.send(request.body(sent.body.clone())).await
}

/// A response without the parts that differ between runs: times, random values and ports.
fn seen(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let value = |name: &str, value: &str| match name {
        "set-cookie" => value.split(';').skip(1).collect(),
        "location" => value
            .split('?')
            .next()
            .unwrap_or_default()
            .chars()
            .filter(|c| !c.is_ascii_digit())
            .collect(),
        "content-length" if answer.status == 200 => String::new(),
        _ => value.to_owned(),
    };
    let headers = answer.headers.iter().filter(|(name, _)| *name != "date");
    let mut headers: Vec<_> = headers
        .map(|(name, text)| {
            (
                name.to_string(),
                value(name.as_str(), text.to_str().unwrap_or("?")),
            )
        })
        .collect();
    headers.sort();
    let body = if answer.status == 200 {
        String::new()
    } else {
        answer.body.clone()
    };
    (answer.status, headers, body)
}
