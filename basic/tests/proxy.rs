//! Three real replicas behind a real nginx, as the configuration of `sessions` has it.

use testing::{callback_at, param_of, provider::Provider, proxy::Fleet};

const SERVER: &str = env!("CARGO_BIN_EXE_basic");

// checks 251, 253
#[tokio::test]
async fn a_login_works_over_https_on_any_replica() {
    let provider = Provider::start().await;
    let fleet = Fleet::behind_nginx(SERVER, &provider, &[]).await;
    let mut browser = fleet.browser();
    let mut login = browser.get(fleet.url("/login")).await;
    for _ in 0..4 {
        login = browser.get(fleet.url("/login")).await;
    }
    let redirect_uri = param_of(login.location(), "redirect_uri");
    assert_eq!(redirect_uri, fleet.url("/auth"));
    let hsts = login.header("strict-transport-security");
    assert_eq!(hsts, "max-age=63072000");
    let cookie = login.set_cookies()[0];
    assert!(cookie.starts_with("__Host-login_") && cookie.contains("; Secure"));

    browser.keep("app.example.test", "other=; Path=/");
    browser.set_cookie("other", "x".repeat(24_000));
    let callback = callback_at(&fleet.origin, &login, "code=good");
    let done = browser.get(&callback).await;
    assert_eq!(
        (done.status, &done.json()["access_token"]),
        (200, &"access-1".into())
    );
    browser.set_cookie("other", "x".repeat(40_000));
    assert_eq!(browser.get(&callback).await.status, 400);
}
