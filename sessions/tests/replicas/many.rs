//! Many sessions in one Redis, until they expire.
//!
//! The environment variable `SESSIONS` turns it into a measurement: see CONTRIBUTING.md.

use std::ops::Range;

use ::redis::{Connection, Script, cmd};
use serde_json::json;
use testing::{
    Browser, callback_at,
    crowd::count,
    provider::{Provider, Reply, token},
    redis::Redis,
};
use tokio::task::JoinSet;

use super::{connection, processes::process};

/// As many as there is time for in a test that runs for every change.
const SESSIONS: usize = 1_500;
/// How many logins are in progress at once.
const AT_ONCE: usize = 16;
/// With this many sessions, a replica may grow by one MiB: by less than 20 MiB with 100,000.
const SESSIONS_IN_A_MIB: usize = 5_000;
/// By how much a replica may grow in any case, in MiB.
const SLACK: usize = 3;

/// Makes every key that has an expiry expire now; returns how many keys have none.
const EXPIRE: &str = "
    local forever = 0
    for _, key in ipairs(redis.call('KEYS', '*')) do
      forever = forever + 1 - redis.call('PEXPIRE', key, 1, 'XX')
    end
    return forever";

// check 246
#[tokio::test]
async fn sessions_live_in_redis_alone_until_they_expire() {
    let number = count("SESSIONS", SESSIONS);
    let redis = Redis::start_with(&["--appendonly", "no"]);
    let (provider, mut asks) = (one_user_for_each_code().await, connection(&redis));
    let replica = process(&provider, &redis.url(), &[]);
    log_in_many(&replica.url, 0..number / 10).await;
    let (memory, in_redis) = (replica.memory(), used(&mut asks));

    let browser = log_in_many(&replica.url, number / 10..number).await;
    let logged_in = number - number / 10;
    let bytes = (used(&mut asks) - in_redis) / logged_in;
    let keys: usize = cmd("DBSIZE").query(&mut asks).unwrap();
    assert!(keys >= 2 * number, "{keys}");
    let grown = replica.memory().zip(memory);
    let grown = grown.map(|(after, before)| after.saturating_sub(before));
    println!(
        "{logged_in} sessions: {bytes} bytes each in Redis; the replica grew by {grown:?} MiB"
    );
    let limit = SLACK.max(number / SESSIONS_IN_A_MIB) as u64;
    assert!(grown.is_none_or(|grown| grown < limit), "{grown:?} MiB");

    let me = format!("{}/users/me", replica.url);
    assert_eq!(browser.clone().get(&me).await.status, 200);
    let forever: usize = Script::new(EXPIRE).invoke(&mut asks).unwrap();
    assert_eq!(forever, 0, "keys that never expire");
    while cmd("DBSIZE").query::<usize>(&mut asks).unwrap() > 0 {}
    assert_eq!(browser.clone().get(&me).await.status, 401);
}

/// Logs in these users; returns one of their browsers.
async fn log_in_many(origin: &str, users: Range<usize>) -> Browser {
    let (nobody, mut logins) = (Browser::new(), JoinSet::new());
    let first = users.start;
    for start in first..first + AT_ONCE {
        let (nobody, origin) = (nobody.clone(), origin.to_owned());
        let users = (start..users.end).step_by(AT_ONCE);
        logins.spawn(async move {
            let mut browser = nobody.clone();
            for user in users {
                browser = nobody.clone();
                let login = browser.get(format!("{origin}/login")).await;
                let callback = callback_at(&origin, &login, &format!("code=user-{user}"));
                assert_eq!(browser.get(callback).await.location(), "/users/me");
            }
            browser
        });
    }
    logins.join_all().await.swap_remove(0)
}

/// How many bytes of memory Redis uses.
fn used(asks: &mut Connection) -> usize {
    let info: String = cmd("INFO").arg("memory").query(asks).unwrap();
    let line = info
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    line.unwrap().parse().unwrap()
}

async fn one_user_for_each_code() -> Provider {
    Provider::scripted(|seen| match &*seen.path {
        "/token" => Some(token(&json!({ "access_token": seen.field("code") }))),
        "/user" => {
            let id = seen.header("authorization").trim_start_matches("Bearer ");
            Some(Reply::json(200, &json!({ "id": id, "name": "ada" })))
        }
        _ => None,
    })
    .await
}
