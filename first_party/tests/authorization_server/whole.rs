//! The app without the runner, and its cookie under https.

use reqwest::{Method, header::HeaderValue};
use testing::{
    Answer, Browser,
    plain::{Sent, assert_whole},
    url,
};

use super::{
    client::{Running, server_with},
    example::{app, settings::Server},
};

// check 175
#[tokio::test]
async fn the_app_keeps_its_promises_under_plain_axum_serve() {
    const HTML: (&str, &str) = ("accept", "text/html");
    let post = |path| Sent::new(Method::POST, path);
    let requests = vec![
        Sent::get("/authorize").with(&[HTML]),
        Sent::get("/authorize?client_id=demo"),
        post("/authorize").form("client_id=demo"),
        post("/login").form("username=johndoe&password=wrong"),
        post("/consent").form("client_id=demo"),
        Sent::get("/consents"),
        Sent::get("/logout"),
        Sent::get("/token").with(&[HTML]),
        post("/token"),
        post("/token").form("grant_type=client_credentials"),
        post("/token").form("x=".repeat(64 * 1024)),
        post("/revoke").form("token=x"),
        post("/introspect").form("token=x"),
        Sent::get("/userinfo"),
        Sent::get("/endpoint1").with(&[("authorization", "Bearer forged")]),
        Sent::get("/endpoint3"),
        Sent::get("/docs/"),
        Sent::get("/openapi.json"),
        Sent::get("/.well-known/openid-configuration"),
    ];
    let app: fn(Server) -> axum::Router = app;
    assert_whole(app, &[], requests).await;
}

/// Asks who is logged in, with these cookies byte for byte.
async fn consents(server: &Running, cookies: &[u8]) -> Answer {
    let mut browser = Browser::new();
    let request = browser.request(Method::GET, url(&server.http, "/consents"));
    let cookies = HeaderValue::from_bytes(cookies).expect("a header");
    browser
        .send(
            request
                .header("host", "localhost")
                .header("cookie", cookies),
        )
        .await
}

fn is_logged_in(answer: &Answer) -> bool {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let asks = answer.body.contains("name=\"password\"");
    assert_ne!(
        asks,
        answer.body.contains("You are logged in as"),
        "{}",
        answer.body
    );
    !asks
}

// check 159
#[tokio::test]
async fn a_cookie_that_merely_looks_like_ours_is_not_ours() {
    let server = server_with(&[("PUBLIC_URL", "https://localhost")]).await;
    let mut browser = Browser::new();
    let form = [("username", "johndoe"), ("password", "secret123")];
    let request = browser
        .request(Method::POST, url(&server.http, "/login"))
        .form(&form);
    let answer = browser.send(request.header("host", "localhost")).await;
    let cookie = answer.set_cookies()[0].to_owned();
    let (real, attributes) = cookie.split_once(';').expect("a cookie");
    assert!(
        real.starts_with("__Host-authorization_session="),
        "{cookie}"
    );
    assert!(attributes.contains("Secure"), "{cookie}");
    assert!(is_logged_in(&consents(&server, real.as_bytes()).await));
    assert!(!is_logged_in(
        &consents(&server, real.trim_start_matches("__Host-").as_bytes()).await
    ));

    let spaces = [
        "\u{85}", "\u{a0}", "\u{1680}", "\u{2000}", "\u{200a}", "\u{2028}", "\u{202f}", "\u{205f}",
        "\u{3000}",
    ];
    let raw =
        spaces
            .iter()
            .map(|space| space.as_bytes())
            .chain([&b"\xff"[..], b"%5F%5FHost-", b"%20"]);
    for disguise in raw {
        let disguised = match disguise {
            b"%5F%5FHost-" => real.replacen("__Host-", "%5F%5FHost-", 1).into_bytes(),
            other => [other, real.as_bytes()].concat(),
        };
        assert!(
            !is_logged_in(&consents(&server, &disguised).await),
            "{disguise:?}"
        );
        // The real one alone counts, in either order.
        let planted = [disguise, b"__Host-authorization_session=x"].concat();
        for both in [
            [real.as_bytes(), b"; ", &*planted].concat(),
            [&*planted, b"; ", real.as_bytes()].concat(),
        ] {
            assert!(
                is_logged_in(&consents(&server, &both).await),
                "{disguise:?}"
            );
        }
    }
}
