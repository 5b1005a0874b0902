//! The example `replicas` behind nginx while its processes come and go.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use redis::Commands;
use testing::{Browser, program::example, provider::Provider, proxy::Fleet, redis::Redis};
use tokio::task::JoinSet;

use super::gate::{Gate, Stop};
use super::replicas::{behind_nginx, last_replica, log_in};

/// The keys of every session and every user.
const SESSIONS_AND_USERS: &str = "replicas:[su]*";

// check 245 for R
#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_loses_no_get_and_logs_nobody_out() {
    // Nothing has to survive in it, and no request should have to wait for a busy disk.
    let redis = Redis::start_with(&["--appendonly", "no"]);
    let provider = Provider::start().await;
    let mut fleet = behind_nginx(&provider, &redis).await;
    let (mut users, mut leavers) = (Vec::new(), Vec::new());
    for _ in 0..6 {
        users.push(log_in(&fleet).await);
        leavers.extend([log_in(&fleet).await, log_in(&fleet).await]);
    }
    let (over, mut load) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
    for user in users.clone() {
        load.spawn(keeps_asking(user, fleet.url(""), Arc::clone(&over)));
    }

    for place in 0..3 {
        let mut logouts = JoinSet::new();
        for mut leaver in leavers.split_off(leavers.len() - 4) {
            let url = fleet.url("/logout");
            logouts.spawn(async move { (leaver.post(url, &[]).await.status, leaver) });
        }
        let old = fleet.replicas.remove(place);
        old.terminate();
        let (code, said) = old.wait();
        assert_eq!(code, 0, "{said}");
        fleet.start_again(place);
        takes_part_again(&fleet, place).await;
        for (status, mut leaver) in logouts.join_all().await {
            assert!([303, 502].contains(&status), "{status}");
            assert_eq!(leaver.post(fleet.url("/logout"), &[]).await.status, 303);
        }
    }
    over.store(true, Ordering::Relaxed);
    assert!(load.join_all().await.into_iter().all(|asked| asked > 0));
    assert_eq!(sessions(&redis), users.len(), "every leaver is logged out");
}

/// Sends one request after another, and expects a 200 each time.
async fn keeps_asking(mut user: Browser, origin: String, over: Arc<AtomicBool>) -> usize {
    let mut asked = 0;
    while !over.load(Ordering::Relaxed) {
        for path in ["/privileged", "/users/me"] {
            let answer = user.get(format!("{origin}{path}")).await;
            assert_eq!(answer.status, 200, "request {asked}: {}", answer.body);
            asked += 1;
        }
    }
    asked
}

/// Waits until a replica is ready, and then until nginx sends it requests.
async fn takes_part_again(fleet: &Fleet, place: usize) {
    let (mut browser, replica) = (fleet.browser(), &fleet.replicas[place]);
    while browser.get(replica.join("/readyz")).await.status != 200 {}
    let addr = replica.addr().to_string();
    while last_replica(&browser.get(fleet.url("/")).await) != addr {}
}

// check 245 for R
#[tokio::test(flavor = "multi_thread")]
async fn a_logout_that_is_cut_off_happens_completely_or_not_at_all() {
    for stop in [Stop::Before, Stop::After] {
        let (provider, redis) = (Provider::start().await, Redis::start());
        let gate = Gate::start(&redis, stop).await;
        let (binary, settings) = (example("sessions", "replicas"), [("REDIS_URL", &*gate.url)]);
        let mut fleet = Fleet::behind_nginx(&binary, &provider, &settings).await;
        let mut browser = log_in(&fleet).await;
        drop(fleet.replicas.split_off(1)); // only the first one is left to get the logout

        let (mut leaver, logout) = (browser.clone(), fleet.url("/logout"));
        let cut_off = tokio::spawn(async move { leaver.post(logout, &[]).await });
        gate.reached.notified().await;
        drop(fleet.replicas.remove(0)); // SIGKILL
        let status = cut_off.await.unwrap().status;
        // 503: if this test is slow, the replica gives up on Redis before it is killed.
        assert!([502, 503].contains(&status), "{status}");
        fleet.start_again(0);
        takes_part_again(&fleet, 0).await;

        let listed = browser.get(fleet.url("/sessions")).await;
        let (status, left) = match stop {
            Stop::Before => (200, 1),
            Stop::After => (401, 0),
        };
        assert_eq!((listed.status, sessions(&redis)), (status, left));
        let keys_of_a_session = 2;
        assert_eq!(keys(&redis, SESSIONS_AND_USERS), left * keys_of_a_session);
        let again = browser.post(fleet.url("/logout"), &[]).await;
        assert_eq!((again.status, again.location()), (303, "/"));
        assert_eq!(keys(&redis, SESSIONS_AND_USERS), 0);
    }
}

fn sessions(redis: &Redis) -> usize {
    keys(redis, "replicas:session:*")
}

fn keys(redis: &Redis, pattern: &str) -> usize {
    let client = redis::Client::open(redis.url()).unwrap();
    let keys: Vec<String> = client.get_connection().unwrap().keys(pattern).unwrap();
    keys.len()
}
