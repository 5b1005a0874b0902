//! The session: who is logged in, who is not, and which cookies count.

use std::{collections::BTreeSet, time::Duration};

use axum::{Router, routing::get};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use common::{cookies::CookieKeys, server::Server, settings::Settings, unix_now};
use reqwest::{Method, Url};
use serde_json::{Value, json};
use sessions::{AppState, session::LIFETIME, users};
use testing::{
    Answer, Browser, callback, param_of,
    provider::{Provider, Reply, token},
    start, url,
};
use tokio::net::TcpListener;
use tower_cookies::{Cookie, Cookies, Key};

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const OTHER_SECRET: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
const PUBLISHED: &str = "replace-me-with-the-output-of--openssl-rand-hex-32--and-keep-it-secret";

/// A provider whose user is the code: a browser that comes back with `code=bob` is Bob.
async fn scripted() -> (Provider, Server) {
    let provider = Provider::scripted(|seen| match &*seen.path {
        "/token" => Some(token(&json!({ "access_token": seen.field("code") }))),
        "/user" => {
            let name = seen.header("authorization").strip_prefix("Bearer ")?;
            let id = name.bytes().map(u64::from).sum::<u64>();
            Some(Reply::json(200, &json!({ "id": id, "username": name })))
        }
        _ => None,
    })
    .await;
    let server = start(
        sessions::app,
        &provider.settings_and(&[("SESSION_SECRET", SECRET)]),
    )
    .await;
    (provider, server)
}

async fn log_in_as(browser: &mut Browser, server: &Server, name: &str) -> Answer {
    let login = browser.get(url(server, "/login")).await;
    browser
        .come_back(server, &login, &format!("code={name}"))
        .await
}

/// Asks with this `Cookie` header and no other.
async fn get_with(server: &Server, path: &str, cookie: impl AsRef<[u8]>) -> Answer {
    let mut browser = Browser::new();
    let request = browser
        .request(Method::GET, url(server, path))
        .header("cookie", cookie.as_ref());
    browser.send(request).await
}

/// The value of a session cookie as a server with this secret writes it.
fn forge(secret: &str, user: &Value, lifetime: Duration) -> String {
    let cookies = Cookies::default();
    let session = json!({ "id": "session-id", "user": user });
    let keys = CookieKeys::new(&secret.to_owned().into(), false);
    keys.sign(&cookies, "session", &session, lifetime)
        .expect("it fits");
    cookies
        .get("session")
        .expect("the cookie")
        .value()
        .to_owned()
}

fn ada() -> Value {
    json!({ "provider": "127.0.0.1", "subject": "1", "name": "ada" })
}

// check 64: the original lets everybody in who has been at /login.
#[tokio::test]
async fn visiting_login_alone_grants_no_access_to_privileged() {
    let (_provider, server) = scripted().await;
    let mut browser = Browser::new();
    browser.get(url(&server, "/login")).await;
    assert_eq!(
        browser.cookies.len(),
        1,
        "there is a cookie, but it grants no access"
    );
    for path in ["/privileged", "/users/me"] {
        let answer = browser.get(url(&server, path)).await;
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.json()["detail"], "Not logged in");
    }
}

// check 65
#[tokio::test]
async fn a_failed_login_grants_no_access() {
    let (provider, server) = scripted().await;
    let mut browser = Browser::new();
    let expect = async |browser: &mut Browser, answer: Answer, status: u16| {
        assert_eq!(answer.status, status, "{} {}", answer.url, answer.body);
        assert!(
            !browser.cookie_names().contains(&"session"),
            "{}",
            answer.url
        );
        assert_eq!(
            browser.get(url(&server, "/privileged")).await.status,
            401,
            "{}",
            answer.url
        );
    };
    let wrong_state = browser.get(url(&server, "/auth?code=ada&state=x")).await;
    expect(&mut browser, wrong_state, 400).await;
    for (answer, status) in [
        ("error=access_denied", 403),
        ("error=server_error", 502),
        ("", 400),
    ] {
        let login = browser.get(url(&server, "/login")).await;
        let answer = browser.come_back(&server, &login, answer).await;
        expect(&mut browser, answer, status).await;
    }
    for (path, reply, status) in [
        ("/token", Reply::error(400, "invalid_grant"), 400),
        ("/token", Reply::error(401, "invalid_client"), 502),
        ("/token", token(&json!({ "token_type": "mac" })), 502),
        ("/token", token(&json!({ "access_token": "a\r\nb" })), 502),
        ("/user", Reply::new(401, "text/plain", ""), 502),
        ("/user", Reply::new(500, "text/plain", ""), 502),
        ("/user", Reply::json(200, &json!({})), 502),
        (
            "/user",
            Reply::json(200, &json!({ "id": null, "username": "ada" })),
            502,
        ),
        ("/user", Reply::json(200, &json!({ "id": "" })), 502),
        ("/user", Reply::json(200, &json!([{ "id": "1" }])), 502),
        (
            "/user",
            Reply::json(200, &json!({ "id": "1", "error": "no" })),
            502,
        ),
    ] {
        provider.answer_next(path, reply);
        let answer = log_in_as(&mut browser, &server, "ada").await;
        expect(&mut browser, answer, status).await;
    }
    assert_eq!(log_in_as(&mut browser, &server, "ada").await.status, 303);
}

