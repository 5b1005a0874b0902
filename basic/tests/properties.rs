//! Whatever comes in: the answer that a browser brings back, and bytes that are not a request, at
//! the server and at its demo provider.

use proptest::prelude::*;
use reqwest::Url;
use testing::{
    Browser,
    program::Program,
    rubbish::{answer_to, config, is_answered, status, text},
};

const PATHS: &[&str] = &["/", "/login", "/auth", "/style.css", "/nowhere"];

// check 147
#[test]
fn whatever_is_sent_is_answered_and_nothing_breaks() {
    let program = Program::start(env!("CARGO_BIN_EXE_basic"), &[]);
    let addr = program.addr();
    is_answered(program, addr, PATHS);
}

const DEMO_PATHS: &[&str] = &[
    "/",
    "/oauth2/authorize",
    "/api/oauth2/token",
    "/api/oauth2/token/revoke",
    "/api/users/@me",
    "/oauth2/authorize?response_type=code&client_id=demo",
    "/nowhere",
];

// check 147
#[tokio::test]
async fn the_demo_provider_answers_whatever_it_is_sent() {
    let program = Program::start(env!("CARGO_BIN_EXE_basic"), &[]);
    let login = Browser::new().get(program.join("/login")).await;
    let port = Url::parse(login.location())
        .expect("a URL")
        .port()
        .expect("a port");
    let addr = ([127, 0, 0, 1], port).into();
    is_answered(program, addr, DEMO_PATHS);
}

const IN_AN_ANSWER: &[&str] = &[
    "code=",
    "state=",
    "error=",
    "iss=",
    "access_denied",
    "server_error",
    "abc",
    "&",
    "&",
    "=",
    "%",
    "%00",
    "%0d%0a",
    "%ff",
    "%C3%A9",
    "+",
    "scope=",
    "a",
    ";",
    "?",
    "/",
];

// checks 15, 16, 27
#[tokio::test]
async fn an_answer_without_the_state_of_this_browser_is_400_whatever_else_it_says() {
    let program = Program::start(env!("CARGO_BIN_EXE_basic"), &[]);
    let mut browser = Browser::new();
    browser.get(program.join("/login")).await;
    let ((_, name), value) = browser.cookies.pop_first().expect("the login's cookie");
    let addr = program.addr();
    proptest!(config(), |(answer in text(IN_AN_ANSWER))| {
        let answer: String = answer.chars().filter(|c| c.is_ascii_graphic() && *c != '#').collect();
        let cookie = format!("Host: 127.0.0.1\r\nCookie: {name}={value}");
        let request = format!("GET /auth?{answer} HTTP/1.1\r\n{cookie}\r\n\r\n");
        let head = answer_to(addr, request.as_bytes());
        prop_assert_eq!(status(&head), 400, "{}", head);
    });
}
