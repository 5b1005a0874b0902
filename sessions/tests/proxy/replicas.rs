//! The example `replicas`: three processes with one Redis, behind the same proxies.
//!
//! `cargo build -p sessions --example replicas` builds it.

use std::collections::BTreeSet;

use serde_json::json;
use testing::{
    Answer, Browser,
    chromium::Chromium,
    param_of,
    program::example,
    provider::{Provider, token},
    proxy::{Fleet, REPLICA},
    redis::Redis,
};

use super::{
    accepts_20_kb_of_cookies_and_no_more, allow_at_once, come_back, ignores_forged_headers,
    logs_in_with_the_longest_path, protocol,
};

pub async fn behind_nginx(provider: &Provider, redis: &Redis) -> Fleet {
    let url = redis.url();
    let settings = [("REDIS_URL", &*url)];
    Fleet::behind_nginx(&example("sessions", "replicas"), provider, &settings).await
}

pub async fn log_in(fleet: &Fleet) -> Browser {
    let mut browser = fleet.browser();
    let login = browser.get(fleet.url("/login")).await;
    let done = come_back(fleet, &mut browser, &login).await;
    assert_eq!((done.status, done.location()), (303, "/users/me"));
    browser
}

/// The replica that answered. nginx also lists those that it tried before, which did not.
pub fn last_replica(answer: &Answer) -> String {
    let tried = answer.header(REPLICA).rsplit(", ");
    tried.take(1).collect()
}

// check 251
#[tokio::test]
async fn a_person_logs_in_refreshes_and_logs_out_while_a_replica_dies() {
    let (provider, redis) = (Provider::scripted(allow_at_once).await, Redis::start());
    provider.answer_next("/token", token(&json!({ "expires_in": 0 })));
    let mut fleet = behind_nginx(&provider, &redis).await;
    let person = Chromium::of_example_hosts().await;

    person.open(fleet.url("/login")).await;
    person.see("\"username\":\"ada\"").await;
    assert_eq!(person.url().await, fleet.url("/users/me"));
    assert_eq!(protocol(&person).await, "h2");
    let refreshed = &provider.seen_at("/token")[1];
    assert_eq!(refreshed.field("grant_type"), "refresh_token");
    let cookies = person.driver.get_all_cookies().await.unwrap();
    assert_eq!(cookies.len(), 1);
    assert_eq!(cookies[0].name, "__Host-session");
    assert_eq!(cookies[0].secure, Some(true));
    let mut copy = fleet.browser();
    copy.keep("app.example.test", "__Host-session=; Path=/");
    copy.set_cookie("__Host-session", cookies[0].value.clone());

    drop(fleet.replicas.remove(0)); // SIGKILL
    for _ in 0..3 {
        person.open(fleet.url("/")).await;
        person.see("You are logged in as ada").await;
        assert_eq!(copy.get(fleet.url("/users/me")).await.status, 200);
    }
    person.press("Log out").await;
    person.see("Nobody is logged in").await;
    assert!(person.driver.get_all_cookies().await.unwrap().is_empty());
    person.close().await;

    let mut replicas = BTreeSet::new();
    while replicas.len() < fleet.replicas.len() {
        let refused = copy.get(fleet.url("/privileged")).await;
        assert_eq!(refused.status, 401, "{}", refused.body);
        replicas.insert(last_replica(&refused));
    }
}

// check 251
#[tokio::test]
async fn a_login_begins_on_one_replica_and_continues_on_the_others() {
    let (provider, redis) = (Provider::start().await, Redis::start());
    let fleet = behind_nginx(&provider, &redis).await;
    let mut browser = fleet.browser();
    let login = browser.get(fleet.url("/login")).await;
    let redirect_uri = fleet.url("/auth");
    assert_eq!(param_of(login.location(), "redirect_uri"), redirect_uri);
    let done = come_back(&fleet, &mut browser, &login).await;
    let sent = &provider.seen_at("/token")[0];
    assert_eq!(sent.field("redirect_uri"), redirect_uri);
    let user = browser.get(fleet.url("/users/me")).await;
    assert_eq!(user.status, 200, "{}", user.body);

    let answers = [&login, &done, &user];
    let replicas: BTreeSet<_> = answers.map(last_replica).into();
    assert_eq!(replicas.len(), 3, "{replicas:?}");
    for answer in answers {
        let hsts = answer.header("strict-transport-security");
        assert_eq!(hsts, "max-age=63072000");
        for cookie in answer.set_cookies() {
            let host_alone = cookie.starts_with("__Host-") && !cookie.contains("Domain");
            assert!(host_alone && cookie.contains("; Secure"), "{cookie}");
        }
    }
    assert_eq!(browser.cookie_names(), ["__Host-session"]);
}

// checks 251, 252
#[tokio::test]
async fn two_lines_are_enough_for_caddy() {
    let (provider, redis) = (Provider::scripted(allow_at_once).await, Redis::start());
    let (binary, url) = (example("sessions", "replicas"), redis.url());
    let fleet = Fleet::behind_caddy(&binary, &provider, &[("REDIS_URL", &url)]).await;
    let person = Chromium::of_example_hosts().await;
    person.open(fleet.url("/login")).await;
    person.see("\"username\":\"ada\"").await;
    person.open(fleet.url("/")).await;
    person.press("Log out").await;
    person.see("Nobody is logged in").await;
    assert!(person.driver.get_all_cookies().await.unwrap().is_empty());
    person.close().await;

    ignores_forged_headers(&fleet).await;
}

// check 252
#[tokio::test]
async fn forged_headers_change_nothing_behind_nginx() {
    let (provider, redis) = (Provider::start().await, Redis::start());
    let fleet = behind_nginx(&provider, &redis).await;
    ignores_forged_headers(&fleet).await;
}

// check 253
#[tokio::test]
async fn the_longest_cookies_path_and_state_pass_and_longer_ones_are_a_client_error() {
    let (provider, redis) = (Provider::start().await, Redis::start());
    let large = json!({ "access_token": "a".repeat(64_000), "refresh_token": null });
    provider.answer_next("/token", token(&large));
    let fleet = behind_nginx(&provider, &redis).await;
    let mut browser = fleet.browser();
    logs_in_with_the_longest_path(&fleet, &mut browser).await;
    accepts_20_kb_of_cookies_and_no_more(&fleet, &mut browser).await;
}

/// Health checks are not for strangers, and every `GET /readyz` writes to Redis.
#[tokio::test]
async fn health_checks_cannot_be_reached_through_nginx() {
    let (provider, redis) = (Provider::start().await, Redis::start());
    let fleet = behind_nginx(&provider, &redis).await;
    let mut browser = fleet.browser();
    for path in [
        "/healthz",
        "/readyz",
        "/%72eadyz",
        "//readyz",
        "/x/../readyz",
    ] {
        let hidden = browser.get(fleet.url(path)).await;
        assert_eq!((hidden.status, hidden.header(REPLICA)), (404, ""), "{path}");
    }
    for path in ["/healthz", "/readyz"] {
        let asked = browser.get(fleet.replicas[0].join(path)).await;
        assert_eq!(asked.status, 200, "{path}");
    }
}