// checks 15, 17, 18, 21
#[tokio::test]
async fn a_callback_of_another_browser_logs_nobody_in_or_out() {
    let (provider, server) = scripted().await;
    let (mut attacker, mut victim) = (Browser::new(), Browser::new());
    let login = attacker.get(url(&server, "/login")).await;
    let bait = callback(&server, &login, "code=mallory");
    assert_eq!(victim.get(&bait).await.status, 400);
    assert_eq!(victim.cookie_names(), [""; 0]);

    log_in_as(&mut victim, &server, "ada").await;
    let asked = provider.token_requests();
    for path in [
        &bait,
        &url(&server, "/auth"),
        &url(&server, "/auth?code=mallory"),
    ] {
        assert_eq!(victim.get(path).await.status, 400, "{path}");
    }
    assert_eq!(provider.token_requests(), asked);
    let user = victim.get(url(&server, "/users/me")).await;
    assert_eq!(user.json()["username"], "ada", "the session stays");
}

// checks 21, 22
#[tokio::test]
async fn a_callback_begins_one_session() {
    let server = start(sessions::app, &[]).await;
    let mut browser = Browser::new();
    let login = browser.get(url(&server, "/login")).await;
    let callback = browser.allow(&login, "ada").await;
    let mut copy = browser.clone();
    assert_eq!(browser.get(&callback).await.status, 303);
    assert_eq!(browser.get(&callback).await.status, 400);
    assert_eq!(
        browser.get(url(&server, "/users/me")).await.status,
        200,
        "the session stays"
    );

    let replayed = copy.get(&callback).await;
    assert_eq!((replayed.status, copy.cookie("session")), (400, None));
}

// check 67
#[tokio::test]
async fn the_cookies_are_out_of_reach_of_scripts_and_other_sites() {
    let (_provider, server) = scripted().await;
    let mut browser = Browser::new();
    let done = log_in_as(&mut browser, &server, "ada").await;
    for name in ["session=", "token="] {
        let cookies = done.set_cookies();
        let cookie = cookies
            .iter()
            .find(|cookie| cookie.starts_with(name))
            .expect(name);
        let attributes: BTreeSet<_> = cookie.split("; ").skip(1).collect();
        let expected = ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=604800"];
        assert_eq!(attributes, expected.into_iter().collect(), "{cookie}");
    }
}

