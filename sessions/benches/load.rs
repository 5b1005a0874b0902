//! `cargo bench -p sessions --bench load`: the session guard, beside a bare axum server.

use axum::Router;
use testing::{
    Browser,
    load::{Case, Process, compare, serve_bare},
};

fn main() {
    serve_bare(Router::new());
    let server = Process::start(env!("CARGO_BIN_EXE_sessions"), &[]);
    let cookies = format!("cookie: {}", cookies(&server.origin));
    let cases = [
        Case::new("/privileged with a session", "/privileged", 200).with(&["-H", &cookies]),
        Case::new("/privileged without", "/privileged", 401),
    ];
    compare(&Process::bare(), &server, &cases);
}

/// The cookies of somebody who is logged in.
fn cookies(origin: &str) -> String {
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let browser = runtime.block_on(async {
        let mut browser = Browser::new();
        let login = browser.get(format!("{origin}/login")).await;
        let callback = browser.allow(&login, "ada").await;
        browser.get(callback).await;
        browser
    });
    let pairs = browser
        .cookies
        .iter()
        .map(|((_, name), value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join("; ")
}
