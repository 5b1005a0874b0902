//! `cargo bench -p sessions --bench parts`: what a session costs, without a server around it.

use common::{
    oauth::OAuth,
    provider::Identity,
    settings::{FromSettings, Settings},
};
use divan::Bencher;
use sessions::{ended::EndedSessions, session::SessionCookies};
use tower_cookies::Cookies;

fn main() {
    divan::main();
}

/// A browser that is logged in, and the server that it is logged in to.
fn logged_in() -> (OAuth, SessionCookies) {
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let mut settings = Settings::from_vars([("DEMO_ADDR", "127.0.0.1:0")]);
    let oauth = runtime
        .block_on(OAuth::from_settings(&mut settings))
        .expect("it needs no settings");
    let provider = oauth.provider().id.clone();
    let identity = Identity {
        provider,
        subject: "80351110224678912".into(),
        name: "Ada".into(),
    };
    let token = r#"{"access_token":"6qrZcUqja7812RVdnEKjpzOL4CvHBFG","token_type":"Bearer"}"#;
    let token = serde_json::from_str(token).expect("a token");
    let cookies = SessionCookies::new(
        Cookies::default(),
        oauth.cookie_keys().clone(),
        EndedSessions::default(),
    );
    cookies
        .begin(identity, token)
        .expect("it fits into a cookie");
    (oauth, cookies)
}

#[divan::bench]
fn open_a_session_cookie(bencher: Bencher) {
    let (oauth, cookies) = logged_in();
    assert!(cookies.session(oauth.provider()).is_some());
    bencher.bench(|| cookies.session(oauth.provider()));
}
