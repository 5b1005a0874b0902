//! How a token is presented at the endpoints (RFC 6750), and that every way around it is closed.

use axum::Router;
use common::server::Server;
use first_party::{
    scopes::{AnyOf, SOME, THIRD},
    token::Tokens,
};
use reqwest::{Method, header::HeaderValue};
use serde_json::json;
use testing::{Answer, Browser};

#[path = "support/forge.rs"]
mod forge;
#[path = "support/raw.rs"]
mod raw;
#[path = "support/user.rs"]
mod user;

use forge::{HEADER, assert_refused, challenge, claims, get, seal, server, sign, with};
use user::token_with;

const SCOPES: [&str; 3] = ["some.scope", "other.scope", "third.scope"];

/// `GET` with these values of `Authorization`.
async fn present(server: &Server, path: &str, values: &[impl AsRef<[u8]>]) -> Answer {
    let mut browser = Browser::new();
    let mut request = browser.request(Method::GET, server.public_url.join(path));
    for value in values {
        let value = HeaderValue::from_bytes(value.as_ref()).expect("a header");
        request = request.header("authorization", value);
    }
    browser.send(request).await
}

/// The request has no token: 401 without an error code.
fn assert_nobody(answer: &Answer, case: &str) {
    assert_eq!(answer.status, 401, "{case}: {answer:?}");
    assert!(!challenge(answer).contains("error="), "{case}: {answer:?}");
    assert_eq!(
        answer.json(),
        json!({ "detail": "Not authenticated" }),
        "{case}"
    );
}

// check 115
#[tokio::test]
async fn a_request_without_a_token_gets_a_challenge_without_an_error() {
    let server = server().await;
    for path in ["/endpoint1", "/endpoint2"] {
        assert_nobody(&present(&server, path, &[""; 0]).await, path);
    }
}

