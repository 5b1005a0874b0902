//! Real processes: one is killed in the middle of a refresh, and wrong settings are reported.

use std::{env, fs};

use serde_json::json;
use testing::{
    Browser, callback_at,
    program::{Program, example, problems},
    provider::{Provider, token},
    redis::Redis,
    tls::TlsPort,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};

use super::*;

pub fn process(provider: &Provider, redis_url: &str, more: &[(&str, &str)]) -> Program {
    let own = [
        PUBLIC_URL,
        ("REDIS_URL", redis_url),
        ("SESSION_SECRET", SECRET),
    ];
    let vars = provider.settings_and(&[&own, more].concat());
    Program::start(&example("sessions", "replicas"), &vars)
}

/// A browser that is logged in with a token that has expired.
async fn log_in_at(process: &Program, provider: &Provider) -> Browser {
    let expired = json!({ "access_token": "a1", "refresh_token": "r1", "expires_in": 0 });
    provider.answer_next("/token", token(&expired));
    let mut browser = Browser::new();
    let login = browser.get(process.join("/login")).await;
    let callback = callback_at(&process.url, &login, "code=good");
    assert_eq!(browser.get(callback).await.location(), "/users/me");
    browser
}

/// A request that its process will not live to answer.
fn last_request(browser: &Browser, process: &Program) -> JoinHandle<Answer> {
    let (mut browser, me) = (browser.clone(), process.join("/users/me"));
    tokio::spawn(async move { browser.get(me).await })
}

/// Forwards everything to Redis and back, except the reply that a refresh was claimed: it notifies
/// `claimed` instead.
async fn hides_the_claim(redis: u16, claimed: Arc<Notify>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let redis = TcpStream::connect(("127.0.0.1", redis)).await.unwrap();
            tokio::spawn(pass_on(client, redis, claimed.clone()));
        }
    });
    url
}

async fn pass_on(client: TcpStream, redis: TcpStream, claimed: Arc<Notify>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_redis, mut to_redis) = redis.into_split();
    tokio::spawn(async move { copy(&mut from_client, &mut to_redis).await });
    let mut reply = [0; 4096];
    while let Ok(length @ 1..) = from_redis.read(&mut reply).await {
        if reply[..length].windows(5).any(|word| word == b"yours") {
            claimed.notify_one();
            std::future::pending::<()>().await;
        }
        let _ = to_client.write_all(&reply[..length]).await;
    }
}

// check 238
#[tokio::test]
async fn a_refresh_that_a_killed_process_had_not_sent_is_taken_over() {
    let (provider, redis, claimed) = (Provider::start().await, Redis::start(), Arc::default());
    let through = hides_the_claim(redis.port, Arc::clone(&claimed)).await;
    let (dies, lives) = (
        process(&provider, &through, &[]),
        process(&provider, &redis.url(), &[]),
    );
    let mut browser = log_in_at(&lives, &provider).await;
    let unanswered = last_request(&browser, &dies);
    claimed.notified().await;
    drop(dies); // SIGKILL
    assert!(unanswered.await.is_err());
    assert_eq!(refreshes(&provider), 0);
    assert_eq!(browser.get(lives.join("/users/me")).await.status, 200);
    assert_eq!(refreshes(&provider), 1);
}

// check 238
#[tokio::test]
async fn a_refresh_that_a_killed_process_had_sent_ends_the_session() {
    let (provider, redis) = (Provider::start().await, Redis::start());
    let [dies, lives] = [(); 2].map(|()| process(&provider, &redis.url(), &[]));
    let mut browser = log_in_at(&dies, &provider).await;
    let never = Arc::new(Notify::new());
    provider.answer_next("/token", token(&json!({})).held(&never));
    let unanswered = last_request(&browser, &dies);
    provider.token_requests_reach(2).await;
    drop(dies); // SIGKILL
    assert!(unanswered.await.is_err());

    let me = lives.join("/users/me");
    let mut answer = browser.get(&me).await;
    assert_503(&answer);
    while answer.status == 503 {
        answer = browser.get(&me).await;
    }
    assert_eq!(answer.status, 401);
    assert_eq!(refreshes(&provider), 1);
    log_in_at(&lives, &provider).await;
}

// check 243
#[test]
fn a_url_that_is_not_redis_is_reported_in_one_line() {
    let binary = example("sessions", "replicas");
    for url in [
        "127.0.0.1:6379",
        "redis:127.0.0.1",
        "redis://",
        "redis://:hidden-password@127.0.0.1:notaport",
        "http://:hidden-password@127.0.0.1:6379",
        "redis+unix:///hidden-password",
        "rediss://:hidden-password@127.0.0.1#insecure",
    ] {
        let lines = problems(&binary, &[("REDIS_URL", url), ("SESSION_SECRET", SECRET)]);
        assert_eq!(lines.len(), 1, "{url}: {lines:?}");
        assert!(
            lines[0].starts_with("REDIS_URL is not redis://"),
            "{lines:?}"
        );
        assert!(!lines[0].contains("hidden-password"), "{lines:?}");
    }
    let lines = problems(&binary, &[("REDIS_URL", "redis://127.0.0.1:1")]);
    assert!(
        lines[0].starts_with("SESSION_SECRET is missing"),
        "{lines:?}"
    );
    assert_eq!(lines.len(), 1, "{lines:?}");
}

// check 243
#[tokio::test]
async fn a_redis_with_an_untrusted_certificate_is_refused() {
    let (provider, redis) = (Provider::start().await, Redis::start());
    let port = TlsPort::take().await;
    let url = format!("rediss://localhost:{}", port.number);
    let file = env::temp_dir().join(format!("replicas-{}.pem", port.number));
    fs::write(&file, &port.certificate).unwrap();
    let _forwarding = port.forward_to(([127, 0, 0, 1], redis.port).into());
    let trusted = [("SSL_CERT_FILE", file.to_str().unwrap())];

    let refuses = process(&provider, &url, &[]);
    assert_503(&Browser::new().get(refuses.join("/readyz")).await);
    assert!(refuses.stop().contains("Redis cannot be reached yet"));
    let trusts = process(&provider, &url, &trusted);
    assert_eq!(Browser::new().get(trusts.join("/readyz")).await.status, 200);
    fs::remove_file(file).unwrap();
}

// check 236
#[tokio::test]
async fn large_tokens_fit_into_redis() {
    for size in [12_000, 64_000] {
        let (provider, redis) = (Provider::start().await, Redis::start());
        let [a, b, _] = three(&provider, &redis).await;
        let large = json!({ "access_token": "a".repeat(size), "refresh_token": null });
        provider.answer_next("/token", token(&large));
        let mut browser = log_in(&a).await;
        assert_eq!(status(&mut browser, &b, "/users/me").await, 200);
    }
}
