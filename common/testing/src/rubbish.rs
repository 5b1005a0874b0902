//! Input that nobody would send: as strategies of `proptest`, and over a raw socket.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use proptest::{collection::vec, prelude::*, sample::select, test_runner::Config};
use socket2::SockRef;

use super::program::Program;

/// How many cases a property gets: the value of `PROPTEST_CASES`, or 256.
pub fn config() -> Config {
    Config {
        failure_persistence: None,
        ..Config::default()
    }
}

/// Text made of these pieces, which have a meaning where it is used, and of random characters.
pub fn text(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => select(pieces).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => (b'!'..=b'~').prop_map(|byte| char::from(byte).to_string()),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// The same with bytes that are not UTF-8.
pub fn bytes(pieces: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => select(pieces).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// The same, of those bytes that the value of a header may have (RFC 9110, section 5.5).
pub fn header_value(pieces: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let allowed = |byte: &u8| *byte == b'\t' || *byte >= b' ' && *byte != 0x7F;
    bytes(pieces).prop_map(move |bytes| bytes.into_iter().filter(allowed).collect())
}

/// A string with one change: a character replaced, added or removed.
pub fn changed(original: String) -> impl Strategy<Value = String> {
    let place = any::<proptest::sample::Index>();
    (place, 0..4, any::<char>(), b'!'..=b'~').prop_map(move |(place, change, any, ascii)| {
        let mut chars: Vec<char> = original.chars().collect();
        let place = place.index(chars.len());
        match change {
            0 => chars[place] = any,
            1 => chars[place] = ascii.into(),
            2 => chars.insert(place, ascii.into()),
            _ => drop(chars.remove(place)),
        }
        chars.into_iter().collect()
    })
}

const METHODS: &[&str] = &[
    "GET", "GET", "POST", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "get", "X",
];

const IN_A_URL: &[&str] = &[
    "?",
    "&",
    "=",
    "/",
    "//",
    "/../",
    "%",
    "%2f",
    "%00",
    "%0d%0a",
    "%ff",
    "+",
    ";",
    "#",
    "code",
    "state",
    "error",
    "access_denied",
    "next",
    "scope",
    "a=b",
    "\\",
    "http://other.example",
    "é",
];

const HEADERS: &[&str] = &[
    "Accept",
    "Authorization",
    "Cookie",
    "Content-Type",
    "Content-Type",
    "Host",
    "Origin",
    "Sec-Fetch-Site",
    "X-Forwarded-Host",
    "Expect",
    "Connection",
    "Upgrade",
    "Range",
    "If-Match",
    "Accept-Encoding",
    "Content-Length",
    "Transfer-Encoding",
    "A",
    "",
];

const IN_A_HEADER: &[&str] = &[
    "text/html",
    "application/json",
    "application/x-www-form-urlencoded",
    "*/*",
    ";q=",
    "0.9",
    ",",
    ";",
    "=",
    " ",
    "\t",
    "Bearer ",
    "Basic ",
    "Og==",
    "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiJ9.",
    ".",
    "session=",
    "token=",
    "login_a=",
    "localhost:",
    "127.0.0.1",
    "http://",
    "same-origin",
    "100-continue",
    "keep-alive",
    "upgrade",
    "\"",
    "%",
    "0",
    "-1",
    "chunked",
];

const IN_A_BODY: &[&str] = &[
    "username=",
    "password=",
    "scope=",
    "grant_type=",
    "client_id=",
    "response_type=token",
    "&",
    "a",
    "some.scope",
    "+",
    "%",
    "%00",
    "%ff",
    "=",
    "{\"a\":",
    "[",
    "5",
    "é",
];

/// A request for one of these paths in which anything may be wrong, or no request at all. What it
/// announces it also sends, as a server waits for the rest otherwise.
fn request(paths: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let target = (select(paths), text(IN_A_URL)).prop_map(|(path, rest)| {
        let rest: String = rest
            .chars()
            .filter(|c| !c.is_control() && *c != ' ')
            .collect();
        format!("{path}{rest}").into_bytes()
    });
    let header = (select(HEADERS), bytes(IN_A_HEADER))
        .prop_map(|(name, value)| [name.as_bytes(), b": ", &value, b"\r\n"].concat());
    let body = bytes(IN_A_BODY);
    let form = any::<bool>();
    let request = (select(METHODS), target, vec(header, 0..4), form, body).prop_map(
        |(method, target, headers, form, body)| {
            let form = if form {
                "Content-Type: application/x-www-form-urlencoded\r\n"
            } else {
                ""
            };
            let length = format!(
                "Host: 127.0.0.1\r\n{form}Content-Length: {}\r\n\r\n",
                body.len()
            );
            let start = [method.as_bytes(), b" ", &target, b" HTTP/1.1\r\n"].concat();
            [start, headers.concat(), length.into_bytes(), body].concat()
        },
    );
    let no_request =
        vec(any::<u8>(), 0..40).prop_map(|bytes| [b"x", &*bytes, b"\r\n\r\n"].concat());
    prop_oneof![7 => request, 1 => no_request]
}

/// Sends malformed requests to these paths of the program's server. Asserts that each is answered,
/// none with a 5xx, and that nothing has panicked in the end.
///
/// # Panics
/// With the smallest request for which that is not so.
pub fn is_answered(program: Program, addr: SocketAddr, paths: &'static [&'static str]) {
    proptest!(config(), |(request in request(paths))| {
        let head = answer_to(addr, &request);
        prop_assert!(status(&head) < 500, "{}", head);
    });
    let said = program.stop();
    assert!(!said.contains("panicked"), "{said}");
}

/// Sends these bytes over a new connection; returns the head of the answer.
///
/// # Panics
/// When there is no whole head of an answer in time.
pub fn answer_to(addr: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a limit");
    // Ends with a reset: the system remembers closed connections, and a million of them slow
    // everything down.
    SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .expect("a socket");
    // A server that has read enough answers and closes while this is still sending, so an error is
    // expected.
    let _ = stream.write_all(request);
    let (mut head, mut chunk) = (Vec::new(), [0; 4096]);
    let end = loop {
        let read = stream.read(&mut chunk).expect("an answer");
        assert_ne!(
            read,
            0,
            "an answer with a whole head: {:?}",
            String::from_utf8_lossy(&head)
        );
        head.extend_from_slice(&chunk[..read]);
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
    };
    String::from_utf8_lossy(&head[..end]).into_owned()
}

/// The status in the head of an answer.
///
/// # Panics
/// When there is none.
pub fn status(head: &str) -> u16 {
    let status = head
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3)?.parse().ok());
    status.unwrap_or_else(|| panic!("no status: {head}"))
}
