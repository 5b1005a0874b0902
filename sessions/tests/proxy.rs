//! Three real replicas behind a real nginx with `nginx.conf`, and behind Caddy: HTTPS for browsers,
//! HTTP for the servers.

#[path = "proxy/gate.rs"]
mod gate;
#[path = "proxy/replicas.rs"]
mod replicas;
#[path = "proxy/restarts.rs"]
mod restarts;

use std::collections::BTreeSet;

use reqwest::{Method, Version, header};
use serde_json::json;
use testing::{
    Answer, Browser, callback_at,
    chromium::Chromium,
    param_of,
    provider::{Provider, Reply, token},
    proxy::{Fleet, REPLICA},
};

const SERVER: &str = env!("CARGO_BIN_EXE_sessions");

/// Headers that anyone can send, and that a server which trusts its proxy's headers would believe.
const FORGED: [(&str, &str); 9] = [
    ("forwarded", "for=192.0.2.1;host=evil.example;proto=http"),
    ("x-forwarded-for", "127.0.0.1"),
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-port", "1"),
    ("x-forwarded-prefix", "/evil"),
    ("x-forwarded-proto", "http"),
    ("x-forwarded-server", "evil.example"),
    ("x-original-url", "/privileged"),
    ("x-real-ip", "127.0.0.1"),
];

// check 251
#[tokio::test]
async fn a_person_logs_in_refreshes_and_logs_out_over_https() {
    let provider = Provider::scripted(allow_at_once).await;
    provider.answer_next("/token", token(&json!({ "expires_in": 0 })));
    let fleet = Fleet::behind_nginx(SERVER, &provider, &[]).await;
    let browser = Chromium::of_example_hosts().await;

    browser.open(fleet.url("/login")).await;
    browser.see("\"username\":\"ada\"").await;
    assert_eq!(browser.url().await, fleet.url("/users/me"));
    assert_eq!(protocol(&browser).await, "h2");
    let refreshed = &provider.seen_at("/token")[1];
    assert_eq!(refreshed.field("grant_type"), "refresh_token");
    for cookie in browser.driver.get_all_cookies().await.unwrap() {
        let named = ["__Host-session", "__Host-token"].contains(&&*cookie.name);
        assert!(named && cookie.secure == Some(true), "{cookie:?}");
    }
    assert_eq!(browser.driver.get_all_cookies().await.unwrap().len(), 2);

    browser.open(fleet.url("/")).await;
    browser.see("You are logged in as ada").await;
    browser.press("Log out").await;
    browser.see("Nobody is logged in").await;
    assert_eq!(browser.url().await, fleet.url("/"));
    assert!(browser.driver.get_all_cookies().await.unwrap().is_empty());
    browser.close().await;
}

// check 251
#[tokio::test]
async fn a_login_begins_on_one_replica_and_continues_on_the_others() {
    let provider = Provider::start().await;
    let fleet = Fleet::behind_nginx(SERVER, &provider, &[]).await;
    let mut browser = fleet.browser();

    let login = browser.get(fleet.url("/login")).await;
    let redirect_uri = fleet.url("/auth");
    assert_eq!(param_of(login.location(), "redirect_uri"), redirect_uri);
    let done = come_back(&fleet, &mut browser, &login).await;
    assert_eq!((done.status, done.location()), (303, "/users/me"));
    let sent = &provider.seen_at("/token")[0];
    assert_eq!(sent.field("redirect_uri"), redirect_uri);
    let user = browser.get(fleet.url("/users/me")).await;
    assert_eq!(user.status, 200, "{}", user.body);

    let answers = [&login, &done, &user];
    let replicas: BTreeSet<_> = answers.map(|answer| answer.header(REPLICA)).into();
    assert_eq!(replicas.len(), 3, "{replicas:?}");
    for answer in answers {
        let hsts = answer.header("strict-transport-security");
        assert_eq!(hsts, "max-age=63072000");
        for cookie in answer.set_cookies() {
            let host_alone = cookie.starts_with("__Host-") && !cookie.contains("Domain");
            assert!(host_alone && cookie.contains("; Secure"), "{cookie}");
        }
    }
    assert_eq!(
        browser.cookie_names(),
        ["__Host-session", "__Host-token"],
        "the cookies of the login are gone"
    );
    let log = fleet.log_with("GET /auth").await;
    assert!(!log.contains("code=") && !log.contains("state="), "{log}");
}

