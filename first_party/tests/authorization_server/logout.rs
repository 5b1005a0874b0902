//! The end of the session.

use testing::{Browser, param_of};

use super::client::{OFFLINE, another, server, server_of, text};

const HOME: &str = "http://127.0.0.1:5000/";

// check 224
#[tokio::test]
async fn a_logout_needs_confirmation_unless_the_hint_names_this_user() {
    let server = server_of(&[], vec![another("other", Some("another secret"))], "demo").await;
    let mut browser = Browser::new();
    let tokens = server.tokens_in(&mut browser, OFFLINE).await;
    let hint = text(&tokens, "id_token");
    let elsewhere = text(&self::server().await.tokens("openid").await, "id_token");
    let (message, signature) = hint.rsplit_once('.').expect("a JWT");
    let (_, other) = elsewhere.rsplit_once('.').expect("a JWT");
    assert_eq!(signature.len(), other.len());
    let forged = format!("{message}.{other}");
    for query in [
        String::new(),
        format!("post_logout_redirect_uri={HOME}&client_id=demo"),
        format!("id_token_hint={elsewhere}"),
        format!("id_token_hint={forged}"),
        format!("id_token_hint={}", text(&tokens, "access_token")),
        format!("id_token_hint={hint}&client_id=other"),
        "id_token_hint=x".into(),
    ] {
        let page = browser.visit(server.url(&format!("/logout?{query}"))).await;
        assert_eq!(page.status, 200, "{query}");
        assert!(
            page.body.contains("action=\"/logout/confirm\""),
            "{query}: {}",
            page.body
        );
        assert!(browser.cookie("authorization_session").is_some());
    }
    let url = format!("/logout?id_token_hint={hint}&post_logout_redirect_uri={HOME}&state=a+b");
    let answer = browser.visit(server.url(&url)).await;
    assert_eq!(answer.location(), format!("{HOME}?state=a+b"));
    assert!(browser.cookie("authorization_session").is_none());
    assert_eq!(
        server
            .count("SELECT COUNT(*) FROM authorization_sessions")
            .await,
        0
    );
    let answer = server.refresh(&text(&tokens, "refresh_token")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

// check 224
#[tokio::test]
async fn the_button_ends_the_session_and_the_page_says_what_stays_valid() {
    let server = server().await;
    let mut browser = Browser::new();
    server.tokens_in(&mut browser, "openid").await;
    let stolen = browser.clone();
    let page = browser.visit(server.url("/logout")).await;
    let answer = server.submit(&mut browser, &page, &[]).await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("offline_access"), "{}", answer.body);
    for mut browser in [browser, stolen] {
        let page = server.visit(&mut browser, &server.login("openid")).await;
        assert!(page.body.contains("name=\"password\""), "{}", page.body);
    }
}

// check 223, 224: the browser is sent to registered addresses alone
#[tokio::test]
async fn after_a_logout_the_browser_goes_to_a_registered_address_or_nowhere() {
    let server = server_of(&[], vec![another("other", Some("another secret"))], "demo").await;
    let mut browser = Browser::new();
    let hint = text(&server.tokens_in(&mut browser, "openid").await, "id_token");
    for query in [
        format!("id_token_hint={hint}&post_logout_redirect_uri=https://evil.example/"),
        format!("id_token_hint={hint}&post_logout_redirect_uri={HOME}x"),
        format!("id_token_hint={hint}&post_logout_redirect_uri=http://127.0.0.1:5000"),
        format!("id_token_hint={hint}&client_id=other&post_logout_redirect_uri={HOME}"),
        format!("client_id=other&post_logout_redirect_uri={HOME}"),
        format!("client_id=nobody&post_logout_redirect_uri={HOME}"),
        format!("post_logout_redirect_uri={HOME}"),
    ] {
        let answer = browser.visit(server.url(&format!("/logout?{query}"))).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (400, ""),
            "{query}"
        );
        let form: Vec<_> = testing::query_of(&format!("http://x/?{query}"));
        let form: Vec<_> = form
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        let answer = browser.post(server.url("/logout/confirm"), &form).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (400, ""),
            "{query}"
        );
        assert!(browser.cookie("authorization_session").is_some());
    }
    let page = browser
        .visit(server.url(&format!(
            "/logout?client_id=demo&post_logout_redirect_uri={HOME}&state=s"
        )))
        .await;
    let answer = server.submit(&mut browser, &page, &[]).await;
    assert_eq!(answer.location(), format!("{HOME}?state=s"));
}

// check 224
#[tokio::test]
async fn a_posted_logout_is_redirected_to_a_link() {
    let server = server().await;
    let form = [("client_id", "demo"), ("post_logout_redirect_uri", HOME)];
    let answer = Browser::new().post(server.url("/logout"), &form).await;
    let location = server.url(answer.location());
    assert_eq!(param_of(&location, "post_logout_redirect_uri"), HOME);
    let answer = Browser::new().visit(location).await;
    assert_eq!(answer.location(), HOME);
}
