//! Allow, Deny and withdraw.

use testing::{Browser, param_of, query_of};

use super::client::{another, claims, server, server_of, text};

// check 192
#[tokio::test]
async fn a_consent_is_remembered_by_scope_for_a_confidential_client() {
    let server = server_of(&[], vec![another("other", Some("another secret"))], "demo").await;
    let mut browser = Browser::new();
    server.tokens_in(&mut browser, "openid some.scope").await;
    for scope in ["openid some.scope", "openid", "some.scope", ""] {
        let answer = server.visit(&mut browser, &server.login(scope)).await;
        assert_eq!(answer.status, 303, "{scope}: {}", answer.body);
    }
    let page = server
        .visit(&mut browser, &server.login("openid profile"))
        .await;
    assert!(page.body.contains("value=\"allow\""), "{}", page.body);
    server.allow(&mut browser, &page).await;
    let answer = server
        .visit(&mut browser, &server.login("openid profile some.scope"))
        .await;
    assert_eq!(answer.status, 303);

    // Not for another client, nor for another user.
    let mut other = server.login("");
    for (name, value) in &mut other.params {
        match *name {
            "client_id" => *value = "other".into(),
            "redirect_uri" => *value = "http://127.0.0.1/cb".into(),
            _ => {}
        }
    }
    assert_eq!(server.visit(&mut browser, &other).await.status, 200);
    server
        .sql("UPDATE users SET disabled = 0 WHERE username = 'alice'")
        .await;
    let mut browser = Browser::new();
    let form = server.visit(&mut browser, &server.login("openid")).await;
    let user = [("username", "alice"), ("password", "password456")];
    let answer = server.submit(&mut browser, &form, &user).await;
    let page = browser.visit(server.url(answer.location())).await;
    assert_eq!(page.status, 200, "{}", page.body);
}

// check 192
#[tokio::test]
async fn a_public_client_is_asked_for_each_time() {
    let server = server_of(&[], vec![another("phone", None)], "phone").await;
    let mut browser = Browser::new();
    server.tokens_in(&mut browser, "openid").await;
    let consents = "SELECT COUNT(*) FROM authorization_consents";
    assert_eq!(server.count(consents).await, 0);
    // Not even if it was a confidential client when the user allowed this.
    for scope in ["''", "'openid'"] {
        let sql = format!(
            "INSERT INTO authorization_consents VALUES ('johndoe', 'phone', {scope}, 9999999999)"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(sql));
        query.execute(&server.app.db).await.expect("a consent");
    }
    let page = server.visit(&mut browser, &server.login("openid")).await;
    assert_eq!(page.status, 200);
}

// check 192
#[tokio::test]
async fn prompt_consent_asks_again() {
    let server = server().await;
    let mut browser = Browser::new();
    server.tokens_in(&mut browser, "openid").await;
    let mut login = server.login("openid");
    login.params.push(("prompt", "consent".into()));
    let page = server.visit(&mut browser, &login).await;
    let callback = server.allow(&mut browser, &page).await;
    assert_eq!(param_of(callback.location(), "code").len(), 43);
}

// check 193
#[tokio::test]
async fn deny_tells_the_client_and_is_not_remembered() {
    let server = server().await;
    let mut browser = Browser::new();
    let login = server.login("openid");
    let form = server.visit(&mut browser, &login).await;
    let consent = server.log_in(&mut browser, &form).await;
    for decision in ["deny", "", "ALLOW"] {
        let answer = server
            .submit(&mut browser, &consent, &[("decision", decision)])
            .await;
        let location = answer.location();
        assert_eq!(param_of(location, "error"), "access_denied");
        assert_eq!(param_of(location, "state"), login.state);
        assert_eq!(
            param_of(location, "iss"),
            server.http.public_url.to_string()
        );
        assert!(query_of(location).iter().all(|(name, _)| name != "code"));
    }
    for table in [
        "SELECT COUNT(*) FROM authorization_consents",
        "SELECT COUNT(*) FROM authorization_grants",
    ] {
        assert_eq!(server.count(table).await, 0);
    }
    assert_eq!(server.visit(&mut browser, &login).await.status, 200);
}

// check 191
#[tokio::test]
async fn a_user_who_logs_in_after_the_page_was_shown_is_asked_again() {
    let server = server().await;
    server
        .sql("UPDATE users SET disabled = 0 WHERE username = 'alice'")
        .await;
    let mut browser = Browser::new();
    let login = server.login("openid");
    let form = server.visit(&mut browser, &login).await;
    let page_of_john = server.log_in(&mut browser, &form).await;
    let user = [("username", "alice"), ("password", "password456")];
    server.submit(&mut browser, &form, &user).await;
    let answer = server.allow(&mut browser, &page_of_john).await;
    assert_eq!(answer.status, 200);
    assert!(
        answer.body.contains("<strong>alice</strong>"),
        "{}",
        answer.body
    );
    let callback = server.allow(&mut browser, &answer).await;
    let tokens = server
        .redeem(&login, &param_of(callback.location(), "code"))
        .await
        .json();
    assert_eq!(claims(&text(&tokens, "id_token"))["sub"], "alice");
    browser.cookies.clear();
    let answer = server.allow(&mut browser, &page_of_john).await;
    assert!(answer.body.contains("name=\"password\""), "{}", answer.body);
}

// check 192
#[tokio::test]
async fn a_user_sees_and_withdraws_what_they_allowed() {
    let server = server_of(&[], vec![another("phone", None)], "demo").await;
    let mut browser = Browser::new();
    let tokens = server
        .tokens_in(&mut browser, "openid offline_access")
        .await;
    let phone = server.with_client("phone");
    phone.tokens_in(&mut browser, "some.scope").await;
    let server = phone.with_client("demo");
    let page = browser.visit(server.url("/consents")).await;
    for shown in ["demo", "phone", "offline_access", "some.scope"] {
        assert!(page.body.contains(shown), "{}", page.body);
    }
    let withdraw = [("client_id", "demo")];
    let answer = browser.post(server.url("/consents"), &withdraw).await;
    let page = browser.visit(server.url(answer.location())).await;
    assert!(
        !page.body.contains("demo") && page.body.contains("phone"),
        "{}",
        page.body
    );
    assert_eq!(
        server
            .visit(&mut browser, &server.login("openid"))
            .await
            .status,
        200
    );
    let answer = server.refresh(&text(&tokens, "refresh_token")).await;
    assert_eq!(
        super::client::error(&answer),
        super::client::invalid_grant()
    );
    server.assert_dead(&text(&tokens, "access_token")).await;
}

#[tokio::test]
async fn nobody_can_withdraw_another_users_consent() {
    let server = server().await;
    server.tokens("openid").await;
    server
        .sql("UPDATE users SET disabled = 0 WHERE username = 'alice'")
        .await;
    let mut browser = Browser::new();
    let form = browser.visit(server.url("/consents")).await;
    let user = [("username", "alice"), ("password", "password456")];
    server.submit(&mut browser, &form, &user).await;
    let page = browser.visit(server.url("/consents")).await;
    assert!(page.body.contains("No application"), "{}", page.body);
    browser
        .post(server.url("/consents"), &[("client_id", "demo")])
        .await;
    assert_eq!(
        server
            .count("SELECT COUNT(*) FROM authorization_consents")
            .await,
        2
    );
}
