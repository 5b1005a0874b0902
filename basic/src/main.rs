//! `cargo run -p basic`: log in at a provider and see the token.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::run(basic::app)
}
