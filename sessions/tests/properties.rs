//! Whatever comes in: the path after a login, cookies, and bytes that are not a request.

use common::settings::PublicUrl;
use proptest::prelude::*;
use sessions::login::own_path;
use testing::{
    program::Program,
    rubbish::{answer_to, config, header_value, is_answered, status, text},
};
use url::Url;

const IN_A_PATH: &[&str] = &[
    "/",
    "/",
    "//",
    "\\",
    "/\\",
    "\t",
    "\n",
    "\r",
    " ",
    "\0",
    ".",
    "..",
    "/./",
    "/../",
    "/.//",
    "%2e",
    "%2E%2e",
    "%2f",
    "%5c",
    "%09",
    "@",
    ":",
    "?",
    "#",
    ";",
    "https:",
    "https://",
    "http:",
    "javascript:",
    "other.example",
    "user@",
    "127.0.0.1",
    "5000",
    "app.example.com",
    "[::1]",
    "é",
    "\u{3000}",
    "\u{ff0f}",
    "a",
];

/// What browsers make of a redirect before they parse it (URL Standard, section 4.4): they remove
/// invisible characters and treat `\` as `/`.
fn as_browsers_read(location: &str) -> String {
    let trimmed = location.trim_matches(|c| c <= ' ');
    trimmed
        .chars()
        .filter(|c| !matches!(c, '\t' | '\n' | '\r'))
        .collect::<String>()
        .replace('\\', "/")
}

// check 13
#[test]
fn a_login_never_ends_on_another_site_whatever_next_says() {
    let origins = [
        "https://app.example.com",
        "http://127.0.0.1:5000",
        "http://localhost",
    ];
    let origins = origins.map(|origin| (origin, origin.parse::<PublicUrl>().expect("an origin")));
    proptest!(config(), |(rest in text(IN_A_PATH), slash in any::<bool>())| {
        let next = if slash { format!("/{rest}") } else { rest };
        for (origin, own) in &origins {
            let Some(path) = own_path(own, &next) else { continue };
            prop_assert!(path.bytes().all(|byte| matches!(byte, b'!'..=b'~')), "{:?}", path);
            let read = as_browsers_read(&path);
            prop_assert!(read.starts_with('/') && !read.starts_with("//"), "{:?}", path);
            let page = Url::parse(&format!("{origin}/auth")).expect("our own page");
            let end = page.join(&path).expect("a URL");
            prop_assert_eq!(end.origin(), page.origin());
            prop_assert_eq!(own_path(own, &path), Some(path), "what is safe stays as it is");
        }
    });
}

const PATHS: &[&str] = &[
    "/",
    "/login",
    "/auth",
    "/users/me",
    "/privileged",
    "/logout",
    "/style.css",
    "/nowhere",
];

// check 147
#[test]
fn whatever_is_sent_is_answered_and_nothing_breaks() {
    let program = Program::start(env!("CARGO_BIN_EXE_sessions"), &[]);
    let addr = program.addr();
    is_answered(program, addr, PATHS);
}

const IN_COOKIES: &[&str] = &[
    "session=",
    "token=",
    "login_a=",
    "; ",
    ";",
    "=",
    "%",
    "%00",
    "%ff",
    "\"",
    ",",
    "e30",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "eyJwdXJwb3NlIjoic2Vzc2lvbiJ9",
    "é",
];

// checks 25, 69
#[test]
fn cookies_that_the_server_did_not_write_grant_no_access() {
    let program = Program::start(env!("CARGO_BIN_EXE_sessions"), &[]);
    let addr = program.addr();
    proptest!(config(), |(cookies in header_value(IN_COOKIES))| {
        let paths = [("/privileged", 401), ("/users/me", 401), ("/auth?state=a&code=b", 400)];
        for (path, expected) in paths {
            let start = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: ");
            let head = answer_to(addr, &[start.as_bytes(), &cookies, b"\r\n\r\n"].concat());
            prop_assert_eq!(status(&head), expected, "{}", head);
        }
    });
    let said = program.stop();
    assert!(!said.contains("panicked"), "{said}");
}
