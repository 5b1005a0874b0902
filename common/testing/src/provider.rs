//! A provider that answers as a test tells it to, on a real socket, and records its requests.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, Response},
};
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    task::{JoinHandle, JoinSet},
    time::timeout,
};
use url::form_urlencoded;

/// What the provider calls the application.
pub const CLIENT_ID: &str = "test-client";
/// The application's password there.
pub const CLIENT_SECRET: &str = "test-client-secret";

/// A provider that lets everybody in, until a test tells it to answer something else. It stops when
/// it is dropped.
#[derive(Debug)]
pub struct Provider {
    /// Where it listens, such as `http://127.0.0.1:40000`.
    pub origin: String,
    settings: Vec<(&'static str, String)>,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The method.
    pub method: Method,
    /// The path, and the query if there is one.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
    /// The body as a form, in its order.
    pub form: Vec<(String, String)>,
}

/// An answer that goes out.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    held: Option<Arc<Notify>>,
}

struct Shared {
    seen: watch::Sender<Vec<Seen>>,
    queue: Mutex<HashMap<String, VecDeque<Reply>>>,
    script: Box<Script>,
}

type Script = dyn Fn(&Seen) -> Option<Reply> + Send + Sync;

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

impl Provider {
    /// A provider that issues a token for every code: `access-1`, `access-2`, ...
    pub async fn start() -> Self {
        Self::scripted(|_| None).await
    }

    /// A provider that answers according to this script, and as usual if the script returns
    /// nothing.
    ///
    /// # Panics
    /// Without a free port.
    pub async fn scripted(script: impl Fn(&Seen) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Self::serve(listener, script)
    }

    /// Restarts the provider of this origin.
    ///
    /// # Panics
    /// When somebody else listens there.
    pub async fn back_at(origin: &str) -> Self {
        let addr = origin.trim_start_matches("http://");
        Self::serve(
            TcpListener::bind(addr).await.expect("its port is free"),
            |_| None,
        )
    }

    fn serve(
        listener: TcpListener,
        script: impl Fn(&Seen) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let origin = format!("http://{}", listener.local_addr().expect("its address"));
        let settings = [
            ("PROVIDER", "custom".to_owned()),
            ("AUTH_URL", format!("{origin}/authorize")),
            ("TOKEN_URL", format!("{origin}/token")),
            ("USERINFO_URL", format!("{origin}/user")),
            ("REVOCATION_URL", format!("{origin}/revoke")),
            ("CLIENT_ID", CLIENT_ID.to_owned()),
            ("CLIENT_SECRET", CLIENT_SECRET.to_owned()),
        ];
        let shared = Arc::new(Shared {
            seen: watch::Sender::default(),
            queue: Mutex::default(),
            script: Box::new(script),
        });
        let app = Router::new().fallback(answer).with_state(shared.clone());
        let server = tokio::spawn(serve(listener, app));
        Self {
            origin,
            settings: settings.into(),
            shared,
            server,
        }
    }

    /// The settings with which a server uses this provider.
    pub fn settings(&self) -> Vec<(&str, &str)> {
        self.settings
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect()
    }

