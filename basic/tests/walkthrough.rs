//! What the README walks through, and every route with every method.

use std::collections::BTreeSet;

use common::unix_now;
use reqwest::Method;
use testing::{Browser, param_of, start, url};

// checks 59, 60, 62
#[tokio::test]
async fn a_person_who_allows_it_sees_the_token() {
    let server = start(basic::app, &[]).await;
    let mut browser = Browser::new();

    let index = browser.visit(url(&server, "/")).await;
    assert_eq!(index.status, 200);
    assert_eq!(index.header("content-type"), "text/html; charset=utf-8");
    let link = format!(
        "<a href=\"{}/login\">Log in with the demo provider</a>",
        server.public_url
    );
    assert!(index.body.contains(&link), "{}", index.body);

    let login = browser.get(url(&server, "/login")).await;
    let callback = browser.allow(&login, "ada").await;
    assert!(
        callback.starts_with(&server.public_url.join("/auth?code=")),
        "{callback}"
    );
    assert_eq!(
        param_of(&callback, "state"),
        param_of(login.location(), "state")
    );

    let before = unix_now();
    let answer = browser.get(&callback).await;
    assert_eq!(answer.status, 200);
    let token = answer.json();
    let members: BTreeSet<_> = token
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let expected = [
        "access_token",
        "expires_at",
        "expires_in",
        "refresh_token",
        "scope",
    ];
    assert_eq!(
        members,
        expected.into_iter().chain(["token_type"]).collect()
    );
    assert_eq!(
        (&token["token_type"], &token["scope"]),
        (&"Bearer".into(), &"identify".into())
    );
    assert_eq!(token["expires_in"], 7 * 24 * 3600);
    let lives = token["expires_at"].as_u64().unwrap() - before;
    assert!((604_800..=604_802).contains(&lives), "{lives}");

    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("pragma"), "no-cache");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    let policy = "default-src 'none'; frame-ancestors 'none'";
    assert_eq!(answer.header("content-security-policy"), policy);
    assert_eq!(browser.cookie_names(), [""; 0], "no cookie of ours is left");
    for secret in ["access_token", "refresh_token"] {
        let secret = token[secret].as_str().unwrap();
        assert!(!answer.set_cookies().concat().contains(secret));
    }
}

#[tokio::test]
async fn the_token_is_json_even_for_a_persons_browser() {
    let server = start(basic::app, &[]).await;
    let mut browser = Browser::new();
    let login = browser.visit(url(&server, "/login")).await;
    let callback = browser.allow(&login, "ada").await;
    let answer = browser.visit(callback).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "application/json")
    );
    assert!(answer.json()["access_token"].is_string());
}

// check 30
#[tokio::test]
async fn a_person_who_denies_it_gets_403() {
    let server = start(basic::app, &[]).await;
    let mut browser = Browser::new();
    let login = browser.get(url(&server, "/login")).await;
    let callback = browser.deny(&login).await;
    let answer = browser.get(&callback).await;
    assert_eq!(answer.status, 403);
    let detail = "you denied access (access_denied); you can start again";
    assert_eq!(answer.json()["detail"], detail);
    assert_eq!(browser.cookie_names(), [""; 0]);
    assert_eq!(
        browser.get(callback).await.status,
        400,
        "the state is used up"
    );
}

// checks 14, 36, 38, 147, 149
#[tokio::test]
async fn every_route_answers_every_method_as_promised() {
    const HTML: &str = "text/html; charset=utf-8";
    const JSON: &str = "application/json";
    let table = [
        ("GET", "/", 200, "content-type", HTML),
        ("HEAD", "/", 200, "content-type", HTML),
        ("POST", "/", 405, "allow", "GET,HEAD"),
        ("GET", "/login", 303, "cache-control", "no-store"),
        ("HEAD", "/login", 405, "allow", "GET"),
        ("POST", "/login", 405, "allow", "GET"),
        ("PUT", "/login", 405, "allow", "GET"),
        ("GET", "/login/", 404, "content-type", JSON),
        ("GET", "/LOGIN", 404, "content-type", JSON),
        ("GET", "//login", 404, "content-type", JSON),
        ("GET", "/auth", 400, "content-type", JSON),
        ("GET", "/auth?code=a&state=b", 400, "content-type", JSON),
        ("GET", "/auth?state=%zz", 400, "content-type", JSON),
        ("GET", "/auth?state=%ff", 400, "content-type", JSON),
        ("GET", "/auth?state=a&state=b", 400, "content-type", JSON),
        ("HEAD", "/auth", 405, "allow", "GET"),
        ("POST", "/auth", 405, "allow", "GET"),
        ("PUT", "/auth", 405, "allow", "GET"),
        ("OPTIONS", "/auth", 405, "allow", "GET"),
        (
            "GET",
            "/style.css",
            200,
            "content-type",
            "text/css; charset=utf-8",
        ),
        ("POST", "/style.css", 405, "allow", "GET,HEAD"),
        ("GET", "/users/me", 404, "content-type", JSON),
        ("POST", "/nothing", 404, "content-type", JSON),
    ];
    let server = start(basic::app, &[]).await;
    for (method, path, status, header, value) in table {
        let mut browser = Browser::new();
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = browser.request(method.clone(), url(&server, path));
        let answer = browser.send(request).await;
        let row = format!("{method} {path}");
        assert_eq!(
            (answer.status, answer.header(header)),
            (status, value),
            "{row}"
        );
        assert_eq!(answer.headers.get_all(header).iter().count(), 1, "{row}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{row}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{row}");
        assert_eq!(answer.header("server"), "", "{row}");
        if status >= 400 {
            assert_eq!(answer.header("cache-control"), "no-store", "{row}");
            assert_eq!(answer.header("referrer-policy"), "no-referrer", "{row}");
            assert_eq!(browser.cookie_names(), [""; 0], "{row}");
            if method != Method::HEAD {
                assert!(answer.json()["detail"].is_string(), "{row}");
            }
        }
    }
}

// checks 38, 149
#[tokio::test]
async fn a_persons_browser_gets_errors_as_pages() {
    let server = start(basic::app, &[]).await;
    let mut browser = Browser::new();
    for (path, status, reason) in [
        ("/nothing", 404, "Not Found"),
        ("/auth", 400, "please start again"),
        ("/auth?state=%zz", 400, "invalid percent escape"),
        ("/auth?state=a&state=b", 400, "given twice"),
    ] {
        let page = browser.visit(url(&server, path)).await;
        assert_eq!(
            (page.status, page.header("content-type")),
            (status, "text/html; charset=utf-8")
        );
        assert!(page.body.contains(reason), "{}", page.body);
        assert!(page.body.contains("<a href=\"/\">"), "{}", page.body);
        assert_eq!(page.header("vary"), "Accept");
        assert_eq!(
            page.header("referrer-policy"),
            "no-referrer",
            "{path} has no form"
        );
        assert!(
            page.header("content-security-policy")
                .contains("frame-ancestors 'none'")
        );
    }
}
