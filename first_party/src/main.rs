//! `cargo run -p first_party`: your own login form, and tokens with scopes.

use std::process::ExitCode;

fn main() -> ExitCode {
    common::run(first_party::app)
}
