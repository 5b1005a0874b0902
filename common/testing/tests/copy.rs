//! The README's "Copy this": what it tells a reader to copy is enough to log in with.
//!
//! `cargo test -p testing --features browser --test copy` builds each row in an empty workspace, which
//! takes a minute or two at first; `.ci/run` runs it with the tests in a browser.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

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

/// A workspace with only the listed files and this one server.
fn copied(goal: &str, server: &str) -> PathBuf {
    let (from, to) = (
        root(),
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(goal.replace(' ', "-")),
    );
    let _ = fs::remove_dir_all(&to);
    for path in listed(goal) {
        copy(&from.join(&path), &to.join(&path));
    }
    let manifest = fs::read_to_string(to.join("Cargo.toml")).expect("the manifest");
    let (start, rest) = manifest.split_once("members = [").expect("the members");
    let (_, rest) = rest.split_once(']').expect("their end");
    let manifest = format!("{start}members = [\"{server}\", \"common\"]{rest}");
    fs::write(to.join("Cargo.toml"), manifest).expect("a manifest");
    // Tests, benchmarks and examples are not copied, nor are their dependencies.
    let manifest = fs::read_to_string(from.join(server).join("Cargo.toml")).expect("a manifest");
    let (start, _) = manifest
        .split_once("[dev-dependencies]")
        .expect("what is for tests");
    let kept = start.lines().filter(|line| !line.contains("\"testing/"));
    let manifest = kept.collect::<Vec<_>>().join("\n") + "\n";
    fs::write(to.join(server).join("Cargo.toml"), manifest).expect("a manifest");
    let manifest = fs::read_to_string(from.join("common/Cargo.toml")).expect("a manifest");
    let (start, _) = manifest
        .split_once("[dev-dependencies]")
        .expect("what is for tests");
    fs::write(to.join("common/Cargo.toml"), start).expect("a manifest");
    to
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        for entry in fs::read_dir(from).expect("a folder") {
            let name = entry.expect("an entry").file_name();
            // The demo provider and the test support are not copied.
            if name != "demo" && name != "demo.rs" && name != "testing" && name != "tests" {
                copy(&from.join(&name), &to.join(&name));
            }
        }
    } else {
        fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
        fs::copy(from, to).expect("a file");
    }
}

/// Builds the server with the dependency versions of this workspace. It shares the dependencies
/// that are built with the same features; only the programs have a target directory of their own.
fn build(workspace: &Path, server: &str) -> String {
    let test = env::current_exe().expect("this test");
    let shared = test.ancestors().nth(3).expect("target/debug/deps");
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("copied-target");
    fs::copy(root().join("Cargo.lock"), workspace.join("Cargo.lock")).expect("the versions");
    let status = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        .args(["build", "--offline", "--no-default-features", "-p", server])
        .current_dir(workspace)
        .env("CARGO_BUILD_BUILD_DIR", shared)
        .env("CARGO_TARGET_DIR", &target)
        .status()
        .expect("cargo");
    assert!(status.success(), "{} does not build", workspace.display());
    let binary = target.join("debug").join(server);
    binary
        .into_os_string()
        .into_string()
        .expect("a path in UTF-8")
}

#[tokio::test]
async fn the_files_listed_for_a_login_log_in() {
    let program = build(&copied("a login", "basic"), "basic");
    let provider = Provider::start().await;
    let program = Program::start(&program, &provider.settings());
    let mut browser = Browser::new();
    let login = browser.get(program.join("/login")).await;
    let callback = testing::callback_at(&program.url, &login, "code=good");
    assert_eq!(browser.get(callback).await.json()["token_type"], "Bearer");
}

#[tokio::test]
async fn the_files_listed_for_a_session_keep_one() {
    let program = build(&copied("a session", "sessions"), "sessions");
    let provider = Provider::start().await;
    let program = Program::start(&program, &provider.settings());
    let mut browser = Browser::new();
    let login = browser.get(program.join("/login")).await;
    let callback = testing::callback_at(&program.url, &login, "code=good");
    assert_eq!(browser.get(callback).await.location(), "/users/me");
    assert_eq!(browser.get(program.join("/privileged")).await.status, 200);
}

#[tokio::test]
async fn the_files_listed_for_tokens_issue_and_check_them() {
    let program = build(&copied("tokens with scopes", "first_party"), "first_party");
    let program = Program::start(&program, &[]);
    let mut browser = Browser::new();
    let form = [
        ("username", "ada"),
        ("password", "x"),
        ("scope", "some.scope"),
    ];
    let answer = browser.post(program.join("/token"), &form).await.json();
    let token = answer["access_token"].as_str().expect("a token");
    let request = browser.request(reqwest::Method::GET, program.join("/endpoint1"));
    assert_eq!(browser.send(request.bearer_auth(token)).await.status, 200);
    assert_eq!(browser.get(program.join("/endpoint1")).await.status, 401);
}
