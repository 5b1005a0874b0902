//! `GET /login`: the authorization request.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use oauth2::{PkceCodeChallenge, PkceCodeVerifier};
use reqwest::Method;
use testing::{
    Browser, param_of,
    provider::{CLIENT_ID, CLIENT_SECRET, Provider},
    query_of, start, url,
};

use crate::{SUCCESS, app};

const SECRET: &str = "the 64 characters that a real server has from openssl rand -hex 32";

// check 1
#[tokio::test]
async fn a_login_sends_the_browser_to_the_provider_with_each_parameter_once() {
    let provider = Provider::start().await;
    let server = start(app, &provider.settings_and(&[("SCOPES", "a b")])).await;
    let login = Browser::new().get(url(&server, "/login")).await;

    assert!(
        login
            .location()
            .starts_with(&format!("{}/authorize?", provider.origin))
    );
    let query = query_of(login.location());
    let params: BTreeMap<_, _> = query
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    assert_eq!(query.len(), 7, "each once, and no other: {query:?}");
    assert_eq!(params["response_type"], "code");
    assert_eq!(params["client_id"], CLIENT_ID);
    assert_eq!(
        params["redirect_uri"],
        format!("http://{}/auth", server.addr)
    );
    assert_eq!(params["scope"], "a b");
    assert_eq!(params["code_challenge_method"], "S256");
    assert!(params.contains_key("state") && params.contains_key("code_challenge"));
    assert_eq!(
        provider.seen().len(),
        0,
        "the server itself asks the provider nothing yet"
    );
}

// check 2
#[tokio::test]
async fn the_query_of_the_authorization_url_is_kept() {
    let provider = Provider::start().await;
    let auth_url = format!("{}/authorize?tenant=1", provider.origin);
    let server = start(app, &provider.settings_and(&[("AUTH_URL", &auth_url)])).await;
    let login = Browser::new().get(url(&server, "/login")).await;
    assert!(
        login.location().starts_with(&format!("{auth_url}&")),
        "{}",
        login.location()
    );
    assert_eq!(
        query_of(login.location())
            .iter()
            .filter(|(name, _)| name == "tenant")
            .count(),
        1
    );
    assert_eq!(param_of(login.location(), "response_type"), "code");
}

// check 4
#[tokio::test]
async fn the_redirect_uri_comes_from_the_settings_and_from_no_header() {
    let provider = Provider::start().await;
    let public = [
        ("PUBLIC_URL", "https://app.example"),
        ("SESSION_SECRET", SECRET),
    ];
    let server = start(app, &provider.settings_and(&public)).await;
    let mut browser = Browser::new();
    for headers in [
        &[("host", "evil.example")][..],
        &[
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "https"),
        ],
        &[
            ("forwarded", "host=evil.example;proto=https"),
            ("host", "evil.example"),
        ],
    ] {
        let mut request = browser.request(Method::GET, url(&server, "/login"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let login = browser.send(request).await;
        assert_eq!(
            param_of(login.location(), "redirect_uri"),
            "https://app.example/auth"
        );
        assert!(!login.location().contains("evil"), "{}", login.location());
    }
}

// checks 4, 167
#[tokio::test]
async fn a_server_for_this_machine_answers_no_other_host() {
    let server = start(app, &[]).await;
    let mut browser = Browser::new();
    let elsewhere = [
        "evil.example",
        "app.example.com:5000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "192.168.0.7",
        "[2001:db8::1]:5000",
        "localhost@evil.example",
        "",
    ];
    for path in [
        "/",
        "/login",
        "/auth?code=x&state=y",
        "/style.css",
        "/nothing",
    ] {
        for host in elsewhere {
            let request = browser.request(Method::GET, url(&server, path));
            let answer = browser.send(request.header("host", host)).await;
            assert_eq!(answer.status, 421, "{path} {host}");
            let detail = answer.json()["detail"].to_string();
            assert!(detail.contains("PUBLIC_URL"), "{detail}");
            assert_eq!(answer.set_cookies(), [""; 0]);
        }
    }
    for host in [
        "localhost",
        "app.localhost:1",
        "127.9.9.9:80",
        "[::1]",
        "LOCALHOST:5000",
    ] {
        let request = browser.request(Method::GET, url(&server, "/style.css"));
        let answer = browser.send(request.header("host", host)).await;
        assert_eq!(answer.status, 200, "{host}");
    }
    // The demo provider lets anyone in, so the same applies there.
    let login = browser.get(server.public_url.join("/login")).await;
    let request = browser.request(Method::GET, login.location());
    let answer = browser.send(request.header("host", "evil.example")).await;
    assert_eq!(answer.status, 421);
}

// checks 5, 6
#[tokio::test]
async fn state_and_challenge_are_new_and_random_at_every_login() {
    let provider = Provider::start().await;
    let server = start(app, &provider.settings()).await;
    let mut browser = Browser::new();
    let (mut states, mut challenges) = (Vec::new(), Vec::new());
    for _ in 0..1000 {
        browser.cookies.clear();
        let login = browser.get(url(&server, "/login")).await;
        let random = |name| {
            let value = param_of(login.location(), name);
            BASE64_URL_SAFE_NO_PAD.decode(value).expect("base64url")
        };
        states.push(random("state"));
        challenges.push(random("code_challenge"));
        assert_eq!(param_of(login.location(), "code_challenge_method"), "S256");
    }
    assert!(random_bits(&states) >= 128);
    assert_eq!(random_bits(&challenges), 256);
}

/// How many bits each of these values has. No bit is constant, and none is a copy or the inverse of
/// another, as it would be in a time, in JSON or in a short secret that is repeated.
fn random_bits(values: &[Vec<u8>]) -> usize {
    let bits = values[0].len() * 8;
    let bit = |value: &[u8], at: usize| value[at / 8] >> (at % 8) & 1;
    let columns = (0..bits).map(|at| {
        let first = bit(&values[0], at);
        let column = values.iter().map(|value| bit(value, at) ^ first);
        column.collect::<Vec<_>>()
    });
    let columns: HashSet<_> = columns.collect();
    assert!(!columns.contains(&vec![0; values.len()]), "a constant bit");
    assert_eq!(columns.len(), bits, "a bit that copies another");
    assert_eq!(values.iter().collect::<HashSet<_>>().len(), values.len());
    bits
}

// check 7
#[tokio::test]
async fn the_verifier_at_the_exchange_belongs_to_the_challenge_of_that_login() {
    let provider = Provider::start().await;
    let server = start(app, &provider.settings()).await;
    let mut browser = Browser::new();
    let logins = [
        browser.get(url(&server, "/login")).await,
        browser.get(url(&server, "/login")).await,
    ];
    for login in &logins {
        assert_eq!(
            browser.come_back(&server, login, "code=good").await.status,
            SUCCESS
        );
    }
    let requests = provider.seen_at("/token");
    assert_eq!(requests.len(), 2);
    for (login, request) in logins.iter().zip(&requests) {
        let verifier = request.field("code_verifier").to_owned();
        let unreserved =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        assert!((43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved));
        let challenge =
            PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier));
        assert_eq!(
            param_of(login.location(), "code_challenge"),
            challenge.as_str()
        );
    }
    assert_ne!(
        requests[0].field("code_verifier"),
        requests[1].field("code_verifier")
    );
}

