//! The example `replicas` as several processes with one Redis; each test starts a real one.
//!
//! `cargo test -p sessions --features replicas --test replicas` needs `redis-server`.

#[path = "../examples/replicas/main.rs"]
#[expect(dead_code, reason = "a test has no use for `main`")]
mod replicas;

#[path = "replicas/many.rs"]
mod many;
#[path = "replicas/processes.rs"]
mod processes;

use std::sync::{Arc, Mutex};

use ::redis::{Commands, Connection, Value as Done};
use axum::http::StatusCode;
use common::server::Server;
use replicas::app;
use reqwest::{Method, header};
use serde_json::{Value, json};
use testing::{
    Answer, Browser, callback_at,
    provider::{Provider, Reply, token},
    redis::{Redis, free_port},
    start, url,
};
use tokio::{sync::Notify, task::JoinSet};

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const OTHER_SECRET: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
/// What browsers see of all replicas.
const PUBLIC_URL: (&str, &str) = ("PUBLIC_URL", "http://127.0.0.1:5000");

async fn replica(provider: &Provider, redis_url: &str, secret: &str) -> Server {
    let own = [
        PUBLIC_URL,
        ("REDIS_URL", redis_url),
        ("SESSION_SECRET", secret),
    ];
    start(app, &provider.settings_and(&own)).await
}

async fn three(provider: &Provider, redis: &Redis) -> [Server; 3] {
    let url = redis.url();
    [
        replica(provider, &url, SECRET).await,
        replica(provider, &url, SECRET).await,
        replica(provider, &url, SECRET).await,
    ]
}

async fn get(browser: &mut Browser, server: &Server, path: &str) -> Answer {
    browser.get(url(server, path)).await
}

async fn status(browser: &mut Browser, server: &Server, path: &str) -> u16 {
    get(browser, server, path).await.status
}

async fn log_in(server: &Server) -> Browser {
    let mut browser = Browser::new();
    let done = browser.log_in_with_code(server).await;
    assert_eq!((done.status, done.location()), (303, "/users/me"));
    browser
}

fn connection(redis: &Redis) -> Connection {
    let client = ::redis::Client::open(redis.url()).unwrap();
    client.get_connection().unwrap()
}

fn keys(redis: &Redis, pattern: &str) -> Vec<String> {
    connection(redis).keys(pattern).unwrap()
}

fn only_session(redis: &Redis) -> String {
    let keys = keys(redis, "replicas:session:*");
    assert_eq!(keys.len(), 1);
    keys[0].clone()
}

fn assert_503(answer: &Answer) {
    assert_eq!(
        answer.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "{}",
        answer.body
    );
    assert_eq!(answer.header("retry-after"), "5");
}

/// A provider whose first token expires at once. It rotates refresh tokens and revokes everything
/// when one is used twice. If there is a `release`, refreshes wait for it.
async fn rotating(release: Option<Arc<Notify>>) -> Provider {
    let current = Mutex::new(1);
    Provider::scripted(move |seen| {
        let mut current = current.lock().unwrap();
        match (&*seen.path, seen.field("grant_type")) {
            ("/token", "authorization_code") => Some(token(
                &json!({ "access_token": "a1", "refresh_token": "r1", "expires_in": 0 }),
            )),
            ("/token", "refresh_token") => {
                if seen.field("refresh_token") != format!("r{current}") {
                    *current = 0; // stolen: nothing is valid any more
                    return Some(Reply::error(400, "invalid_grant"));
                }
                *current += 1;
                let (access, refresh) = (format!("a{current}"), format!("r{current}"));
                let next = token(&json!({ "access_token": access, "refresh_token": refresh }));
                Some(release.iter().fold(next, Reply::held))
            }
            _ => None,
        }
    })
    .await
}

fn refreshes(provider: &Provider) -> usize {
    let requests = provider.seen_at("/token");
    let is_refresh = |seen: &&testing::provider::Seen| seen.field("grant_type") == "refresh_token";
    requests.iter().filter(is_refresh).count()
}

