//! The token request as the provider sees it, and what each of its answers leads to.

use std::{sync::Arc, time::Duration};

use common::{server::Server, unix_now};
use serde_json::{Value, json};
use testing::{
    Answer, Browser,
    provider::{CLIENT_SECRET, Provider, Reply, token},
    start, url,
};
use tokio::{sync::Notify, time::sleep};

async fn scripted() -> (Provider, Server) {
    let provider = Provider::start().await;
    let server = start(basic::app, &provider.settings()).await;
    (provider, server)
}

/// What a person gets when the provider answers this to the token request.
async fn answer_to(provider: &Provider, server: &Server, reply: Reply) -> Answer {
    provider.answer_next("/token", reply);
    let mut browser = Browser::new();
    let answer = browser.log_in_with_code(server).await;
    assert_eq!(
        browser.cookie_names(),
        [""; 0],
        "whatever comes, the login is spent"
    );
    answer
}

// check 43
#[tokio::test]
async fn a_redirect_of_the_token_endpoint_is_not_followed() {
    let (provider, server) = scripted().await;
    let elsewhere = Provider::start().await;
    for (sent, status) in [301, 302, 303, 307, 308].into_iter().enumerate() {
        for to in [&elsewhere.origin, &provider.origin] {
            let reply = Reply::redirect(status, &format!("{to}/token"));
            assert_eq!(
                answer_to(&provider, &server, reply).await.status,
                502,
                "{status} {to}"
            );
        }
        assert_eq!(
            provider.token_requests(),
            2 * (sent + 1),
            "{status} to itself"
        );
    }
    assert_eq!(elsewhere.seen().len(), 0);
}

// check 46
#[tokio::test]
async fn a_provider_that_is_not_there_is_502() {
    let (provider, server) = scripted().await;
    let mut browser = Browser::new();
    let login = browser.get(url(&server, "/login")).await;
    drop(provider);
    let answer = browser.come_back(&server, &login, "code=good").await;
    assert_eq!(answer.status, 502);
    let detail = "the provider cannot be used at the moment; please try again";
    assert_eq!(answer.json()["detail"], detail);
}

// check 50
#[tokio::test]
async fn unknown_members_are_ignored() {
    let (provider, server) = scripted().await;
    let body = r#"{"access_token":"a","token_type":"Bearer","x":{"y":[1]},"note":"ü 🔑"}"#;
    let reply = Reply::new(200, "application/json; charset=UTF-8", body);
    let answer = answer_to(&provider, &server, reply).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({ "access_token": "a", "token_type": "Bearer" })
    );
}

// check 51
#[tokio::test]
async fn bearer_is_accepted_in_any_case_and_shown_as_received() {
    let (provider, server) = scripted().await;
    for token_type in ["bearer", "Bearer", "BEARER"] {
        let reply = token(&json!({ "token_type": token_type }));
        let answer = answer_to(&provider, &server, reply).await;
        assert_eq!(
            (answer.status, &answer.json()["token_type"]),
            (200, &token_type.into())
        );
    }
}

// check 52
#[tokio::test]
async fn a_token_of_another_type_is_neither_used_nor_shown() {
    let (provider, server) = scripted().await;
    for token_type in [
        json!("mac"),
        json!("DPoP"),
        json!("Bearer "),
        json!(""),
        json!(1),
        json!(null),
    ] {
        let reply = token(&json!({ "token_type": token_type, "access_token": "unusable" }));
        let answer = answer_to(&provider, &server, reply).await;
        assert_eq!(answer.status, 502, "{token_type}");
        assert!(!answer.body.contains("unusable"), "{token_type}");
    }
}

// check 53
#[tokio::test]
async fn what_the_provider_leaves_out_is_not_invented() {
    let (provider, server) = scripted().await;
    let reply = token(&json!({ "expires_in": null, "refresh_token": null, "scope": null }));
    let answer = answer_to(&provider, &server, reply).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({ "access_token": "access", "token_type": "Bearer" })
    );
}

