//! Malformed requests, and requests that ask for more than their path.

use std::{
    convert::Infallible,
    io::{Read, Write},
    net::TcpStream,
};

use axum::{Router, middleware::from_fn, routing::get};
use common::{
    error::oauth_endpoint,
    server::{Server, protect},
    settings::{FromSettings, PublicUrl, Setting, Settings},
};
use testing::{Browser, start, url};
use tokio::task::spawn_blocking;

/// Sends these bytes; returns what comes until the server closes.
async fn send(server: &Server, bytes: impl Into<Vec<u8>>) -> String {
    let (addr, bytes) = (server.addr, bytes.into());
    let exchange = move || {
        let mut stream = TcpStream::connect(addr).expect("a connection");
        let mut answer = Vec::new();
        // A server that has heard enough closes while this is still sending.
        let _ = stream.write_all(&bytes);
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    spawn_blocking(exchange).await.expect("no panic")
}

// check 147
#[tokio::test]
async fn a_broken_or_oversized_head_is_refused_and_the_server_survives() {
    let server = start(basic::app, &[]).await;
    let long = "a".repeat(64 * 1024);
    for (bytes, status) in [
        ("GET\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/9.9\r\n\r\n".to_owned(), 400),
        (
            "GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n".to_owned(),
            400,
        ),
        (
            "GET /\u{1} HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
            400,
        ),
        (
            "GET / HTTP/1.1\r\nHost: localhost\r\nX: \u{0}\r\n\r\n".to_owned(),
            400,
        ),
        (
            "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n".to_owned(),
            400,
        ),
        (
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na".to_owned(),
            400,
        ),
        (
            format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            431,
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {long}\r\n\r\n"),
            431,
        ),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
                "X: a\r\n".repeat(200)
            ),
            431,
        ),
    ] {
        let answer = send(&server, bytes.clone()).await;
        let start = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&start), "{bytes:.60}: {answer:.60}");
        assert_eq!(
            Browser::new().get(url(&server, "/login")).await.status,
            303,
            "{bytes:.60}"
        );
    }
}

/// An app that has nothing to set.
struct Nothing;

impl FromSettings for Nothing {
    const SETTINGS: &'static [&'static [Setting]] = &[];

    async fn from_settings(_: &mut Settings) -> Option<Self> {
        Some(Self)
    }
}

fn here() -> PublicUrl {
    "http://localhost".parse().expect("an origin")
}

// checks 147, 149
#[tokio::test]
async fn a_panic_in_a_handler_is_a_500_without_details_and_the_server_survives() {
    let panics = async || -> Result<(), Infallible> { panic!("with the words of the insides") };
    let app = |Nothing| {
        let routes = Router::new()
            .route("/panics", get(panics))
            .route("/", get(async || "well"));
        protect(routes, &here())
    };
    let server = start(app, &[]).await;
    let mut browser = Browser::new();
    for _ in 0..3 {
        let json = browser.get(url(&server, "/panics")).await;
        assert_eq!(json.status, 500);
        assert_eq!(
            json.json()["detail"],
            "unexpected error; see the log for details"
        );
        assert_eq!(json.header("x-content-type-options"), "nosniff");
        let page = browser.visit(url(&server, "/panics")).await;
        assert_eq!(
            (page.status, page.header("content-type")),
            (500, "text/html; charset=utf-8")
        );
        assert!(!page.body.contains("insides") && !json.body.contains("insides"));
        assert_eq!(browser.get(url(&server, "/")).await.body, "well");
    }
}

#[tokio::test]
async fn a_request_for_a_whole_url_does_not_choose_where_a_login_goes() {
    let server = start(basic::app, &[]).await;
    let (own, port) = (server.public_url.to_string(), server.addr.port());
    for (target, host) in [
        ("http://evil.example/login", format!("localhost:{port}")),
        (
            "http://evil.example/login?next=//evil.example",
            format!("localhost:{port}"),
        ),
        ("https://evil.example:1/login", "127.0.0.2".to_owned()),
    ] {
        let answer = send(
            &server,
            format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
        )
        .await;
        let location = answer
            .lines()
            .find_map(|line| line.strip_prefix("location: "));
        let location = location.unwrap_or_else(|| panic!("{target}: {answer}"));
        let path = &target[target.find("/login").expect("a path")..];
        assert_eq!(location, format!("{own}{path}"), "{target}");
    }
}

#[tokio::test]
async fn a_second_request_hidden_in_the_first_is_not_answered() {
    let server = start(basic::app, &[]).await;
    let hidden = "GET /login HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let last = "GET /style.css HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let length = format!("Content-Length: {}", hidden.len());
    // A reader of the length and a reader of the chunks would see different requests.
    for (headers, statuses) in [
        (
            format!("{length}\r\nTransfer-Encoding: chunked\r\n\r\n0"),
            &["405"][..],
        ),
        (
            format!("Transfer-Encoding: chunked\r\n{length}\r\n\r\n0"),
            &["405"],
        ),
        (
            format!("Transfer-Encoding: chunked, x\r\n{length}"),
            &["400"],
        ),
        (
            format!("Transfer-Encoding: x, chunked\r\n{length}"),
            &["405"],
        ),
        (format!("Transfer-Encoding : chunked\r\n{length}"), &["400"]),
        (
            format!("Transfer-Encoding: \u{b}chunked\r\n{length}"),
            &["400"],
        ),
        (length.replace(": ", ": +"), &["400"]),
        (format!("{length}, {}", hidden.len()), &["400"]),
        (format!("X: a\r\n b\r\n{length}"), &["400"]),
        (length.replace(": ", ": 0"), &["405", "200"]),
        (length, &["405", "200"]),
    ] {
        let bytes =
            format!("POST / HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n{hidden}{last}");
        let answer = send(&server, bytes).await;
        assert!(!answer.contains("login_"), "{headers}: {answer}");
        let answers = answer.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]);
        assert_eq!(answers.collect::<Vec<_>>(), statuses, "{headers}: {answer}");
    }
}

// check 44
#[tokio::test]
async fn a_request_that_waits_too_long_for_another_server_is_504() {
    // A handler that takes longer than any request may; the two steps of a login can, together.
    let never = async || std::future::pending::<()>().await;
    let app = |Nothing| {
        let token = get(never).layer(from_fn(oauth_endpoint));
        let routes = Router::new().route("/", get(never)).route("/token", token);
        protect(routes, &here())
    };
    let server = start(app, &[]).await;
    let (mut program, mut person) = (Browser::new(), Browser::new());
    let (answer, token) = tokio::join!(
        program.get(url(&server, "/")),
        person.visit(url(&server, "/token"))
    );
    assert_eq!(answer.status, 504, "{}", answer.body);
    assert_eq!(
        answer.json()["detail"],
        "this took too long; please try again"
    );
    assert_eq!(
        (token.status, &token.json()["error"]),
        (504, &"server_error".into())
    );
}
