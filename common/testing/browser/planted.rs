//! What another host of the same site can do to a login, in a real browser.

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, header},
    response::{AppendHeaders, IntoResponse},
    routing::get,
};
use testing::{
    Browser, chromium::Chromium, param_of, provider::Provider, start, tls::TlsPort, url,
};
use tokio::{net::TcpListener, task::JoinSet};

use crate::{LOGGED_IN, app};

// check 160
#[tokio::test]
async fn a_login_that_a_sibling_host_planted_is_not_finished() {
    let secret = "0123456789".repeat(7);
    let (port, provider) = (TlsPort::take().await, Provider::start().await);
    let origin = format!("https://app.example.test:{}", port.number);
    let https = [("PUBLIC_URL", &*origin), ("SESSION_SECRET", &*secret)];
    let server = start(app, &provider.settings_and(&https)).await;
    let _tls = port.forward_to(server.addr);

    // The attacker begins a login, and has a code for an account of their own.
    let mut attacker = Browser::new();
    let login = attacker.get(url(&server, "/login")).await;
    let state = param_of(login.location(), "state");
    let callback = format!("{origin}/auth?code=good&state={state}");
    let (name, value) = attacker.cookies.iter().next().expect("a login");
    let cookie = format!("{}={value}", name.1);
    let (sibling, _tasks) = sibling(&cookie).await;

    // The victim's browser rejects the plain name, but stores and sends the disguised one.
    let browser = Chromium::of_example_hosts().await;
    browser.open(format!("{sibling}/plant")).await;
    browser.open(format!("{sibling}/echo")).await;
    let sent = browser.text().await;
    assert!(sent.contains(&format!("\\xe2\\x80\\x80{cookie}")), "{sent}");
    assert_eq!(sent.matches("__Host-").count(), 1, "{sent}");
    browser.open(&callback).await;
    browser
        .see("this login was not started in this browser")
        .await;
    assert_eq!(provider.token_requests(), 0, "nobody was logged in");

    // The victim's own login still works.
    browser.open(format!("{origin}/login")).await;
    let state = param_of(&browser.url().await, "state");
    browser
        .open(format!("{origin}/auth?code=good&state={state}"))
        .await;
    browser.see(LOGGED_IN).await;
    browser.open(&callback).await;
    browser
        .see("this login was not started in this browser")
        .await;
    assert_eq!(provider.token_requests(), 1);
    browser.close().await;
}

/// Another host of the site: it sets a cookie for all of it, and shows what comes back.
async fn sibling(cookie: &str) -> (String, JoinSet<()>) {
    let planted = ["", "\u{2000}"].map(|space| {
        let cookie = format!("{space}{cookie}; Domain=example.test; Path=/");
        let cookie = HeaderValue::from_bytes(cookie.as_bytes()).expect("a header");
        (header::SET_COOKIE, cookie)
    });
    let plant = async move || (AppendHeaders(planted), "planted").into_response();
    let echo = async |request: Request| {
        let cookies = request.headers().get(header::COOKIE);
        cookies.map_or_else(String::new, |sent| {
            sent.as_bytes().escape_ascii().to_string()
        })
    };
    let app = Router::new()
        .route("/plant", get(plant))
        .route("/echo", get(echo));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, app).await.expect("it serves") });
    (format!("http://evil.example.test:{port}"), tasks)
}
