//! What a person who follows the README sees: the form, the token, the endpoints.

use std::collections::BTreeSet;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use common::{server::Server, unix_now};
use reqwest::{
    Method,
    header::{ACCEPT, HeaderMap, HeaderValue},
};
use serde_json::{Value, json};
use testing::{Answer, Browser, start};

#[path = "support/user.rs"]
mod user;

use user::{ask, token_with};

const PAGE: &str = "text/html; charset=utf-8";

async fn server() -> Server {
    start(first_party::app, &[]).await
}

/// `GET` with or without a token.
async fn get(server: &Server, path: &str, token: Option<&str>) -> Answer {
    let mut browser = Browser::new();
    let mut request = browser.request(Method::GET, server.public_url.join(path));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    browser.send(request).await
}

/// `GET` as a person's browser does it.
async fn view(server: &Server, path: &str) -> Answer {
    let mut browser = Browser::new();
    let accept = HeaderValue::from_static("text/html,application/xhtml+xml,*/*;q=0.8");
    let headers = HeaderMap::from_iter([(ACCEPT, accept)]);
    let request = browser.request(Method::GET, server.public_url.join(path));
    browser.send(request.headers(headers)).await
}

/// A part of a token, read without a key.
fn decode(part: &str) -> Value {
    let bytes = BASE64_URL_SAFE_NO_PAD
        .decode(part)
        .expect("base64url without padding");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// The part between two strings.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).expect(before);
    rest.split_once(after).expect(after).0
}

