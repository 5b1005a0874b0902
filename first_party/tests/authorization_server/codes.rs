//! Codes at the token endpoint: bound, short-lived, used once.

use serde_json::json;
use testing::Browser;
use tokio::task::JoinSet;

use super::client::{OFFLINE, another, error, invalid_grant, server, server_of, text};

fn invalid_request() -> (u16, String) {
    (400, "invalid_request".into())
}

// check 195
#[tokio::test]
async fn a_code_needs_its_verifier_and_a_wrong_one_spends_it() {
    let server = server().await;
    let other = server.login("openid");
    let too_long = "v".repeat(129);
    for (verifier, expected) in [
        ("", invalid_request()),
        (&other.verifier, invalid_grant()),
        (&other.verifier[..42], invalid_grant()),
        (&too_long, invalid_grant()),
    ] {
        let login = server.login("openid");
        let code = server.code(&mut Browser::new(), &login).await;
        let answer = server
            .redeem_with(&login, &code, &[("code_verifier", verifier)])
            .await;
        assert_eq!(error(&answer), expected, "{verifier}");
        assert_eq!(
            error(&server.redeem(&login, &code).await),
            invalid_grant(),
            "{verifier}"
        );
    }
    // Two logins whose verifiers were swapped.
    let (first, second) = (server.login("openid"), server.login("openid"));
    let mut browser = Browser::new();
    let code = server.code(&mut browser, &first).await;
    assert_eq!(error(&server.redeem(&second, &code).await), invalid_grant());
}

// check 195
#[tokio::test]
async fn the_challenge_itself_is_no_verifier() {
    let server = server().await;
    let login = server.login("openid");
    let challenge = super::example::store::hash(&login.verifier);
    let code = server.code(&mut Browser::new(), &login).await;
    let answer = server
        .redeem_with(&login, &code, &[("code_verifier", &challenge)])
        .await;
    assert_eq!(error(&answer), invalid_grant());
}

// check 196
#[tokio::test]
async fn a_code_is_for_its_client_alone_and_others_do_not_spend_it() {
    let more = vec![
        another("other", Some("another secret")),
        another("phone", None),
    ];
    let server = server_of(&[], more, "demo").await;
    let login = server.login("openid");
    let code = server.code(&mut Browser::new(), &login).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &*code),
        ("redirect_uri", "http://127.0.0.1:5000/auth"),
        ("code_verifier", &*login.verifier),
    ];
    for id in ["other", "phone", "swagger"] {
        assert_eq!(
            error(&server.post_as(id, "/token", &form).await),
            invalid_grant(),
            "{id}"
        );
    }
    for credentials in [
        &[][..],
        &[("client_id", "demo")],
        &[("client_id", "demo"), ("client_secret", "wrong")],
        &[("client_id", "nobody"), ("client_secret", "wrong")],
        &[("client_id", "phone"), ("client_secret", "x")],
    ] {
        let answer = Browser::new()
            .post(server.url("/token"), &[&form, credentials].concat())
            .await;
        assert_eq!(
            error(&answer),
            (401, "invalid_client".into()),
            "{credentials:?}"
        );
        assert!(answer.header("www-authenticate").starts_with("Basic "));
    }
    let answer = server.redeem(&login, &code).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

// check 196
#[tokio::test]
async fn the_redirect_uri_has_to_be_repeated() {
    let server = server().await;
    for uri in [
        "",
        "http://127.0.0.1:5000/auth/oidc",
        "http://127.0.0.1:5000/auth/",
    ] {
        let login = server.login("openid");
        let code = server.code(&mut Browser::new(), &login).await;
        let answer = server
            .redeem_with(&login, &code, &[("redirect_uri", uri)])
            .await;
        assert_eq!(error(&answer), invalid_grant(), "{uri}");
    }
}

// check 197
#[tokio::test]
async fn the_second_use_of_a_code_revokes_the_tokens_of_the_first() {
    let server = server().await;
    let login = server.login(OFFLINE);
    let mut browser = Browser::new();
    let others = server.tokens_in(&mut browser, OFFLINE).await;
    let code = {
        let answer = server.visit(&mut browser, &login).await;
        testing::param_of(answer.location(), "code")
    };
    let tokens = server.redeem(&login, &code).await.json();
    let access_token = text(&tokens, "access_token");
    server.assert_alive(&access_token).await;
    for _ in 0..2 {
        assert_eq!(error(&server.redeem(&login, &code).await), invalid_grant());
    }
    server.assert_dead(&access_token).await;
    let answer = server.refresh(&text(&tokens, "refresh_token")).await;
    assert_eq!(error(&answer), invalid_grant());
    server.assert_alive(&text(&others, "access_token")).await;
}

// check 197
#[tokio::test]
async fn only_one_of_32_parallel_uses_gets_a_token_and_it_is_revoked() {
    let server = std::sync::Arc::new(server().await);
    let login = std::sync::Arc::new(server.login(OFFLINE));
    let code = server.code(&mut Browser::new(), &login).await;
    let mut uses = JoinSet::new();
    for _ in 0..32 {
        let (server, login, code) = (server.clone(), login.clone(), code.clone());
        uses.spawn(async move { server.redeem(&login, &code).await });
    }
    let answers = uses.join_all().await;
    let good: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 200)
        .collect();
    assert_eq!(good.len(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(error(answer), invalid_grant());
    }
    let tokens = good[0].json();
    server.assert_dead(&text(&tokens, "access_token")).await;
    let refresh_token = text(&tokens, "refresh_token");
    assert_eq!(
        error(&server.refresh(&refresh_token).await),
        invalid_grant()
    );
    assert_eq!(
        server.introspect(&refresh_token).await,
        json!({"active": false})
    );
}

// check 198
#[tokio::test]
async fn a_code_expires_after_a_minute_and_with_its_session_and_user() {
    let server = server().await;
    let login = server.login("openid");
    let code = server.code(&mut Browser::new(), &login).await;
    let left = "SELECT code_expires - auth_time FROM authorization_grants";
    assert!((60..=62).contains(&server.count(left).await));
    server
        .sql("UPDATE authorization_grants SET code_expires = code_expires - 61")
        .await;
    assert_eq!(error(&server.redeem(&login, &code).await), invalid_grant());

    let mut browser = Browser::new();
    let login = server.login("openid");
    let code = server.code(&mut browser, &login).await;
    let page = browser.visit(server.url("/logout")).await;
    server.submit(&mut browser, &page, &[]).await;
    assert_eq!(error(&server.redeem(&login, &code).await), invalid_grant());

    let login = server.login("openid");
    let code = server.code(&mut Browser::new(), &login).await;
    server
        .sql("UPDATE users SET disabled = 1 WHERE username = 'johndoe'")
        .await;
    assert_eq!(error(&server.redeem(&login, &code).await), invalid_grant());
    server
        .sql("UPDATE users SET disabled = 0 WHERE username = 'johndoe'")
        .await;
    let login = server.login("openid");
    let code = server.code(&mut Browser::new(), &login).await;
    server
        .sql("DELETE FROM users WHERE username = 'johndoe'")
        .await;
    assert_eq!(error(&server.redeem(&login, &code).await), invalid_grant());
}
