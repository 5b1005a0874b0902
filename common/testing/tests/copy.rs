//! The README's "Copy this": what it tells a reader to copy is enough to log in with.
//!
//! `cargo test -p testing --features browser --test copy` builds each row in an empty workspace, which
//! takes a minute or two at first; `.ci/run` runs it with the tests in a browser.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use reqwest::Method;
use testing::{Browser, program::Program, provider::Provider};

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the workspace").to_owned()
}

/// The paths that the row of this goal in "Copy this" links to.
fn listed(goal: &str) -> Vec<String> {
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    let (_, section) = readme.split_once("\n## Copy this\n").expect("the section");
    let row = section
        .lines()
        .find(|line| line.starts_with(&format!("| {goal} |")));
    let row = row.unwrap_or_else(|| panic!("no row for {goal}"));
    let files = row.split(" | ").nth(1).expect("the files");
    let links = files.split("](").skip(1);
    links
        .filter_map(|link| Some(link.split_once(')')?.0.to_owned()))
        .collect()
}

/// A workspace with only the listed files and this one server, edited as the README says.
fn copied(goal: &str, server: &str) -> PathBuf {
    let folder = goal.replace(|c: char| !c.is_alphanumeric(), "-");
    let (from, to) = (
        root(),
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(folder),
    );
    let _ = fs::remove_dir_all(&to);
    for path in listed(goal) {
        copy(&from.join(&path), &to.join(&path));
    }
    let has_examples = to.join(server).join("examples").exists();
    edit(&to.join(server).join("Cargo.toml"), |manifest| {
        let manifest = without_tests(manifest, has_examples);
        let (start, rest) = manifest.split_once("\ndefault = [").expect("the features");
        let (_, rest) = rest.split_once(']').expect("their end");
        format!("{start}\ndefault = []{rest}")
    });
    edit(&to.join("common/Cargo.toml"), |manifest| {
        without_tests(manifest, false)
    });
    edit(&to.join("Cargo.toml"), |manifest| {
        let (start, rest) = manifest.split_once("members = [").expect("the members");
        let (_, rest) = rest.split_once(']').expect("their end");
        let manifest = format!("{start}members = [\"{server}\", \"common\"]{rest}");
        // The rows share the folder of what is built, where cargo would take packages of the same
        // name and version for the same.
        let version = format!("version = \"0.1.{}\"", 1 + goal.len());
        manifest.replacen("version = \"0.1.0\"", &version, 1)
    });
    to
}

fn edit(file: &Path, change: impl FnOnce(&str) -> String) {
    let text = fs::read_to_string(file).expect("a manifest");
    fs::write(file, change(&text)).expect("a manifest");
}

