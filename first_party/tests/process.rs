//! The real binary and the examples that are servers: where they listen, who can reach them, and
//! what they make of their settings.

#[path = "../../common/testing/process/addresses.rs"]
mod addresses;
#[path = "../../common/testing/process/defaults.rs"]
mod defaults;
#[path = "../../common/testing/process/hosts.rs"]
mod hosts;

use std::{fs, path::PathBuf};

use reqwest::Method;
use testing::{
    Browser,
    program::{Program, command, example, problems_of},
};

const SERVER: &str = env!("CARGO_BIN_EXE_first_party");

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// What the server below needs where other machines can reach it.
const IN_PUBLIC: &[(&str, &str)] = &[
    ("PUBLIC_URL", "https://app.example"),
    ("JWT_SECRET", SECRET),
    ("MACHINE_CLIENT_ID", "id"),
    ("MACHINE_CLIENT_SECRET", SECRET),
];

/// The server that runs with these settings. The others accept users whom nobody has registered.
fn public_server() -> String {
    example("first_party", "client_credentials")
}

/// Each server of this package, and where it listens with nothing set.
#[cfg(target_os = "linux")]
fn servers() -> Vec<(String, &'static [&'static str])> {
    let here = &["127.0.0.1:5000"];
    vec![
        (SERVER.into(), here),
        (example("first_party", "users"), here),
        (example("first_party", "client_credentials"), here),
        (example("first_party", "resource_server"), here),
        (
            example("first_party", "authorization_server"),
            &["127.0.0.1:5003"],
        ),
    ]
}

// checks 144, 166
#[tokio::test]
async fn a_secret_in_the_file_is_read_byte_for_byte_or_rejected_by_name() {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("first_party-process");
    fs::create_dir_all(&directory).expect("a folder");
    let with_file = |written: &str| {
        let file = format!("JWT_SECRET={written}\n");
        fs::write(directory.join(".env"), file).expect("a file");
        let mut server = command(SERVER, &[ISSUER]);
        server.current_dir(&directory);
        server
    };
    for secret in [
        "0123456789abcdef$0123456789abcdef",
        "\"0123456789abcdef${HOME}0123456789abcdef\"",
        "0123456789abcdef0123456789abcdef #and more",
        "0123456789abcdef\\0123456789abcdef",
    ] {
        let lines = problems_of(&mut with_file(secret));
        let [line] = &lines[..] else {
            panic!("{secret} {lines:#?}")
        };
        assert!(
            line.starts_with("JWT_SECRET has a character with a special meaning"),
            "{line}"
        );
        assert!(!line.contains("0123"), "{line}");
    }

    // The accepted value is the key: its tokens are valid where the environment has the same one.
    let secret = r#"0123456789abcdef $0 #1 "2" 0123456789abcdef"#;
    let from_file = Program::run(&mut with_file(&format!("'{secret}'")));
    let token = token(&from_file).await;
    for (secret, status) in [(secret, 200), (&secret[..secret.len() - 1], 401)] {
        let other = Program::start(SERVER, &[ISSUER, ("JWT_SECRET", secret)]);
        let mut browser = Browser::new();
        let request = browser.request(Method::GET, other.join("/endpoint1"));
        let answer = browser.send(request.bearer_auth(&token)).await;
        assert_eq!(answer.status, status, "{secret}");
    }
}

/// Tokens of one server are valid at another that has the same origin and secret.
const ISSUER: (&str, &str) = ("PUBLIC_URL", "http://127.0.0.1:5000");

async fn token(server: &Program) -> String {
    let form = [
        ("username", "ada"),
        ("password", "x"),
        ("scope", "some.scope"),
    ];
    let answer = Browser::new().post(server.join("/token"), &form).await;
    let token = answer.json()["access_token"].clone();
    token.as_str().expect("a token").to_owned()
}
