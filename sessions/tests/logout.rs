//! `POST /logout`: how a session ends, whatever the provider does.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use reqwest::Method;
use testing::{
    Browser, callback_at,
    fault::{Fault, Faulty, Then},
    program::Program,
    provider::{CLIENT_ID, Provider, Reply},
    start, url,
};
use tokio::sync::Notify;

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

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

    let mut revoked = provider.seen_reach("/revoke", 2).await;
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
    let revoked = provider.seen_reach("/revoke", 2).await;
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

    // Sessions are stateless: only the copied session remains valid, until it expires.
    assert_eq!(copy.get(url(&server, "/privileged")).await.status, 200);
    assert_eq!(copy.get(url(&server, "/users/me")).await.status, 401);
}

// check 75
#[tokio::test]
async fn after_a_logout_the_provider_rejects_the_token_at_another_replica_too() {
    let revoked = Mutex::new(HashSet::new());
    let provider = Provider::scripted(move |seen| {
        let mut revoked = revoked.lock().unwrap();
        let bearer = seen.header("authorization").strip_prefix("Bearer ");
        match &*seen.path {
            "/revoke" => {
                revoked.insert(seen.field("token").to_owned());
                None
            }
            "/user" if bearer.is_some_and(|token| revoked.contains(token)) => {
                Some(Reply::error(401, "invalid_token"))
            }
            _ => None,
        }
    })
    .await;
    let secret = [("SESSION_SECRET", SECRET)];
    let server = start(sessions::app, &provider.settings_and(&secret)).await;
    let replica = start(sessions::app, &provider.settings_and(&secret)).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    let mut copy = browser.clone();
    assert_eq!(copy.get(url(&replica, "/users/me")).await.status, 200);
    browser.post(url(&server, "/logout"), &[]).await;
    server.stop().await;

    assert_eq!(copy.get(url(&replica, "/users/me")).await.status, 401);
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
    let replies = [
        Reply::error(400, "unsupported_token_type"),
        Reply::error(401, "invalid_client"),
        Reply::new(404, "text/html", "<h1>Not found</h1>"),
        Reply::new(500, "text/plain", ""),
        Reply::new(503, "text/plain", ""),
        Reply::new(200, "text/plain", "x".repeat(200_000)),
        Reply::redirect(307, &format!("{}/revoke", elsewhere.origin)),
    ];
    for (number, reply) in replies.into_iter().enumerate() {
        let mut browser = Browser::new();
        browser.log_in_with_code(&server).await;
        provider.answer_next("/revoke", reply.clone());
        provider.answer_next("/revoke", reply.clone());
        let out = browser.post(url(&server, "/logout"), &[]).await;
        assert_eq!((out.status, out.location()), (303, "/"), "{reply:.100?}");
        assert_eq!(browser.cookie_names(), [""; 0], "{reply:.100?}");
        provider.seen_reach("/revoke", 2 * number + 2).await;
    }

    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    let revoked = provider.seen_at("/revoke").len();
    drop(provider);
    let out = browser.post(url(&server, "/logout"), &[]).await;
    assert_eq!(
        (out.status, browser.cookie_names()),
        (303, vec![]),
        "the provider is down"
    );
    server.stop().await;
    assert_eq!(revoked, 14, "each is tried once");
    assert_eq!(elsewhere.seen().len(), 0);
}

// checks 158, 168
#[tokio::test(flavor = "multi_thread")]
async fn a_logout_does_not_wait_for_the_provider() {
    let releases = [(); 2].map(|()| Arc::new(Notify::new()));
    let provider = Provider::start().await;
    let program = Program::start(env!("CARGO_BIN_EXE_sessions"), &provider.settings());
    let mut browser = Browser::new();
    let login = browser.get(program.join("/login")).await;
    let callback = callback_at(&program.url, &login, "code=good");
    browser.get(callback).await;
    for release in &releases {
        let reply = Reply::new(200, "text/plain", "").held(release);
        provider.answer_next("/revoke", reply);
    }

    let out = browser.post(program.join("/logout"), &[]).await;
    assert_eq!((out.status, out.location()), (303, "/"));
    assert_eq!(browser.cookie_names(), [""; 0]);
    let privileged = browser.get(program.join("/privileged")).await;
    assert_eq!(privileged.status, 401);

    // A logout that waited for the provider would have timed out by now.
    provider.seen_reach("/revoke", 2).await;
    for release in &releases {
        release.notify_one();
    }
    program.terminate();
    let (code, said) = program.wait();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("has revoked the token"), "{said}");
}

