//! Refresh tokens: rotation, reuse, and their end.

use std::sync::Arc;

use testing::Browser;
use tokio::task::JoinSet;

use super::client::{OFFLINE, another, error, invalid_grant, server, server_of, text};

// check 202
#[tokio::test]
async fn each_refresh_issues_a_new_token_and_names_the_scope() {
    let server = server().await;
    let tokens = server.tokens(OFFLINE).await;
    let first = text(&tokens, "refresh_token");
    let answer = server.refresh(&first).await.json();
    let second = text(&answer, "refresh_token");
    assert_ne!(first, second);
    assert_eq!(answer["scope"], OFFLINE);
    assert_eq!(answer["token_type"], "Bearer");
    server.assert_alive(&text(&answer, "access_token")).await;
    let third = server.refresh(&second).await;
    assert_eq!(third.status, 200);
    assert_eq!(error(&server.refresh(&first).await), invalid_grant());
}

// check 203
#[tokio::test]
async fn a_reused_token_revokes_its_family_and_nothing_else() {
    let server = server().await;
    let mut browser = Browser::new();
    let tokens = server.tokens_in(&mut browser, OFFLINE).await;
    let others = server.tokens(OFFLINE).await;
    let first = text(&tokens, "refresh_token");
    let answer = server.refresh(&first).await.json();
    assert_eq!(error(&server.refresh(&first).await), invalid_grant());
    let newest = text(&answer, "refresh_token");
    assert_eq!(error(&server.refresh(&newest).await), invalid_grant());
    for tokens in [&tokens, &answer] {
        server.assert_dead(&text(tokens, "access_token")).await;
    }
    server.assert_alive(&text(&others, "access_token")).await;
    assert_eq!(
        server.refresh(&text(&others, "refresh_token")).await.status,
        200
    );
}

// check 203
#[tokio::test]
async fn only_one_of_32_parallel_refreshes_succeeds_and_the_family_is_revoked() {
    let server = Arc::new(server().await);
    let tokens = server.tokens(OFFLINE).await;
    let token = text(&tokens, "refresh_token");
    let mut uses = JoinSet::new();
    for _ in 0..32 {
        let (server, token) = (server.clone(), token.clone());
        uses.spawn(async move { server.refresh(&token).await });
    }
    let answers = uses.join_all().await;
    let good: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 200)
        .collect();
    assert_eq!(good.len(), 1);
    let newest = text(&good[0].json(), "refresh_token");
    assert_eq!(error(&server.refresh(&newest).await), invalid_grant());
    server
        .assert_dead(&text(&good[0].json(), "access_token"))
        .await;
}

// check 204
#[tokio::test]
async fn a_refresh_is_for_its_client_only_and_never_for_more_scopes() {
    let server = server_of(&[], vec![another("other", Some("another secret"))], "demo").await;
    let tokens = server.tokens(OFFLINE).await;
    let token = text(&tokens, "refresh_token");
    let form = [("grant_type", "refresh_token"), ("refresh_token", &*token)];
    for id in ["other", "swagger"] {
        assert_eq!(
            error(&server.post_as(id, "/token", &form).await),
            invalid_grant()
        );
    }
    for scope in ["openid third.scope", "other.scope", "admin"] {
        let answer = server
            .post("/token", &[form[0], form[1], ("scope", scope)])
            .await;
        assert_eq!(error(&answer), (400, "invalid_scope".into()), "{scope}");
    }
    let narrow = server
        .post("/token", &[form[0], form[1], ("scope", "openid")])
        .await
        .json();
    assert_eq!(narrow["scope"], "openid");
    let wide = server.refresh(&text(&narrow, "refresh_token")).await.json();
    assert_eq!(wide["scope"], OFFLINE);
}

// check 204
#[tokio::test]
async fn a_scope_that_the_user_lost_is_gone_with_the_next_refresh() {
    let server = server().await;
    let tokens = server.tokens("offline_access some.scope third.scope").await;
    server
        .sql("UPDATE users SET scopes = 'third.scope' WHERE username = 'johndoe'")
        .await;
    let answer = server.refresh(&text(&tokens, "refresh_token")).await.json();
    assert_eq!(answer["scope"], "offline_access third.scope");
}

// check 205
#[tokio::test]
async fn without_offline_access_there_is_no_refresh_token() {
    let server = server().await;
    for scope in [
        "openid",
        "some.scope",
        "openid profile email some.scope third.scope",
    ] {
        let tokens = server.tokens(scope).await;
        assert!(tokens.get("refresh_token").is_none(), "{tokens}");
    }
}

// check 206
#[tokio::test]
async fn a_refresh_token_expires_when_idle_and_at_an_absolute_limit() {
    let server = server().await;
    let day = 24 * 60 * 60;
    let tokens = server.tokens(OFFLINE).await;
    let idle = "SELECT t.expires - g.auth_time FROM authorization_refresh_tokens t
        JOIN authorization_grants g ON g.grant_id = t.grant_id WHERE t.used = 0";
    let absolute = "SELECT expires - auth_time FROM authorization_grants";
    assert!((0..10).contains(&(server.count(idle).await - 14 * day)));
    assert!((0..10).contains(&(server.count(absolute).await - 90 * day)));
    // Each use renews the idle limit, but not the absolute one.
    server
        .sql("UPDATE authorization_grants SET expires = expires - 7000")
        .await;
    let tokens = server.refresh(&text(&tokens, "refresh_token")).await.json();
    assert!((0..10).contains(&(server.count(idle).await - 14 * day)));
    assert!((0..10).contains(&(server.count(absolute).await - 90 * day + 7000)));

    server
        .sql("UPDATE authorization_refresh_tokens SET expires = expires - 14 * 24 * 60 * 60 - 10")
        .await;
    assert_eq!(
        error(&server.refresh(&text(&tokens, "refresh_token")).await),
        invalid_grant()
    );
    let tokens = server.tokens(OFFLINE).await;
    server
        .sql("UPDATE authorization_grants SET expires = expires - 90 * 24 * 60 * 60 - 10")
        .await;
    assert_eq!(
        error(&server.refresh(&text(&tokens, "refresh_token")).await),
        invalid_grant()
    );
}

#[tokio::test]
async fn the_refresh_token_of_a_disabled_user_does_not_work_until_they_are_back() {
    let server = server().await;
    let tokens = server.tokens(OFFLINE).await;
    let token = text(&tokens, "refresh_token");
    server
        .sql("UPDATE users SET disabled = 1 WHERE username = 'johndoe'")
        .await;
    assert_eq!(error(&server.refresh(&token).await), invalid_grant());
    server.assert_dead(&text(&tokens, "access_token")).await;
    server
        .sql("UPDATE users SET disabled = 0 WHERE username = 'johndoe'")
        .await;
    assert_eq!(server.refresh(&token).await.status, 200);
}