// check 67
#[tokio::test]
async fn under_https_the_cookies_are_secure_and_of_this_host_alone() {
    let provider = Provider::start().await;
    let https = [
        ("PUBLIC_URL", "https://app.example"),
        ("SESSION_SECRET", SECRET),
    ];
    let server = start(sessions::app, &provider.settings_and(&https)).await;
    let mut browser = Browser::new();
    let done = browser.log_in_with_code(&server).await;
    assert_eq!((done.status, done.location()), (303, "/users/me"));
    assert_eq!(browser.cookie_names(), ["__Host-session", "__Host-token"]);
    for cookie in done.set_cookies() {
        assert!(cookie.starts_with("__Host-"), "{cookie}");
        assert!(
            cookie.contains("; Secure") && cookie.contains("; Path=/"),
            "{cookie}"
        );
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
    assert_eq!(browser.get(url(&server, "/users/me")).await.status, 200);

    let value = browser.cookie("__Host-session").unwrap();
    let planted = get_with(&server, "/privileged", format!("session={value}")).await;
    assert_eq!(
        planted.status, 401,
        "without the prefix any host of the site could have planted it"
    );

    let out = browser.post(url(&server, "/logout"), &[]).await;
    assert_eq!((out.status, browser.cookie_names()), (303, vec![]));
    assert!(
        out.set_cookies()
            .iter()
            .all(|cookie| cookie.contains("Secure")),
        "otherwise the browser keeps it"
    );
}

// check 68
#[tokio::test]
async fn no_token_is_readable_in_a_cookie() {
    let provider = Provider::start().await;
    let server = start(sessions::app, &provider.settings()).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    let session = browser.cookie("session").unwrap();
    // The first 44 characters are the signature.
    let readable = BASE64_URL_SAFE_NO_PAD
        .decode(&session[44..])
        .expect("base64url");
    let readable: Value = serde_json::from_slice(&readable).expect("JSON, readable as promised");
    let user = json!({ "provider": "127.0.0.1", "subject": "1", "name": "ada" });
    assert_eq!(readable["value"]["user"], user);
    let ends = readable["expires"].as_u64().unwrap() - unix_now();
    assert!((604_700..=604_800).contains(&ends), "seven days: {ends}");

    let token = browser.cookie("token").unwrap();
    let decoded = BASE64_STANDARD.decode(token).expect("base64");
    let texts = [
        session,
        token,
        &readable.to_string(),
        &String::from_utf8_lossy(&decoded),
    ];
    for text in texts {
        assert!(
            !text.contains("access-1") && !text.contains("refresh-1"),
            "{text}"
        );
    }
}

// check 69
#[tokio::test]
async fn a_changed_session_cookie_is_rejected() {
    let (_provider, server) = scripted().await;
    let (mut ada, mut bob) = (Browser::new(), Browser::new());
    log_in_as(&mut ada, &server, "ada").await;
    log_in_as(&mut bob, &server, "bob").await;
    let (session, bobs) = (
        ada.cookie("session").unwrap(),
        bob.cookie("session").unwrap(),
    );
    assert!(session.is_ascii() && session.len() > 200);

    let flipped = (0..session.len()).map(|at| {
        let other = if session.as_bytes()[at] == b'A' {
            "B"
        } else {
            "A"
        };
        [&session[..at], other, &session[at + 1..]].concat()
    });
    let middle = session.len() / 2;
    let wrong = [
        String::new(),
        "A".repeat(44),
        session[..44].to_owned(),
        session[44..].to_owned(),
        session[..session.len() - 1].to_owned(),
        session[..middle].to_owned(),
        format!("{session}A"),
        format!("A{session}"),
        format!("{}{}", &session[..44], &bobs[44..]),
        format!("{}{}", &session[..middle], &bobs[middle..]),
        "A".repeat(5000),
        "%00%ff%zz".to_owned(),
    ];
    let mut browser = Browser::new();
    for value in flipped.chain(wrong) {
        let request = browser.request(Method::GET, url(&server, "/privileged"));
        let answer = browser
            .send(request.header("cookie", format!("session={value}")))
            .await;
        assert_eq!(answer.status, 401, "{value}");
    }
    let not_text = get_with(
        &server,
        "/privileged",
        [b"session=", &b"\xff\xfe"[..]].concat(),
    )
    .await;
    assert_eq!(not_text.status, 401);
    let whole = get_with(&server, "/privileged", format!("session={session}")).await;
    assert_eq!(whole.status, 200, "otherwise this proves nothing");
}

// check 69
#[tokio::test]
async fn a_changed_or_foreign_token_cookie_is_rejected() {
    let (provider, server) = scripted().await;
    let (mut ada, mut bob) = (Browser::new(), Browser::new());
    log_in_as(&mut ada, &server, "ada").await;
    log_in_as(&mut bob, &server, "bob").await;
    let own = ada.cookie("token").unwrap().to_owned();
    let bobs = bob.cookie("token").unwrap().to_owned();
    let asked = provider.seen_at("/user").len();
    let wrong = [
        bobs,
        String::new(),
        own[1..].to_owned(),
        own[..own.len() - 4].to_owned(),
        ada.cookie("session").unwrap().to_owned(),
    ];
    for value in wrong {
        let mut browser = ada.clone();
        browser.set_cookie("token", &*value);
        let answer = browser.get(url(&server, "/users/me")).await;
        assert_eq!(answer.status, 401, "{value}");
    }
    assert_eq!(
        provider.seen_at("/user").len(),
        asked,
        "the provider is not asked"
    );
    assert_eq!(
        ada.get(url(&server, "/users/me")).await.json()["username"],
        "ada"
    );
}

// check 26
#[tokio::test]
async fn a_cookie_under_another_name_is_rejected() {
    let (provider, server) = scripted().await;
    let mut browser = Browser::new();
    log_in_as(&mut browser, &server, "ada").await;
    let login = browser.get(url(&server, "/login")).await;
    let name = format!("login_{}", param_of(login.location(), "state"));
    let value = |name: &str| browser.cookie(name).unwrap().to_owned();
    let (session, token, pending) = (value("session"), value("token"), value(&name));

    for moved in [&token, &pending] {
        let answer = get_with(&server, "/privileged", format!("session={moved}")).await;
        assert_eq!(answer.status, 401);
    }
    for moved in [&session, &pending] {
        let answer = get_with(
            &server,
            "/users/me",
            format!("session={session}; token={moved}"),
        )
        .await;
        assert_eq!(answer.status, 401);
    }
    let asked = provider.token_requests();
    for moved in [&session, &token] {
        let callback = callback(&server, &login, "code=ada");
        let path = callback.strip_prefix(&url(&server, "")).unwrap();
        assert_eq!(
            get_with(&server, path, format!("{name}={moved}"))
                .await
                .status,
            400
        );
    }
    assert_eq!(provider.token_requests(), asked);
}

// check 26: a signature alone says nothing of what was signed.
#[tokio::test]
async fn a_signed_value_for_another_purpose_is_no_session() {
    let (_provider, server) = scripted().await;
    let cookies = Cookies::default();
    let session = json!({ "id": "session-id", "user": ada() });
    let keys = CookieKeys::new(&SECRET.to_owned().into(), false);
    keys.sign(&cookies, "remember", &session, LIFETIME).unwrap();
    let value = cookies.get("remember").unwrap().value().to_owned();
    let answer = get_with(&server, "/privileged", format!("session={value}")).await;
    assert_eq!(answer.status, 401);
}

// check 70
#[tokio::test]
async fn a_session_signed_with_another_key_is_rejected() {
    let (_provider, server) = scripted().await;
    for secret in [OTHER_SECRET, PUBLISHED, &SECRET.to_uppercase()] {
        let cookie = format!("session={}", forge(secret, &ada(), LIFETIME));
        assert_eq!(
            get_with(&server, "/privileged", cookie).await.status,
            401,
            "{secret}"
        );
    }
    let own = forge(SECRET, &ada(), LIFETIME);
    for key in [Key::from(&[0; 64]), Key::from(SECRET.as_bytes())] {
        let cookies = Cookies::default();
        cookies
            .signed(&key)
            .add(Cookie::new("session", own[44..].to_owned()));
        let cookie = format!("session={}", cookies.get("session").unwrap().value());
        assert_eq!(get_with(&server, "/privileged", cookie).await.status, 401);
    }
    let answer = get_with(&server, "/privileged", format!("session={own}")).await;
    assert_eq!(answer.status, 200, "otherwise the forgeries prove nothing");
}

#[tokio::test]
async fn a_session_of_another_provider_is_rejected() {
    let (_provider, server) = scripted().await;
    let elsewhere = json!({ "provider": "discord", "subject": "1", "name": "ada" });
    let cookie = format!("session={}", forge(SECRET, &elsewhere, LIFETIME));
    assert_eq!(get_with(&server, "/privileged", cookie).await.status, 401);
}

// check 71
#[tokio::test]
async fn a_second_session_cookie_breaks_nothing() {
    let (_provider, server) = scripted().await;
    let good = format!("session={}", forge(SECRET, &ada(), LIFETIME));
    for bad in ["session=bad", "session=", "session=%ff", "session"] {
        for cookies in [format!("{bad}; {good}"), format!("{good}; {bad}")] {
            let answer = get_with(&server, "/", &cookies).await;
            assert_eq!(answer.status, 200, "{cookies}");
            let privileged = get_with(&server, "/privileged", &cookies).await;
            let known = answer.body.contains("<strong>ada</strong>");
            let expected = if known { 200 } else { 401 };
            assert_eq!(privileged.status, expected, "{cookies}: both pages agree");
        }
    }
}

// check 71
#[tokio::test]
async fn with_the_cookies_of_two_users_nobody_becomes_somebody_else() {
    let (_provider, server) = scripted().await;
    let mut pairs = Vec::new();
    for name in ["ada", "bob"] {
        let mut browser = Browser::new();
        log_in_as(&mut browser, &server, name).await;
        let own = browser.cookies.iter();
        pairs.extend(own.map(|((_, name), value)| format!("{name}={value}")));
    }
    let orders = (0..256).map(|n| [n & 3, n >> 2 & 3, n >> 4 & 3, n >> 6]);
    let orders = orders.filter(|order| BTreeSet::from(*order).len() == 4);
    let (mut whole, mut mixed) = (0, 0);
    for order in orders {
        let cookies = order.map(|n| &*pairs[n]).join("; ");
        let index = get_with(&server, "/", &cookies).await;
        let is_on_page = |name: &&str| index.body.contains(&format!("<strong>{name}</strong>"));
        let [name] = ["ada", "bob"]
            .into_iter()
            .filter(is_on_page)
            .collect::<Vec<_>>()[..]
        else {
            panic!("{order:?}: one user: {}", index.body)
        };
        let user = get_with(&server, "/users/me", &cookies).await;
        match user.status {
            200 => assert_eq!(user.json()["username"], name, "{order:?}"),
            status => assert_eq!(status, 401, "{order:?}: the token of another session"),
        }
        if user.status == 200 {
            whole += 1;
        } else {
            mixed += 1;
        }
    }
    assert_eq!((whole, mixed), (12, 12), "whose token comes last");
}

// check 72
#[tokio::test]
async fn a_session_planted_before_the_login_is_replaced_by_it() {
    let (_provider, server) = scripted().await;
    let (mut attacker, mut victim) = (Browser::new(), Browser::new());
    log_in_as(&mut attacker, &server, "mallory").await;
    for planted in ["attacker-value", attacker.cookie("session").unwrap()] {
        let key = ("127.0.0.1".to_owned(), "session".to_owned());
        victim.cookies.insert(key, planted.to_owned());
        log_in_as(&mut victim, &server, "ada").await;
        assert_ne!(victim.cookie("session"), Some(planted));
        let user = victim.get(url(&server, "/users/me")).await;
        assert_eq!(user.json()["username"], "ada");
    }
    let answer = get_with(&server, "/privileged", "session=attacker-value").await;
    assert_eq!(answer.status, 401, "the planted value grants no access");
}

#[tokio::test]
async fn each_login_is_a_session_of_its_own() {
    let (_provider, server) = scripted().await;
    let mut browser = Browser::new();
    log_in_as(&mut browser, &server, "ada").await;
    let (session, token) = (browser.cookie("session"), browser.cookie("token"));
    let (session, token) = (session.unwrap().to_owned(), token.unwrap().to_owned());
    log_in_as(&mut browser, &server, "ada").await;
    assert_ne!(browser.cookie("session"), Some(&*session));

    browser.set_cookie("token", token);
    let answer = browser.get(url(&server, "/users/me")).await;
    assert_eq!(
        answer.status, 401,
        "the token of the first session does not serve the second"
    );
}

// check 73
#[tokio::test]
async fn an_expired_session_is_rejected_even_with_a_good_signature() {
    let (_provider, server) = scripted().await;
    for (lifetime, status) in [(Duration::ZERO, 401), (LIFETIME, 200)] {
        let cookie = format!("session={}", forge(SECRET, &ada(), lifetime));
        assert_eq!(
            get_with(&server, "/privileged", cookie).await.status,
            status,
            "{lifetime:?}"
        );
    }
}

// check 24
#[tokio::test]
async fn a_login_that_took_too_long_is_refused() {
    let (provider, server) = scripted().await;
    for (lifetime, status) in [(Duration::ZERO, 400), (Duration::from_mins(10), 303)] {
        let pending = json!({
            "started": unix_now(),
            "state": "the-state",
            "verifier": "v".repeat(43),
            "redirect_uri": server.public_url.join("/auth"),
            "next": null,
        });
        let cookies = Cookies::default();
        let keys = CookieKeys::new(&SECRET.to_owned().into(), false);
        keys.encrypt(&cookies, "login_the-state", &pending, lifetime)
            .unwrap();
        let value = cookies.get("login_the-state").unwrap().value().to_owned();
        let cookie = format!("login_the-state={value}");
        let answer = get_with(&server, "/auth?code=ada&state=the-state", cookie).await;
        assert_eq!(answer.status, status, "{lifetime:?}");
        assert_eq!(provider.token_requests(), usize::from(status == 303));
    }
}

// check 74
#[tokio::test]
async fn logging_in_as_another_user_switches_to_that_user() {
    let (_provider, server) = scripted().await;
    let mut browser = Browser::new();
    for name in ["alice", "bob"] {
        log_in_as(&mut browser, &server, name).await;
        let user = browser.get(url(&server, "/users/me")).await;
        assert_eq!(user.json()["username"], name);
        let index = browser.visit(url(&server, "/")).await;
        assert!(
            index.body.contains(&format!("<strong>{name}</strong>")),
            "{}",
            index.body
        );
    }
    assert_eq!(browser.cookie_names(), ["session", "token"]);
}

// checks 76, 80
#[tokio::test]
async fn the_user_comes_from_the_provider_and_goes_to_this_origin_alone() {
    let (provider, server) = scripted().await;
    let mut browser = Browser::new();
    log_in_as(&mut browser, &server, "ada").await;
    let request = browser
        .request(Method::GET, url(&server, "/users/me"))
        .header("origin", "https://evil.example");
    let answer = browser.send(request).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "application/json")
    );
    assert_eq!(
        answer.json(),
        json!({ "id": 294, "username": "ada" }),
        "the JSON and no more"
    );
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("access-control-allow-origin"), "");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
    let policy = answer.header("content-security-policy");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");

    let asked = provider.seen().into_iter().next_back().unwrap();
    assert_eq!(
        (asked.method.as_str(), &*asked.path),
        ("GET", "/user"),
        "no query"
    );
    assert_eq!(asked.header("authorization"), "Bearer ada");
    assert_eq!(asked.header("accept"), "application/json");
    assert!(
        asked
            .header("user-agent")
            .starts_with("oauth2-axum-examples/")
    );
    assert_eq!(asked.header("cookie"), "");
}

