//! `GET /auth`: what a browser can bring back, and what becomes of it.

use std::time::Duration;

use common::{cookies::CookieKeys, server::Server, unix_now};
use reqwest::Method;
use serde_json::json;
use testing::{
    Answer, Browser, callback, param_of,
    provider::{Provider, Reply},
    start, url,
};
use tokio::task::JoinSet;
use tower_cookies::Cookies;

use crate::{SUCCESS, app};

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const NOT_STARTED_HERE: &str = "this login was not started in this browser, has expired or was already used; please start again, with cookies enabled";

fn is_refused(answer: &Answer) {
    assert_eq!(answer.status, 400, "{} {}", answer.url, answer.body);
    assert_eq!(answer.json()["detail"], NOT_STARTED_HERE, "{}", answer.url);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
}

async fn scripted() -> (Provider, Server) {
    let provider = Provider::start().await;
    let server = start(app, &provider.settings_and(&[("SESSION_SECRET", SECRET)])).await;
    (provider, server)
}

// checks 15, 19
#[tokio::test]
async fn a_callback_without_its_parameters_is_refused() {
    let (provider, server) = scripted().await;
    let mut browser = Browser::new();
    let login = browser.get(url(&server, "/login")).await;
    for path in [
        "/auth",
        "/auth?",
        "/auth?code=good",
        "/auth?code=good&state=",
        "/auth?error=x",
    ] {
        is_refused(&browser.get(url(&server, path)).await);
        is_refused(&Browser::new().get(url(&server, path)).await);
    }
    is_refused(
        &Browser::new()
            .get(callback(&server, &login, "code=good"))
            .await,
    );

    let only_state = browser.come_back(&server, &login, "").await;
    assert_eq!(only_state.status, 400);
    assert_eq!(
        only_state.json()["detail"],
        "the provider's response has neither a code nor an error"
    );
    assert_eq!(provider.token_requests(), 0);
}

