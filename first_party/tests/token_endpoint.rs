//! `/login` and `/token`: the form, and what the password grant takes and refuses.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
    thread,
};

use common::server::Server;
use reqwest::Method;
use serde_json::json;
use testing::{Answer, Browser, start};

#[path = "support/raw.rs"]
mod raw;
#[path = "support/user.rs"]
mod user;

use user::{ask, token_with};

const FORM: &str = "application/x-www-form-urlencoded";

/// A user name and a password.
const ALICE: [(&str, &str); 2] = [("username", "alice"), ("password", "wonderland")];

async fn server() -> Server {
    start(first_party::app, &[]).await
}

/// `POST /token` with a body as it is.
async fn send(server: &Server, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
    let mut browser = Browser::new();
    let request = browser.request(Method::POST, server.public_url.join("/token"));
    browser
        .send(request.header("content-type", content_type).body(body))
        .await
}

/// The scopes of a token that was issued.
fn granted(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["scope"].as_str().expect("a text").to_owned()
}

/// Asserts an error in the form of RFC 6749, section 5.2, with this code.
fn assert_oauth_error(answer: &Answer, status: u16, error: &str, case: &str) {
    assert_eq!(answer.status, status, "{case}: {answer:?}");
    let body = answer.json();
    assert_eq!(body["error"], error, "{case}: {body}");
    let names: BTreeSet<_> = body.as_object().expect("an object").keys().collect();
    assert_eq!(
        names,
        BTreeSet::from([&"error".into(), &"error_description".into()]),
        "{case}"
    );
    let description = body["error_description"].as_str().expect("a text");
    let allowed = |char| matches!(char, ' '..='!' | '#'..='[' | ']'..='~');
    assert!(
        !description.is_empty() && description.chars().all(allowed),
        "{case}: {body}"
    );
    assert_eq!(answer.header("cache-control"), "no-store", "{case}");
    assert_eq!(answer.header("pragma"), "no-cache", "{case}");
    assert_eq!(answer.header("access-control-allow-origin"), "", "{case}");
}

