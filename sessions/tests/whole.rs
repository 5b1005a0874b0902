//! The app without the runner.

use reqwest::Method;
use testing::plain::{Sent, assert_whole};

// check 175
#[tokio::test]
async fn the_app_keeps_its_promises_under_plain_axum_serve() {
    let requests = vec![
        Sent::get("/login?next=/privileged"),
        Sent::get("/login").with(&[("host", "localhost")]),
        Sent::new(Method::HEAD, "/login"),
        Sent::get("/auth?state=x&code=y"),
        Sent::get("/users/me"),
        Sent::get("/users/me").with(&[("accept", "text/html")]),
        Sent::get("/privileged"),
        Sent::get("/privileged").with(&[("cookie", "session=forged; \u{2000}session=x")]),
        Sent::get("/logout"),
        Sent::new(Method::POST, "/logout"),
        Sent::new(Method::POST, "/logout").with(&[("sec-fetch-site", "cross-site")]),
    ];
    assert_whole(sessions::app, &[], requests).await;
}