// check 16
#[tokio::test]
async fn a_callback_with_another_state_is_refused() {
    let (provider, server) = scripted().await;
    let mut browser = Browser::new();
    let login = browser.get(url(&server, "/login")).await;
    let state = param_of(login.location(), "state");
    let swapped: String = state
        .chars()
        .map(|c| {
            if c.is_ascii_lowercase() {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect();
    let first = if state.starts_with('A') { "B" } else { "A" };
    for other in [
        format!("{first}{}", &state[1..]),
        swapped,
        format!("{state}%20"),
        format!("%20{state}"),
        format!("{state}A"),
        state[..21].to_owned(),
        "A".repeat(4000),
        "%C3%A9;x=1,%20y".to_owned(),
    ] {
        is_refused(
            &browser
                .get(url(&server, &format!("/auth?code=good&state={other}")))
                .await,
        );
    }
    assert_eq!(provider.token_requests(), 0);
    let answer = browser.come_back(&server, &login, "code=good").await;
    assert_eq!(answer.status, SUCCESS, "the right one still works");
}

// checks 17, 18, 20
#[tokio::test]
async fn a_callback_of_another_browser_is_refused() {
    let (provider, server) = scripted().await;
    let mut attacker = Browser::new();
    let attackers_login = attacker.get(url(&server, "/login")).await;
    let bait = callback(&server, &attackers_login, "code=attackers");
    is_refused(&Browser::new().get(&bait).await);

    let mut victim = Browser::new();
    let own_login = victim.get(url(&server, "/login")).await;
    is_refused(&victim.get(&bait).await);
    assert_eq!(provider.token_requests(), 0);

    let answer = victim.come_back(&server, &own_login, "code=own").await;
    assert_eq!(answer.status, SUCCESS, "the victim's own login still works");
    assert_eq!(provider.seen_at("/token")[0].field("code"), "own");
}

// checks 18, 20
#[tokio::test]
async fn a_login_cookie_under_the_name_of_another_state_is_refused() {
    let (provider, server) = scripted().await;
    let (mut attacker, mut victim) = (Browser::new(), Browser::new());
    let attackers_login = attacker.get(url(&server, "/login")).await;
    let own_login = victim.get(url(&server, "/login")).await;
    let name = |login: &Answer| format!("login_{}", param_of(login.location(), "state"));
    let own = victim.cookie(&name(&own_login)).unwrap().to_owned();
    attacker.set_cookie(&name(&attackers_login), own);
    is_refused(
        &attacker
            .come_back(&server, &attackers_login, "code=good")
            .await,
    );
    assert_eq!(provider.token_requests(), 0);
}

// check 21
#[tokio::test]
async fn a_callback_works_once() {
    let (provider, server) = scripted().await;
    let mut browser = Browser::new();
    let login = browser.get(url(&server, "/login")).await;
    let first = browser.come_back(&server, &login, "code=good").await;
    assert_eq!(first.status, SUCCESS);
    let logins = |cookie: &&str| cookie.starts_with("login_");
    let mut cleared = first.set_cookies().into_iter().filter(logins);
    let cleared = cleared.next().expect("the login cookie is cleared");
    assert!(cleared.contains("Max-Age=0"), "{cleared}");
    assert!(
        cleared.contains("Path=/"),
        "otherwise another cookie is cleared: {cleared}"
    );

    is_refused(&browser.come_back(&server, &login, "code=good").await);
    assert_eq!(provider.token_requests(), 1);
}

// check 22
#[tokio::test]
async fn a_copy_of_the_login_cookie_does_not_finish_the_login_again() {
    // A code of this provider works many times: only this server rejects its second use.
    let (provider, server) = scripted().await;
    for first in ["code=good", "error=access_denied"] {
        let mut browser = Browser::new();
        let login = browser.get(url(&server, "/login")).await;
        let mut copy = browser.clone();
        browser.come_back(&server, &login, first).await;
        let asked = provider.token_requests();
        is_refused(&copy.come_back(&server, &login, "code=good").await);
        assert_eq!(provider.token_requests(), asked, "after {first}");
    }
}

// check 23
#[tokio::test(flavor = "multi_thread")]
async fn only_one_of_many_parallel_callbacks_gets_a_token() {
    let (provider, server) = scripted().await;
    let mut browser = Browser::new();
    let login = browser.get(url(&server, "/login")).await;
    let callback = callback(&server, &login, "code=good");
    let mut callbacks = JoinSet::new();
    for _ in 0..20 {
        let (mut copy, callback) = (browser.clone(), callback.clone());
        callbacks.spawn(async move { copy.get(&callback).await.status });
    }
    let mut statuses = callbacks.join_all().await;
    statuses.sort_unstable_by_key(|status| *status != SUCCESS);
    assert_eq!(statuses[0], SUCCESS);
    assert_eq!(statuses[1..], [400; 19]);
    assert_eq!(provider.token_requests(), 1);
}

/// Comes back with a login cookie as the server itself would write it.
async fn come_back_with(server: &Server, redirect_uri: &str, lifetime: Duration) -> Answer {
    let pending = json!({
        "started": unix_now(),
        "state": "the-state",
        "verifier": "v".repeat(43),
        "redirect_uri": redirect_uri,
        "next": null,
    });
    let cookies = Cookies::default();
    let keys = CookieKeys::new(&SECRET.to_owned().into(), false);
    keys.encrypt(&cookies, "login_the-state", &pending, lifetime)
        .expect("it fits");
    let value = cookies
        .get("login_the-state")
        .expect("the cookie")
        .value()
        .to_owned();

    let mut browser = Browser::new();
    let request = browser.request(Method::GET, url(server, "/auth?code=good&state=the-state"));
    browser
        .send(request.header("cookie", format!("login_the-state={value}")))
        .await
}

// check 24
#[tokio::test]
async fn a_login_that_took_too_long_is_refused() {
    let (provider, server) = scripted().await;
    let redirect_uri = server.public_url.join("/auth");
    is_refused(&come_back_with(&server, &redirect_uri, Duration::ZERO).await);
    assert_eq!(provider.token_requests(), 0);
    let in_time = come_back_with(&server, &redirect_uri, Duration::from_mins(10)).await;
    assert_eq!(in_time.status, SUCCESS, "the forgery itself works");
}

#[tokio::test]
async fn a_login_that_another_server_with_the_same_secret_started_is_refused() {
    let (provider, server) = scripted().await;
    let elsewhere = "http://127.0.0.1:9/auth";
    is_refused(&come_back_with(&server, elsewhere, Duration::from_mins(10)).await);
    assert_eq!(provider.token_requests(), 0);
}

// check 25
#[tokio::test]
async fn a_damaged_login_cookie_is_refused_and_breaks_nothing() {
    let (provider, server) = scripted().await;
    let mut browser = Browser::new();
    let login = browser.get(url(&server, "/login")).await;
    let callback = callback(&server, &login, "code=good");
    let name = format!("login_{}", param_of(login.location(), "state"));
    let whole = browser.cookie(&name).unwrap().as_bytes().to_vec();

    let flipped = (0..whole.len()).map(|at| {
        let mut value = whole.clone();
        value[at] = if value[at] == b'A' { b'B' } else { b'A' };
        value
    });
    let truncated = [0, 1, 12, whole.len() / 2, whole.len() - 4, whole.len() - 1];
    let truncated = truncated.iter().map(|&end| whole[..end].to_vec());
    let foreign = [
        vec![b'A'; 5000],
        b"not base64!".to_vec(),
        b"%zz%".to_vec(),
        b"\xff\xfe\x80".to_vec(),
        [&whole[..], b"AAAA"].concat(),
        [&whole[..], b"\xff"].concat(),
    ];
    let mut damaged = 0;
    let mut bare = Browser::new();
    for value in flipped.chain(truncated).chain(foreign) {
        let cookie = [name.as_bytes(), b"=", &value].concat();
        let request = bare
            .request(Method::GET, &callback)
            .header("cookie", cookie);
        is_refused(&bare.send(request).await);
        damaged += 1;
    }
    assert!(damaged > 250, "{damaged}");
    assert_eq!(provider.token_requests(), 0);
    assert_eq!(
        browser.get(&callback).await.status,
        SUCCESS,
        "the whole one works"
    );
}

// check 27
#[tokio::test]
async fn a_parameter_given_twice_is_refused() {
    let (provider, server) = scripted().await;
    for answer in [
        "code=a&code=b",
        "code=a&state=x",
        "error=a&error=b",
        "code=a&iss=b&iss=b",
    ] {
        let mut browser = Browser::new();
        let login = browser.get(url(&server, "/login")).await;
        let refused = browser.come_back(&server, &login, answer).await;
        assert_eq!(refused.status, 400, "{answer}");
        assert_eq!(
            refused.json()["detail"],
            "a parameter is sent more than once",
            "{answer}"
        );
    }
    assert_eq!(provider.token_requests(), 0);
}

// check 28
#[tokio::test]
async fn unknown_parameters_are_ignored() {
    let (_provider, server) = scripted().await;
    let mut browser = Browser::new();
    let login = browser.get(url(&server, "/login")).await;
    let answer = "code=good&session_state=x&foo=%C3%A9&bar";
    assert_eq!(
        browser.come_back(&server, &login, answer).await.status,
        SUCCESS
    );
}

// check 29
#[tokio::test]
async fn an_answer_of_another_issuer_is_refused() {
    let provider = Provider::start().await;
    let issuer = [("ISSUER", "https://issuer.example")];
    let server = start(app, &provider.settings_and(&issuer)).await;
    for (iss, status) in [
        ("iss=https%3A%2F%2Fissuer.example", SUCCESS),
        ("iss=https%3A%2F%2Fissuer.example%2F", 400),
        ("iss=https%3A%2F%2Fevil.example", 400),
    ] {
        let mut browser = Browser::new();
        let login = browser.get(url(&server, "/login")).await;
        let before = provider.token_requests();
        let answer = browser
            .come_back(&server, &login, &format!("code=good&{iss}"))
            .await;
        assert_eq!(answer.status, status, "{iss}");
        assert_eq!(
            provider.token_requests() - before,
            usize::from(status == SUCCESS),
            "{iss}"
        );
        if status == 400 {
            let detail = "this response came from another provider; please start again";
            assert_eq!(answer.json()["detail"], detail);
        }
    }

    let (_provider, server) = scripted().await;
    let mut browser = Browser::new();
    let login = browser.get(url(&server, "/login")).await;
    let answer = "code=good&iss=https%3A%2F%2Fanything.example";
    assert_eq!(
        browser.come_back(&server, &login, answer).await.status,
        SUCCESS,
        "no ISSUER is set"
    );
}

// checks 30, 38
#[tokio::test]
async fn an_error_of_the_provider_ends_the_login() {
    let (provider, server) = scripted().await;
    for (error, status, reason) in [
        ("access_denied", 403, "access_denied"),
        (
            "server_error",
            502,
            "the provider cannot be used at the moment",
        ),
        (
            "temporarily_unavailable",
            502,
            "the provider cannot be used at the moment",
        ),
        ("invalid_request", 400, "invalid_request"),
        ("unauthorized_client", 400, "unauthorized_client"),
        (
            "unsupported_response_type",
            400,
            "unsupported_response_type",
        ),
        ("invalid_scope", 400, "invalid_scope"),
        ("login_required", 400, "unknown error"),
    ] {
        let mut browser = Browser::new();
        let login = browser.get(url(&server, "/login")).await;
        let answer = browser
            .come_back(&server, &login, &format!("error={error}"))
            .await;
        assert_eq!(answer.status, status, "{error}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(reason), "{error}: {detail}");
        assert_eq!(answer.header("cache-control"), "no-store", "{error}");
        assert!(
            answer.set_cookies().concat().contains("Max-Age=0"),
            "{error} spends the login"
        );
        is_refused(&browser.come_back(&server, &login, "code=good").await);
    }
    assert_eq!(provider.token_requests(), 0);
}

// check 31
#[tokio::test]
async fn an_error_with_another_state_is_not_believed() {
    let (_provider, server) = scripted().await;
    let mut browser = Browser::new();
    let login = browser.get(url(&server, "/login")).await;
    let path =
        "/auth?error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E&state=x";
    is_refused(&browser.get(url(&server, path)).await);
    let page = browser.visit(url(&server, path)).await;
    assert_eq!(page.status, 400);
    assert!(
        !page.body.contains("script") && !page.body.contains("denied"),
        "{}",
        page.body
    );
    assert_eq!(
        browser.come_back(&server, &login, "code=good").await.status,
        SUCCESS
    );
}

// check 32
#[tokio::test]
async fn error_texts_of_the_provider_are_not_repeated() {
    let (provider, server) = scripted().await;
    let long = format!("error=x&error_description={}", "echo".repeat(2500));
    for answer in [
        "error=access_denied&error_description=%3Cb%3Eecho%3C/b%3E",
        "error=access_denied&error_description=a%0d%0aSet-Cookie:echo=1",
        "error=echo%22%3Cscript%3E",
        "error=echo%0aecho",
        "error=echo%07",
        "error=invalid_request&error_uri=https://echo.example",
        &long,
    ] {
        let mut browser = Browser::new();
        let login = browser.get(url(&server, "/login")).await;
        let refused = browser.come_back(&server, &login, answer).await;
        assert!(
            matches!(refused.status, 400 | 403),
            "{answer}: {}",
            refused.status
        );
        assert_eq!(refused.header("x-content-type-options"), "nosniff");
        assert!(refused.json()["detail"].is_string());
        assert!(!refused.body.contains("echo"), "{answer}: {}", refused.body);
        assert!(refused.body.len() < 200, "{answer}");
        assert!(!refused.set_cookies().concat().contains("echo"), "{answer}");

        let login = browser.get(url(&server, "/login")).await;
        let page = browser.visit(callback(&server, &login, answer)).await;
        assert!(
            matches!(page.status, 400 | 403),
            "{answer}: {}",
            page.status
        );
        assert!(!page.body.contains("echo"), "{answer}: {}", page.body);
    }
    assert_eq!(provider.token_requests(), 0);
}

// check 33
#[tokio::test]
async fn a_code_that_comes_with_an_error_is_not_redeemed() {
    let (provider, server) = scripted().await;
    for answer in [
        "code=good&error=access_denied",
        "error=access_denied&code=good",
    ] {
        let mut browser = Browser::new();
        let login = browser.get(url(&server, "/login")).await;
        assert_eq!(browser.come_back(&server, &login, answer).await.status, 403);
    }
    assert_eq!(provider.token_requests(), 0);
}

// check 34
#[tokio::test]
async fn a_token_is_never_taken_from_the_url() {
    let (provider, server) = scripted().await;
    let mut browser = Browser::new();
    let login = browser.get(url(&server, "/login")).await;
    let injected = "access_token=injected&token_type=bearer";
    let answer = browser.come_back(&server, &login, injected).await;
    assert_eq!(answer.status, 400);
    assert!(!answer.body.contains("injected"));
    assert_eq!(provider.token_requests(), 0);
}

// check 35
#[tokio::test]
async fn a_code_reaches_the_provider_unchanged_or_is_refused() {
    let (provider, server) = scripted().await;
    let long = "c".repeat(4096);
    for (encoded, code) in [
        (&*long, &*long),
        ("a%26b%3Dc%2Bd+e%20f", "a&b=c+d e f"),
        ("%22%27%3B%5C%25", "\"';\\%"),
        ("%C3%A9%F0%9F%94%91", "é🔑"),
        ("a/b~c.d-e_f", "a/b~c.d-e_f"),
    ] {
        let mut browser = Browser::new();
        let login = browser.get(url(&server, "/login")).await;
        let answer = browser
            .come_back(&server, &login, &format!("code={encoded}"))
            .await;
        assert_eq!(answer.status, SUCCESS, "{encoded}");
        assert_eq!(
            provider.seen_at("/token").last().unwrap().field("code"),
            code
        );
    }
    let redeemed = provider.token_requests();
    for encoded in ["a%00", "a%0d%0ab", "%ff", "%zz", "%"] {
        let mut browser = Browser::new();
        let login = browser.get(url(&server, "/login")).await;
        let answer = browser
            .come_back(&server, &login, &format!("code={encoded}"))
            .await;
        assert_eq!(answer.status, 400, "{encoded}");
    }
    assert_eq!(provider.token_requests(), redeemed);
}

// check 36
#[tokio::test]
async fn head_does_not_redeem_the_code() {
    let (provider, server) = scripted().await;
    let mut browser = Browser::new();
    let login = browser.get(url(&server, "/login")).await;
    let request = browser.request(Method::HEAD, callback(&server, &login, "code=good"));
    let answer = browser.send(request).await;
    assert_eq!((answer.status, answer.header("allow")), (405, "GET"));
    assert_eq!(answer.set_cookies(), [""; 0], "the login is not spent");
    assert_eq!(provider.token_requests(), 0);
    assert_eq!(
        browser.come_back(&server, &login, "code=good").await.status,
        SUCCESS
    );
}

// check 38
#[tokio::test]
async fn the_login_is_consumed_even_when_the_exchange_fails() {
    let (provider, server) = scripted().await;
    provider.answer_next("/token", Reply::error(500, "server_error"));
    let mut browser = Browser::new();
    let login = browser.get(url(&server, "/login")).await;
    let failed = browser.come_back(&server, &login, "code=good").await;
    assert_eq!(failed.status, 502);
    assert_eq!(failed.header("referrer-policy"), "no-referrer");
    assert_eq!(browser.logins(), [""; 0]);
    is_refused(&browser.come_back(&server, &login, "code=good").await);
    assert_eq!(provider.token_requests(), 1);
}