// check 82
#[tokio::test]
async fn the_form_asks_for_a_name_a_password_and_scopes() {
    let page = Browser::new()
        .get(server().await.public_url.join("/login"))
        .await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    assert!(
        page.body
            .contains(r#"<form method="post" action="/token">"#),
        "{}",
        page.body
    );
    assert_eq!(
        page.hidden_fields(),
        [("grant_type".into(), "password".into())]
    );
    for name in ["username", "password"] {
        assert!(
            page.body.contains(&format!(r#"<label for="{name}">"#)),
            "{}",
            page.body
        );
        assert!(
            page.body
                .contains(&format!(r#"<input id="{name}" name="{name}" "#)),
            "{name}"
        );
    }
    assert!(page.body.contains(r#"type="password""#), "{}", page.body);
    assert!(
        page.body.contains(r#"autocomplete="username""#),
        "{}",
        page.body
    );
    assert!(
        page.body.contains(r#"autocomplete="current-password""#),
        "{}",
        page.body
    );
    for (scope, checked) in [
        ("some.scope", " checked"),
        ("other.scope", ""),
        ("third.scope", ""),
    ] {
        let checkbox = format!(r#"<input type="checkbox" name="scope" value="{scope}"{checked}>"#);
        assert!(page.body.contains(&checkbox), "{checkbox}: {}", page.body);
    }
    assert!(
        page.body
            .contains("Can access both endpoint1 and endpoint2"),
        "{}",
        page.body
    );
}

// check 83
#[tokio::test]
async fn the_form_cannot_be_framed_or_sent_elsewhere() {
    let page = Browser::new()
        .get(server().await.public_url.join("/login"))
        .await;
    let policy: BTreeSet<_> = page
        .header("content-security-policy")
        .split(';')
        .map(str::trim)
        .collect();
    for directive in [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
        "base-uri 'none'",
        "style-src 'self'",
    ] {
        assert!(policy.contains(directive), "{policy:?}");
    }
    assert!(
        !policy
            .iter()
            .any(|directive| directive.starts_with("script-src")),
        "{policy:?}"
    );
    assert_eq!(page.header("x-frame-options"), "DENY");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("referrer-policy"), "same-origin");
    assert_eq!(page.header("cache-control"), "no-store");
}

// check 84
#[tokio::test]
async fn nothing_of_the_query_appears_in_the_form() {
    let server = server().await;
    let plain = Browser::new()
        .get(server.public_url.join("/login"))
        .await
        .body;
    for query in [
        "username=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&error=%3Cb%3E",
        "password=secret&scope=third.scope&grant_type=magic",
        "next=https://evil.example&state=%3Cb%3E",
        "%zz=%ff",
    ] {
        let page = Browser::new()
            .get(server.public_url.join(&format!("/login?{query}")))
            .await;
        assert!(
            page.status == 400 || page.status == 200 && page.body == plain,
            "{query}: {page:?}"
        );
        assert!(
            !page.body.contains("evil") && !page.body.contains("<script"),
            "{query}"
        );
    }
}

// check 85
#[tokio::test]
async fn the_form_grants_the_scopes_whose_boxes_are_checked() {
    let server = server().await;
    let cases: [(&[&str], &str); 3] = [
        (&["some.scope"], "some.scope"),
        (
            &["some.scope", "other.scope", "third.scope"],
            "some.scope other.scope third.scope",
        ),
        (&[], ""),
    ];
    for (boxes, expected) in cases {
        let mut form = vec![("grant_type", "password"), ALICE[0], ALICE[1]];
        form.extend(boxes.iter().map(|scope| ("scope", *scope)));
        let answer = ask(&server, &form).await;
        assert_eq!(granted(&answer), expected);

        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        for (path, scopes) in [
            ("/endpoint1", ["some.scope", "third.scope"]),
            ("/endpoint2", ["other.scope", "third.scope"]),
        ] {
            let mut browser = Browser::new();
            let request = browser.request(Method::GET, server.public_url.join(path));
            let status = browser.send(request.bearer_auth(&token)).await.status;
            let opens = scopes.iter().any(|scope| boxes.contains(scope));
            assert_eq!(status, if opens { 200 } else { 403 }, "{path} {boxes:?}");
        }
    }
}

// checks 86, 87
#[tokio::test]
async fn a_name_and_a_password_get_a_token_that_nobody_may_store() {
    let server = server().await;
    let form = [
        ("grant_type", "password"),
        ALICE[0],
        ALICE[1],
        ("scope", "some.scope"),
    ];
    let answer = ask(&server, &form).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "application/json")
    );
    let body = answer.json();
    let names: BTreeSet<_> = body
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        names,
        BTreeSet::from(["access_token", "token_type", "expires_in", "scope"])
    );
    assert_eq!(body["token_type"], "bearer");
    assert_eq!(body["expires_in"], 1800);
    assert_eq!(body["scope"], "some.scope");
    assert_eq!(body["access_token"].as_str().unwrap().split('.').count(), 3);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("pragma"), "no-cache");
    assert_eq!(answer.header("set-cookie"), "");
}

// check 88
#[tokio::test]
async fn another_grant_type_is_unsupported_and_none_means_password() {
    let server = server().await;
    for grant_type in [
        "PASSWORD",
        "Password",
        "magic",
        "token",
        "implicit",
        "client_credentials",
        "authorization_code",
        "refresh_token",
        "password password",
        " password",
        "password ",
    ] {
        let answer = ask(&server, &[("grant_type", grant_type), ALICE[0], ALICE[1]]).await;
        assert_oauth_error(&answer, 400, "unsupported_grant_type", grant_type);
    }
    assert_eq!(granted(&ask(&server, &ALICE).await), "");
    assert_eq!(
        granted(&ask(&server, &[("grant_type", ""), ALICE[0], ALICE[1]]).await),
        ""
    );
}

// check 89
#[tokio::test]
async fn a_name_or_a_password_that_is_missing_or_empty_is_invalid_request() {
    let server = server().await;
    let cases: [&[(&str, &str)]; 7] = [
        &[],
        &[ALICE[0]],
        &[ALICE[1]],
        &[("username", ""), ALICE[1]],
        &[ALICE[0], ("password", "")],
        &[("username", ""), ("password", "")],
        &[("Username", "alice"), ("PASSWORD", "wonderland")],
    ];
    for form in cases {
        let answer = ask(&server, form).await;
        assert_oauth_error(&answer, 400, "invalid_request", &format!("{form:?}"));
    }
    assert_oauth_error(
        &send(&server, FORM, "").await,
        400,
        "invalid_request",
        "no body",
    );
    assert_oauth_error(
        &send(&server, FORM, "&&=&").await,
        400,
        "invalid_request",
        "nothing",
    );
}

// check 92
#[tokio::test]
async fn a_scope_that_does_not_exist_is_invalid_scope() {
    let server = server().await;
    for scope in [
        "Some.Scope",
        "SOME.SCOPE",
        "some",
        "some.scope2",
        "xsome.scope",
        "some.scope admin",
        "admin some.scope",
        "some.scope,other.scope",
        "\"some.scope\"",
        "some.scope\\",
        "some.scope\u{a0}other.scope",
        "*",
        "é",
    ] {
        let answer = ask(&server, &[ALICE[0], ALICE[1], ("scope", scope)]).await;
        assert_oauth_error(&answer, 400, "invalid_scope", scope);
    }
    let repeated = [
        ALICE[0],
        ALICE[1],
        ("scope", "some.scope"),
        ("scope", "admin"),
    ];
    assert_oauth_error(
        &ask(&server, &repeated).await,
        400,
        "invalid_scope",
        "the second",
    );
    for scope in [
        "some.scope%00",
        "some.scope%09other.scope",
        "some.scope%0Aother.scope",
        "%7F",
    ] {
        let body = format!("username=alice&password=wonderland&scope={scope}");
        let answer = send(&server, FORM, body).await;
        let error = answer.json()["error"].clone();
        assert!(
            error == "invalid_scope" || error == "invalid_request",
            "{scope}: {error}"
        );
        assert_oauth_error(&answer, 400, error.as_str().unwrap(), scope);
    }
}

// checks 85, 93
#[tokio::test]
async fn each_scope_is_granted_once_and_none_never_means_all() {
    let server = server().await;
    for (scopes, expected) in [
        ("", ""),
        ("&scope=", ""),
        ("&scope=+", ""),
        ("&scope=&scope=", ""),
        ("&scope=some.scope+some.scope", "some.scope"),
        (
            "&scope=++some.scope+++other.scope+",
            "some.scope other.scope",
        ),
        ("&scope=some.scope%20other.scope", "some.scope other.scope"),
        ("&scope=some.scope&scope=some.scope", "some.scope"),
        ("&scope=&scope=third.scope", "third.scope"),
        (
            "&scope=other.scope&scope=some.scope+third.scope",
            "some.scope other.scope third.scope",
        ),
    ] {
        let body = format!("username=alice&password=wonderland{scopes}");
        assert_eq!(
            granted(&send(&server, FORM, body).await),
            expected,
            "{scopes}"
        );
    }
}

// check 95
#[tokio::test]
async fn a_parameter_given_twice_is_invalid_request() {
    let server = server().await;
    let whole =
        "grant_type=password&username=alice&password=wonderland&client_id=a&client_secret=b";
    assert_eq!(granted(&send(&server, FORM, whole).await), "");
    for again in [
        "grant_type=password",
        "username=alice",
        "username=bob",
        "username=",
        "user%6eame=bob",
        "password=wonderland",
        "client_id=a",
        "client_secret=b",
        "unknown=1&unknown=1",
    ] {
        for body in [format!("{whole}&{again}"), format!("{again}&{whole}")] {
            let answer = send(&server, FORM, body).await;
            assert_oauth_error(&answer, 400, "invalid_request", again);
        }
    }
}

// check 96
#[tokio::test]
async fn unknown_parameters_are_ignored() {
    let form = [
        ALICE[0],
        ALICE[1],
        ("audience", "x"),
        ("__proto__", "y"),
        ("", "z"),
    ];
    let answer = ask(&server().await, &form).await;
    assert_eq!(granted(&answer), "");
}

// check 97
#[tokio::test]
async fn credentials_in_the_query_do_not_count() {
    let server = server().await;
    let query = "grant_type=password&username=alice&password=wonderland&scope=third.scope";
    let url = server.public_url.join(&format!("/token?{query}"));
    let answer = Browser::new().post(&url, &[]).await;
    assert_oauth_error(&answer, 400, "invalid_request", "no form");
    let beside = Browser::new().post(&url, &ALICE).await;
    assert_eq!(
        granted(&beside),
        "",
        "the scope of the query is not the form's"
    );
}

// checks 97, 104
#[tokio::test]
async fn only_post_gets_a_token_and_everybody_gets_json() {
    let server = server().await;
    for query in [
        "",
        "?grant_type=password&username=alice&password=wonderland",
    ] {
        for accept in [
            "application/json",
            "text/html",
            "text/html,*/*;q=0.1",
            "*/*",
        ] {
            let request = format!(
                "GET /token{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
            );
            let answer = raw::send(server.addr, request).await;
            assert_eq!(raw::status(&answer), 405, "{accept}: {answer}");
            let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
            let head = head.to_ascii_lowercase();
            for line in [
                "allow: post",
                "content-type: application/json",
                "cache-control: no-store",
            ] {
                assert!(
                    head.lines().any(|header| header == line),
                    "{accept}: {head}"
                );
            }
            assert!(
                body.starts_with(r#"{"error":"invalid_request""#),
                "{accept}: {body}"
            );
        }
    }
    for (form, expected) in [
        ("username=alice&password=wonderland", 200),
        ("username=alice", 400),
    ] {
        let request = format!(
            "POST /token HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/html\r\nConnection: close\r\n\
             Content-Type: {FORM}\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        let answer = raw::send(server.addr, request).await;
        assert_eq!(raw::status(&answer), expected, "{answer}");
        assert!(
            answer.contains("content-type: application/json\r\n"),
            "{answer}"
        );
    }
}

// check 98
#[tokio::test]
async fn a_body_that_is_not_a_form_gets_an_oauth_error() {
    let server = server().await;
    let form = "username=alice&password=wonderland";
    let object = json!({ "username": "alice", "password": "wonderland" }).to_string();
    let multipart =
        "--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nalice\r\n--x--\r\n";
    for (content_type, body) in [
        ("application/json", &*object),
        ("application/json", form),
        (FORM, &*object),
        ("multipart/form-data; boundary=x", multipart),
        ("text/plain", form),
        ("application/x-www-form-urlencodedx", form),
        ("x; application/x-www-form-urlencoded", form),
        ("", form),
    ] {
        let answer = send(&server, content_type, body.to_owned()).await;
        assert!(
            matches!(answer.status, 400 | 415),
            "{content_type}: {answer:?}"
        );
        assert_oauth_error(&answer, answer.status, "invalid_request", content_type);
    }
    let mut browser = Browser::new();
    let request = browser.request(Method::POST, server.public_url.join("/token"));
    let answer = browser.send(request.body(form)).await;
    assert!(matches!(answer.status, 400 | 415), "{answer:?}");
    assert_oauth_error(&answer, answer.status, "invalid_request", "no content type");
}

// check 99
#[tokio::test]
async fn the_content_type_is_read_without_regard_to_case_and_parameters() {
    let server = server().await;
    for content_type in [
        "Application/X-WWW-Form-Urlencoded; charset=UTF-8",
        "APPLICATION/X-WWW-FORM-URLENCODED",
        "application/x-www-form-urlencoded;charset=utf-8",
        "application/x-www-form-urlencoded ; charset=utf-8",
    ] {
        let answer = send(&server, content_type, "username=alice&password=wonderland").await;
        assert_eq!(granted(&answer), "", "{content_type}");
    }
}

// check 100
#[tokio::test]
async fn malformed_text_is_refused_and_not_repaired() {
    let server = server().await;
    for value in [
        "%ff",
        "%fe",
        "%C3",
        "%C0%80",
        "%ED%A0%80",
        "%zz",
        "%",
        "%f",
        "100%",
        "%+1",
        "%00",
        "a%00b",
        "%0A",
        "%0d%0aSet-Cookie:x=1",
        "%C2%85",
        "%7F",
    ] {
        for body in [
            format!("username={value}&password=wonderland"),
            format!("username=alice&password={value}"),
            format!("username=alice&password=wonderland&client_id={value}"),
            format!("username=alice&password=wonderland&{value}=x"),
        ] {
            let answer = send(&server, FORM, body.clone()).await;
            assert_oauth_error(&answer, 400, "invalid_request", &body);
            assert_eq!(answer.header("set-cookie"), "", "{body}");
        }
    }
    let bytes = b"username=\xff&password=wonderland".to_vec();
    assert_oauth_error(
        &send(&server, FORM, bytes).await,
        400,
        "invalid_request",
        "bytes",
    );
    for name in ["%F0%9F%A6%80", "%C3%A9", "a+b%2B", "caf\u{e9}"] {
        let body = format!("username={name}&password=+wonder+%E2%82%AC+");
        assert_eq!(granted(&send(&server, FORM, body).await), "", "{name}");
    }
}

// check 102
#[tokio::test]
async fn a_body_that_is_too_large_is_413_in_json() {
    let server = server().await;
    for size in [70_000, 1_000_000, 3_000_000] {
        let form = format!("username=alice&password={}", "x".repeat(size));
        let request = format!(
            "POST /token HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/html\r\nContent-Type: {FORM}\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        let answer = raw::send(server.addr, request).await;
        assert_eq!(raw::status(&answer), 413, "{size}: {answer}");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.contains("content-type: application/json"), "{head}");
        assert!(head.contains("cache-control: no-store"), "{head}");
        assert!(body.starts_with(r#"{"error":"invalid_request""#), "{body}");

        let chunk = format!("{size:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(size));
        let request = format!(
            "POST /token HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {FORM}\r\nConnection: close\r\n\
             Transfer-Encoding: chunked\r\n\r\n{chunk}"
        );
        let answer = raw::send(server.addr, request).await;
        assert_eq!(raw::status(&answer), 413, "chunked {size}: {answer}");
    }
    // Just below the limit it is an ordinary password.
    let password = "x".repeat(60_000);
    let answer = ask(&server, &[ALICE[0], ("password", &password)]).await;
    assert_eq!(granted(&answer), "");
}

// check 105
#[tokio::test]
async fn a_name_is_safely_encoded_or_refused() {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

    let server = server().await;
    for name in [
        "<script>alert(1)</script>",
        "\"},\"sub\":\"root\"",
        "\\",
        "é🦀",
        "{{7*7}}",
        " ",
    ] {
        let answer = ask(&server, &[("username", name), ALICE[1]]).await;
        assert_eq!(granted(&answer), "", "{name}");
        assert!(!answer.body.contains("<script"), "{}", answer.body);
        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        let payload = BASE64_URL_SAFE_NO_PAD
            .decode(token.split('.').nth(1).unwrap())
            .unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(claims["sub"], name);
    }
    for (length, status) in [(255, 200), (256, 400), (4096, 400)] {
        let long = "a".repeat(length);
        assert_eq!(
            ask(&server, &[("username", &long), ALICE[1]]).await.status,
            status
        );
        let form = [ALICE[0], ALICE[1], ("client_id", &*long)];
        assert_eq!(
            ask(&server, &form).await.status,
            status,
            "client_id of {length}"
        );
    }
    for name in ["alice%0D%0ASet-Cookie:%20x=1", "alice%0Aroot"] {
        let body = format!("username={name}&password=wonderland");
        let answer = send(&server, FORM, body).await;
        assert_oauth_error(&answer, 400, "invalid_request", name);
        assert_eq!(answer.header("set-cookie"), "");
    }
}

// check 106
#[tokio::test]
async fn no_other_site_may_read_the_answers() {
    let server = server().await;
    let url = server.public_url.join("/token");
    let cross = |method| {
        let request = Browser::new()
            .request(method, &url)
            .header("origin", "https://evil.example");
        request.header("access-control-request-method", "POST")
    };
    let preflight = Browser::new().send(cross(Method::OPTIONS)).await;
    assert_eq!((preflight.status, preflight.header("allow")), (405, "POST"));
    let posted = Browser::new().send(cross(Method::POST).form(&ALICE)).await;
    for answer in [preflight, posted] {
        let cors =
            |name: &&reqwest::header::HeaderName| name.as_str().starts_with("access-control-");
        assert_eq!(answer.headers.keys().find(cors), None);
    }
}

// check 141
#[tokio::test]
async fn the_empty_client_authentication_of_swagger_is_ignored() {
    let server = server().await;
    for value in ["Basic Og==", "Basic YTpi", "Bearer x", "nonsense"] {
        let mut browser = Browser::new();
        let request = browser.request(Method::POST, server.public_url.join("/token"));
        let request = request.header("authorization", value).form(&[
            ("grant_type", "password"),
            ("scope", "some.scope other.scope"),
            ALICE[0],
            ALICE[1],
        ]);
        let answer = browser.send(request).await;
        assert_eq!(granted(&answer), "some.scope other.scope", "{value}");
    }
}

// checks 97, 145
#[tokio::test]
async fn no_password_and_no_token_reaches_the_log() {
    let mut process = Command::new(env!("CARGO_BIN_EXE_first_party"))
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .env_clear()
        .envs([("BIND_ADDR", "127.0.0.1:0"), ("RUST_LOG", "trace")])
        .envs([("JWT_SECRET", "a-secret-that-must-not-be-logged-either")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the server");
    let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
    let mut log = String::new();
    let url = loop {
        let line = lines
            .next()
            .expect("a line that says where it listens")
            .expect("UTF-8");
        log += &line;
        if let Some((_, url)) = line.split_once("listening on ") {
            break url.trim().to_owned();
        }
    };
    let rest = thread::spawn(move || lines.map_while(Result::ok).collect::<String>());

    let form = [
        ALICE[0],
        ("password", "w0nderland"),
        ("scope", "some.scope"),
    ];
    let mut browser = Browser::new();
    let answer = browser.post(format!("{url}/token"), &form).await;
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    browser
        .post(
            format!("{url}/token?username=alice&password=w0nderland"),
            &[],
        )
        .await;
    browser
        .get(format!("{url}/token?username=alice&password=w0nderland"))
        .await;
    browser
        .get(format!("{url}/login?username=alice&password=w0nderland"))
        .await;
    browser
        .post(format!("{url}/token"), &[("password", "w0nderland")])
        .await;
    for (path, expected) in [("endpoint1", 200), ("endpoint2", 403)] {
        let request = browser.request(Method::GET, format!("{url}/{path}?access_token={token}"));
        assert_eq!(
            browser.send(request.bearer_auth(&token)).await.status,
            expected
        );
    }
    let request = browser.request(Method::GET, format!("{url}/endpoint1"));
    assert_eq!(
        browser
            .send(request.bearer_auth(format!("{token}x")))
            .await
            .status,
        401
    );

    process.kill().expect("a process");
    log += &rest.join().expect("no panic");
    process
        .stderr
        .take()
        .expect("a pipe")
        .read_to_string(&mut log)
        .expect("UTF-8");
    process.wait().expect("a process");
    assert!(
        log.contains("2/2 we sign a token for [some.scope]"),
        "{log}"
    );
    let signature = token.rsplit('.').next().unwrap();
    for secret in ["w0nderland", "must-not-be-logged", signature] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

// checks 88, 89, 92, 104
#[tokio::test]
async fn after_any_mistake_the_next_request_is_served() {
    let server = server().await;
    for form in [
        "grant_type=x",
        "username=%ff",
        "scope=x&username=a&password=b",
        "=",
    ] {
        assert_eq!(send(&server, FORM, form).await.status, 400, "{form}");
    }
    assert_eq!(
        token_with(&server, "third.scope").await.split('.').count(),
        3
    );
}
