//! The real binary: where it listens, who can reach it, and what it makes of its settings.

#[path = "../../common/testing/process/addresses.rs"]
mod addresses;
#[path = "../../common/testing/process/client.rs"]
mod client;
#[path = "../../common/testing/process/defaults.rs"]
mod defaults;
#[path = "../../common/testing/process/hosts.rs"]
mod hosts;

use std::{fs, path::PathBuf};

const SERVER: &str = env!("CARGO_BIN_EXE_basic");

/// The status of `/auth` after a login: it shows the token.
const SUCCESS: u16 = 200;

/// What it needs where other machines can reach it.
const IN_PUBLIC: &[(&str, &str)] = &[
    ("PUBLIC_URL", "https://app.example"),
    (
        "SESSION_SECRET",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ),
    ("CLIENT_ID", "id"),
    ("CLIENT_SECRET", "client-password"),
];

/// The server that runs with these settings.
fn public_server() -> String {
    SERVER.into()
}

/// Each server of this package, and where it listens with nothing set.
#[cfg(target_os = "linux")]
fn servers() -> Vec<(String, &'static [&'static str])> {
    vec![(SERVER.into(), &["127.0.0.1:5000", "127.0.0.1:5001"])]
}

/// A folder of its own for an `.env` file.
fn directory(name: &str) -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let directory = tests.join("basic-process").join(name);
    fs::create_dir_all(&directory).expect("a folder");
    directory
}
