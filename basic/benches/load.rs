//! `cargo bench -p basic --bench load`: the beginning of a login, beside a bare axum server, and
//! whole logins through the demo provider.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Redirect},
    routing::get,
};
use oauth2::{
    AuthUrl, ClientId, ClientSecret, CsrfToken, EndpointSet, RedirectUrl, Scope, basic::BasicClient,
};
use testing::{
    Browser,
    load::{Case, Process, compare, serve_bare},
};
use tokio::task::JoinSet;

fn main() {
    let peer = Router::new().route("/auth/discord", get(discord_auth));
    serve_bare(peer.with_state(Peer::new()));
    let server = Process::start(env!("CARGO_BIN_EXE_basic"), &DEPLOYED);
    let peer = Case::new("oauth", "/auth/discord", 303);
    let login = Case::new("/login", "/login", 303).beside(peer);
    compare(&Process::bare(), &server, &[login]);

    let server = Process::start(env!("CARGO_BIN_EXE_basic"), &[]);
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let logins = runtime.block_on(whole_logins(&server.origin));
    println!(
        "Whole logins, with the demo provider and 16 browsers on the same machine: {logins:.0}/s."
    );
    println!("Memory, after them: {:.1} MiB.", server.memory());
}

/// As others reach it: it records nothing for `GET /flow`.
const DEPLOYED: [(&str, &str); 5] = [
    ("PUBLIC_URL", "https://app.example.com"),
    ("PROVIDER", "discord"),
    ("CLIENT_ID", "1"),
    ("CLIENT_SECRET", "a secret of this benchmark"),
    (
        "SESSION_SECRET",
        "a secret of this benchmark that nobody else has; its length is 64 or more",
    ),
];

/// Logins a second, each from `/login` over the consent page to the token.
async fn whole_logins(origin: &str) -> f64 {
    let started = Instant::now();
    let mut browsers = JoinSet::new();
    for number in 0..16 {
        let login = format!("{origin}/login");
        browsers.spawn(async move {
            let mut browser = Browser::new();
            let mut logins = 0_u32;
            while started.elapsed() < Duration::from_secs(5) {
                let answer = browser.get(&login).await;
                let callback = browser.allow(&answer, &format!("user-{number}")).await;
                assert_eq!(browser.get(callback).await.status, 200);
                logins += 1;
            }
            logins
        });
    }
    let logins: u32 = browsers.join_all().await.into_iter().sum();
    f64::from(logins) / started.elapsed().as_secs_f64()
}

/// The work of axum's example `oauth`: a state without PKCE, kept in a store in memory that forgets
/// nothing, under the id in an unencrypted cookie.
async fn discord_auth(State(peer): State<Peer>) -> impl IntoResponse {
    let request = peer.client.authorize_url(CsrfToken::new_random);
    let (url, state) = request.add_scope(Scope::new("identify".into())).url();
    let id = common::random_token();
    let mut sessions = peer.sessions.lock().expect("nobody panics here");
    sessions.insert(
        id.clone(),
        serde_json::json!({ "csrf_token": state }).to_string(),
    );
    let cookie = format!("SESSION={id}; SameSite=Lax; HttpOnly; Secure; Path=/");
    let mut headers = HeaderMap::new();
    headers.insert(
        header::SET_COOKIE,
        HeaderValue::try_from(cookie).expect("ASCII"),
    );
    (headers, Redirect::to(url.as_str()))
}

#[derive(Clone)]
struct Peer {
    client: BasicClient<EndpointSet>,
    sessions: Arc<Mutex<HashMap<String, String>>>,
}

impl Peer {
    fn new() -> Self {
        let url = "https://discord.com/api/oauth2/authorize?response_type=code";
        let redirect = "http://127.0.0.1:3000/auth/authorized".to_owned();
        let client = BasicClient::new(ClientId::new("id".into()))
            .set_client_secret(ClientSecret::new("secret".into()))
            .set_auth_uri(AuthUrl::new(url.into()).expect("a URL"))
            .set_redirect_uri(RedirectUrl::new(redirect).expect("a URL"));
        Self {
            client,
            sessions: Arc::default(),
        }
    }
}
