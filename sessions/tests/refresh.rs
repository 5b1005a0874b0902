//! What happens when the provider's token expires. Here it expires at once: `expires_in` is 0.

use std::sync::{Arc, Mutex};

use base64::{Engine, prelude::BASE64_STANDARD};
use common::server::Server;
use serde_json::{Value, json};
use testing::{
    Browser,
    provider::{CLIENT_ID, CLIENT_SECRET, Provider, Reply, Seen, token},
    start, url,
};
use tokio::{sync::Notify, task::JoinSet};

/// A provider that issues an expired token at the login, and a token with these members at a
/// refresh. If there is a `release`, refreshes wait for it.
async fn provider(refreshed: Value, release: Option<Arc<Notify>>) -> (Provider, Server) {
    let provider = Provider::scripted(move |seen| match (&*seen.path, seen.field("grant_type")) {
        ("/token", "authorization_code") => {
            let first = json!({ "access_token": "a1", "refresh_token": "r1", "expires_in": 0 });
            Some(token(&first))
        }
        ("/token", "refresh_token") => {
            let reply = token(&refreshed);
            Some(release.iter().fold(reply, Reply::held))
        }
        _ => None,
    })
    .await;
    let server = start(sessions::app, &provider.settings()).await;
    (provider, server)
}

/// A provider that rotates refresh tokens: each works once and is replaced by another.
async fn rotating() -> (Provider, Server) {
    let spent = Mutex::new(Vec::new());
    let provider = Provider::scripted(move |seen| {
        let mut spent = spent.lock().unwrap();
        let number = spent.len() + 1;
        match (&*seen.path, seen.field("grant_type")) {
            ("/token", "authorization_code") => {
                let first = json!({ "access_token": "a1", "refresh_token": "r1", "expires_in": 0 });
                Some(token(&first))
            }
            ("/token", "refresh_token") => {
                let old = seen.field("refresh_token").to_owned();
                if spent.contains(&old) || old != format!("r{number}") {
                    return Some(Reply::error(400, "invalid_grant"));
                }
                spent.push(old);
                let next = (format!("a{}", number + 1), format!("r{}", number + 1));
                Some(token(
                    &json!({ "access_token": next.0, "refresh_token": next.1 }),
                ))
            }
            _ => None,
        }
    })
    .await;
    let server = start(sessions::app, &provider.settings()).await;
    (provider, server)
}

fn refreshes(provider: &Provider) -> Vec<Seen> {
    let is_refresh = |seen: &Seen| seen.field("grant_type") == "refresh_token";
    provider
        .seen_at("/token")
        .into_iter()
        .filter(is_refresh)
        .collect()
}

fn last_bearer(provider: &Provider) -> String {
    let asked = provider.seen_at("/user");
    asked
        .last()
        .expect("a request for the user")
        .header("authorization")
        .to_owned()
}

// check 157
#[tokio::test]
async fn an_expired_token_is_refreshed_and_the_new_one_reaches_the_browser_at_once() {
    let (provider, server) =
        provider(json!({ "access_token": "a2", "refresh_token": "r2" }), None).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    let session = browser.cookie("session").unwrap().to_owned();
    let old_token = browser.cookie("token").unwrap().to_owned();

    let answer = browser.get(url(&server, "/users/me")).await;
    assert_eq!(
        (answer.status, &answer.json()["username"]),
        (200, &"ada".into())
    );
    assert_eq!(last_bearer(&provider), "Bearer a2");
    let [cookie] = answer.set_cookies()[..] else {
        panic!("the token cookie and no other")
    };
    assert!(
        cookie.starts_with("token=") && cookie.contains("HttpOnly"),
        "{cookie}"
    );
    assert_ne!(browser.cookie("token"), Some(&*old_token));
    assert_eq!(browser.cookie("session"), Some(&*session));

    let [request] = &refreshes(&provider)[..] else {
        panic!("one refresh")
    };
    let basic = BASE64_STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}"));
    assert_eq!(request.header("authorization"), format!("Basic {basic}"));
    let form: Vec<_> = request
        .form
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    let mut form = form;
    form.sort_unstable();
    assert_eq!(
        form,
        [("grant_type", "refresh_token"), ("refresh_token", "r1")],
        "and no scope"
    );

    let again = browser.get(url(&server, "/users/me")).await;
    assert_eq!((again.status, again.set_cookies()), (200, vec![]));
    assert_eq!(refreshes(&provider).len(), 1, "the new token lives");
}