/// Without the lines that name `testing`, and without the sections that only tests need; examples
/// need `[dev-dependencies]` too.
fn without_tests(manifest: &str, has_examples: bool) -> String {
    let (mut is_kept, mut kept) = (true, String::new());
    for line in manifest.lines() {
        if line.starts_with('[') {
            is_kept = match line {
                "[[bench]]" | "[[test]]" => false,
                "[dev-dependencies]" => has_examples,
                _ => true,
            };
        }
        if is_kept && !line.contains("testing") {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

fn copy(from: &Path, to: &Path) {
    // The demo provider stays behind too: without it, a build with the feature `demo` fails.
    const LEFT: [&str; 5] = ["benches", "demo", "demo.rs", "testing", "tests"];

    if from.is_dir() {
        for entry in fs::read_dir(from).expect("a folder") {
            let name = entry.expect("an entry").file_name();
            if !LEFT.iter().any(|left| name == *left) {
                copy(&from.join(&name), &to.join(&name));
            }
        }
    } else {
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        fs::copy(from, to).expect("a file");
    }
}

/// Builds the server, or one of its examples, with the dependency versions of this workspace. It
/// shares the dependencies that are built with the same features; the programs are its own.
fn build(workspace: &Path, server: &str, example: Option<&str>) -> String {
    let test = env::current_exe().expect("this test");
    let shared = test.ancestors().nth(3).expect("target/debug/deps");
    let target = workspace.join("target");
    fs::copy(root().join("Cargo.lock"), workspace.join("Cargo.lock")).expect("the versions");
    let what = example.map(|example| ["--example", example]);
    let status = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        // The whole workspace, as readers build it: that turns on the default features of each member.
        .args(["build", "--offline"])
        .args(what.iter().flatten())
        .current_dir(workspace)
        .env("CARGO_BUILD_BUILD_DIR", shared)
        .env("CARGO_TARGET_DIR", &target)
        .status()
        .expect("cargo");
    assert!(status.success(), "{} does not build", workspace.display());
    let debug = target.join("debug");
    let binary = example.map_or_else(
        || debug.join(server),
        |example| debug.join("examples").join(example),
    );
    binary
        .into_os_string()
        .into_string()
        .expect("a path in UTF-8")
}

#[tokio::test]
async fn the_files_listed_for_a_login_log_in() {
    let program = build(&copied("a login", "basic"), "basic", None);
    let provider = Provider::start().await;
    let program = Program::start(&program, &provider.settings());
    let mut browser = Browser::new();
    let login = browser.get(program.join("/login")).await;
    let callback = testing::callback_at(&program.url, &login, "code=good");
    assert_eq!(browser.get(callback).await.json()["token_type"], "Bearer");
}

#[tokio::test]
async fn the_files_listed_for_a_session_keep_one() {
    let program = build(
        &copied("a login and a session", "sessions"),
        "sessions",
        None,
    );
    let provider = Provider::start().await;
    let program = Program::start(&program, &provider.settings());
    let mut browser = Browser::new();
    let login = browser.get(program.join("/login")).await;
    let callback = testing::callback_at(&program.url, &login, "code=good");
    assert_eq!(browser.get(callback).await.location(), "/users/me");
    assert_eq!(browser.get(program.join("/privileged")).await.status, 200);
}

#[tokio::test]
async fn the_files_listed_for_a_login_form_issue_and_check_tokens() {
    let copied = copied(
        "the same with a login form, for grants that no new client should use",
        "first_party",
    );
    let program = Program::start(&build(&copied, "first_party", None), &[]);
    let mut browser = Browser::new();
    let form = [
        ("username", "ada"),
        ("password", "x"),
        ("scope", "some.scope"),
    ];
    let answer = browser.post(program.join("/token"), &form).await.json();
    let token = answer["access_token"].as_str().expect("a token");
    let request = browser.request(Method::GET, program.join("/endpoint1"));
    assert_eq!(browser.send(request.bearer_auth(token)).await.status, 200);
    assert_eq!(browser.get(program.join("/endpoint1")).await.status, 401);
}

/// A server that the reader has, and that depends on a copy.
const OWN_MANIFEST: &str = r#"
[package]
name = "mine"
edition.workspace = true

[dependencies]
axum.workspace = true
common.workspace = true
first_party = { path = "../first_party" }
"#;

const OWN_SERVER: &str = r#"
use std::process::ExitCode;

use axum::{Router, extract::State, routing::get};
use common::server::protect;
use first_party::{
    scopes::{AnyOf, SOME, Scopes},
    token::Tokens,
};

fn main() -> ExitCode {
    common::run(|tokens: Tokens| {
        let public_url = tokens.public_url().clone();
        let routes = Router::new()
            .route("/issue", get(issue))
            .route("/mine", get(mine))
            .with_state(tokens);
        protect(routes, &public_url)
    })
}

async fn issue(State(tokens): State<Tokens>) -> String {
    tokens.issue("ada", "mine", Scopes::of(SOME)).access_token
}

async fn mine(AnyOf(claims): AnyOf<{ SOME }>) -> String {
    claims.sub
}
"#;

#[tokio::test]
async fn the_files_listed_for_a_check_of_tokens_guard_a_server_of_ones_own() {
    let goal = "a check of tokens, and a function that issues them";
    let copied = copied(goal, "first_party");
    let modules = "pub mod bearer;\npub mod scopes;\npub mod token;\n";
    fs::create_dir_all(copied.join("mine/src")).expect("a folder");
    for (path, text) in [
        ("first_party/src/lib.rs", modules),
        ("mine/Cargo.toml", OWN_MANIFEST),
        ("mine/src/main.rs", OWN_SERVER),
    ] {
        fs::write(copied.join(path), text).expect("a file");
    }
    edit(&copied.join("Cargo.toml"), |manifest| {
        manifest.replacen("members = [", "members = [\"mine\", ", 1)
    });
    let program = Program::start(&build(&copied, "mine", None), &[]);
    let mut browser = Browser::new();
    let token = browser.get(program.join("/issue")).await.body;
    assert_eq!(browser.get(program.join("/mine")).await.status, 401);
    let request = browser.request(Method::GET, program.join("/mine"));
    assert_eq!(browser.send(request.bearer_auth(token)).await.body, "ada");
}

#[tokio::test]
async fn the_files_listed_for_an_authorization_server_serve_an_api_too() {
    let goal = "an authorization server, and an API that accepts its tokens";
    let copied = copied(goal, "first_party");
    let own = build(&copied, "first_party", Some("authorization_server"));
    let api = build(&copied, "first_party", Some("resource_server"));
    let client = [
        ("AS_CLIENT_ID", "app"),
        ("AS_CLIENT_SECRET", "for-this-machine-only"),
        ("AS_REDIRECT_URIS", "http://127.0.0.1:5000/auth"),
    ];
    let own = Program::start(&own, &client);
    let issuer = own.url.replace("127.0.0.1", "localhost");
    let api = Program::start(&api, &[("ISSUER", &issuer)]);
    let mut browser = Browser::new();
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "some.scope"),
        ("client_id", "app"),
        ("client_secret", "for-this-machine-only"),
    ];
    let answer = browser.post(own.join("/token"), &form).await.json();
    let token = answer["access_token"].as_str().expect("a token");
    let request = browser.request(Method::GET, api.join("/endpoint1"));
    assert_eq!(browser.send(request.bearer_auth(token)).await.status, 200);
    assert_eq!(browser.get(api.join("/endpoint1")).await.status, 401);
}