// check 231
#[tokio::test]
async fn a_login_may_move_between_replicas() {
    let (provider, redis) = (Provider::start().await, Redis::start());
    let [a, b, c] = three(&provider, &redis).await;
    let mut browser = Browser::new();
    let login = get(&mut browser, &a, "/login").await;
    let callback = callback_at(&url(&b, ""), &login, "code=good");
    assert_eq!(browser.get(callback).await.location(), "/users/me");
    for server in [&a, &b, &c] {
        assert_eq!(status(&mut browser, server, "/users/me").await, 200);
    }
}

// check 232
#[tokio::test]
async fn a_logout_takes_effect_everywhere_with_the_next_request() {
    let (provider, redis) = (Provider::start().await, Redis::start());
    let [a, b, c] = three(&provider, &redis).await;
    let mut browser = log_in(&a).await;
    let mut copy = browser.clone();
    assert_eq!(status(&mut copy, &b, "/privileged").await, 200);
    browser.post(url(&c, "/logout"), &[]).await;
    for server in [&a, &b, &c] {
        assert_eq!(status(&mut copy, server, "/privileged").await, 401);
    }
    assert_eq!(keys(&redis, "replicas:*"), [""; 0]);
    provider.seen_reach("/revoke", 2).await;
}

/// A provider whose user is whatever the code says.
async fn provider_of_many() -> Provider {
    Provider::scripted(|seen| match &*seen.path {
        "/token" => {
            let own = json!({ "access_token": seen.field("code"), "refresh_token": null });
            Some(token(&own))
        }
        "/user" => {
            let token = seen.header("authorization").trim_start_matches("Bearer ");
            let number: usize = token.parse().unwrap();
            Some(Reply::json(
                200,
                &json!({ "id": ids()[number], "name": "same" }),
            ))
        }
        _ => None,
    })
    .await
}

fn ids() -> Vec<String> {
    let odd = [
        "1",
        "*",
        "1 2",
        "{1}",
        "a/b",
        "[a-z]?",
        "💥",
        "1\r\nDEL 2",
        "",
    ];
    let odd = odd.iter().map(|id| format!("{id}."));
    odd.chain(["x".repeat(1024)]).collect()
}

// check 233
#[tokio::test]
async fn a_session_that_the_list_of_its_user_has_lost_has_ended() {
    let (provider, redis) = (Provider::start().await, Redis::start());
    let [a, b, _] = three(&provider, &redis).await;
    let mut browser = log_in(&a).await;
    // As a Redis does that evicts keys: logging out everywhere would not find the session.
    let [list] = &keys(&redis, "replicas:user:*")[..] else {
        panic!("one user is logged in")
    };
    let _: Done = connection(&redis).del(list).unwrap();
    assert_eq!(status(&mut browser, &b, "/privileged").await, 401);
    log_in(&a).await; // which makes a new list
    assert_eq!(status(&mut browser, &b, "/privileged").await, 401);
}

// check 233
// check 255
#[tokio::test]
async fn log_out_everywhere_ends_the_sessions_of_this_user_alone() {
    let (provider, redis) = (provider_of_many().await, Redis::start());
    let [a, b, c] = three(&provider, &redis).await;
    let mut users = Vec::new();
    for number in 0..ids().len() {
        let mut two = Vec::new();
        for server in [&a, &b] {
            let mut browser = Browser::new();
            let login = get(&mut browser, server, "/login").await;
            let code = format!("code={number}");
            browser.come_back(server, &login, &code).await;
            two.push(browser);
        }
        users.push(two);
    }
    while let Some(mut two) = users.pop() {
        let list = get(&mut two[0], &c, "/sessions").await.json();
        assert_eq!(list.as_array().unwrap().len(), 2, "{list}");
        two[0].post(url(&c, "/logout/everywhere"), &[]).await;
        assert_eq!(status(&mut two[1], &a, "/privileged").await, 401);
        for browser in users.iter_mut().flatten() {
            assert_eq!(status(browser, &b, "/privileged").await, 200);
        }
    }
    assert_eq!(keys(&redis, "*"), [""; 0]);
}