// check 157
#[tokio::test]
async fn a_refresh_authenticates_in_the_body_where_the_exchange_does() {
    let provider = Provider::start().await;
    let method = [("CLIENT_AUTH_METHOD", "client_secret_post")];
    let server = start(sessions::app, &provider.settings_and(&method)).await;
    provider.answer_next("/token", token(&json!({ "expires_in": 0 })));
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    assert_eq!(browser.get(url(&server, "/users/me")).await.status, 200);
    let [request] = &refreshes(&provider)[..] else {
        panic!("one refresh")
    };
    assert_eq!(request.field("client_id"), CLIENT_ID);
    assert_eq!(request.field("client_secret"), CLIENT_SECRET);
    assert!(!request.headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_page_that_needs_no_token_refreshes_none() {
    let (provider, server) = rotating().await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    assert_eq!(browser.get(url(&server, "/privileged")).await.status, 200);
    assert_eq!(refreshes(&provider).len(), 0);
}

#[tokio::test]
async fn a_token_without_an_expiry_or_a_refresh_token_is_used_as_it_is() {
    let provider = Provider::start().await;
    let server = start(sessions::app, &provider.settings()).await;
    for changes in [
        json!({ "expires_in": null }),
        json!({ "expires_in": 0, "refresh_token": null }),
    ] {
        provider.answer_next("/token", token(&changes));
        let mut browser = Browser::new();
        browser.log_in_with_code(&server).await;
        assert_eq!(
            browser.get(url(&server, "/users/me")).await.status,
            200,
            "{changes}"
        );
        assert_eq!(last_bearer(&provider), "Bearer access");
    }
    assert_eq!(refreshes(&provider).len(), 0);
}

// check 155
#[tokio::test]
async fn fifty_requests_at_once_share_one_refresh() {
    let (provider, server) = rotating().await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    let before = browser.clone();
    let mut requests = JoinSet::new();
    for _ in 0..50 {
        let (mut browser, url) = (before.clone(), url(&server, "/users/me"));
        requests.spawn(async move {
            let answer = browser.get(url).await;
            (answer.status, browser)
        });
    }
    let answers = requests.join_all().await;
    assert_eq!(answers.len(), 50);
    assert!(answers.iter().all(|(status, _)| *status == 200));
    assert_eq!(refreshes(&provider).len(), 1);

    let mut late = before.clone();
    assert_eq!(
        late.get(url(&server, "/users/me")).await.status,
        200,
        "with the old cookie"
    );
    assert_eq!(refreshes(&provider).len(), 1);
    assert_eq!(last_bearer(&provider), "Bearer a2");
    for (_, mut browser) in answers {
        let answer = browser.get(url(&server, "/users/me")).await;
        assert_eq!(
            (answer.status, answer.set_cookies()),
            (200, vec![]),
            "each got the new token"
        );
    }
}

// check 155
#[tokio::test]
async fn two_people_do_not_share_a_refresh() {
    let provider = Provider::scripted(|seen| {
        let name = match seen.field("grant_type") {
            "authorization_code" => seen.field("code").to_owned(),
            "refresh_token" => seen.field("refresh_token").to_owned(),
            _ if seen.path == "/user" => {
                let name = seen.header("authorization").to_owned();
                return Some(Reply::json(200, &json!({ "id": name, "username": name })));
            }
            _ => return None,
        };
        let ended = if seen.field("code").is_empty() {
            3600
        } else {
            0
        };
        let changes = json!({ "access_token": name, "refresh_token": name, "expires_in": ended });
        Some(token(&changes))
    })
    .await;
    let server = start(sessions::app, &provider.settings()).await;
    for name in ["ada", "bob"] {
        let mut browser = Browser::new();
        let login = browser.get(url(&server, "/login")).await;
        browser
            .come_back(&server, &login, &format!("code={name}"))
            .await;
        let user = browser.get(url(&server, "/users/me")).await;
        assert_eq!(user.json()["username"], format!("Bearer {name}"));
    }
    assert_eq!(refreshes(&provider).len(), 2);
}

// check 155
#[tokio::test]
async fn a_caller_who_hangs_up_loses_no_token() {
    let release = Arc::new(Notify::new());
    let refreshed = json!({ "access_token": "a2", "refresh_token": "r2" });
    let (provider, server) = provider(refreshed, Some(release.clone())).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;

    let (mut impatient, me) = (browser.clone(), url(&server, "/users/me"));
    let request = tokio::spawn(async move { impatient.get(me).await });
    provider.token_requests_reach(2).await;
    request.abort();
    assert!(request.await.is_err_and(|error| error.is_cancelled()));
    for _ in 0..3 {
        let answer = browser.get(url(&server, "/privileged")).await;
        assert_eq!(
            answer.status, 200,
            "the server has had time to notice that the caller is gone"
        );
    }

    release.notify_one();
    assert_eq!(browser.get(url(&server, "/users/me")).await.status, 200);
    assert_eq!(last_bearer(&provider), "Bearer a2");
    assert_eq!(
        refreshes(&provider).len(),
        1,
        "the refresh token is spent once"
    );
}

/// The tokens that were revoked, once there are this many.
async fn revoked(provider: &Provider, count: usize) -> Vec<String> {
    let revoked = provider.seen_reach("/revoke", count).await;
    let token = |seen: &Seen| seen.field("token").to_owned();
    let mut tokens: Vec<_> = revoked.iter().map(token).collect();
    tokens.sort_unstable();
    tokens
}

// checks 75, 155, 169
#[tokio::test]
async fn a_logout_during_a_refresh_revokes_what_the_refresh_brings() {
    let release = Arc::new(Notify::new());
    let refreshed = json!({ "access_token": "a2", "refresh_token": "r2" });
    let (provider, server) = provider(refreshed, Some(release.clone())).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;

    let (mut slow, me) = (browser.clone(), url(&server, "/users/me"));
    let request = tokio::spawn(async move { slow.get(me).await });
    provider.token_requests_reach(2).await;
    let out = browser.post(url(&server, "/logout"), &[]).await;
    assert_eq!((out.status, browser.cookie_names()), (303, vec![]));
    release.notify_one();

    let late = request.await.expect("an answer");
    assert_eq!(late.set_cookies(), [""; 0], "a logout is not undone");
    assert_eq!(revoked(&provider, 4).await, ["a1", "a2", "r1", "r2"]);
    server.stop().await;
    assert_eq!(provider.seen_at("/revoke").len(), 4);
}

// checks 75, 155, 169
#[tokio::test]
async fn a_logout_after_a_lost_refresh_revokes_what_the_refresh_brought() {
    let refreshed = json!({ "access_token": "a2", "refresh_token": "r2" });
    let (provider, server) = provider(refreshed, None).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    let lost = browser.clone().get(url(&server, "/users/me")).await;
    assert_eq!((lost.status, lost.set_cookies().len()), (200, 1));

    browser.post(url(&server, "/logout"), &[]).await;
    assert_eq!(revoked(&provider, 4).await, ["a1", "a2", "r1", "r2"]);
}

// check 169
#[tokio::test]
async fn a_logout_during_a_refresh_that_fails_revokes_the_old_token() {
    let release = Arc::new(Notify::new());
    let (provider, server) = provider(json!({}), None).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;

    provider.answer_next("/token", Reply::new(503, "text/plain", "").held(&release));
    let (mut slow, me) = (browser.clone(), url(&server, "/users/me"));
    let request = tokio::spawn(async move { slow.get(me).await });
    provider.token_requests_reach(2).await;
    browser.post(url(&server, "/logout"), &[]).await;
    release.notify_one();
    assert_eq!(request.await.expect("an answer").status, 502);
    assert_eq!(revoked(&provider, 2).await, ["a1", "r1"]);
}

// check 169
#[tokio::test]
async fn after_a_logout_no_refresh_begins() {
    let refreshed = json!({ "access_token": "a2", "refresh_token": "r2" });
    let (provider, server) = provider(refreshed, None).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    let mut copy = browser.clone();
    browser.post(url(&server, "/logout"), &[]).await;
    assert_eq!(copy.get(url(&server, "/users/me")).await.status, 401);
    assert_eq!(revoked(&provider, 2).await, ["a1", "r1"]);
    assert_eq!(refreshes(&provider).len(), 0);
}

/// Logs in again while a refresh of the old session waits for `reply`. Returns the answer to the
/// old request, and the browser with the cookies of both answers, the late one's last.
async fn log_in_again_during_a_refresh(
    reply: Reply,
) -> (testing::Answer, Browser, Provider, Server) {
    let release = Arc::new(Notify::new());
    let (provider, server) = provider(json!({}), None).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;

    provider.answer_next("/token", reply.held(&release));
    let (mut slow, me) = (browser.clone(), url(&server, "/users/me"));
    let request = tokio::spawn(async move { slow.get(me).await });
    provider.token_requests_reach(2).await;
    provider.answer_next("/token", token(&json!({ "access_token": "new-login" })));
    browser.log_in_with_code(&server).await;
    release.notify_one();
    let late = request.await.expect("an answer");
    for cookie in late.set_cookies() {
        browser.keep("127.0.0.1", cookie);
    }
    (late, browser, provider, server)
}

// check 170
#[tokio::test]
async fn a_late_refresh_leaves_the_token_of_a_new_login_alone() {
    let reply = token(&json!({ "access_token": "a2", "refresh_token": "r2" }));
    let (late, mut browser, provider, server) = log_in_again_during_a_refresh(reply).await;
    assert_eq!((late.status, late.set_cookies()), (200, vec![]));
    assert_eq!(browser.get(url(&server, "/users/me")).await.status, 200);
    assert_eq!(last_bearer(&provider), "Bearer new-login");
}

// check 170
#[tokio::test]
async fn a_refresh_that_fails_late_does_not_end_a_new_login() {
    let reply = Reply::error(400, "invalid_grant");
    let (late, mut browser, provider, server) = log_in_again_during_a_refresh(reply).await;
    assert_eq!((late.status, late.set_cookies()), (401, vec![]));
    assert_eq!(browser.get(url(&server, "/users/me")).await.status, 200);
    assert_eq!(last_bearer(&provider), "Bearer new-login");
}

// check 156
#[tokio::test]
async fn without_a_new_refresh_token_the_old_one_stays_in_use() {
    let refreshed = json!({ "access_token": "a2", "refresh_token": null, "expires_in": 0 });
    let (provider, server) = provider(refreshed, None).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    for count in 1..=2 {
        assert_eq!(browser.get(url(&server, "/users/me")).await.status, 200);
        let tokens: Vec<_> = refreshes(&provider)
            .iter()
            .map(|seen| seen.field("refresh_token").to_owned())
            .collect();
        assert_eq!(tokens, vec!["r1"; count]);
    }
}

// check 156
#[tokio::test]
async fn when_the_provider_rejects_the_refresh_the_person_is_logged_out() {
    let (provider, server) = provider(json!({}), None).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    provider.answer_next("/token", Reply::error(400, "invalid_grant"));
    let answer = browser.get(url(&server, "/users/me")).await;
    assert_eq!(
        (answer.status, &answer.json()["detail"]),
        (401, &"Not logged in".into())
    );
    assert_eq!(
        answer.header("www-authenticate"),
        "Cookie realm=\"session\""
    );
    assert_eq!(browser.cookie_names(), [""; 0]);
    assert_eq!(browser.get(url(&server, "/privileged")).await.status, 401);
}

// check 156
#[tokio::test]
async fn when_the_provider_is_down_the_person_stays_logged_in() {
    let refreshed = json!({ "access_token": "a2", "refresh_token": "r2" });
    let (provider, server) = provider(refreshed, None).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    for reply in [
        Reply::new(503, "text/html", "<h1>upstream</h1>"),
        Reply::error(500, "invalid_grant"),
        Reply::error(429, "slow_down"),
        Reply::error(401, "invalid_client"),
        Reply::redirect(307, "http://127.0.0.1:9/token"),
        token(&json!({ "token_type": "mac" })),
    ] {
        let what = format!("{reply:?}");
        provider.answer_next("/token", reply);
        let answer = browser.get(url(&server, "/users/me")).await;
        assert_eq!(
            (answer.status, answer.set_cookies()),
            (502, vec![]),
            "{what}"
        );
        assert!(!answer.body.contains("upstream"), "{what}");
        assert_eq!(
            browser.get(url(&server, "/privileged")).await.status,
            200,
            "{what}"
        );
    }
    assert_eq!(
        browser.get(url(&server, "/users/me")).await.status,
        200,
        "it works again later"
    );
    assert_eq!(last_bearer(&provider), "Bearer a2");
}

// check 156
#[tokio::test]
async fn a_narrower_scope_is_accepted() {
    let refreshed = json!({ "access_token": "a2", "refresh_token": "r2", "scope": "" });
    let (provider, server) = provider(refreshed, None).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    assert_eq!(browser.get(url(&server, "/users/me")).await.status, 200);
    assert_eq!(last_bearer(&provider), "Bearer a2");
}