// checks 117, 118
#[tokio::test]
async fn each_set_of_scopes_grants_access_to_its_endpoints_and_no_others() {
    let server = server().await;
    for set in 0..8 {
        let scopes = SCOPES
            .iter()
            .enumerate()
            .filter(|(bit, _)| set >> bit & 1 == 1);
        let scopes: Vec<_> = scopes.map(|(_, scope)| *scope).collect();
        let token = token_with(&server, &scopes.join(" ")).await;
        let opens = |scope| scopes.contains(&scope) || scopes.contains(&"third.scope");
        for (path, scope, greeting) in [
            ("/endpoint1", "some.scope", "Hello from endpoint 1"),
            ("/endpoint2", "other.scope", "Hello from endpoint 2"),
        ] {
            let answer = get(&server, path, &token).await;
            if opens(scope) {
                assert_eq!(
                    (answer.status, answer.json()),
                    (200, json!(greeting)),
                    "{scopes:?}"
                );
                assert_eq!(answer.header("www-authenticate"), "");
            } else {
                assert_eq!(answer.status, 403, "{path} {scopes:?}: {answer:?}");
                assert_eq!(
                    answer.json(),
                    json!({ "detail": "Insufficient permissions" })
                );
                let challenge = challenge(&answer);
                assert!(
                    challenge.contains(r#"error="insufficient_scope""#),
                    "{challenge}"
                );
                let needed = format!(r#"scope="{scope} third.scope""#);
                assert!(challenge.contains(&needed), "{challenge}");
            }
        }
        let answer = get(&server, "/endpoint3", &token).await;
        assert_eq!(
            answer.json(),
            json!("Hello from the unprotected endpoint 3")
        );
    }
}

// check 118
#[tokio::test]
async fn the_open_endpoint_is_open_to_broken_tokens_too() {
    let server = server().await;
    let cases: [&[&str]; 5] = [
        &[],
        &["Bearer"],
        &["Bearer x"],
        &["Basic Og=="],
        &["Bearer x", "Bearer y"],
    ];
    for values in cases {
        let answer = present(&server, "/endpoint3", values).await;
        assert_eq!(answer.status, 200, "{values:?}: {answer:?}");
        assert_eq!(
            answer.json(),
            json!("Hello from the unprotected endpoint 3")
        );
    }
}

// check 119
#[tokio::test]
async fn a_scope_is_compared_as_a_whole_and_to_the_letter() {
    let server = server().await;
    for scope in [
        "",
        " ",
        "some",
        "scope",
        "some.scope2",
        "xsome.scope",
        "some_scope",
        "some.scope.",
        "SOME.SCOPE",
        "Some.Scope",
        "some.scop\u{435}",
        "some.scope,third.scope",
        "some.scope\tthird.scope",
        "some.scope\nthird.scope",
        "some.scope\u{a0}third.scope",
        "some.scope\u{0}",
        "\"some.scope\"",
        "[\"some.scope\"]",
        "some.scope%20third.scope",
        "*",
        ".*",
        "some.scope third.scopes".trim_start_matches("some.scope "),
    ] {
        let token = sign(
            HEADER,
            with(claims(&server), "scope", json!(scope)).to_string(),
        );
        for path in ["/endpoint1", "/endpoint2"] {
            let answer = get(&server, path, &token).await;
            assert_eq!(answer.status, 403, "{path} {scope:?}: {answer:?}");
            assert!(
                challenge(&answer).contains(r#"error="insufficient_scope""#),
                "{scope:?}"
            );
        }
    }
    for scope in ["x some.scope", "some.scope x", "some.scope  some.scope"] {
        let token = sign(
            HEADER,
            with(claims(&server), "scope", json!(scope)).to_string(),
        );
        assert_eq!(
            get(&server, "/endpoint1", &token).await.status,
            200,
            "{scope:?}"
        );
    }
}

// check 119
#[tokio::test]
async fn a_scope_that_is_not_a_string_makes_the_token_invalid() {
    let server = server().await;
    let values = [
        json!(1),
        json!(null),
        json!(["some.scope"]),
        json!({ "some.scope": true }),
        json!(true),
    ];
    for value in values.into_iter().map(Some).chain([None]) {
        let case = format!("{value:?}");
        let token = sign(HEADER, with(claims(&server), "scope", value).to_string());
        assert_refused(&server, &case, &token).await;
    }
    for name in ["scopes", "scp", "Scope"] {
        let other = with(claims(&server), "scope", None);
        let token = sign(HEADER, with(other, name, json!("some.scope")).to_string());
        assert_refused(&server, name, &token).await;
    }
}

// check 116
#[tokio::test]
async fn a_bad_token_gets_one_challenge_with_each_attribute_once() {
    let server = server().await;
    let expired = sign(HEADER, with(claims(&server), "exp", json!(1)).to_string());
    let good = sign(HEADER, claims(&server).to_string());
    let (message, _) = good.rsplit_once('.').unwrap();
    let forged = seal(
        message,
        "a secret of somebody else, also of 32 bytes or more",
    );
    for (case, token) in [
        ("garbage", "garbage"),
        ("expired", &*expired),
        ("forged", &*forged),
    ] {
        assert_refused(&server, case, token).await;
    }
}

// check 120
#[tokio::test]
async fn the_scheme_is_case_insensitive() {
    let server = server().await;
    let token = token_with(&server, "some.scope").await;
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        let answer = present(&server, "/endpoint1", &[format!("{scheme} {token}")]).await;
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!("Hello from endpoint 1")),
            "{scheme}"
        );
    }
}

