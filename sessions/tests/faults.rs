//! A provider that fails at the login, at `/users/me`, at a refresh and at the logout: each fault
//! leads to an answer, and users who were logged in stay logged in.

use common::server::Server;
use serde_json::{Value, json};
use testing::{
    Answer, Browser,
    fault::{Fault, Faulty, Then, UPSTREAM, faults},
    program::Program,
    provider::{CLIENT_SECRET, Provider, Reply, token},
    start, url,
};
use tokio::task::JoinSet;

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const SESSION_SECRET: (&str, &str) = ("SESSION_SECRET", SECRET);

/// The answer is ours and contains nothing that the provider sent.
fn assert_ours(answer: &Answer, status: u16, case: &str) {
    assert_eq!(answer.status, status, "{case}: {}", answer.body);
    let detail = match status {
        504 => "the provider took too long; please try again",
        502 => "the provider cannot be used at the moment; please try again",
        _ => "the provider did not accept the code; please start again",
    };
    assert_eq!(answer.json(), json!({ "detail": detail }), "{case}");
    let whole = format!("{:?}", answer.headers);
    for secret in [UPSTREAM, CLIENT_SECRET, "the-code", "access-", "refresh-"] {
        assert!(!whole.contains(secret), "{case}: {whole}");
    }
}

/// Two logged-in browsers: one with a valid token, one with an expired token.
struct LoggedIn {
    browser: Browser,
    with_expired_token: Browser,
}

impl LoggedIn {
    async fn at(provider: &Provider) -> Self {
        let server = start(sessions::app, &provider.settings_and(&[SESSION_SECRET])).await;
        let mut browser = Browser::new();
        browser.log_in_with_code(&server).await;
        let mut with_expired_token = browser.clone();
        provider.answer_next("/token", token(&json!({ "expires_in": 0 })));
        with_expired_token.log_in_with_code(&server).await;
        Self {
            browser,
            with_expired_token,
        }
    }
}

/// Asks, and is still logged in afterwards.
async fn fails(server: &Server, mut browser: Browser, status: u16, case: &str) {
    let answer = browser.get(url(server, "/users/me")).await;
    assert_ours(&answer, status, case);
    assert_eq!(answer.set_cookies(), [""; 0], "{case}");
    assert_eq!(
        browser.get(url(server, "/privileged")).await.status,
        200,
        "{case}"
    );
}

/// Comes back with a code, and is not logged in afterwards.
async fn does_not_get_in(server: &Server, mut browser: Browser, status: u16, case: &str) {
    let login = browser.get(url(server, "/login")).await;
    let answer = browser.come_back(server, &login, "code=the-code").await;
    assert_ours(&answer, status, case);
    assert_eq!(browser.cookie_names(), [""; 0], "{case}");
    assert_eq!(
        browser.get(url(server, "/privileged")).await.status,
        401,
        "{case}"
    );
}

