//! What the README walks through, and every route for nobody, the wrong and the right person.

use reqwest::Method;
use serde_json::json;
use testing::{
    Browser,
    provider::{Provider, Reply},
    start, url,
};

// checks 37, 38, 66
#[tokio::test]
async fn a_person_logs_in_is_known_and_logs_out() {
    let server = start(sessions::app, &[]).await;
    let mut browser = Browser::new();

    let index = browser.visit(url(&server, "/")).await;
    assert_eq!(
        (index.status, index.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    assert!(index.body.contains("Nobody is logged in"), "{}", index.body);
    let link = format!(
        "<a href=\"{}/login?next=/\">Log in with the demo provider</a>",
        server.public_url
    );
    assert!(index.body.contains(&link), "{}", index.body);
    assert!(!index.body.contains("action=\"/logout\""), "{}", index.body);

    let done = browser.log_in(&server, "ada").await;
    assert_eq!((done.status, done.location()), (303, "/users/me"));
    assert_eq!(done.header("cache-control"), "no-store");
    assert_eq!(done.header("referrer-policy"), "no-referrer");
    assert_eq!(done.header("x-content-type-options"), "nosniff");
    assert_eq!(
        browser.cookie_names(),
        ["session", "token"],
        "the login cookie is cleared"
    );

    let user = browser.get(url(&server, "/users/me")).await;
    assert_eq!(user.status, 200);
    let user = user.json();
    assert_eq!(
        (&user["username"], &user["global_name"]),
        (&"ada".into(), &"ada".into())
    );
    assert!(user["id"].is_string() && user["avatar"].is_null(), "{user}");

    let privileged = browser.get(url(&server, "/privileged")).await;
    assert_eq!(privileged.status, 200);
    assert_eq!(
        privileged.json(),
        "Congratulations, you are logged in using Discord!"
    );

    let index = browser.visit(url(&server, "/")).await;
    assert!(
        index.body.contains("logged in as <strong>ada</strong>"),
        "{}",
        index.body
    );
    assert!(
        index
            .body
            .contains("<form method=\"post\" action=\"/logout\">"),
        "{}",
        index.body
    );
    assert!(!index.body.contains("Log in with"), "{}", index.body);

    let out = browser.post(url(&server, "/logout"), &[]).await;
    assert_eq!((out.status, out.location()), (303, "/"));
    assert_eq!(browser.cookie_names(), [""; 0]);
    for path in ["/users/me", "/privileged"] {
        assert_eq!(browser.get(url(&server, path)).await.status, 401, "{path}");
    }
}

// check 30
#[tokio::test]
async fn a_person_who_denies_it_is_not_logged_in() {
    let server = start(sessions::app, &[]).await;
    let mut browser = Browser::new();
    let login = browser.get(url(&server, "/login")).await;
    let callback = browser.deny(&login).await;
    let answer = browser.get(callback).await;
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("access_denied"), "{}", answer.body);
    assert_eq!(browser.cookie_names(), [""; 0]);
    assert_eq!(browser.get(url(&server, "/privileged")).await.status, 401);
}

#[tokio::test]
async fn a_custom_provider_is_named_by_its_host() {
    let provider = Provider::start().await;
    let server = start(sessions::app, &provider.settings()).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    let privileged = browser.get(url(&server, "/privileged")).await;
    assert_eq!(
        privileged.json(),
        "Congratulations, you are logged in using 127.0.0.1!"
    );
}

// checks 14, 36, 63, 75, 147, 149
#[tokio::test]
async fn every_route_answers_every_visitor_as_promised() {
    const HTML: &str = "text/html; charset=utf-8";
    const JSON: &str = "application/json";
    const WHO: &str = "Cookie realm=\"session\"";
    // The visitors: one without cookies, one with invalid cookies, one who is logged in.
    let table = [
        ("GET", "/", [200, 200, 200], "content-type", HTML),
        ("POST", "/", [405, 405, 405], "allow", "GET,HEAD"),
        (
            "GET",
            "/login",
            [303, 303, 303],
            "cache-control",
            "no-store",
        ),
        ("HEAD", "/login", [405, 405, 405], "allow", "GET"),
        ("POST", "/login", [405, 405, 405], "allow", "GET"),
        ("GET", "/auth", [400, 400, 400], "content-type", JSON),
        (
            "GET",
            "/auth?code=a&state=b",
            [400, 400, 400],
            "content-type",
            JSON,
        ),
        (
            "GET",
            "/auth?state=%zz",
            [400, 400, 400],
            "content-type",
            JSON,
        ),
        ("HEAD", "/auth", [405, 405, 405], "allow", "GET"),
        ("POST", "/auth", [405, 405, 405], "allow", "GET"),
        ("PUT", "/auth", [405, 405, 405], "allow", "GET"),
        ("GET", "/users/me", [401, 401, 200], "content-type", JSON),
        ("HEAD", "/users/me", [405, 405, 405], "allow", "GET"),
        ("DELETE", "/users/me", [405, 405, 405], "allow", "GET"),
        ("GET", "/users/me/", [404, 404, 404], "content-type", JSON),
        ("GET", "/users", [404, 404, 404], "content-type", JSON),
        ("GET", "/privileged", [401, 401, 200], "content-type", JSON),
        ("HEAD", "/privileged", [405, 405, 405], "allow", "GET"),
        ("POST", "/privileged", [405, 405, 405], "allow", "GET"),
        ("GET", "//privileged", [404, 404, 404], "content-type", JSON),
        ("GET", "/PRIVILEGED", [404, 404, 404], "content-type", JSON),
        ("GET", "/logout", [405, 405, 405], "allow", "POST"),
        ("HEAD", "/logout", [405, 405, 405], "allow", "POST"),
        ("GET", "/nothing", [404, 404, 404], "content-type", JSON),
        (
            "GET",
            "/style.css",
            [200, 200, 200],
            "content-type",
            "text/css; charset=utf-8",
        ),
        ("POST", "/logout", [303, 303, 303], "location", "/"),
    ];
    let provider = Provider::start().await;
    let server = start(sessions::app, &provider.settings()).await;
    let mut right = Browser::new();
    right.log_in_with_code(&server).await;
    let mut wrong = right.clone();
    wrong.set_cookie("session", "c2Vzc2lvbg");
    wrong.set_cookie("token", "dG9rZW4");
    let visitors = [Browser::new(), wrong, right];
    for (method, path, statuses, header, value) in table {
        for (status, visitor) in statuses.into_iter().zip(&visitors) {
            let mut browser = visitor.clone();
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let request = browser.request(method.clone(), url(&server, path));
            let answer = browser.send(request).await;
            let row = format!("{method} {path} with {:?}", visitor.cookies);
            assert_eq!(
                (answer.status, answer.header(header)),
                (status, value),
                "{row}"
            );
            assert_eq!(answer.headers.get_all(header).iter().count(), 1, "{row}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{row}");
            assert_eq!(answer.header("x-frame-options"), "DENY", "{row}");
            let challenge = if status == 401 { WHO } else { "" };
            assert_eq!(answer.header("www-authenticate"), challenge, "{row}");
            if status == 401 {
                assert_eq!(answer.json(), json!({ "detail": "Not logged in" }), "{row}");
            }
            if status >= 400 {
                assert_eq!(answer.header("cache-control"), "no-store", "{row}");
                assert_eq!(answer.set_cookies(), [""; 0], "{row}");
            }
        }
    }
}

// check 63
#[tokio::test]
async fn a_persons_browser_gets_a_page_that_says_it_is_not_logged_in() {
    let server = start(sessions::app, &[]).await;
    for path in ["/privileged", "/users/me"] {
        let page = Browser::new().visit(url(&server, path)).await;
        assert_eq!(
            (page.status, page.header("content-type")),
            (401, "text/html; charset=utf-8")
        );
        assert_eq!(page.header("www-authenticate"), "Cookie realm=\"session\"");
        assert!(page.body.contains("Not logged in") && page.body.contains("<a href=\"/\">"));
    }
}

// check 79
#[tokio::test]
async fn a_name_is_text_on_every_page() {
    let provider = Provider::scripted(|seen| {
        let user = json!({ "id": 7, "name": "<script>alert(1)</script>" });
        (seen.path == "/user").then(|| Reply::json(200, &user))
    })
    .await;
    let server = start(sessions::app, &provider.settings()).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    let index = browser.visit(url(&server, "/")).await;
    assert!(
        index.body.contains("&#60;script&#62;alert(1)"),
        "{}",
        index.body
    );
    assert!(!index.body.contains("<script"), "{}", index.body);
    let user = browser.visit(url(&server, "/users/me")).await;
    assert_eq!(
        (user.status, user.header("content-type")),
        (200, "application/json")
    );
    assert_eq!(user.header("x-content-type-options"), "nosniff");
    assert_eq!(user.json()["name"], "<script>alert(1)</script>");
}
