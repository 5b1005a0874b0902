//! `cargo bench -p first_party --bench load`: the guards, beside a bare axum server.

use testing::{
    Browser,
    load::{Case, Process, compare, serve_bare},
};

fn main() {
    serve_bare();
    let server = Process::start(env!("CARGO_BIN_EXE_first_party"), &[]);
    let form = "grant_type=password&username=johndoe&password=secret123&scope=some.scope";
    let token = token(&server.origin);
    let authorization = format!("authorization: Bearer {token}");
    let post = [
        "-m",
        "POST",
        "-T",
        "application/x-www-form-urlencoded",
        "-d",
        form,
    ];
    let cases = [
        Case::new("/endpoint3", "/endpoint3", 200),
        Case::new("/endpoint1 with a token", "/endpoint1", 200).with(&["-H", &authorization]),
        Case::new("/endpoint1 without", "/endpoint1", 401),
        Case::new("POST /token", "/token", 200).with(&post),
    ];
    compare(&Process::bare(), &server, &cases);
}

/// A token for `some.scope`.
fn token(origin: &str) -> String {
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let form = [
        ("username", "johndoe"),
        ("password", "secret123"),
        ("scope", "some.scope"),
    ];
    let answer = runtime.block_on(async {
        let mut browser = Browser::new();
        browser.post(format!("{origin}/token"), &form).await
    });
    answer.json()["access_token"]
        .as_str()
        .expect("a token")
        .to_owned()
}