// check 251
#[tokio::test]
async fn a_replica_that_dies_logs_nobody_out() {
    let provider = Provider::start().await;
    let mut fleet = Fleet::behind_nginx(SERVER, &provider, &[]).await;
    let mut browser = fleet.browser();
    let login = browser.get(fleet.url("/login")).await;

    fleet.replicas.remove(0).stop();
    let done = come_back(&fleet, &mut browser, &login).await;
    assert_eq!((done.status, done.location()), (303, "/users/me"));
    fleet.replicas.remove(0).stop();
    for _ in 0..6 {
        let user = browser.get(fleet.url("/users/me")).await;
        assert_eq!(user.status, 200, "{}", user.body);
    }
    let out = browser.post(fleet.url("/logout"), &[]).await;
    assert_eq!((out.status, out.location()), (303, "/"));
    assert_eq!(browser.cookie_names(), [""; 0]);
}

// check 252 for B S
#[tokio::test]
async fn forged_headers_change_nothing_behind_nginx() {
    let provider = Provider::start().await;
    let fleet = Fleet::behind_nginx(SERVER, &provider, &[]).await;
    ignores_forged_headers(&fleet).await;

    let other_host = fleet.browser().request(Method::GET, fleet.url("/login"));
    let other_host = other_host.header(header::HOST, "evil.example");
    let answer = fleet.browser().send(other_host).await;
    assert_eq!((answer.status, answer.header(REPLICA)), (421, ""));
}

// check 253
#[tokio::test]
async fn the_longest_cookies_path_and_state_pass_and_longer_ones_are_a_client_error() {
    let long = "a".repeat(2_850);
    let user = json!({ "id": "i".repeat(255), "name": "\u{1d11e}".repeat(100) });
    let reply = Reply::json(200, &user);
    let provider = Provider::scripted(move |seen| (seen.path == "/user").then(|| reply.clone()));
    let provider = provider.await;
    provider.answer_next("/token", token(&json!({ "access_token": long })));
    let fleet = Fleet::behind_nginx(SERVER, &provider, &[]).await;
    let mut browser = fleet.browser();

    logs_in_with_the_longest_path(&fleet, &mut browser).await;
    let size = "__Host-token".len() + browser.cookie("__Host-token").unwrap().len();
    assert!((3_900..=4_096).contains(&size), "{size}");
    accepts_20_kb_of_cookies_and_no_more(&fleet, &mut browser).await;
}

/// Logs in while four other logins are in progress.
async fn logs_in_with_the_longest_path(fleet: &Fleet, browser: &mut Browser) {
    let next = format!("/{}", "a".repeat(127));
    let login_url = fleet.url(&format!("/login?next={next}"));
    let mut login = browser.get(&login_url).await;
    for _ in 0..4 {
        login = browser.get(&login_url).await;
    }
    assert_eq!(browser.logins().len(), 5);
    let done = come_back(fleet, browser, &login).await;
    assert_eq!((done.status, done.location()), (303, &*next));
}

async fn accepts_20_kb_of_cookies_and_no_more(fleet: &Fleet, browser: &mut Browser) {
    let user = browser.get(fleet.url("/users/me")).await;
    assert_eq!(user.status, 200, "{}", user.body);

    browser.keep("app.example.test", "more=; Path=/");
    for (size, status) in [(4_000, 200), (20_000, 200), (40_000, 400)] {
        browser.set_cookie("more", "x".repeat(size));
        let user = browser.get(fleet.url("/users/me")).await;
        assert_eq!(user.status, status, "{size}: {}", user.body);
    }
    browser.set_cookie("more", "x".repeat(20_000));
    let request = browser.request(Method::GET, fleet.url("/users/me"));
    let lines = ["x-a", "x-b"].map(|name| (name, "x".repeat(30_000)));
    let request = lines.iter().fold(request, |request, (name, value)| {
        request.header(*name, value)
    });
    assert_eq!(browser.send(request).await.status, 431);
    browser.set_cookie("more", "");
    for (size, status) in [(8_000, 400), (40_000, 414)] {
        let state = "s".repeat(size);
        let auth = fleet.url(&format!("/auth?code=good&state={state}"));
        assert_eq!(browser.get(auth).await.status, status, "{size}");
    }
}