#[tokio::test]
async fn a_token_with_some_scope_grants_access_to_endpoint1_but_not_endpoint2() {
    let server = server().await;
    let token = token_with(&server, "some.scope").await;

    let first = get(&server, "/endpoint1", Some(&token)).await;
    assert_eq!(
        (first.status, first.json()),
        (200, json!("Hello from endpoint 1"))
    );

    let second = get(&server, "/endpoint2", Some(&token)).await;
    assert_eq!(
        (second.status, second.json()),
        (403, json!({"detail": "Insufficient permissions"}))
    );
    assert!(
        second
            .header("www-authenticate")
            .contains(r#"error="insufficient_scope""#)
    );

    let third = get(&server, "/endpoint3", None).await;
    assert_eq!(
        (third.status, third.json()),
        (200, json!("Hello from the unprotected endpoint 3"))
    );

    let nobody = get(&server, "/endpoint1", None).await;
    assert_eq!(
        (nobody.status, nobody.json()),
        (401, json!({"detail": "Not authenticated"}))
    );
    assert!(
        nobody
            .header("www-authenticate")
            .starts_with("Bearer realm=\"")
    );
}

// checks 82, 85
#[tokio::test]
async fn a_person_gets_a_token_from_the_form_and_uses_it() {
    let server = server().await;
    let mut browser = Browser::new();
    let index = view(&server, "/").await;
    assert_eq!((index.status, index.header("content-type")), (200, PAGE));
    assert!(index.body.contains(r#"href="/login""#), "{}", index.body);

    let form = view(&server, "/login").await;
    assert_eq!((form.status, form.header("content-type")), (200, PAGE));
    let hidden = form.hidden_fields();
    let boxes = form
        .body
        .split("<label>")
        .skip(1)
        .filter(|label| label.contains(" checked>"));
    let checked = boxes.map(|label| between(label, r#"name="scope" value=""#, "\""));
    let mut fields = vec![("username", "alice"), ("password", "wonderland")];
    fields.extend(hidden.iter().map(|(name, value)| (&**name, &**value)));
    fields.extend(checked.map(|scope| ("scope", scope)));
    let action = between(&form.body, r#"<form method="post" action=""#, "\"");

    let answer = browser.post(server.public_url.join(action), &fields).await;

    let answer = answer.json();
    assert_eq!(answer["scope"], "some.scope");
    let token = answer["access_token"].as_str();
    assert_eq!(get(&server, "/endpoint1", token).await.status, 200);
    assert_eq!(get(&server, "/endpoint2", token).await.status, 403);
    assert!(browser.cookies.is_empty(), "{:?}", browser.cookies);
}

// check 111
#[tokio::test]
async fn the_header_of_a_token_names_its_algorithm_and_type_and_nothing_else() {
    let token = token_with(&server().await, "some.scope").await;
    let header = decode(token.split('.').next().unwrap());
    assert_eq!(header, json!({ "alg": "HS256", "typ": "at+jwt" }));
}

// checks 112, 113
#[tokio::test]
async fn a_token_names_its_issuer_user_and_expiry() {
    let server = server().await;
    let form = [
        ("username", "alice"),
        ("password", "wonderland"),
        ("client_id", "curl"),
        ("scope", "third.scope some.scope"),
    ];
    let before = unix_now();
    let answer = ask(&server, &form).await.json();
    let after = unix_now();

    let payload = answer["access_token"]
        .as_str()
        .unwrap()
        .split('.')
        .nth(1)
        .unwrap();
    let claims = decode(payload);
    let names: BTreeSet<_> = claims
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let expected = [
        "aud",
        "client_id",
        "exp",
        "iat",
        "iss",
        "jti",
        "scope",
        "sub",
    ];
    assert_eq!(names, BTreeSet::from(expected));
    let issuer = server.public_url.to_string();
    assert_eq!(
        (&claims["iss"], &claims["aud"]),
        (&json!(issuer), &json!(issuer))
    );
    assert_eq!(
        (&claims["sub"], &claims["client_id"]),
        (&json!("alice"), &json!("curl"))
    );
    assert_eq!(claims["scope"], "some.scope third.scope");
    assert_eq!(answer["scope"], claims["scope"]);
    let (iat, exp) = (
        claims["iat"].as_u64().unwrap(),
        claims["exp"].as_u64().unwrap(),
    );
    assert!((before..=after).contains(&iat), "{iat}");
    assert_eq!(exp - iat, 1800);
    assert_eq!(answer["expires_in"], 1800);
    assert!(!claims.to_string().contains("wonderland"), "{claims}");
}

// check 112
#[tokio::test]
async fn each_token_has_its_own_jti() {
    let server = server().await;
    let mut names = BTreeSet::new();
    for _ in 0..5 {
        let token = token_with(&server, "").await;
        let claims = decode(token.split('.').nth(1).unwrap());
        names.insert(claims["jti"].as_str().unwrap().to_owned());
        assert_eq!(claims["client_id"], "first_party");
    }
    assert_eq!(names.len(), 5);
    assert!(names.iter().all(|name| name.len() >= 22), "{names:?}");
}

#[tokio::test]
async fn the_host_header_does_not_reach_the_token() {
    let server = server().await;
    let browser = Browser::new();
    let request = browser.request(Method::POST, server.public_url.join("/token"));
    let request = request
        .header("host", "evil.localhost")
        .header("x-forwarded-host", "evil.example")
        .form(&[("username", "alice"), ("password", "wonderland")]);
    let answer = Browser::new().send(request).await.json();
    let claims = decode(
        answer["access_token"]
            .as_str()
            .unwrap()
            .split('.')
            .nth(1)
            .unwrap(),
    );
    assert_eq!(claims["iss"], server.public_url.to_string());
    assert_eq!(claims["aud"], server.public_url.to_string());
}

// checks 115, 116, 117
#[tokio::test]
async fn every_route_answers_nobody_the_wrong_and_the_right_caller() {
    let server = server().await;
    let other = start(first_party::app, &[]).await;
    let some = token_with(&server, "some.scope").await;
    let second = token_with(&server, "other.scope").await;
    let third = token_with(&server, "third.scope").await;
    // The same words, but this is another server with another secret.
    let foreign = token_with(&other, "third.scope").await;
    let callers = [
        None,
        Some("x"),
        Some(&*foreign),
        Some(&*some),
        Some(&*second),
        Some(&*third),
    ];

    let table = [
        // path           nobody, garbage, another server's, some, other, third
        ("/", [200, 200, 200, 200, 200, 200]),
        ("/login", [200, 200, 200, 200, 200, 200]),
        ("/token", [405, 405, 405, 405, 405, 405]),
        ("/endpoint1", [401, 401, 401, 200, 403, 200]),
        ("/endpoint2", [401, 401, 401, 403, 200, 200]),
        ("/endpoint3", [200, 200, 200, 200, 200, 200]),
        ("/docs", [303, 303, 303, 303, 303, 303]),
        ("/docs/", [200, 200, 200, 200, 200, 200]),
        ("/openapi.json", [200, 200, 200, 200, 200, 200]),
        ("/style.css", [200, 200, 200, 200, 200, 200]),
        ("/endpoint4", [404, 404, 404, 404, 404, 404]),
    ];
    for (path, expected) in table {
        for (token, expected) in callers.into_iter().zip(expected) {
            let answer = get(&server, path, token).await;
            assert_eq!(
                answer.status, expected,
                "{path} with {token:?}: {}",
                answer.body
            );
            let challenge = answer.header("www-authenticate");
            assert_eq!(
                !challenge.is_empty(),
                matches!(expected, 401 | 403),
                "{path} {token:?}"
            );
            let error = !challenge.is_empty() && token.is_some();
            assert_eq!(challenge.contains("error="), error, "{path} {token:?}");
        }
    }
}

// checks 82, 97, 124
#[tokio::test]
async fn a_method_that_a_route_does_not_have_is_405_and_the_answer_lists_the_others() {
    let server = server().await;
    let table = [
        ("/", "GET HEAD"),
        ("/login", "GET POST"),
        ("/token", "POST"),
        ("/endpoint1", "GET"),
        ("/endpoint2", "GET"),
        ("/endpoint3", "GET"),
        ("/docs/", "GET HEAD"),
        ("/openapi.json", "GET HEAD"),
        ("/style.css", "GET HEAD"),
    ];
    for (path, allowed) in table {
        let allowed: BTreeSet<_> = allowed.split(' ').collect();
        for method in [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW",
        ] {
            if allowed.contains(method) {
                continue;
            }
            let request = Browser::new().request(
                method.parse().expect("a method"),
                server.public_url.join(path),
            );
            let answer = Browser::new().send(request).await;
            assert_eq!(answer.status, 405, "{method} {path}: {}", answer.body);
            let allow: BTreeSet<_> = answer.header("allow").split(',').map(str::trim).collect();
            assert_eq!(allow, allowed, "{method} {path}");
            assert_eq!(
                answer.header("content-type"),
                "application/json",
                "{method} {path}"
            );
        }
    }
}

// checks 147, 149
#[tokio::test]
async fn an_error_is_json_for_a_program_and_a_page_for_a_person() {
    let server = server().await;
    for (path, status, detail) in [
        ("/endpoint4", 404, "Not Found"),
        ("/docs/missing.js", 404, "Not Found"),
        ("/endpoint1", 401, "Not authenticated"),
    ] {
        let program = get(&server, path, None).await;
        assert_eq!(
            (program.status, program.json()),
            (status, json!({ "detail": detail }))
        );

        let person = view(&server, path).await;
        assert_eq!(
            (person.status, person.header("content-type")),
            (status, PAGE),
            "{path}"
        );
        assert!(person.body.contains(detail), "{}", person.body);
        assert!(person.body.contains(r#"<a href="/">"#), "{}", person.body);
        let challenge = program.header("www-authenticate");
        assert_eq!(person.header("www-authenticate"), challenge, "{path}");
    }
}

// check 149
#[tokio::test]
async fn every_answer_carries_the_headers_that_protect_it() {
    let server = server().await;
    let paths = [
        "/",
        "/login",
        "/token",
        "/endpoint1",
        "/endpoint3",
        "/docs",
        "/docs/",
        "/nowhere",
    ];
    for path in paths {
        let answer = get(&server, path, None).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'"), "{path}: {policy}");
        assert!(
            policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(
            matches!(
                answer.header("referrer-policy"),
                "no-referrer" | "same-origin"
            ),
            "{path}"
        );
        assert_eq!(answer.header("server"), "", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "{path}");
    }
}