// check 77
#[tokio::test]
async fn when_the_provider_no_longer_accepts_the_token_the_session_ends() {
    let (provider, server) = scripted().await;
    let mut browser = Browser::new();
    log_in_as(&mut browser, &server, "ada").await;
    provider.answer_next("/user", Reply::new(401, "text/plain", "upstream"));
    let answer = browser.get(url(&server, "/users/me")).await;
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.header("www-authenticate"),
        "Cookie realm=\"session\""
    );
    assert_eq!(answer.json()["detail"], "Not logged in");
    assert_eq!(browser.cookie_names(), [""; 0]);
    assert_eq!(browser.get(url(&server, "/privileged")).await.status, 401);
}

// check 78
#[tokio::test]
async fn when_the_provider_fails_the_person_stays_logged_in() {
    let (provider, server) = scripted().await;
    let elsewhere = Provider::start().await;
    let mut browser = Browser::new();
    log_in_as(&mut browser, &server, "ada").await;
    let to = format!("{}/user", elsewhere.origin);
    let json_type = "application/json";
    for reply in [
        Reply::json(403, &json!({ "upstream": true })),
        Reply::json(429, &json!({ "upstream": true })),
        Reply::json(500, &json!({ "upstream": true })),
        Reply::json(503, &json!({ "id": "1", "upstream": true })),
        Reply::json(201, &json!({ "id": "1", "upstream": true })),
        Reply::new(200, "text/html", "<h1>upstream</h1>"),
        Reply::new(200, json_type, "{\"upstream\":"),
        Reply::new(200, json_type, ""),
        Reply::new(204, json_type, ""),
        Reply::new(200, json_type, b"{\"upstream\":\"\xff\"}"),
        Reply::json(200, &json!(["upstream"])),
        Reply::json(200, &json!({ "error": "upstream" })),
        Reply::new(
            200,
            json_type,
            format!("{{\"id\":\"{}\"}}", "upstream".repeat(10_000)),
        ),
        Reply::new(200, json_type, "[".repeat(60_000)),
        Reply::redirect(302, &to),
        Reply::redirect(307, &to),
    ] {
        let what = format!("{reply:.100?}");
        provider.answer_next("/user", reply);
        let answer = browser.get(url(&server, "/users/me")).await;
        assert_eq!(answer.status, 502, "{what}");
        assert!(!answer.body.contains("upstream"), "{what}: {}", answer.body);
        assert_eq!(
            browser.get(url(&server, "/privileged")).await.status,
            200,
            "{what}"
        );
    }
    assert_eq!(elsewhere.seen().len(), 0, "no token goes to another origin");
    assert_eq!(browser.get(url(&server, "/users/me")).await.status, 200);

    drop(provider);
    assert_eq!(browser.get(url(&server, "/users/me")).await.status, 502);
    assert_eq!(browser.get(url(&server, "/privileged")).await.status, 200);
}