/// `nginx.conf` allows one login every two seconds, and a burst of 20 beyond that.
#[tokio::test]
async fn a_client_that_starts_too_many_logins_has_to_wait() {
    let provider = Provider::start().await;
    let fleet = Fleet::behind_nginx(SERVER, &provider, &[]).await;
    let mut statuses = Vec::new();
    for _ in 0..40 {
        statuses.push(fleet.browser().get(fleet.url("/login")).await.status);
    }
    assert!(statuses[..20].iter().all(|status| *status == 303));
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(fleet.browser().get(fleet.url("/")).await.status, 200);
}

// checks 251, 252
#[tokio::test]
async fn two_lines_are_enough_for_caddy() {
    let provider = Provider::scripted(allow_at_once).await;
    provider.answer_next("/token", token(&json!({ "expires_in": 0 })));
    let fleet = Fleet::behind_caddy(SERVER, &provider, &[]).await;
    let browser = Chromium::of_example_hosts().await;
    browser.open(fleet.url("/login")).await;
    browser.see("\"username\":\"ada\"").await;
    assert_eq!(protocol(&browser).await, "h2");
    assert_eq!(provider.token_requests(), 2);
    browser.open(fleet.url("/")).await;
    browser.press("Log out").await;
    browser.see("Nobody is logged in").await;
    assert!(browser.driver.get_all_cookies().await.unwrap().is_empty());
    browser.close().await;

    ignores_forged_headers(&fleet).await;
}

/// Asserts that a login and a logout are the same with forged headers as without.
async fn ignores_forged_headers(fleet: &Fleet) {
    let mut browser = fleet.browser();
    let login = send_forged(&mut browser, Method::GET, &fleet.url("/login")).await;
    assert_eq!(
        param_of(login.location(), "redirect_uri"),
        fleet.url("/auth")
    );
    let hsts = login.header("strict-transport-security");
    assert_eq!(hsts, "max-age=63072000");
    let cookie = login.set_cookies()[0];
    assert!(cookie.starts_with("__Host-login_") && cookie.contains("; Secure"));

    let index = send_forged(&mut browser, Method::GET, &fleet.url("/")).await;
    assert!(!index.body.contains("evil"), "{}", index.body);
    let privileged = send_forged(&mut browser, Method::GET, &fleet.url("/")).await;
    assert_eq!(privileged.status, 200, "the path is the one requested");

    let done = come_back(fleet, &mut browser, &login).await;
    assert_eq!(done.location(), "/users/me");
    let logout = forged(&browser, Method::POST, &fleet.url("/logout"));
    let logout = logout.header(header::ORIGIN, "https://evil.example");
    assert_eq!(browser.send(logout).await.status, 403);
    let flow = send_forged(&mut browser, Method::GET, &fleet.url("/flow")).await;
    assert_eq!(flow.status, 404, "the diagrams are for this machine only");
}

async fn send_forged(browser: &mut Browser, method: Method, url: &str) -> Answer {
    let request = forged(browser, method, url);
    browser.send(request).await
}

fn forged(browser: &Browser, method: Method, url: &str) -> reqwest::RequestBuilder {
    let request = browser.request(method, url).version(Version::HTTP_11);
    let add = |request: reqwest::RequestBuilder, (name, value)| request.header(name, value);
    FORGED.into_iter().fold(request, add)
}

/// Comes back from the provider with a code.
async fn come_back(fleet: &Fleet, browser: &mut Browser, login: &Answer) -> Answer {
    let callback = callback_at(&fleet.origin, login, "code=good");
    browser.get(callback).await
}

/// A provider at which the user is already logged in and has allowed everything.
fn allow_at_once(seen: &testing::provider::Seen) -> Option<Reply> {
    let url = format!("https://provider.example{}", seen.path);
    let back = param_of(&url, "redirect_uri");
    let state = param_of(&url, "state");
    let callback = format!("{back}?code=good&state={state}");
    (seen.path.starts_with("/authorize?")).then(|| Reply::redirect(303, &callback))
}

/// The protocol between the browser and the proxy.
async fn protocol(browser: &Chromium) -> String {
    let script = "return performance.getEntriesByType('navigation')[0].nextHopProtocol";
    let protocol = browser.driver.execute(script, Vec::new()).await.unwrap();
    protocol.json().as_str().unwrap().to_owned()
}
