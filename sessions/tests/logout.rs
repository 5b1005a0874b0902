//! `POST /logout`: how a session ends, whatever the provider does.

use reqwest::Method;
use testing::{
    Browser,
    provider::{CLIENT_ID, Provider, Reply},
    start, url,
};

// check 75
#[tokio::test]
async fn a_logout_ends_the_session_and_revokes_both_tokens() {
    let provider = Provider::start().await;
    let server = start(sessions::app, &provider.settings()).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    let out = browser.post(url(&server, "/logout"), &[]).await;
    assert_eq!((out.status, out.location()), (303, "/"));
    assert_eq!(out.header("cache-control"), "no-store");
    let mut cleared: Vec<_> = out.set_cookies();
    cleared.sort_unstable();
    assert!(
        cleared.len() == 2 && cleared[0].starts_with("session=;"),
        "{cleared:?}"
    );
    assert!(cleared[1].starts_with("token=;"), "{cleared:?}");
    assert!(
        cleared
            .iter()
            .all(|c| c.contains("Max-Age=0") && c.contains("Path=/")),
        "{cleared:?}"
    );

    let mut revoked = provider.seen_at("/revoke");
    revoked.sort_by(|a, b| a.body.cmp(&b.body));
    let tokens: Vec<_> = revoked
        .iter()
        .map(|seen| (seen.field("token"), seen.field("token_type_hint")))
        .collect();
    assert_eq!(
        tokens,
        [("access-1", "access_token"), ("refresh-1", "refresh_token")]
    );
    let exchange = &provider.seen_at("/token")[0];
    for request in &revoked {
        assert_eq!(
            (request.method.as_str(), &*request.path),
            ("POST", "/revoke")
        );
        assert_eq!(
            request.header("authorization"),
            exchange.header("authorization")
        );
        assert_eq!(
            request.form.len(),
            2,
            "authenticated in the header and only there"
        );
    }
}

// check 75
#[tokio::test]
async fn a_logout_authenticates_in_the_body_where_the_client_does() {
    let provider = Provider::start().await;
    let method = [("CLIENT_AUTH_METHOD", "client_secret_post")];
    let server = start(sessions::app, &provider.settings_and(&method)).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    browser.post(url(&server, "/logout"), &[]).await;
    let revoked = provider.seen_at("/revoke");
    assert_eq!(revoked.len(), 2);
    for request in revoked {
        assert_eq!(request.field("client_id"), CLIENT_ID);
        assert_eq!(request.header("authorization"), "");
    }
}

// check 75
#[tokio::test]
async fn after_a_logout_a_copy_of_the_cookies_gets_nothing_from_the_provider() {
    let server = start(sessions::app, &[]).await;
    let mut browser = Browser::new();
    browser.log_in(&server, "ada").await;
    let mut copy = browser.clone();
    browser.post(url(&server, "/logout"), &[]).await;

    // Sessions are stateless: the copied session lives until it ends, and nothing else does.
    assert_eq!(copy.get(url(&server, "/privileged")).await.status, 200);
    assert_eq!(copy.get(url(&server, "/users/me")).await.status, 401);
    assert_eq!(
        copy.cookie_names(),
        [""; 0],
        "the provider does not know the token any more"
    );
}

// check 158
#[tokio::test]
async fn a_logout_works_whatever_the_provider_answers() {
    let provider = Provider::start().await;
    let server = start(sessions::app, &provider.settings()).await;
    let elsewhere = Provider::start().await;
    for reply in [
        Reply::error(400, "unsupported_token_type"),
        Reply::error(401, "invalid_client"),
        Reply::new(404, "text/html", "<h1>Not found</h1>"),
        Reply::new(500, "text/plain", ""),
        Reply::new(503, "text/plain", ""),
        Reply::new(200, "text/plain", "x".repeat(200_000)),
        Reply::redirect(307, &format!("{}/revoke", elsewhere.origin)),
    ] {
        let mut browser = Browser::new();
        browser.log_in_with_code(&server).await;
        provider.answer_next("/revoke", reply.clone());
        provider.answer_next("/revoke", reply.clone());
        let out = browser.post(url(&server, "/logout"), &[]).await;
        assert_eq!((out.status, out.location()), (303, "/"), "{reply:.100?}");
        assert_eq!(browser.cookie_names(), [""; 0], "{reply:.100?}");
    }
    assert_eq!(provider.seen_at("/revoke").len(), 14, "each is tried once");
    assert_eq!(elsewhere.seen().len(), 0);

    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    drop(provider);
    let out = browser.post(url(&server, "/logout"), &[]).await;
    assert_eq!(
        (out.status, browser.cookie_names()),
        (303, vec![]),
        "the provider is down"
    );
}