// check 234
#[tokio::test]
async fn a_session_id_is_accepted_only_as_it_was_issued() {
    let (provider, redis) = (Provider::start().await, Redis::start());
    let [a, ..] = three(&provider, &redis).await;
    let mut browser = log_in(&a).await;
    let first = browser.cookie("session").unwrap().to_owned();
    let key = only_session(&redis);
    // The key in Redis is no id, and nobody else can sign one.
    for forged in [
        key.clone(),
        "x".repeat(43),
        format!("{first}x"),
        String::new(),
    ] {
        let mut thief = browser.clone();
        thief.set_cookie("session", forged);
        assert_eq!(status(&mut thief, &a, "/privileged").await, 401);
    }
    let in_url = format!("/privileged?session={first}");
    assert_eq!(status(&mut Browser::new(), &a, &in_url).await, 401);
    // A new login has a new id, and ends the session that it replaces.
    browser.log_in_with_code(&a).await;
    assert_ne!(browser.cookie("session").unwrap(), first);
    browser.set_cookie("session", first);
    assert_eq!(status(&mut browser, &a, "/privileged").await, 401);
}

// check 235
#[tokio::test]
async fn redis_holds_nothing_readable_and_every_key_expires() {
    let provider = Provider::scripted(|seen| {
        let words = json!({ "access_token": "readable-1", "refresh_token": "readable-2" });
        match &*seen.path {
            "/token" => Some(token(&words)),
            "/user" => Some(Reply::json(
                200,
                &json!({ "id": "readable-3", "name": "readable-4" }),
            )),
            _ => None,
        }
    })
    .await;
    let redis = Redis::start();
    let old = replica(&provider, &redis.url(), OTHER_SECRET).await;
    let mut browser = log_in(&old).await;
    let mut connection = connection(&redis);
    for key in keys(&redis, "*") {
        let seconds: i64 = connection.ttl(&key).unwrap();
        assert!(0 < seconds && seconds <= 7 * 24 * 3600, "{key}: {seconds}");
        let dump: Vec<u8> = match connection.key_type(&key).unwrap() {
            ::redis::ValueType::Hash => {
                let fields: Vec<Vec<u8>> = ::redis::cmd("HGETALL")
                    .arg(&key)
                    .query(&mut connection)
                    .unwrap();
                fields.concat()
            }
            _ => connection
                .zrange::<_, Vec<Vec<u8>>>(&key, 0, -1)
                .unwrap()
                .concat(),
        };
        let dump = String::from_utf8_lossy(&dump).into_owned() + key.as_str();
        assert!(
            !dump.contains("readable") && !dump.contains("custom"),
            "{dump}"
        );
    }
    let both = format!("{SECRET},{OTHER_SECRET}");
    let both = replica(&provider, &redis.url(), &both).await;
    let new = replica(&provider, &redis.url(), SECRET).await;
    assert_eq!(status(&mut browser, &both, "/users/me").await, 200);
    assert_eq!(status(&mut browser, &new, "/users/me").await, 401);
}