// check 121
#[tokio::test]
async fn a_header_that_is_not_one_bearer_token_grants_no_access() {
    let server = server().await;
    let good = token_with(&server, "some.scope").await;
    for value in [
        String::new(),
        "Bearer".to_owned(),
        "Bearer:".to_owned(),
        good.clone(),
        format!("Token {good}"),
        format!("JWT {good}"),
        format!("DPoP {good}"),
        format!("Basic {good}"),
        "Basic YWxpY2U6d29uZGVybGFuZA==".to_owned(),
        format!("Bearer{good}"),
        format!("Bearer={good}"),
        format!("Bearer,{good}"),
        format!("Bearer \"{good}\""),
        format!("Bearer Bearer {good}"),
        format!("Bearer token={good}"),
        format!("Bearer {good} {good}"),
        format!("Bearer {good} and more"),
        format!("Bearer nonsense {good}"),
        format!("Bearer {good}, Bearer {good}"),
        format!("Bearer {good},"),
        format!("Basic Og==, Bearer {good}"),
        format!("Bearers {good}"),
    ] {
        let answer = present(&server, "/endpoint1", &[&value]).await;
        assert_eq!(answer.status, 401, "{value}: {answer:?}");
        challenge(&answer);
        assert!(answer.json()["detail"].is_string(), "{value}");
        assert!(!format!("{answer:?}").contains(&good), "{value}");
    }
    let not_text = [b"Bearer ", good.as_bytes(), b"\xff"].concat();
    let answer = present(&server, "/endpoint1", &[not_text]).await;
    assert_eq!(answer.status, 401, "{answer:?}");
    challenge(&answer);
}