    /// The settings, and some more; of two with the same name, the later one applies.
    pub fn settings_and<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        [&self.settings(), more].concat()
    }

    /// Sets the next answer to a request for this path; it takes precedence over the script.
    ///
    /// # Panics
    /// When a test has panicked while it did the same.
    pub fn answer_next(&self, path: &str, reply: Reply) {
        let mut queue = self.shared.queue.lock().expect("no panic before");
        queue.entry(path.to_owned()).or_default().push_back(reply);
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.borrow().clone()
    }

    /// The requests for this path so far.
    pub fn seen_at(&self, path: &str) -> Vec<Seen> {
        self.seen()
            .into_iter()
            .filter(|seen| seen.path == path)
            .collect()
    }

    /// How many requests for a token came so far.
    pub fn token_requests(&self) -> usize {
        self.seen_at("/token").len()
    }

    /// Waits until `count` token requests have arrived.
    ///
    /// # Panics
    /// When they do not come.
    pub async fn token_requests_reach(&self, count: usize) {
        self.seen_reach("/token", count).await;
    }

    /// Waits until `count` requests for this path have arrived; returns all of them.
    ///
    /// # Panics
    /// When they do not come.
    pub async fn seen_reach(&self, path: &str, count: usize) -> Vec<Seen> {
        let mut seen = self.shared.seen.subscribe();
        let at_path = |seen: &Vec<Seen>| seen.iter().filter(|seen| seen.path == path).count();
        let reached = seen.wait_for(|seen| at_path(seen) >= count);
        timeout(Duration::from_secs(20), reached)
            .await
            .unwrap_or_else(|_| panic!("{count} requests for {path} do not come"))
            .expect("the provider lives");
        self.seen_at(path)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Seen {
    /// A header, or an empty string.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap_or_default())
    }

    /// A field of the form, or an empty string.
    pub fn field(&self, name: &str) -> &str {
        self.form
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value)
    }
}

impl Reply {
    /// An answer of this type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self {
            status,
            headers,
            body: body.into(),
            held: None,
        }
    }

    /// An answer in JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// An OAuth error (RFC 6749, section 5.2).
    pub fn error(status: u16, code: &str) -> Self {
        Self::json(status, &json!({ "error": code }))
    }

    /// A redirect.
    pub fn redirect(status: u16, location: &str) -> Self {
        let mut reply = Self::new(status, "text/plain", "");
        reply.headers.push(("location", location.to_owned()));
        reply
    }

    /// The same, but only after `release.notify_one()`.
    #[must_use]
    pub fn held(self, release: &Arc<Notify>) -> Self {
        Self {
            held: Some(release.clone()),
            ..self
        }
    }
}

/// A token as most providers send it, with these members changed; `null` leaves one out.
pub fn token(changes: &Value) -> Reply {
    let mut token = json!({
        "access_token": "access",
        "token_type": "Bearer",
        "expires_in": 3600,
        "refresh_token": "refresh",
        "scope": "identify",
    });
    for (name, value) in changes.as_object().into_iter().flatten() {
        token[name] = value.clone();
    }
    if let Value::Object(members) = &mut token {
        members.retain(|_, value| !value.is_null());
    }
    Reply::json(200, &token)
}

/// Accepts connections until the task is aborted, which closes them too.
async fn serve(listener: TcpListener, app: Router) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        // Faults below HTTP (silence, drips, resets) are in the module `fault`.
        let service = TowerToHyperService::new(app.clone());
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1024 * 1024).await.expect("a small body");
    let path_and_query = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let seen = Seen {
        method: parts.method,
        path: path_and_query.to_owned(),
        headers: parts.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
        form: form_urlencoded::parse(&body).into_owned().collect(),
    };
    shared.seen.send_modify(|all| all.push(seen.clone()));

    let path = parts.uri.path();
    let queued = || shared.queue.lock().ok()?.get_mut(path)?.pop_front();
    let reply = queued().or_else(|| (shared.script)(&seen));
    let reply = reply.unwrap_or_else(|| as_usual(path, &shared.seen.borrow()));
    if let Some(release) = &reply.held {
        release.notified().await;
    }
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response
        .body(Body::from(reply.body))
        .expect("a reply that is HTTP")
}

fn as_usual(path: &str, seen: &[Seen]) -> Reply {
    let number = seen.iter().filter(|seen| seen.path == "/token").count();
    let (access, refresh) = (format!("access-{number}"), format!("refresh-{number}"));
    match path {
        "/token" => token(&json!({ "access_token": access, "refresh_token": refresh })),
        "/user" => Reply::json(200, &json!({ "id": "1", "username": "ada" })),
        "/revoke" => Reply::new(200, "text/plain", ""),
        _ => Reply::new(404, "text/plain", "not found"),
    }
}