// check 58
#[tokio::test]
async fn a_token_too_large_for_a_cookie_is_an_error_that_says_so() {
    let (provider, server) = scripted().await;
    let size = |access: usize| token(&json!({ "access_token": "t".repeat(access) }));
    for (length, fits) in [
        (1000, true),
        (2500, true),
        (3500, false),
        (12 * 1024, false),
    ] {
        let mut browser = Browser::new();
        provider.answer_next("/token", size(length));
        provider.answer_next("/user", Reply::json(200, &json!({ "id": 1 })));
        // This browser panics at a cookie that a real one would drop silently.
        let answer = log_in_as(&mut browser, &server, "ada").await;
        if fits {
            assert_eq!(
                (answer.status, browser.cookie_names()),
                (303, vec!["session", "token"])
            );
        } else {
            assert_eq!(
                (answer.status, browser.cookie_names()),
                (502, vec![]),
                "{length}"
            );
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains("too large for a cookie"), "{detail}");
        }
    }
}

// check 81
#[tokio::test]
async fn a_weak_secret_is_refused_at_startup() {
    let provider = Provider::start().await;
    let short = &SECRET[1..];
    let two = format!("{SECRET},{short}");
    for (vars, what) in [
        (
            [("SESSION_SECRET", ""), ("PUBLIC_URL", "http://127.0.0.1:9")],
            "is empty",
        ),
        (
            [
                ("SESSION_SECRET", short),
                ("PUBLIC_URL", "http://127.0.0.1:9"),
            ],
            "is too short",
        ),
        (
            [
                ("SESSION_SECRET", &two),
                ("PUBLIC_URL", "http://127.0.0.1:9"),
            ],
            "is too short",
        ),
        (
            [
                ("SESSION_SECRET", PUBLISHED),
                ("PUBLIC_URL", "http://127.0.0.1:9"),
            ],
            "is the published example",
        ),
        (
            [
                ("BIND_ADDR", "127.0.0.1:0"),
                ("PUBLIC_URL", "https://app.example"),
            ],
            "is missing",
        ),
        (
            [
                ("BIND_ADDR", "0.0.0.0:0"),
                ("PUBLIC_URL", "http://127.0.0.1:9"),
            ],
            "is missing",
        ),
    ] {
        let vars = [
            &[("BIND_ADDR", "127.0.0.1:0")],
            &*provider.settings_and(&vars),
        ]
        .concat();
        let problems = Server::start(sessions::app, Settings::from_vars(vars))
            .await
            .unwrap_err();
        let [line] = &problems[..] else {
            panic!("{problems:#?}")
        };
        assert!(
            line.starts_with("SESSION_SECRET ") && line.contains(what),
            "{line}"
        );
        assert!(!line.contains(short), "the secret is not shown: {line}");
    }
}