// checks 44, 45, 46, 47, 65, 78, 156, 158
#[tokio::test(flavor = "multi_thread")]
async fn every_fault_ends_in_an_answer_while_others_are_served() {
    let provider = Provider::start().await;
    let known = LoggedIn::at(&provider).await;
    let nobody = Browser::new();
    let mut cases = JoinSet::new();
    for (case, faults, status) in faults() {
        let expects_requests = !faults.is_empty();
        let faulty = Faulty::start(faults).await;
        let [token_url, userinfo_url, revocation_url] =
            ["/token", "/user", "/revoke"].map(|path| format!("{}{path}", faulty.origin));
        let userinfo = [SESSION_SECRET, ("USERINFO_URL", &*userinfo_url)];
        let all = [
            &userinfo[..],
            &[
                ("TOKEN_URL", &*token_url),
                ("REVOCATION_URL", &*revocation_url),
            ],
        ];
        let forgets = start(sessions::app, &provider.settings_and(&userinfo)).await;
        let fails_at_all = start(sessions::app, &provider.settings_and(&all.concat())).await;
        let (known, mut other) = (known.browser.clone(), known.with_expired_token.clone());
        let (nobody, run_out) = (nobody.clone(), other.clone());
        let mut leaver = known.clone();
        let fault = async move {
            let held = async {
                let out = async {
                    let out = leaver.post(url(&fails_at_all, "/logout"), &[]).await;
                    assert_eq!((out.status, out.location()), (303, "/"), "{case}");
                    assert_eq!(leaver.cookie_names(), [""; 0], "{case}");
                };
                tokio::join!(
                    out,
                    does_not_get_in(&fails_at_all, nobody.clone(), status, case),
                    does_not_get_in(&forgets, nobody, status, case),
                    fails(&fails_at_all, run_out, status, case),
                    fails(&forgets, known, status, case),
                );
            };
            let others = async {
                faulty
                    .heard_reach(if expects_requests { 6 } else { 0 })
                    .await;
                for server in [&forgets, &fails_at_all] {
                    let privileged = other.get(url(server, "/privileged")).await;
                    assert_eq!(privileged.status, 200, "{case}");
                    assert_eq!(other.get(url(server, "/login")).await.status, 303, "{case}");
                }
            };
            tokio::join!(held, others);

            let heard = faulty.heard();
            let count = |text: &str| {
                heard
                    .iter()
                    .filter(|request| request.contains(text))
                    .count()
            };
            let counts = [
                count("code=the-code"),
                count("grant_type=refresh_token"),
                count("POST /revoke"),
                count("GET /user"),
            ];
            let once = if expects_requests {
                [1, 1, 2, 2]
            } else {
                [0; 4]
            };
            assert_eq!(counts, once, "{case}: nothing is sent again");
        };
        cases.spawn(fault);
    }
    cases.join_all().await;
    // One at each login, and one for each server that fails only at userinfo.
    assert_eq!(provider.token_requests(), 2 + faults().len());
}

// check 44
#[tokio::test]
async fn a_login_with_two_slow_steps_is_504() {
    // Each step stays within its limit, but together they take longer than a request may.
    let body = r#"{"access_token":"a","token_type":"Bearer"}"#;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let say = format!(
        "{head}Content-Length: {}\r\n\r\n{}",
        body.len(),
        &body[..26]
    );
    let slow = Faulty::start(vec![Fault(say.into(), Then::Drip(body[26..].into()))]).await;
    let silent = Faulty::start(vec![Fault(Vec::new(), Then::Silence)]).await;
    let urls = [
        format!("{}/token", slow.origin),
        format!("{}/user", silent.origin),
    ];
    let provider = Provider::start().await;
    let settings = [("TOKEN_URL", &*urls[0]), ("USERINFO_URL", &*urls[1])];
    let server = start(sessions::app, &provider.settings_and(&settings)).await;

    let mut browser = Browser::new();
    let answer = browser.log_in_with_code(&server).await;
    assert_eq!(answer.status, 504, "{}", answer.body);
    assert_eq!(
        answer.json()["detail"],
        "this took too long; please try again"
    );
    assert_eq!(
        (slow.heard().len(), silent.heard().len()),
        (1, 1),
        "the first step went well"
    );
    assert_eq!(browser.get(url(&server, "/privileged")).await.status, 401);
}

// checks 43, 78
#[tokio::test]
async fn neither_a_token_nor_a_code_follows_a_redirect() {
    let provider = Provider::start().await;
    let server = start(sessions::app, &provider.settings()).await;
    let trap = Faulty::start(vec![Fault(Vec::new(), Then::Close)]).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    for status in [300, 301, 302, 303, 304, 305, 307, 308] {
        let away = Reply::redirect(status, &format!("{}/trap", trap.origin));
        let home = Reply::redirect(status, &format!("{}/token", provider.origin));
        let before = provider.seen().len();
        for (path, reply) in [
            ("/token", away.clone()),
            ("/token", home),
            ("/user", away.clone()),
        ] {
            provider.answer_next(path, reply);
            let case = format!("{status} at {path}");
            does_not_get_in(&server, Browser::new(), 502, &case).await;
        }
        provider.answer_next("/user", away);
        fails(&server, browser.clone(), 502, &status.to_string()).await;
        let paths: Vec<_> = provider.seen()[before..]
            .iter()
            .map(|seen| seen.path.clone())
            .collect();
        assert_eq!(
            paths,
            ["/token", "/token", "/token", "/user", "/user"],
            "{status}"
        );
    }
    assert_eq!(trap.heard(), [""; 0]);
}

