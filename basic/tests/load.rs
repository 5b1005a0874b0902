//! Many clients at once, and too few resources. Variables turn the tests into measurements: see
//! CONTRIBUTING.
#![cfg(target_os = "linux")]

#[path = "../../common/testing/process/unfinished.rs"]
mod unfinished;

use std::{sync::Arc, time::Duration};

use serde_json::json;
use testing::{
    Browser, callback_at,
    crowd::{ask, count, drip, idle, until_refused},
    program::Program,
    provider::{Provider, token},
};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{sleep, timeout},
};

const SERVER: &str = env!("CARGO_BIN_EXE_basic");

/// The steps of each login are not of interest here.
const QUIET: (&str, &str) = ("RUST_LOG", "warn,common::server=info");

// check 148
#[tokio::test(flavor = "multi_thread")]
async fn idle_and_slow_clients_do_not_lock_others_out() {
    let count = count("IDLE", 300);
    let program = Program::with_ulimit(&format!("-Sn {}", count / 2), SERVER, &[QUIET]);
    let before = program.memory().expect("Linux says it");
    let idle = idle(program.addr(), count).await;
    let mut slow = JoinSet::new();
    for _ in 0..50 {
        slow.spawn(drip(program.addr(), "GET / HTTP/1.1\r\nX: "));
    }
    let mut browser = Browser::new();
    let login = browser.get(program.join("/login")).await;
    let callback = browser.allow(&login, "ada").await;
    assert_eq!(
        browser.get(callback).await.status,
        200,
        "a whole login among them"
    );
    let after = program.memory().expect("Linux says it");
    println!("{count} idle connections: {before} MiB before, {after} MiB with them");
    // Each takes some 10 KiB; twice as much is allowed, plus the login.
    let limit = before + 4 + u64::try_from(count).expect("not that many") / 50;
    assert!(after < limit, "{before} MiB, {after} MiB");
    drop(idle);
    let said = program.stop();
    assert!(!said.contains("cannot accept"), "{said}");
}

// check 148
#[tokio::test(flavor = "multi_thread")]
async fn running_out_of_file_descriptors_is_logged_and_the_server_recovers() {
    let provider = Provider::start().await;
    let program = Program::with_ulimit("-n 64", SERVER, &provider.settings());
    let mut browser = Browser::new();
    let login = browser.get(program.join("/login")).await;
    let idle = idle(program.addr(), 100).await;
    let full = async {
        while program.open_files().expect("Linux says it") < 64 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(20), full)
        .await
        .expect("it accepts as many as it can");

    let answer = browser
        .get(callback_at(&program.url, &login, "code=good"))
        .await;
    assert_eq!(
        answer.status, 502,
        "no socket is left to ask the provider: {answer:?}"
    );
    drop(idle);
    let mut other = Browser::new();
    let login = other.get(program.join("/login")).await;
    let answer = other
        .get(callback_at(&program.url, &login, "code=good"))
        .await;
    assert_eq!(answer.status, 200, "without a restart: {answer:?}");

    let said = program.stop();
    assert!(
        said.contains("cannot accept a connection: Too many open files"),
        "{said}"
    );
    assert!(!said.contains("panicked"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_loses_no_request_that_was_accepted() {
    let release = Arc::new(Notify::new());
    let held = token(&json!({})).held(&release);
    let provider = Provider::scripted(move |seen| (seen.path == "/token").then(|| held.clone()));
    let provider = provider.await;
    let program = Program::start(SERVER, &provider.settings());
    let (nobody, mut callbacks) = (Browser::new(), JoinSet::new());
    for _ in 0..50 {
        let mut browser = nobody.clone();
        let login = browser.get(program.join("/login")).await;
        let callback = callback_at(&program.url, &login, "code=good");
        callbacks.spawn(async move { browser.get(callback).await.status });
    }
    provider.token_requests_reach(50).await;
    let idle = idle(program.addr(), 50).await;

    program.terminate();
    // Wait until it accepts no more connections.
    while std::net::TcpStream::connect(program.addr()).is_ok() {}
    for _ in 0..50 {
        release.notify_one();
        assert_eq!(
            callbacks
                .join_next()
                .await
                .expect("one of 50")
                .expect("an answer"),
            200
        );
    }
    let (code, said) = program.wait();
    assert_eq!(code, 0, "{said}");
    drop(idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_answers_whoever_is_connected() {
    for round in 0..count("RESTARTS", 1) {
        let program = Program::start(SERVER, &[QUIET]);
        let mut clients = JoinSet::new();
        for _ in 0..32 {
            clients.spawn(until_refused(program.addr(), "/login", 303));
        }
        ask(program.addr(), "/login", 303, 500).await;
        program.terminate();
        let served = clients.join_all().await.into_iter();
        let (answered, lost) = served.fold((0, 0), |(a, l), more| (a + more.0, l + more.1));
        println!("round {round}: {answered} answered, {lost} lost");
        // A connection may arrive after the last look into the queue, before the port closes.
        assert!(lost <= 2, "{lost} lost of {answered}");
        assert_eq!(program.wait().0, 0);
    }
}