// check 81
/// A `main` of one's own gets nothing to serve where `run` would not start.
#[tokio::test]
async fn settings_that_are_read_without_run_are_refused_all_the_same() {
    let provider = Provider::start().await;
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let good = [
        ("PUBLIC_URL", "https://app.example"),
        ("SESSION_SECRET", SECRET),
    ];
    let good = provider.settings_and(&good);
    let mut settings = Settings::from_vars(good.iter().copied());
    assert!(settings.read::<AppState>(&listener).await.is_ok());
    for (name, value) in [
        ("SESSION_SECRET", "short"),
        ("PUBLIC_URL", "http://app.example"),
        ("PUBLIC_URL", ""),
    ] {
        let bad = [&good[..], &[(name, value)]].concat();
        let mut settings = Settings::from_vars(bad);
        let problems = settings.read::<AppState>(&listener).await.unwrap_err();
        assert!(problems[0].starts_with(name), "{problems:?}");
    }
    let mut settings = Settings::from_vars(good);
    settings.problem("RUST_LOG", "was wrong before");
    for _ in 0..2 {
        assert!(settings.read::<AppState>(&listener).await.is_err());
    }
}

/// The words of tower-cookies would name a layer that accepts planted cookies.
#[tokio::test]
async fn a_route_without_our_cookies_says_which_layer_is_missing() {
    let app = |state: AppState| {
        let routes = Router::new().route("/privileged", get(users::privileged));
        routes.with_state(state)
    };
    let server = start(app, &Provider::start().await.settings()).await;
    let answer = Browser::new().get(url(&server, "/privileged")).await;
    assert_eq!(answer.status, 500);
    assert!(
        answer.body.contains("common::cookies::layer()"),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_session_needs_a_provider_that_says_who_the_user_is() {
    let provider = Provider::start().await;
    let vars = provider.settings_and(&[("BIND_ADDR", "127.0.0.1:0"), ("USERINFO_URL", "")]);
    let problems = Server::start(sessions::app, Settings::from_vars(vars))
        .await
        .unwrap_err();
    assert_eq!(
        problems,
        ["USERINFO_URL is missing; a session needs it to learn who the user is"]
    );

    let vars = [("BIND_ADDR", "127.0.0.1:0"), ("PROVIDER", "custom")];
    let problems = Server::start(sessions::app, Settings::from_vars(vars))
        .await
        .unwrap_err();
    let missing = ["AUTH_URL", "CLIENT_ID", "TOKEN_URL", "USERINFO_URL"];
    assert!(
        missing
            .iter()
            .all(|name| problems.iter().any(|line| line.starts_with(name)))
    );
    assert_eq!(problems.len(), missing.len(), "all at once: {problems:?}");
}

#[tokio::test]
async fn a_secret_can_be_changed_without_logging_anybody_out() {
    let (provider, old) = scripted().await;
    let secrets = format!("{OTHER_SECRET},{SECRET}");
    let settings = provider.settings_and(&[("SESSION_SECRET", &secrets)]);
    let both = start(sessions::app, &settings).await;
    let settings = provider.settings_and(&[("SESSION_SECRET", OTHER_SECRET)]);
    let new = start(sessions::app, &settings).await;

    let mut browser = Browser::new();
    log_in_as(&mut browser, &old, "ada").await;
    let status = async |server| browser.clone().get(url(server, "/users/me")).await.status;
    assert_eq!(
        [status(&old).await, status(&both).await, status(&new).await],
        [200, 200, 401]
    );

    let mut browser = Browser::new();
    log_in_as(&mut browser, &both, "ada").await;
    let status = async |server| browser.clone().get(url(server, "/users/me")).await.status;
    assert_eq!(
        [status(&old).await, status(&both).await, status(&new).await],
        [401, 200, 200]
    );
}

#[tokio::test]
async fn a_login_under_way_survives_the_change_of_the_secret() {
    let (provider, _) = scripted().await;
    let start_with = async |secrets: &str| {
        // To the browser it is one server, before and after the change.
        let vars = [
            ("SESSION_SECRET", secrets),
            ("PUBLIC_URL", "http://127.0.0.1:5000"),
        ];
        start(sessions::app, &provider.settings_and(&vars)).await
    };
    let old = start_with(SECRET).await;
    let mut browser = Browser::new();
    let login = browser.get(url(&old, "/login")).await;
    let before = browser.clone();

    let both = start_with(&format!("{OTHER_SECRET},{SECRET}")).await;
    assert_eq!(
        browser.come_back(&both, &login, "code=ada").await.status,
        303
    );
    let new = start_with(OTHER_SECRET).await;
    assert_eq!(
        browser.get(url(&new, "/privileged")).await.status,
        200,
        "signed with the first"
    );

    let refused = before.clone().come_back(&new, &login, "code=ada").await;
    assert_eq!(
        refused.status, 400,
        "when the old one is gone, so are its logins"
    );
}

#[tokio::test]
async fn any_replica_with_the_secret_serves_the_session() {
    let (provider, first) = scripted().await;
    let settings = provider.settings_and(&[("SESSION_SECRET", SECRET)]);
    let second = start(sessions::app, &settings).await;
    let mut browser = Browser::new();
    log_in_as(&mut browser, &first, "ada").await;
    assert_eq!(browser.get(url(&second, "/users/me")).await.status, 200);

    let random = start(sessions::app, &provider.settings()).await;
    assert_eq!(
        browser.get(url(&random, "/privileged")).await.status,
        401,
        "its secret is random"
    );
}

#[tokio::test]
async fn a_login_ends_where_next_says() {
    let (_provider, server) = scripted().await;
    for (next, end) in [
        ("/privileged", "/privileged"),
        ("/", "/"),
        ("/a?b=c%26d#e", "/a?b=c&d"),
        ("%2Fa%20b", "/a%20b"),
        ("/a/../privileged", "/privileged"),
        ("", "/users/me"),
        ("privileged", "/users/me"),
    ] {
        let mut browser = Browser::new();
        let login = browser
            .get(url(&server, &format!("/login?next={next}")))
            .await;
        assert!(
            !login.location().contains("next"),
            "the provider is not told"
        );
        let done = browser.come_back(&server, &login, "code=ada").await;
        assert_eq!(done.location(), end, "{next}");
    }
}

// check 13
#[tokio::test]
async fn a_login_never_ends_on_another_site() {
    let (_provider, server) = scripted().await;
    let own = Url::parse(&url(&server, "/auth")).unwrap();
    let long = format!("/{}", "a".repeat(5000));
    for next in [
        "https://evil.example",
        "https:evil.example",
        "//evil.example",
        "///evil.example",
        "/%5Cevil.example",
        "%5C%5Cevil.example",
        "/%09/evil.example",
        "/%0a/evil.example",
        "/.//evil.example",
        "/a/..//evil.example",
        "/%2e//evil.example",
        "/%252e/%252fevil.example",
        "@evil.example",
        "/@evil.example",
        ".evil.example",
        "javascript:alert(1)",
        "%0d%0aSet-Cookie:x=1",
        "/%0d%0aSet-Cookie:x=1",
        "/%00",
        "%20//evil.example",
        "%ff",
        &long,
    ] {
        for parameter in ["next", "redirect", "return_to"] {
            let mut browser = Browser::new();
            let path = format!("/login?{parameter}={next}");
            let login = browser.get(url(&server, &path)).await;
            let done = browser.come_back(&server, &login, "code=ada").await;
            let end = own.join(done.location()).expect("a URL");
            assert_eq!(end.origin(), own.origin(), "{path}");
            assert!(done.location().starts_with('/') && !done.location().starts_with("//"));
            assert_eq!(browser.cookie_names(), ["session", "token"], "{path}");
            if parameter != "next" {
                assert_eq!(done.location(), "/users/me", "{path}");
            }
        }
    }
}

// check 11
#[tokio::test]
async fn unfinished_logins_leave_room_for_a_session_in_the_cookie_header() {
    // As long as those of Google, which are the longest of the known providers.
    let (access, refresh) = ("a".repeat(222), "r".repeat(103));
    let provider = Provider::scripted(move |seen| match &*seen.path {
        "/token" => {
            let tokens = json!({ "access_token": access, "refresh_token": refresh });
            Some(token(&tokens))
        }
        "/user" => {
            let user =
                json!({ "id": "117283640194857261039", "name": "Ada, Countess of Lovelace" });
            Some(Reply::json(200, &user))
        }
        _ => None,
    })
    .await;
    let https = [
        ("PUBLIC_URL", "https://app.example.com"),
        ("SESSION_SECRET", SECRET),
    ];
    let server = start(sessions::app, &provider.settings_and(&https)).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    let next = format!("/{}", "a".repeat(127));
    let mut login = None;
    for _ in 0..60 {
        let path = format!("/login?next={next}");
        login = Some(browser.get(url(&server, &path)).await);
    }
    let cookies = browser.cookies.iter();
    let pairs: Vec<_> = cookies
        .map(|((_, name), value)| format!("{name}={value}"))
        .collect();
    let header = format!("cookie: {}", pairs.join("; "));
    assert_eq!(pairs.len(), 2 + 5, "{:?}", browser.cookie_names());
    assert!(header.len() < 4096, "a header of {} bytes", header.len());

    let done = browser
        .come_back(&server, &login.unwrap(), "code=good")
        .await;
    assert_eq!((done.status, done.location()), (303, &*next));
}

// check 11
#[tokio::test]
async fn a_login_remembers_no_path_that_is_too_long_for_a_cookie() {
    let (_provider, server) = scripted().await;
    let mut browser = Browser::new();
    let path = format!("/login?next=/{}", "a".repeat(128));
    let login = browser.get(url(&server, &path)).await;
    let done = browser.come_back(&server, &login, "code=ada").await;
    assert_eq!((done.status, done.location()), (303, "/users/me"));
}