// check 49
#[tokio::test]
async fn a_provider_with_an_untrusted_certificate_gets_no_token() {
    let provider = Provider::start().await;
    let known = LoggedIn::at(&provider).await;
    let (faulty, _) =
        Faulty::with_tls(vec![Fault(b"HTTP/1.1 200 OK\r\n\r\n".into(), Then::Close)]).await;
    let url = format!("{}/x", faulty.origin);
    for name in ["TOKEN_URL", "USERINFO_URL"] {
        let settings = provider.settings_and(&[SESSION_SECRET, (name, &url)]);
        let server = start(sessions::app, &settings).await;
        does_not_get_in(&server, Browser::new(), 502, name).await;
        let browser = if name == "TOKEN_URL" {
            &known.with_expired_token
        } else {
            &known.browser
        };
        fails(&server, browser.clone(), 502, name).await;
    }
    assert_eq!(
        faulty.heard(),
        [""; 0],
        "nothing was said inside the connection"
    );
}

/// Answers that are no tokens, and the status that each leads to.
fn no_tokens() -> Vec<(Reply, u16)> {
    let json_type = "application/json";
    let raw = |body: &str| Reply::new(200, json_type, body);
    let with = |changes: &Value| token(changes);
    vec![
        (Reply::error(400, "invalid_grant"), 400),
        (Reply::error(200, "invalid_grant"), 400),
        (Reply::error(200, "something"), 502),
        (Reply::error(400, "invalid_request"), 502),
        (Reply::error(401, "invalid_client"), 502),
        (Reply::error(429, "slow_down"), 502),
        (Reply::new(403, "text/html", UPSTREAM), 502),
        (Reply::new(500, "text/html", CLIENT_SECRET), 502),
        (Reply::new(503, json_type, ""), 502),
        (with(&json!({ "token_type": "mac" })), 502),
        (with(&json!({ "token_type": "DPoP" })), 502),
        (with(&json!({ "token_type": null })), 502),
        (with(&json!({ "access_token": null })), 502),
        (with(&json!({ "access_token": "" })), 502),
        (with(&json!({ "access_token": 7 })), 502),
        (with(&json!({ "access_token": { "a": 1 } })), 502),
        (
            with(&json!({ "access_token": "a\r\nSet-Cookie: session=x" })),
            502,
        ),
        (with(&json!({ "refresh_token": "a\r\nb" })), 502),
        (with(&json!({ "expires_in": "3600" })), 502),
        (with(&json!({ "expires_in": 3600.5 })), 502),
        (with(&json!({ "expires_in": -5 })), 502),
        (with(&json!({ "expires_in": 1e300 })), 502),
        (
            raw(
                "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":18446744073709551616}",
            ),
            502,
        ),
        (raw(""), 502),
        (raw("null"), 502),
        (raw("[]"), 502),
        (raw("\"token\""), 502),
        (raw("{\"access_token\":\"a\""), 502),
        (raw(&"[".repeat(60_000)), 502),
        (raw(&"[".repeat(200_000)), 502),
        (raw(&"{\"a\":".repeat(10_000)), 502),
        (Reply::new(204, json_type, ""), 502),
        (Reply::new(200, "text/html", "<h1>upstream-words</h1>"), 502),
        (
            Reply::new(
                200,
                json_type,
                b"{\"access_token\":\"\xff\",\"token_type\":\"Bearer\"}",
            ),
            502,
        ),
    ]
}