// check 54
#[tokio::test]
async fn a_strange_lifetime_overflows_nothing() {
    let (provider, server) = scripted().await;
    for (expires_in, status) in [
        (json!(0), 200),
        (json!(u64::MAX), 200),
        (json!("3600"), 502),
        (json!(3600.5), 502),
        (json!(-5), 502),
        (json!(1e300), 502),
        (json!([1]), 502),
    ] {
        let before = unix_now();
        let reply = token(&json!({ "expires_in": expires_in }));
        let answer = answer_to(&provider, &server, reply).await;
        assert_eq!(answer.status, status, "{expires_in}");
        if status == 200 {
            let token = answer.json();
            assert_eq!(token["expires_in"], expires_in);
            let earliest = before.saturating_add(expires_in.as_u64().unwrap());
            assert!(
                token["expires_at"].as_u64().unwrap() >= earliest,
                "{expires_in}"
            );
        }
    }
}

#[tokio::test]
async fn a_slow_token_response_does_not_extend_the_tokens_lifetime() {
    let (provider, server) = scripted().await;
    let release = Arc::new(Notify::new());
    let late = async {
        provider.token_requests_reach(1).await;
        let asked = unix_now();
        sleep(Duration::from_secs(2)).await;
        release.notify_one();
        asked
    };
    let (answer, asked) = tokio::join!(
        answer_to(&provider, &server, token(&json!({})).held(&release)),
        late
    );
    assert!(
        answer.json()["expires_at"].as_u64().unwrap() <= asked + 3600,
        "{}",
        answer.body
    );
}

// check 55
#[tokio::test]
async fn an_unusable_token_is_502() {
    let (provider, server) = scripted().await;
    for changes in [
        json!({ "access_token": null }),
        json!({ "access_token": "" }),
        json!({ "access_token": 5 }),
        json!({ "access_token": "a\r\nX-Injected: 1" }),
        json!({ "access_token": "a\u{0}" }),
        json!({ "access_token": "é" }),
        json!({ "refresh_token": "" }),
        json!({ "refresh_token": "a\nb" }),
        json!({ "refresh_token": ["a"] }),
    ] {
        let answer = answer_to(&provider, &server, token(&changes)).await;
        assert_eq!(answer.status, 502, "{changes}");
        assert_eq!(answer.header("x-injected"), "", "{changes}");
        assert!(answer.json()["access_token"].is_null(), "{changes}");
    }
}

// check 56
#[tokio::test]
async fn a_200_without_a_usable_token_is_not_a_500() {
    let (provider, server) = scripted().await;
    let json_type = "application/json";
    for (reply, status) in [
        (Reply::error(200, "invalid_grant"), 400),
        (Reply::error(200, "bad_verification_code"), 400),
        (Reply::error(200, "incorrect_client_credentials"), 502),
        (Reply::error(200, "something"), 502),
        (Reply::json(200, &json!([])), 502),
        (Reply::json(200, &json!(["access_token"])), 502),
        (Reply::json(200, &Value::Null), 502),
        (Reply::json(200, &json!({})), 502),
        (Reply::json(200, &json!("token")), 502),
        (Reply::new(200, json_type, ""), 502),
        (Reply::new(204, json_type, ""), 502),
        (Reply::new(200, "text/html", "<h1>Welcome</h1>"), 502),
        (
            Reply::new(
                200,
                json_type,
                b"{\"access_token\":\"\xff\",\"token_type\":\"Bearer\"}",
            ),
            502,
        ),
        (
            Reply::new(
                200,
                json_type,
                r#"{"access_token":"a","access_token":"b","token_type":"Bearer"}"#,
            ),
            502,
        ),
        (
            Reply::new(
                200,
                json_type,
                r#"{"access_token":"a","token_type":"Bearer""#,
            ),
            502,
        ),
        (Reply::new(200, json_type, "[".repeat(60_000)), 502),
        (Reply::new(200, json_type, "[".repeat(200_000)), 502),
    ] {
        let what = format!("{reply:.200?}");
        let answer = answer_to(&provider, &server, reply).await;
        assert_eq!(answer.status, status, "{what}");
        assert!(answer.json()["detail"].is_string(), "{what}");
        assert!(!answer.body.contains("Welcome"), "{what}");
    }
}