// check 8
#[tokio::test]
async fn the_browser_sees_neither_the_verifier_nor_the_client_secret() {
    let provider = Provider::start().await;
    let server = start(app, &provider.settings()).await;
    let mut browser = Browser::new();
    let login = browser.get(url(&server, "/login")).await;
    let cookie = login.set_cookies().concat();
    let state = param_of(login.location(), "state");
    let sealed = browser
        .cookie(&format!("login_{state}"))
        .expect("the login cookie")
        .to_owned();
    browser.come_back(&server, &login, "code=good").await;

    let verifier = provider.seen_at("/token")[0]
        .field("code_verifier")
        .to_owned();
    let decoded = [
        BASE64_STANDARD.decode(&sealed),
        BASE64_URL_SAFE_NO_PAD.decode(&sealed),
    ];
    let decoded: Vec<_> = decoded.into_iter().flatten().collect();
    assert!(
        !decoded.is_empty(),
        "the cookie is base64; otherwise this test checks nothing"
    );
    let decoded = String::from_utf8_lossy(&decoded.concat()).into_owned();
    for text in [login.location(), &login.body, &cookie, &decoded] {
        assert!(
            !text.contains(&verifier) && !text.contains(CLIENT_SECRET),
            "{text}"
        );
        assert!(!text.contains("verifier"), "{text}");
    }
}

// check 9
#[tokio::test]
async fn the_login_cookie_is_out_of_reach_and_short_lived() {
    let server = start(app, &[]).await;
    let login = Browser::new().get(url(&server, "/login")).await;
    assert_eq!(login.header("cache-control"), "no-store");
    let [cookie] = login.set_cookies()[..] else {
        panic!("one cookie")
    };
    let attributes: BTreeSet<_> = cookie.split("; ").skip(1).collect();
    let expected = ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"];
    assert_eq!(attributes, expected.into_iter().collect());
}

// check 10
#[tokio::test]
async fn two_tabs_both_finish_in_any_order() {
    let server = start(app, &[]).await;
    for order in [[0, 1], [1, 0]] {
        let mut browser = Browser::new();
        let mut callbacks = Vec::new();
        for name in ["ada", "bob"] {
            let login = browser.get(url(&server, "/login")).await;
            callbacks.push(browser.allow(&login, name).await);
        }
        for tab in order {
            assert_eq!(
                browser.get(&callbacks[tab]).await.status,
                SUCCESS,
                "tab {tab} of {order:?}"
            );
        }
        assert_eq!(browser.logins(), [""; 0]);
    }
}

// check 14
#[tokio::test]
async fn only_get_begins_or_ends_a_login() {
    let provider = Provider::start().await;
    let server = start(app, &provider.settings()).await;
    let mut browser = Browser::new();
    let login = browser.get(url(&server, "/login")).await;
    let state = param_of(login.location(), "state");
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        for path in ["/login", "/auth"] {
            let request = browser
                .request(method.clone(), url(&server, path))
                .header("origin", "https://evil.example")
                .form(&[("code", "good"), ("state", &state)]);
            let answer = browser.send(request).await;
            assert_eq!(
                (answer.status, answer.header("allow")),
                (405, "GET"),
                "{method} {path}"
            );
            assert_eq!(answer.set_cookies(), [""; 0], "{method} {path}");
        }
    }
    assert_eq!(provider.token_requests(), 0);
    assert_eq!(
        browser.come_back(&server, &login, "code=good").await.status,
        SUCCESS
    );
}
