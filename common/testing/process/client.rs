//! The settings of a client: what is wrong with them is reported before anything is served.

use std::{fs, net::TcpListener};

use testing::{
    Browser, callback_at,
    program::{Program, command, problems, problems_of},
    provider::Provider,
};

use crate::{SERVER, SUCCESS, directory};

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const PUBLISHED: &str = "replace-me-with-the-output-of--openssl-rand-hex-32--and-keep-it-secret";
const CUSTOM: [(&str, &str); 5] = [
    ("AUTH_URL", "https://op.example/a"),
    ("TOKEN_URL", "https://op.example/t"),
    ("USERINFO_URL", "https://op.example/u"),
    ("CLIENT_ID", "id"),
    ("CLIENT_SECRET", "client-password"),
];

// checks 3, 48, 81, 144
#[test]
fn each_wrong_setting_is_reported_in_one_line_that_says_how_to_fix_it() {
    let one_of_two = format!("{SECRET},short-password");
    let address = "is not an IP address and a port";
    let origin = "is not an origin and nothing after it";
    let provider = "is not discord, google, github, demo or custom";
    let short = "is too short: 64 characters or more";
    let scope = "has a character that no scope can have";
    let method = "is not client_secret_basic or client_secret_post";
    for (name, values, what) in [
        ("BIND_ADDR", &["localhost:5000", "5000"][..], address),
        ("DEMO_ADDR", &["nonsense"], address),
        ("PUBLIC_URL", &["server.example", "/relative"], origin),
        ("PUBLIC_URL", &["https://server.example/"], origin),
        ("PUBLIC_URL", &["https://server.example/path"], origin),
        ("PUBLIC_URL", &["https://server.example#x"], origin),
        ("PUBLIC_URL", &["https://me@server.example"], origin),
        ("PUBLIC_URL", &["ftp://server.example"], origin),
        ("RUST_LOG", &["loud=very"], "is not a level"),
        ("PROVIDER", &["nonsense", "Discord"], provider),
        ("CLIENT_SECRET", &[""], "is empty"),
        ("SESSION_SECRET", &["short-password", &SECRET[1..]], short),
        ("SESSION_SECRET", &[&one_of_two], short),
        ("SESSION_SECRET", &["", " "], "is empty"),
        ("SESSION_SECRET", &[PUBLISHED], "is the published example"),
        ("SCOPES", &["a\"b", "a\\b", "a\u{7}b", "é"], scope),
        ("CLIENT_AUTH_METHOD", &["both"], method),
    ] {
        for value in values {
            assert_one_line(&[], name, value, what);
        }
    }
}

// checks 3, 48, 144
#[test]
fn each_url_of_a_provider_is_absolute_and_https() {
    let https = "must be https";
    let absolute = "is not an absolute URL";
    let fragment = "has a #fragment";
    for (name, value, what) in [
        ("AUTH_URL", "http://op.example/a", https),
        ("AUTH_URL", "ftp://op.example/a", https),
        ("AUTH_URL", "javascript:alert(1)", https),
        ("AUTH_URL", "/a", absolute),
        ("AUTH_URL", "https://op.example/a#x", fragment),
        ("TOKEN_URL", "http://op.example/t", https),
        ("TOKEN_URL", "http://127.0.0.1.op.example/t", https),
        ("TOKEN_URL", "http://localhost.op.example/t", https),
        ("TOKEN_URL", "https://op.example/t#", fragment),
        ("TOKEN_URL", "op.example", absolute),
        (
            "TOKEN_URL",
            "https://me:pass@op.example/t",
            "has a user name in it",
        ),
        ("USERINFO_URL", "http://op.example/u", https),
        ("REVOCATION_URL", "http://op.example/r", https),
        ("CLIENT_SECRET", "", "is empty"),
    ] {
        assert_one_line(&CUSTOM, name, value, what);
    }
}

/// The server complains about this one setting, by name and without its value.
fn assert_one_line(beside: &[(&str, &str)], name: &str, value: &str, what: &str) {
    let lines = problems(SERVER, &[beside, &[(name, value)]].concat());
    let is_about_it = |line: &&String| line.starts_with(&format!("{name} "));
    let (about, others): (Vec<_>, Vec<_>) = lines.iter().partition(is_about_it);
    let is_it = about.len() == 1 && about[0].contains(what);
    assert!(is_it, "{name}={value}: {lines:#?}");
    // Without its secret, the id is a second problem.
    let is_pair = name == "CLIENT_SECRET";
    assert!(others.is_empty() || is_pair, "{name}={value}: {lines:#?}");
    let is_said = value.len() > 4 && lines.concat().contains(value);
    assert!(!is_said, "{name}={value}: the value is printed");
}

// check 174
#[test]
fn a_taken_port_of_the_demo_provider_is_reported_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = taken.local_addr().expect("its address").to_string();
    let lines = problems(SERVER, &[("DEMO_ADDR", &addr)]);
    let start = format!("DEMO_ADDR {addr} cannot be bound: ");
    assert!(
        lines.len() == 1 && lines[0].starts_with(&start),
        "{lines:#?}"
    );
}

// checks 144, 166
#[tokio::test]
async fn a_secret_in_the_file_is_read_byte_for_byte_or_rejected_by_name() {
    let directory = directory("client-secret");
    let start = |line: &str| {
        let file = format!("CLIENT_ID=id\n{line}\n");
        fs::write(directory.join(".env"), file).expect("a file");
        let mut program = command(SERVER, &[("SESSION_SECRET", SECRET)]);
        program.current_dir(&directory);
        program
    };
    for line in [
        "CLIENT_SECRET=Pa$$w0rd$abc",
        "CLIENT_SECRET=\"Pa$HOME\"",
        "CLIENT_SECRET=a#b #c",
        "CLIENT_SECRET=a\\b",
        "CLIENT_SECRET='a'b",
        "export CLIENT_SECRET=${SESSION_SECRET}",
    ] {
        let lines = problems_of(&mut start(line));
        assert_eq!(lines.len(), 1, "{line} {lines:#?}");
        let name = "CLIENT_SECRET has a character with a special meaning in .env files";
        assert!(lines[0].starts_with(name), "{line} {lines:#?}");
        assert!(!lines[0].contains("Pa"), "{lines:#?}");
    }
    let padded = problems_of(&mut start("CLIENT_SECRET=' a '"));
    let remove = "CLIENT_SECRET begins or ends with white space; remove it";
    assert_eq!(padded, [remove]);

    // An accepted secret reaches the provider as it is written.
    let provider = Provider::start().await;
    for (written, sent) in [
        (r#"'Pa$$w0rd #"x" z'"#, r#"Pa$$w0rd #"x" z"#),
        ("\"a b\"", "a b"),
        ("a#b", "a#b"),
        ("p+/=", "p+/="),
    ] {
        let urls = provider.settings();
        let urls = urls.iter().filter(|(name, _)| !name.starts_with("CLIENT_"));
        let mut program = start(&format!("CLIENT_SECRET={written}"));
        program.envs(urls.copied());
        program.env("CLIENT_AUTH_METHOD", "client_secret_post");
        let program = Program::run(&mut program);
        let mut browser = Browser::new();
        let login = browser.get(program.join("/login")).await;
        let callback = callback_at(&program.url, &login, "code=good");
        assert_eq!(browser.get(callback).await.status, SUCCESS, "{written}");
        let seen = provider.seen_at("/token");
        let exchange = seen.last().expect("a token request");
        assert_eq!(exchange.field("client_secret"), sent, "{written}");
    }
}
