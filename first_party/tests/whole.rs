//! The app without the runner.

use reqwest::Method;
use testing::{
    Browser,
    plain::{Sent, assert_whole},
    start,
};

// check 175
#[tokio::test]
async fn the_app_keeps_its_promises_under_plain_axum_serve() {
    let requests = vec![
        Sent::get("/login"),
        Sent::get("/login?client_id=unknown").with(&[("accept", "text/html")]),
        Sent::get("/token"),
        Sent::get("/token").with(&[("accept", "text/html")]),
        Sent::new(Method::POST, "/token"),
        Sent::new(Method::POST, "/token").form("username=ada&password=x&scope=some.scope"),
        Sent::new(Method::POST, "/token").form("scope=nothing"),
        Sent::new(Method::POST, "/token").form("x=".repeat(64 * 1024)),
        Sent::new(Method::POST, "/login").form("client_id=unknown"),
        Sent::get("/endpoint1"),
        Sent::get("/endpoint1").with(&[("authorization", "Bearer forged")]),
        Sent::get("/endpoint1").with(&[("accept", "text/html")]),
        Sent::get("/endpoint3"),
        Sent::get("/docs/"),
        Sent::get("/openapi.json"),
    ];
    assert_whole(first_party::app, &[], requests).await;
}

// check 149
#[tokio::test]
async fn a_page_shares_its_window_with_another_site_only_in_an_authorization_flow() {
    let server = start(first_party::app, &[]).await;
    let redirect_uri = server.public_url.join("/docs/oauth2-redirect.html");
    let request = format!(
        "/login?response_type=token&client_id=swagger&redirect_uri={redirect_uri}&scope=some.scope"
    );
    for (path, opener) in [
        ("/", "same-origin"),
        ("/login", "same-origin"),
        (&*request, "unsafe-none"),
        ("/docs/oauth2-redirect.html", ""),
    ] {
        let answer = Browser::new().visit(server.public_url.join(path)).await;
        assert_eq!(answer.status, 200, "{path}");
        let policy = answer.header("cross-origin-opener-policy");
        assert_eq!(policy, opener, "{path}");
        let policy = answer.header("cross-origin-resource-policy");
        assert_eq!(policy, "same-origin", "{path}");
    }
}
