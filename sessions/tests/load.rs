//! Many clients at once, a dead provider, and a restart. Variables turn the tests into
//! measurements: see CONTRIBUTING.
#![cfg(unix)]

#[path = "../../common/testing/process/unfinished.rs"]
mod unfinished;

use std::sync::Arc;

use serde_json::json;
use testing::{
    Browser, callback_at,
    crowd::count,
    program::Program,
    provider::{Provider, token},
    start, url,
};
use tokio::{sync::Notify, task::JoinSet};

const SERVER: &str = env!("CARGO_BIN_EXE_sessions");
const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

// check 148
#[tokio::test(flavor = "multi_thread")]
async fn parallel_logins_all_finish() {
    let program = Arc::new(Program::start(
        SERVER,
        &[("RUST_LOG", "warn,common::server=info")],
    ));
    let mut logins = JoinSet::new();
    let nobody = Browser::new();
    for number in 0..count("PARALLEL_LOGINS", 100) {
        let (mut browser, program) = (nobody.clone(), program.clone());
        logins.spawn(async move {
            let login = browser.get(program.join("/login")).await;
            let callback = browser.allow(&login, &format!("user-{number}")).await;
            assert_eq!(browser.get(callback).await.status, 303);
            let user = browser.get(program.join("/users/me")).await;
            assert_eq!(user.json()["username"], format!("user-{number}"));
        });
    }
    logins.join_all().await;
}

// check 47
#[tokio::test(flavor = "multi_thread")]
async fn logged_in_users_are_served_while_callbacks_hang_on_a_dead_provider() {
    let never = Arc::new(Notify::new());
    let silent = token(&json!({})).held(&never);
    let provider =
        Provider::scripted(move |seen| (seen.field("code") == "hangs").then(|| silent.clone()));
    let provider = provider.await;
    let server = start(sessions::app, &provider.settings()).await;
    let nobody = Browser::new();
    let mut ada = nobody.clone();
    ada.log_in_with_code(&server).await;
    let mut callbacks = JoinSet::new();
    for _ in 0..50 {
        let mut browser = nobody.clone();
        let login = browser.get(url(&server, "/login")).await;
        let callback = callback_at(&url(&server, ""), &login, "code=hangs");
        callbacks.spawn(async move { browser.get(callback).await.status });
    }
    provider.token_requests_reach(51).await;
    for _ in 0..50 {
        assert_eq!(ada.get(url(&server, "/privileged")).await.status, 200);
        assert_eq!(nobody.clone().get(url(&server, "/login")).await.status, 303);
    }
    assert!(callbacks.try_join_next().is_none(), "all 50 still hang");
    assert_eq!(callbacks.join_all().await, [504; 50]);
}

// check 46
#[tokio::test]
async fn a_provider_that_was_down_is_used_again_without_a_restart() {
    let mut provider = Provider::start().await;
    let (origin, server) = (
        provider.origin.clone(),
        start(sessions::app, &provider.settings()).await,
    );
    let mut ada = Browser::new();
    ada.log_in_with_code(&server).await;
    for _ in 0..2 {
        assert_eq!(ada.get(url(&server, "/users/me")).await.status, 200);
        assert_eq!(Browser::new().log_in_with_code(&server).await.status, 303);
        drop(provider);
        for _ in 0..3 {
            assert_eq!(ada.get(url(&server, "/users/me")).await.status, 502);
            assert_eq!(ada.get(url(&server, "/privileged")).await.status, 200);
            assert_eq!(Browser::new().log_in_with_code(&server).await.status, 502);
        }
        provider = Provider::back_at(&origin).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_takes_over_while_the_first_finishes() {
    let release = Arc::new(Notify::new());
    let held = token(&json!({})).held(&release);
    let provider =
        Provider::scripted(move |seen| (seen.field("code") == "held").then(|| held.clone()));
    let provider = provider.await;
    let vars = provider.settings_and(&[("SESSION_SECRET", SECRET)]);
    let first = Program::start(SERVER, &vars);
    let (origin, addr) = (first.url.clone(), first.addr().to_string());

    let mut ada = Browser::new();
    let login = ada.get(first.join("/login")).await;
    assert_eq!(
        ada.get(callback_at(&origin, &login, "code=good"))
            .await
            .status,
        303
    );
    let (mut bob, mut eve) = (Browser::new(), Browser::new());
    let under_way = bob.get(first.join("/login")).await;
    let login = eve.get(first.join("/login")).await;
    let callback = callback_at(&origin, &login, "code=held");
    let request = tokio::spawn(async move { (eve.get(callback).await.status, eve) });
    provider.token_requests_reach(2).await;

    first.terminate();
    while std::net::TcpStream::connect(first.addr()).is_ok() {}
    let second = Program::start(SERVER, &[&vars[..], &[("BIND_ADDR", &*addr)]].concat());
    assert_eq!(second.url, origin);
    assert_eq!(
        ada.get(second.join("/users/me")).await.status,
        200,
        "sessions go on"
    );
    let end = bob.get(callback_at(&origin, &under_way, "code=good")).await;
    assert_eq!(end.status, 303, "and so do logins");

    release.notify_one();
    let (status, mut eve) = request.await.expect("an answer");
    assert_eq!(status, 303, "the first server answers what it accepted");
    assert_eq!(first.wait().0, 0);
    assert_eq!(eve.get(second.join("/privileged")).await.status, 200);
}
