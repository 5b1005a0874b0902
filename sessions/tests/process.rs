//! The real binary and the examples that are servers: where they listen, who can reach them, and
//! what they make of their settings.

#[path = "../../common/testing/process/addresses.rs"]
mod addresses;
#[path = "../../common/testing/process/client.rs"]
mod client;
#[path = "../../common/testing/process/defaults.rs"]
mod defaults;
#[path = "../../common/testing/process/hosts.rs"]
mod hosts;

use std::{fs, path::PathBuf};

const SERVER: &str = env!("CARGO_BIN_EXE_sessions");

/// The status of `/auth` after a login: it begins a session and sends the browser on.
const SUCCESS: u16 = 303;

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
    use testing::program;

    let with_demo = &["127.0.0.1:5000", "127.0.0.1:5001"];
    let with_both = &["127.0.0.1:5000", "127.0.0.1:5001", "127.0.0.1:5002"];
    vec![
        (SERVER.into(), with_demo),
        (program::example("sessions", "permissions"), with_demo),
        (program::example("sessions", "providers"), with_both),
    ]
}

/// A folder of its own for an `.env` file.
fn directory(name: &str) -> PathBuf {
    let tests = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let directory = tests.join("sessions-process").join(name);
    fs::create_dir_all(&directory).expect("a folder");
    directory
}