// check 168
#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_waits_until_the_token_is_revoked() {
    // The provider takes longer to finish this response than an idle server takes to shut down.
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n".to_vec();
    let slow = Faulty::start(vec![Fault(head, Then::Drip(b"abcdef".to_vec()))]).await;
    let revocation_url = format!("{}/revoke", slow.origin);
    let provider = Provider::start().await;
    let vars = provider.settings_and(&[("REVOCATION_URL", &*revocation_url)]);
    let program = Program::start(env!("CARGO_BIN_EXE_sessions"), &vars);
    let mut browser = Browser::new();
    let login = browser.get(program.join("/login")).await;
    browser
        .get(callback_at(&program.url, &login, "code=good"))
        .await;

    let out = browser.post(program.join("/logout"), &[]).await;
    assert_eq!((out.status, browser.cookie_names()), (303, vec![]));
    slow.heard_reach(2).await;
    program.terminate();
    let (code, said) = program.wait();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("has revoked the token"), "{said}");
}

// check 168
#[tokio::test]
async fn a_second_logout_with_the_same_cookies_asks_the_provider_nothing() {
    let provider = Provider::start().await;
    let server = start(sessions::app, &provider.settings()).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    for _ in 0..3 {
        let out = browser.clone().post(url(&server, "/logout"), &[]).await;
        assert_eq!((out.status, out.set_cookies().len()), (303, 2));
    }
    server.stop().await;
    assert_eq!(provider.seen_at("/revoke").len(), 2);
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
    assert_eq!(browser.cookie_names(), [""; 0]);
    server.stop().await;
    assert_eq!(provider.seen().len(), asked);
}

#[tokio::test]
async fn anyone_can_log_out_and_without_a_session_nothing_is_revoked() {
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
    server.stop().await;
    assert_eq!(
        provider.seen().len(),
        asked,
        "without its session, the token belongs to no one"
    );
}

// check 75
#[tokio::test]
async fn only_our_own_page_can_log_a_person_out() {
    let provider = Provider::start().await;
    let server = start(sessions::app, &provider.settings()).await;
    let own = server.public_url.to_string();
    let mut allowed_so_far = 0;
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
        let mut browser = Browser::new();
        browser.log_in_with_code(&server).await;
        let mut request = browser.request(Method::POST, url(&server, "/logout"));
        request = site
            .into_iter()
            .fold(request, |r, site| r.header("sec-fetch-site", site));
        request = origin
            .into_iter()
            .fold(request, |r, origin| r.header("origin", origin));
        let answer = browser.send(request).await;
        let row = format!("{site:?} {origin:?}");
        if allowed {
            assert_eq!((answer.status, answer.location()), (303, "/"), "{row}");
            assert_eq!(browser.cookie_names(), [""; 0], "{row}");
            allowed_so_far += 1;
        } else {
            assert_eq!(answer.status, 403, "{row}");
            assert_eq!(answer.set_cookies(), [""; 0], "{row}");
            let detail = "this request was sent by another site; use the button on our own page";
            assert_eq!(answer.json()["detail"], detail, "{row}");
            assert_eq!(
                browser.get(url(&server, "/privileged")).await.status,
                200,
                "{row}"
            );
        }
    }
    server.stop().await;
    assert_eq!(provider.seen_at("/revoke").len(), 2 * allowed_so_far);
}
