//! `cargo run -p sessions`: log in, and keep the token behind a session cookie.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::run(sessions::app)
}
