//! The example `machine_client`: one token for many calls, and the next one in time.

use std::{
    process::{Command, Output},
    sync::Arc,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use common::settings::{FromSettings, Settings};
use serde_json::json;
use testing::{
    program,
    provider::{Provider, Reply, token},
};
use tokio::{sync::Notify, task::JoinSet};

#[path = "../examples/machine_client.rs"]
#[expect(dead_code, reason = "`main` is the example's alone")]
mod example;

use example::Api;

const HELLO: &str = "Hello from endpoint 1";

/// A token endpoint and an API, which accepts the token that was issued last and no other.
async fn provider() -> Provider {
    Provider::scripted(|seen| {
        let (path, authorization) = (&*seen.path, seen.header("authorization"));
        match path {
            "/api" if authorization.starts_with("Bearer access-") => {
                Some(Reply::json(200, &json!(HELLO)))
            }
            "/api" => Some(Reply::json(
                401,
                &json!({"detail": "Could not validate credentials"}),
            )),
            _ => None,
        }
    })
    .await
}

/// The settings of a client of this provider, and some more.
fn settings(provider: &Provider) -> [(&'static str, String); 5] {
    [
        ("TOKEN_URL", format!("{}/token", provider.origin)),
        ("API_URL", format!("{}/api", provider.origin)),
        ("MACHINE_CLIENT_ID", "demo client".to_owned()),
        ("MACHINE_CLIENT_SECRET", "a:b%c".to_owned()),
        ("MACHINE_CLIENT_SCOPES", "some.scope other.scope".to_owned()),
    ]
}

async fn api(provider: &Provider) -> Api {
    let vars = settings(provider);
    let mut settings = Settings::from_vars(vars.iter().map(|(name, value)| (*name, &**value)));
    Api::from_settings(&mut settings)
        .await
        .expect("good settings")
}

async fn call(api: &Api) -> String {
    let answer = api.call().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    serde_json::from_slice(answer.body()).expect("a string in JSON")
}

/// What the API was called with, in order.
fn tokens_used(provider: &Provider) -> Vec<String> {
    let calls = provider.seen_at("/api");
    let token = |header: &str| header.strip_prefix("Bearer ").expect("a token").to_owned();
    calls
        .iter()
        .map(|call| token(call.header("authorization")))
        .collect()
}

#[tokio::test]
async fn one_token_serves_many_calls() {
    let provider = provider().await;
    let api = api(&provider).await;
    for _ in 0..10 {
        assert_eq!(call(&api).await, HELLO);
    }
    assert_eq!(tokens_used(&provider), ["access-1"; 10]);

    let requests = provider.seen_at("/token");
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].field("grant_type"), "client_credentials");
    assert_eq!(requests[0].field("scope"), "some.scope other.scope");
    // Both form-encoded before they are joined (RFC 6749, section 2.3.1), and in one place alone.
    let basic = BASE64_STANDARD.encode("demo+client:a%3Ab%25c");
    assert_eq!(
        requests[0].header("authorization"),
        format!("Basic {basic}")
    );
    assert_eq!(
        (
            requests[0].field("client_id"),
            requests[0].field("client_secret")
        ),
        ("", "")
    );
}

#[tokio::test]
async fn a_token_that_expires_soon_is_no_longer_used() {
    let provider = provider().await;
    let api = api(&provider).await;
    for seconds in [29, 0, 3600] {
        let access_token = format!("access-for-{seconds}");
        let reply = token(&json!({ "access_token": access_token, "expires_in": seconds }));
        provider.answer_next("/token", reply);
    }
    for _ in 0..5 {
        call(&api).await;
    }
    let lasting = "access-for-3600";
    let expected = ["access-for-29", "access-for-0", lasting, lasting, lasting];
    assert_eq!(tokens_used(&provider), expected);
}

#[tokio::test]
async fn a_token_without_an_expiry_is_used_until_it_is_rejected() {
    let provider = provider().await;
    let api = api(&provider).await;
    provider.answer_next(
        "/token",
        token(&json!({ "access_token": "access-a", "expires_in": null })),
    );
    for _ in 0..3 {
        call(&api).await;
    }
    provider.answer_next("/api", Reply::json(401, &json!({})));
    assert_eq!(call(&api).await, HELLO);
    let expected = ["access-a", "access-a", "access-a", "access-a", "access-2"];
    assert_eq!(tokens_used(&provider), expected);
}

#[tokio::test]
async fn after_two_refusals_it_gives_up() {
    let provider = provider().await;
    let api = api(&provider).await;
    for _ in 0..2 {
        provider.answer_next("/api", Reply::json(401, &json!({"detail": "no"})));
    }
    assert_eq!(api.call().await.expect("an answer").status(), 401);
    assert_eq!(
        (tokens_used(&provider).len(), provider.token_requests()),
        (2, 2)
    );

    // A 403 is not about the token: another one would not help.
    provider.answer_next("/api", Reply::json(403, &json!({"detail": "no"})));
    assert_eq!(api.call().await.expect("an answer").status(), 403);
    assert_eq!(provider.token_requests(), 2);
}