// checks 52, 54, 55, 56, 57, 65
#[tokio::test]
async fn an_unusable_token_begins_no_session_and_ends_none() {
    let provider = Provider::start().await;
    let known = LoggedIn::at(&provider).await;
    let server = start(sessions::app, &provider.settings_and(&[SESSION_SECRET])).await;
    let nobody = Browser::new();
    for (reply, status) in no_tokens() {
        let case = format!("{reply:.200?}");
        let before = provider.token_requests();
        provider.answer_next("/token", reply.clone());
        does_not_get_in(&server, nobody.clone(), status, &case).await;
        // At a refresh, `invalid_grant` ends the session; that is check 156.
        if status != 400 {
            provider.answer_next("/token", reply);
            fails(&server, known.with_expired_token.clone(), status, &case).await;
        }
        let tried = 1 + usize::from(status != 400);
        assert_eq!(
            provider.token_requests() - before,
            tried,
            "{case}: nothing is sent again"
        );
    }
}

// checks 50, 51, 53, 54
#[tokio::test]
async fn a_usable_token_begins_a_session_whatever_comes_with_it() {
    let provider = Provider::start().await;
    let server = start(sessions::app, &provider.settings()).await;
    let nobody = Browser::new();
    for changes in [
        json!({ "token_type": "bearer" }),
        json!({ "token_type": "BEARER" }),
        json!({ "expires_in": null, "refresh_token": null, "scope": null }),
        json!({ "expires_in": u64::MAX }),
        json!({ "scope": "ü", "note": ["x", { "y": null }], "error": null }),
    ] {
        provider.answer_next("/token", token(&changes));
        let mut browser = nobody.clone();
        assert_eq!(
            browser.log_in_with_code(&server).await.status,
            303,
            "{changes}"
        );
        assert_eq!(
            browser.get(url(&server, "/users/me")).await.status,
            200,
            "{changes}"
        );
    }
}

// checks 65, 78
#[tokio::test]
async fn an_unusable_user_begins_no_session() {
    let provider = Provider::start().await;
    let server = start(sessions::app, &provider.settings()).await;
    let nobody = Browser::new();
    for body in [
        "",
        "null",
        "[]",
        "7",
        "\"ada\"",
        "{}",
        "{\"id\":",
        "[[[[",
        "{\"id\":null}",
        "{\"id\":\"\"}",
        "{\"id\":[1]}",
        "{\"id\":{\"id\":1}}",
        "{\"id\":true}",
        "{\"username\":\"ada\"}",
    ] {
        provider.answer_next("/user", Reply::new(200, "application/json", body));
        does_not_get_in(&server, nobody.clone(), 502, body).await;
    }
}

// check 45
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn an_endless_user_is_not_kept_in_memory() {
    let provider = Provider::start().await;
    let known = LoggedIn::at(&provider).await;
    let names = [
        "99 GB",
        "chunks without end",
        "headers without end",
        "a gzip bomb",
    ];
    let mut cases = JoinSet::new();
    for (case, faults, status) in faults() {
        if !names.contains(&case) {
            continue;
        }
        let faulty = Faulty::start(faults).await;
        let userinfo_url = format!("{}/user", faulty.origin);
        let vars = [SESSION_SECRET, ("USERINFO_URL", &*userinfo_url)];
        let program = Program::start(
            env!("CARGO_BIN_EXE_sessions"),
            &provider.settings_and(&vars),
        );
        let mut browser = known.browser.clone();
        cases.spawn(async move {
            assert_ours(&browser.get(program.join("/users/me")).await, status, case);
            let before = program.peak_memory().expect("Linux says it");
            for _ in 0..3 {
                assert_ours(&browser.get(program.join("/users/me")).await, status, case);
            }
            let grown = program.peak_memory().expect("Linux says it") - before;
            assert!(grown < 50, "{case}: {grown} MiB more");
            assert!(before < 200, "{case}: {before} MiB");
            drop(faulty);
        });
    }
    assert_eq!(cases.len(), names.len());
    cases.join_all().await;
}