#[tokio::test]
async fn a_logout_works_where_nothing_can_be_revoked() {
    let provider = Provider::start().await;
    let server = start(
        sessions::app,
        &provider.settings_and(&[("REVOCATION_URL", "")]),
    )
    .await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    let asked = provider.seen().len();
    assert_eq!(browser.post(url(&server, "/logout"), &[]).await.status, 303);
    assert_eq!(
        (provider.seen().len(), browser.cookie_names()),
        (asked, vec![])
    );
}

#[tokio::test]
async fn who_is_not_logged_in_can_log_out_and_nothing_is_revoked() {
    let provider = Provider::start().await;
    let server = start(sessions::app, &provider.settings()).await;
    let mut browser = Browser::new();
    assert_eq!(
        browser.post(url(&server, "/logout"), &[]).await.location(),
        "/"
    );

    browser.log_in_with_code(&server).await;
    let (mut damaged, asked) = (browser.clone(), provider.seen().len());
    damaged.set_cookie("session", "bad");
    let out = damaged.post(url(&server, "/logout"), &[]).await;
    assert_eq!((out.status, damaged.cookie_names()), (303, vec![]));
    assert_eq!(
        provider.seen().len(),
        asked,
        "the token is no one's without its session"
    );
}

// check 75
#[tokio::test]
async fn only_our_own_page_can_log_a_person_out() {
    let provider = Provider::start().await;
    let server = start(sessions::app, &provider.settings()).await;
    let own = server.public_url.to_string();
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    for (site, origin, allowed) in [
        (Some("cross-site"), None, false),
        (Some("same-site"), None, false),
        (Some("none"), None, false),
        (Some(""), None, false),
        (Some("cross-site"), Some(&*own), false),
        (Some("same-site"), Some(&*own), false),
        (None, Some("https://evil.example"), false),
        (None, Some("http://localhost:5000"), false),
        (None, Some("http://127.0.0.1"), false),
        (None, Some("null"), false),
        (None, Some(""), false),
        (Some("same-origin"), Some(&*own), true),
        (Some("same-origin"), None, true),
        (None, Some(&*own), true),
        (None, None, true),
    ] {
        let mut browser = browser.clone();
        let mut request = browser.request(Method::POST, url(&server, "/logout"));
        request = site
            .into_iter()
            .fold(request, |r, site| r.header("sec-fetch-site", site));
        request = origin
            .into_iter()
            .fold(request, |r, origin| r.header("origin", origin));
        let before = provider.seen_at("/revoke").len();
        let answer = browser.send(request).await;
        let revoked = provider.seen_at("/revoke").len() - before;
        let row = format!("{site:?} {origin:?}");
        if allowed {
            assert_eq!((answer.status, answer.location()), (303, "/"), "{row}");
            assert_eq!((browser.cookie_names(), revoked), (vec![], 2), "{row}");
        } else {
            assert_eq!((answer.status, revoked), (403, 0), "{row}");
            assert_eq!(answer.set_cookies(), [""; 0], "{row}");
            let detail = "this was sent by another site; use the button on our own page";
            assert_eq!(answer.json()["detail"], detail, "{row}");
            assert_eq!(
                browser.get(url(&server, "/privileged")).await.status,
                200,
                "{row}"
            );
        }
    }
}