#[tokio::test]
async fn parallel_calls_share_one_token() {
    let provider = provider().await;
    let api = Arc::new(api(&provider).await);
    let release = Arc::new(Notify::new());
    let held = token(&json!({ "access_token": "access-1" })).held(&release);
    provider.answer_next("/token", held);
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let api = api.clone();
        calls.spawn(async move { call(&api).await });
    }
    provider.token_requests_reach(1).await;
    release.notify_one();
    assert_eq!(calls.join_all().await, [HELLO; 50]);
    assert_eq!(provider.token_requests(), 1);
}

#[tokio::test]
async fn errors_are_reported_without_a_secret() {
    let provider = provider().await;
    let api = api(&provider).await;
    let elsewhere = format!("{}/elsewhere", provider.origin);
    let big = "x".repeat(70_000);
    for (path, reply, expected) in [
        (
            "/token",
            Reply::error(401, "invalid_client"),
            "no token: Server returned error",
        ),
        (
            "/token",
            Reply::error(500, "invalid_client"),
            "no token: status 500",
        ),
        (
            "/token",
            Reply::redirect(307, &elsewhere),
            "no token: status 307",
        ),
        (
            "/token",
            Reply::json(200, &json!({"access_token": "hidden"})),
            "no token: ",
        ),
        (
            "/token",
            token(&json!({"access_token": "hidden", "token_type": "mac"})),
            "no token: ",
        ),
        (
            "/token",
            token(&json!({"access_token": "hidden\n"})),
            "no token: ",
        ),
        (
            "/token",
            Reply::new(200, "application/json", big.clone()),
            "no token: a response of more",
        ),
        (
            "/api",
            Reply::redirect(302, &elsewhere),
            "the API: status 302",
        ),
        (
            "/api",
            Reply::new(503, "text/plain", ""),
            "the API: status 503",
        ),
        (
            "/api",
            Reply::new(200, "text/plain", big.clone()),
            "the API: a response of more",
        ),
    ] {
        provider.answer_next(path, reply);
        let error = api.call().await.expect_err(expected);
        assert!(error.starts_with(expected), "{error}");
        assert!(
            !error.contains("hidden") && !error.contains("a:b"),
            "{error}"
        );
    }
    assert!(
        provider.seen_at("/elsewhere").is_empty(),
        "a redirect would take the secret along"
    );
    assert_eq!(call(&api).await, HELLO);
}

/// The program with these settings alone, to its end.
fn run(vars: impl IntoIterator<Item = (&'static str, String)>) -> Output {
    let binary = program::example("basic", "machine_client");
    let directory = env!("CARGO_TARGET_TMPDIR");
    Command::new(binary)
        .env_clear()
        .current_dir(directory)
        .envs(vars)
        .output()
        .expect("it runs")
}

// The provider answers while the program runs.
#[tokio::test(flavor = "multi_thread")]
async fn the_program_shows_what_came_back() {
    let provider = provider().await;
    let output = run(settings(&provider));
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains("call 1: 200 OK: \"Hello from endpoint 1\"\n"),
        "{said}"
    );
    assert!(
        said.contains("call 2: 200 OK: \"Hello from endpoint 1\"\n"),
        "{said}"
    );
    assert_eq!(tokens_used(&provider), ["access-1"; 2]);
    assert!(
        !said.contains("access-1") && !said.contains("a:b"),
        "{said}"
    );

    provider.answer_next("/token", Reply::error(401, "invalid_client"));
    let output = run(settings(&provider));
    let errors = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(
        errors.starts_with("error: no token: ") && errors.contains("invalid_client"),
        "{errors}"
    );
    assert_eq!(errors.lines().count(), 1, "{errors}");

    provider.answer_next(
        "/api",
        Reply::json(403, &json!({"detail": "Insufficient permissions"})),
    );
    let output = run(settings(&provider));
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("Insufficient permissions"));
}

#[test]
fn each_wrong_setting_is_reported_in_one_line() {
    let problems = |vars: &[(&'static str, &str)]| {
        let output = run(vars
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned())));
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    let nothing = problems(&[]);
    assert!(
        nothing.starts_with("error: MACHINE_CLIENT_ID and MACHINE_CLIENT_SECRET are missing"),
        "{nothing}"
    );
    assert!(
        nothing.contains("cargo run -p first_party --example client_credentials"),
        "{nothing}"
    );

    assert_eq!(
        problems(&[("MACHINE_CLIENT_ID", "id")]),
        "error: MACHINE_CLIENT_SECRET is missing; it belongs to MACHINE_CLIENT_ID\n"
    );

    let all = problems(&[
        ("TOKEN_URL", "http://provider.example/token"),
        ("API_URL", "/endpoint1"),
        ("MACHINE_CLIENT_SECRET", "hunter2"),
        ("RUST_LOG", "=loud="),
    ]);
    for name in ["TOKEN_URL", "API_URL", "MACHINE_CLIENT_ID", "RUST_LOG"] {
        let lines = all
            .lines()
            .filter(|line| line.starts_with(&format!("error: {name} ")));
        assert_eq!(lines.count(), 1, "{name}: {all}");
    }
    assert!(!all.contains("hunter2"), "{all}");
}
