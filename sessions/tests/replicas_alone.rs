//! The example `replicas` with nothing set: alone, with sessions in memory.

#[path = "../examples/replicas/main.rs"]
#[expect(dead_code, reason = "a test has no use for `main`")]
mod replicas;

#[path = "../../common/testing/flow/disguise.rs"]
mod disguise;

use replicas::app;
use reqwest::{Method, header};
use serde_json::json;
use testing::{
    Browser,
    provider::{Provider, Reply, token},
    start, url,
};

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// The status of `/auth` after a login.
const SUCCESS: u16 = 303;

#[tokio::test]
async fn the_walkthrough() {
    let server = start(app, &[]).await;
    let mut ada = Browser::new();
    for path in ["/users/me", "/privileged", "/sessions"] {
        let refused = ada.get(url(&server, path)).await;
        assert_eq!(refused.status, 401, "{path}");
        assert_eq!(refused.json(), json!({ "detail": "Not logged in" }));
    }
    assert!(ada.visit(url(&server, "/")).await.body.contains("Nobody"));

    let done = ada.log_in(&server, "ada").await;
    assert_eq!(done.location(), "/users/me");
    assert_eq!(ada.cookie_names(), ["session"]);
    let me = ada.get(url(&server, "/users/me")).await.json();
    assert_eq!(me["username"], "ada");
    let privileged = ada.get(url(&server, "/privileged")).await;
    let congratulations = "Congratulations, you are logged in using Discord!";
    assert_eq!(privileged.json(), congratulations);
    assert!(ada.visit(url(&server, "/")).await.body.contains("ada"));

    let out = ada.post(url(&server, "/logout"), &[]).await;
    assert_eq!(out.location(), "/");
    assert!(ada.cookies.is_empty());
}

// check 233
#[tokio::test]
async fn the_list_shows_this_users_sessions_alone() {
    let server = start(app, &[]).await;
    let [mut here, mut there, mut other] = [Browser::new(), Browser::new(), Browser::new()];
    here.log_in(&server, "ada").await;
    there.log_in(&server, "ada").await;
    other.log_in(&server, "eve").await;
    let list = here.get(url(&server, "/sessions")).await.json();
    let current = |list: &serde_json::Value| -> Vec<bool> {
        let list = list.as_array().unwrap().iter();
        list.map(|entry| entry["current"].as_bool().unwrap())
            .collect()
    };
    let mut currents = current(&list);
    currents.sort_unstable();
    assert_eq!(currents, [false, true]);
    let page = here.visit(url(&server, "/sessions")).await;
    assert!(page.body.contains("This browser") && page.body.contains("Another browser"));

    let everywhere = url(&server, "/logout/everywhere");
    let forged = here.request(Method::POST, &everywhere);
    let forged = here
        .send(forged.header(header::ORIGIN, "http://evil.example"))
        .await;
    assert_eq!(forged.status, 403);
    assert_eq!(here.post(&everywhere, &[]).await.location(), "/");
    let sessions = url(&server, "/sessions");
    assert_eq!(there.get(&sessions).await.status, 401);
    assert_eq!(current(&other.get(&sessions).await.json()), [true]);
}

// check 238
#[tokio::test]
async fn a_refresh_whose_response_is_unusable_is_not_sent_again() {
    let provider = Provider::start().await;
    provider.answer_next("/token", token(&json!({ "expires_in": 0 })));
    let server = start(app, &provider.settings()).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    provider.answer_next("/token", Reply::new(200, "application/json", "{\"access"));
    let me = url(&server, "/users/me");
    assert_eq!(browser.get(&me).await.status, 502);
    // The provider may have redeemed it, and would take a second use for theft.
    assert_eq!(browser.get(&me).await.status, 503);
    assert_eq!(provider.token_requests(), 2);
}

// check 232
#[tokio::test]
async fn a_copied_cookie_is_rejected_after_the_logout() {
    let server = start(app, &[]).await;
    let mut browser = Browser::new();
    browser.log_in(&server, "ada").await;
    let mut copy = browser.clone();
    assert_eq!(copy.get(url(&server, "/privileged")).await.status, 200);
    browser.post(url(&server, "/logout"), &[]).await;
    assert_eq!(copy.get(url(&server, "/privileged")).await.status, 401);
}

// check 236
#[tokio::test]
async fn tokens_may_be_large() {
    for size in [12_000, 64_000] {
        let provider = Provider::scripted(move |seen| {
            let large = json!({ "access_token": "a".repeat(size), "refresh_token": null });
            (seen.path == "/token").then(|| token(&large))
        })
        .await;
        let server = start(app, &provider.settings()).await;
        let mut browser = Browser::new();
        let done = browser.log_in_with_code(&server).await;
        assert_eq!(done.location(), "/users/me");
        let me = browser.get(url(&server, "/users/me")).await;
        assert_eq!(me.status, 200, "{}", me.body);
    }
}

#[tokio::test]
async fn one_process_refreshes_once_for_many_requests() {
    let provider = Provider::scripted(|seen| {
        let first = json!({ "expires_in": 0 });
        let is_login = seen.field("grant_type") == "authorization_code";
        is_login.then(|| token(&first))
    })
    .await;
    let server = start(app, &provider.settings()).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let mut browser = browser.clone();
        let me = url(&server, "/users/me");
        requests.spawn(async move { browser.get(me).await.status });
    }
    let statuses = requests.join_all().await;
    assert_eq!(statuses, [200; 50]);
    assert_eq!(provider.token_requests(), 2);
}

// check 254
#[tokio::test]
async fn the_health_of_one_process_needs_nothing_else() {
    let server = start(app, &[]).await;
    let mut browser = Browser::new();
    for path in ["/healthz", "/readyz"] {
        let answer = browser.get(url(&server, path)).await;
        assert_eq!((answer.status, &*answer.body), (200, ""));
    }
}

// check 159
#[tokio::test]
async fn a_session_behind_raw_white_space_is_no_session() {
    let https = [
        ("PUBLIC_URL", "https://app.example.com"),
        ("SESSION_SECRET", SECRET),
    ];
    let provider = Provider::start().await;
    let server = start(app, &provider.settings_and(&https)).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    let session = browser.cookie("__Host-session").expect("the session");
    let real = format!("__Host-session={session}").into_bytes();
    let status = async |cookies: &[&[u8]]| {
        let mut browser = Browser::new();
        let request = browser.request(Method::GET, url(&server, "/privileged"));
        let request = request.header("cookie", cookies.join(&b"; "[..]));
        browser.send(request).await.status
    };

    assert_eq!(status(&[&real]).await, 200);
    assert_eq!(status(&[&real["__Host-".len()..]]).await, 401);
    for space in disguise::WHITE_SPACE {
        assert_eq!(status(&[&[space, &real].concat()]).await, 401, "{space:x?}");
        let planted = [space, b"__Host-session=planted"].concat();
        for both in [[&*planted, &real], [&*real, &planted]] {
            assert_eq!(status(&both).await, 200, "{space:x?}");
        }
    }
}
