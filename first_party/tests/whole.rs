//! The app without the runner.

use reqwest::Method;
use testing::plain::{Sent, assert_whole};

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