// check 122
#[tokio::test]
async fn two_authorization_headers_are_refused_even_when_both_are_good() {
    let server = server().await;
    let good = format!("Bearer {}", token_with(&server, "third.scope").await);
    for values in [
        [&*good, &*good],
        [&*good, "Bearer x"],
        ["Bearer x", &*good],
        ["Basic Og==", &*good],
        [&*good, "Basic Og=="],
        [&*good, ""],
        ["", &*good],
    ] {
        for path in ["/endpoint1", "/endpoint2"] {
            let answer = present(&server, path, &values).await;
            assert_eq!(answer.status, 400, "{values:?}: {answer:?}");
            assert!(
                challenge(&answer).contains(r#"error="invalid_request""#),
                "{values:?}"
            );
            assert!(answer.json()["detail"].is_string(), "{values:?}");
        }
    }
}

// check 122
#[tokio::test]
async fn a_token_in_the_query_does_not_affect_one_in_the_header() {
    let server = server().await;
    let narrow = token_with(&server, "other.scope").await;
    let wide = token_with(&server, "third.scope").await;
    let path = |token: &str| format!("/endpoint1?access_token={token}");
    assert_eq!(get(&server, &path(&wide), &narrow).await.status, 403);
    assert_eq!(get(&server, &path("x"), &wide).await.status, 200);
    assert_refused(&server, "a bad one in the header", "x").await;
    assert_eq!(get(&server, &path(&wide), "x").await.status, 401);
}

// check 123
#[tokio::test]
async fn a_token_anywhere_but_in_the_header_does_not_count() {
    let server = server().await;
    let token = token_with(&server, "third.scope").await;
    let url = server.public_url.join("/endpoint1");
    let plain = || Browser::new().request(Method::GET, &url);
    let form = [("access_token", &*token)];
    let requests = [
        (
            "query",
            Browser::new().request(Method::GET, format!("{url}?access_token={token}")),
        ),
        (
            "query",
            Browser::new().request(Method::GET, format!("{url}?token={token}")),
        ),
        (
            "query",
            Browser::new().request(Method::GET, format!("{url}?Authorization=Bearer%20{token}")),
        ),
        (
            "cookie",
            plain().header("cookie", format!("access_token={token}")),
        ),
        (
            "cookie",
            plain().header("cookie", format!("token={token}; session={token}")),
        ),
        (
            "cookie",
            plain().header("cookie", format!("Authorization=Bearer {token}")),
        ),
        ("form", plain().form(&form)),
        ("header", plain().header("access-token", &token)),
        ("header", plain().header("x-access-token", &token)),
        (
            "header",
            plain().header("x-authorization", format!("Bearer {token}")),
        ),
        (
            "header",
            plain().header("proxy-authorization", format!("Bearer {token}")),
        ),
        ("user", plain().basic_auth("alice", Some(&token))),
        ("user", plain().basic_auth(&token, None::<&str>)),
    ];
    for (place, request) in requests {
        let case = format!("{place} {request:?}");
        assert_nobody(&Browser::new().send(request).await, &case);
    }
    let posted = Browser::new().post(&url, &form).await;
    assert_eq!((posted.status, posted.header("allow")), (405, "GET"));
    assert_eq!(get(&server, "/endpoint1", &token).await.status, 200);
}

// check 124
#[tokio::test]
async fn another_spelling_of_the_path_is_no_way_around_the_guard() {
    let server = server().await;
    for line in [
        "GET /endpoint1",
        "GET /endpoint1?",
        "GET /endpoint1?/endpoint3",
        "GET //endpoint1",
        "GET /endpoint1/",
        "GET /endpoint1//",
        "GET /ENDPOINT1",
        "GET /%65ndpoint1",
        "GET /%2Fendpoint1",
        "GET /endpoint1%2F",
        "GET /endpoint1%00",
        "GET /endpoint1%20",
        "GET /endpoint1;x",
        "GET /endpoint1.json",
        "GET /endpoint1/../endpoint1",
        "GET /x/../endpoint1",
        "GET /endpoint3/../endpoint1",
        "GET /./endpoint1",
        "GET /docs/../endpoint1",
        "GET /docs/..%2Fendpoint1",
        "GET \\endpoint1",
        "GET endpoint1",
        "GET http://evil.example/endpoint1",
        "HEAD /endpoint1",
        "POST /endpoint1",
        "OPTIONS /endpoint1",
        "OPTIONS *",
        "get /endpoint1",
        "TRACE /endpoint1",
        "CONNECT /endpoint1",
    ] {
        let request = format!(
            "{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nX-HTTP-Method-Override: GET\r\n\
             X-Original-URL: /endpoint3\r\nX-Forwarded-Prefix: /endpoint3\r\n\r\n"
        );
        let answer = raw::send(server.addr, request).await;
        let status = raw::status(&answer);
        assert!(matches!(status, 400 | 401 | 404 | 405), "{line}: {answer}");
        assert!(!answer.contains("Hello"), "{line}: {answer}");
    }
    let open = "GET /endpoint3 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    let open = raw::send(server.addr, open).await;
    assert!(
        open.contains("Hello from the unprotected endpoint 3"),
        "{open}"
    );
}

/// A handler for which the token is optional.
async fn optional(guard: Option<AnyOf<{ SOME | THIRD }>>) -> String {
    guard.map_or_else(|| "nobody".into(), |AnyOf(claims)| claims.sub)
}

// check 116
#[tokio::test]
async fn an_optional_token_may_be_missing_but_not_invalid() {
    let app = |tokens: Tokens| {
        let public_url = tokens.public_url().clone();
        let routes = Router::new().route("/optional", axum::routing::get(optional));
        common::server::protect(routes.with_state(tokens), &public_url)
    };
    let server = testing::start(app, &[("JWT_SECRET", forge::SECRET)]).await;
    let token = |scope: &str| {
        sign(
            HEADER,
            with(claims(&server), "scope", json!(scope)).to_string(),
        )
    };
    let none: [&str; 0] = [];
    let nobody = present(&server, "/optional", &none).await;
    assert_eq!((nobody.status, &*nobody.body), (200, "nobody"));
    for scope in ["some.scope", "third.scope"] {
        let user = get(&server, "/optional", &token(scope)).await;
        assert_eq!((user.status, &*user.body), (200, "alice"));
    }
    for (status, token) in [(403, token("other.scope")), (401, "forged".into())] {
        assert_eq!(get(&server, "/optional", &token).await.status, status);
    }
    let two = ["Bearer x", "Bearer y"];
    assert_eq!(present(&server, "/optional", &two).await.status, 400);
}