// check 57
#[tokio::test]
async fn an_error_of_the_token_endpoint_becomes_ours_and_none_of_its_text_is_shown() {
    let (provider, server) = scripted().await;
    let described = |error: &str| {
        json!({
            "error": error,
            "error_description": format!("<b>echo {CLIENT_SECRET}</b>"),
            "error_uri": "https://echo.example",
        })
    };
    let html = format!("<html>echo {CLIENT_SECRET}</html>");
    let html = |status| Reply::new(status, "text/html", html.clone());
    for (reply, status) in [
        (Reply::json(400, &described("invalid_grant")), 400),
        (Reply::json(401, &described("invalid_client")), 502),
        (Reply::json(400, &described("invalid_client")), 502),
        (Reply::json(400, &described("unauthorized_client")), 502),
        (Reply::json(400, &described("invalid_request")), 502),
        (Reply::json(400, &described("unsupported_grant_type")), 502),
        (Reply::json(400, &described("echo")), 502),
        (Reply::json(500, &described("invalid_grant")), 502),
        (Reply::json(503, &described("temporarily_unavailable")), 502),
        (Reply::json(400, &json!({ "message": "echo" })), 502),
        (html(400), 502),
        (html(401), 502),
        (html(403), 502),
        (html(404), 502),
        (html(429), 502),
        (html(500), 502),
        (html(503), 502),
    ] {
        let what = format!("{reply:?}");
        let answer = answer_to(&provider, &server, reply).await;
        assert_eq!(answer.status, status, "{what}");
        let whole = format!("{:?} {}", answer.headers, answer.body);
        assert!(
            !whole.contains("echo") && !whole.contains(CLIENT_SECRET),
            "{whole}"
        );
        let detail = if status == 400 {
            "did not accept the code"
        } else {
            "cannot be used"
        };
        assert!(
            answer.json()["detail"].as_str().unwrap().contains(detail),
            "{what}"
        );
    }
}

// check 58
#[tokio::test]
async fn a_large_token_is_shown_whole() {
    let (provider, server) = scripted().await;
    let large = "t".repeat(12 * 1024);
    let answer = answer_to(&provider, &server, token(&json!({ "access_token": large }))).await;
    assert_eq!(
        (answer.status, &answer.json()["access_token"]),
        (200, &large.into())
    );
}

// check 59
#[tokio::test]
async fn the_token_is_shown_as_the_provider_sent_it() {
    let (provider, server) = scripted().await;
    let before = unix_now();
    let sent = json!({ "access_token": "a~b c", "expires_in": 5, "scope": "identify  email" });
    let mut shown = answer_to(&provider, &server, token(&sent)).await.json();
    let ends = shown
        .as_object_mut()
        .unwrap()
        .remove("expires_at")
        .unwrap()
        .as_u64()
        .unwrap();
    assert!((before + 5..=before + 7).contains(&ends));
    let expected = json!({
        "access_token": "a~b c",
        "token_type": "Bearer",
        "expires_in": 5,
        "refresh_token": "refresh",
        "scope": "identify  email",
    });
    assert_eq!(shown, expected);
}

// checks 60, 61
#[tokio::test]
async fn the_token_is_neither_cached_nor_framed_nor_readable_by_other_sites() {
    let (_provider, server) = scripted().await;
    let mut browser = Browser::new();
    let login = browser.get(url(&server, "/login")).await;
    let callback = testing::callback(&server, &login, "code=good");
    let request = browser
        .request(reqwest::Method::GET, callback)
        .header("origin", "http://localhost:9");
    let answer = browser.send(request).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), "");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("pragma"), "no-cache");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("x-frame-options"), "DENY");
}