// check 235
#[tokio::test]
async fn data_of_one_session_is_rejected_in_another() {
    let (provider, redis) = (provider_of_many().await, Redis::start());
    let [a, ..] = three(&provider, &redis).await;
    let mut browsers = Vec::new();
    for code in ["code=0", "code=1"] {
        let mut browser = Browser::new();
        let login = get(&mut browser, &a, "/login").await;
        browser.come_back(&a, &login, code).await;
        browsers.push(browser);
    }
    let (mut connection, sessions) = (connection(&redis), keys(&redis, "replicas:session:*"));
    let login: Vec<u8> = connection.hget(&sessions[0], "login").unwrap();
    let _: Done = connection.hset(&sessions[1], "login", login).unwrap();
    let mut statuses = Vec::new();
    for browser in &mut browsers {
        statuses.push(status(browser, &a, "/privileged").await);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
}

// check 237
#[tokio::test]
async fn two_hundred_requests_over_three_replicas_share_one_refresh() {
    let (provider, redis) = (rotating(None).await, Redis::start());
    let servers = three(&provider, &redis).await;
    let browser = log_in(&servers[0]).await;
    let mut requests = JoinSet::new();
    for number in 0..200 {
        let mut browser = browser.clone();
        let me = url(&servers[number % 3], "/users/me");
        requests.spawn(async move { browser.get(me).await.status });
    }
    assert_eq!(requests.join_all().await, [200; 200]);
    assert_eq!(refreshes(&provider), 1);
}

// check 238
#[tokio::test]
async fn requests_wait_three_seconds_for_a_refresh() {
    let release = Arc::new(Notify::new());
    let (provider, redis) = (rotating(Some(release.clone())).await, Redis::start());
    let [a, b, _] = three(&provider, &redis).await;
    let browser = log_in(&a).await;
    let mut first = browser.clone();
    let me = url(&a, "/users/me");
    let first = tokio::spawn(async move { first.get(me).await.status });
    provider.token_requests_reach(2).await;
    assert_503(&get(&mut browser.clone(), &b, "/users/me").await);
    release.notify_one();
    assert_eq!(first.await.unwrap(), 200);
    assert_eq!(status(&mut browser.clone(), &b, "/users/me").await, 200);
    assert_eq!(refreshes(&provider), 1);
}

// check 238
#[tokio::test]
async fn a_refresh_that_died_before_it_was_sent_is_taken_over() {
    let (provider, redis) = (rotating(None).await, Redis::start());
    let [a, ..] = three(&provider, &redis).await;
    let mut browser = log_in(&a).await;
    let mut connection = connection(&redis);
    let (seconds, micros): (u64, u64) = ::redis::cmd("TIME").query(&mut connection).unwrap();
    let now = seconds * 1000 + micros / 1000;
    let attempt = [
        ("attempt", "dead".to_owned()),
        ("attempt_since", now.to_string()),
    ];
    let _: Done = connection
        .hset_multiple(only_session(&redis), &attempt)
        .unwrap();
    assert_eq!(status(&mut browser, &a, "/users/me").await, 200);
    assert_eq!(refreshes(&provider), 1);
}

// check 238
#[tokio::test]
async fn a_refresh_that_did_not_reach_the_provider_is_sent_by_the_next_request() {
    let (provider, redis) = (rotating(None).await, Redis::start());
    let a = replica(&provider, &redis.url(), SECRET).await;
    let mut browser = log_in(&a).await;
    // It accepts connections, and then says nothing that TLS could begin with.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let unreachable = format!("https://{}/token", silent.local_addr().unwrap());
    let own = [
        PUBLIC_URL,
        ("REDIS_URL", &redis.url()),
        ("SESSION_SECRET", SECRET),
        ("TOKEN_URL", &unreachable),
    ];
    let b = start(app, &provider.settings_and(&own)).await;
    assert_eq!(status(&mut browser, &b, "/users/me").await, 504);
    assert_eq!(status(&mut browser, &a, "/users/me").await, 200);
    assert_eq!(refreshes(&provider), 1);
}

// check 239
#[tokio::test]
async fn a_logout_during_a_refresh_on_another_replica_revokes_the_new_token() {
    let release = Arc::new(Notify::new());
    let (provider, redis) = (rotating(Some(release.clone())).await, Redis::start());
    let [a, b, _] = three(&provider, &redis).await;
    let mut browser = log_in(&a).await;
    let (mut refreshing, me) = (browser.clone(), url(&a, "/users/me"));
    let refreshing = tokio::spawn(async move { refreshing.get(me).await.status });
    provider.token_requests_reach(2).await;
    browser.clone().post(url(&b, "/logout"), &[]).await;
    release.notify_one();
    assert_eq!(refreshing.await.unwrap(), 401);
    let revoked = provider.seen_reach("/revoke", 4).await;
    let mut revoked: Vec<_> = revoked.iter().map(|seen| seen.field("token")).collect();
    revoked.sort_unstable();
    assert_eq!(revoked, ["a1", "a2", "r1", "r2"]);
    assert_eq!(status(&mut browser, &a, "/privileged").await, 401);
}

// check 244
#[tokio::test]
async fn the_expiry_of_a_token_is_judged_by_the_clock_of_redis() {
    let (provider, redis) = (Provider::start().await, Redis::start());
    let [a, b, _] = three(&provider, &redis).await;
    let mut browser = log_in(&a).await;
    let (mut connection, key) = (connection(&redis), only_session(&redis));
    let (now, _): (u64, u64) = ::redis::cmd("TIME").query(&mut connection).unwrap();
    let end: u64 = connection.hget(&key, "token_end").unwrap();
    assert!(now + 3590 <= end && end <= now + 3600, "{end}");
    let _: Done = connection.hset(&key, "token_end", now).unwrap();
    assert_eq!(status(&mut browser, &b, "/users/me").await, 200);
    assert_eq!(refreshes(&provider), 1);
}

// check 240
// check 254
#[tokio::test]
async fn without_redis_pages_with_a_session_wait_for_it_and_nothing_is_lost() {
    let (provider, mut redis) = (Provider::start().await, Redis::start());
    let [a, ..] = three(&provider, &redis).await;
    let mut browser = log_in(&a).await;
    redis.stop();
    for path in ["/users/me", "/privileged", "/sessions", "/readyz"] {
        let answer = get(&mut browser, &a, path).await;
        assert_503(&answer);
        assert!(!answer.body.contains("edis"), "{}", answer.body);
    }
    let out = browser.post(url(&a, "/logout"), &[]).await;
    assert_503(&out);
    for path in ["/", "/healthz", "/login"] {
        assert!(status(&mut browser, &a, path).await < 400, "{path}");
    }
    redis.start_again();
    assert_eq!(status(&mut browser, &a, "/readyz").await, 200);
    assert_eq!(status(&mut browser, &a, "/users/me").await, 200);
}

// check 241
#[tokio::test]
async fn an_emptied_redis_logs_everyone_out() {
    let (provider, mut redis) = (Provider::start().await, Redis::start());
    let [a, ..] = three(&provider, &redis).await;
    let mut browser = log_in(&a).await;
    redis.stop();
    redis.start_again_empty();
    assert_eq!(status(&mut browser, &a, "/users/me").await, 401);
    browser.log_in_with_code(&a).await;
    assert_eq!(status(&mut browser, &a, "/users/me").await, 200);
}

// check 242
#[tokio::test]
async fn a_redis_that_hangs_costs_no_connections() {
    let (provider, redis) = (Provider::start().await, Redis::start());
    let [a, ..] = three(&provider, &redis).await;
    let browser = log_in(&a).await;
    redis.suspend();
    for _ in 0..3 {
        let mut requests = JoinSet::new();
        for _ in 0..50 {
            let (mut browser, page) = (browser.clone(), url(&a, "/privileged"));
            requests.spawn(async move { browser.get(page).await });
        }
        requests.join_all().await.iter().for_each(assert_503);
    }
    redis.resume();
    while status(&mut browser.clone(), &a, "/privileged").await != 200 {}
    let clients: String = ::redis::cmd("CLIENT")
        .arg("LIST")
        .query(&mut connection(&redis))
        .unwrap();
    assert!(clients.lines().count() <= 4, "{clients}");
}

// check 242
#[tokio::test]
async fn a_redis_that_rejects_writes_is_503() {
    let (provider, redis) = (Provider::start().await, Redis::start());
    let [a, ..] = three(&provider, &redis).await;
    let mut browser = log_in(&a).await;
    let mut connection = connection(&redis);
    let mut command = |words: &[&str]| {
        let _: Done = ::redis::cmd(words[0])
            .arg(&words[1..])
            .query(&mut connection)
            .unwrap();
    };
    for (break_it, mend_it) in [
        (
            ["CONFIG", "SET", "maxmemory", "1"],
            ["CONFIG", "SET", "maxmemory", "0"],
        ),
        (
            ["REPLICAOF", "127.0.0.1", "1", ""],
            ["REPLICAOF", "NO", "ONE", ""],
        ),
    ] {
        let words = |words: [&'static str; 4]| {
            words
                .into_iter()
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
        };
        command(&words(break_it));
        for path in ["/privileged", "/readyz"] {
            assert_503(&get(&mut browser, &a, path).await);
        }
        assert_eq!(status(&mut browser, &a, "/").await, 200);
        command(&words(mend_it));
        assert_eq!(status(&mut browser, &a, "/privileged").await, 200);
    }
}

// check 242
#[tokio::test]
async fn a_server_that_is_not_redis_is_503() {
    let (provider, redis) = (
        Provider::start().await,
        Redis::start_with(&["--requirepass", "right"]),
    );
    let rubbish = provider.origin.replace("http://", "redis://");
    let wrong = format!("redis://:wrong@127.0.0.1:{}", redis.port);
    let right = format!("redis://:right@127.0.0.1:{}", redis.port);
    let right = replica(&provider, &right, SECRET).await;
    let mut browser = log_in(&right).await;
    for bad in [rubbish, wrong] {
        let server = replica(&provider, &bad, SECRET).await;
        for path in ["/privileged", "/readyz"] {
            assert_503(&get(&mut browser, &server, path).await);
        }
        assert_eq!(status(&mut browser, &server, "/").await, 200);
    }
    assert_eq!(status(&mut browser, &right, "/privileged").await, 200);
}

// check 243
#[tokio::test]
async fn redis_may_start_later() {
    let provider = Provider::start().await;
    let port = free_port();
    let server = replica(&provider, &format!("redis://127.0.0.1:{port}"), SECRET).await;
    assert_eq!(status(&mut Browser::new(), &server, "/readyz").await, 503);
    let _redis = Redis::start_at(port, &[]);
    let mut browser = log_in(&server).await;
    assert_eq!(status(&mut browser, &server, "/users/me").await, 200);
}

// check 247
#[tokio::test]
async fn data_of_another_version_logs_the_user_out() {
    let (provider, redis) = (Provider::start().await, Redis::start());
    let [a, ..] = three(&provider, &redis).await;
    let mut connection = connection(&redis);
    for (field, data) in [("login", ""), ("login", "\u{2}older"), ("token", "rubbish")] {
        let mut browser = log_in(&a).await;
        let key = keys(&redis, "replicas:session:*").pop().unwrap();
        let _: Done = connection.hset(&key, field, data).unwrap();
        assert_eq!(status(&mut browser, &a, "/users/me").await, 401, "{field}");
        assert!(get(&mut browser, &a, "/").await.status == 200);
        let _: Done = connection.del(&key).unwrap();
        // Even a value that is not a hash.
        let _: Done = connection.set(&key, "a string").unwrap();
        assert_eq!(status(&mut browser, &a, "/users/me").await, 401);
        let _: Done = connection.del(&key).unwrap();
    }
}

#[tokio::test]
async fn the_browser_is_named_in_the_list() {
    let (provider, redis) = (Provider::start().await, Redis::start());
    let [a, b, _] = three(&provider, &redis).await;
    let mut browser = Browser::new();
    let login = get(&mut browser, &a, "/login").await;
    let callback = callback_at(&url(&a, ""), &login, "code=good");
    let request = browser.request(Method::GET, callback);
    let name = "<Firefox> on a phone";
    browser.send(request.header(header::USER_AGENT, name)).await;
    let list: Value = get(&mut browser, &b, "/sessions").await.json();
    assert_eq!(list[0]["browser"], name);
    let page = browser.visit(url(&b, "/sessions")).await.body;
    assert!(page.contains("&#60;Firefox&#62; on a phone"), "{page}");
}
