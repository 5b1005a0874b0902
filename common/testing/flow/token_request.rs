//! The token request, as the provider sees it.

use base64::{Engine, prelude::BASE64_STANDARD};
use testing::{
    Browser,
    provider::{CLIENT_ID, CLIENT_SECRET, Provider},
    start,
};

use crate::{SUCCESS, app};

// checks 39, 40, 42
#[tokio::test]
async fn the_token_request_is_what_the_rfc_says() {
    let provider = Provider::start().await;
    let server = start(app, &provider.settings()).await;
    assert_eq!(
        Browser::new().log_in_with_code(&server).await.status,
        SUCCESS
    );
    let [request] = &provider.seen_at("/token")[..] else {
        panic!("exactly one request")
    };

    assert_eq!(
        (request.method.as_str(), &*request.path),
        ("POST", "/token")
    );
    assert_eq!(
        request.header("content-type"),
        "application/x-www-form-urlencoded"
    );
    assert_eq!(request.field("grant_type"), "authorization_code");
    assert_eq!(request.field("code"), "good");
    assert_eq!(
        request.field("redirect_uri"),
        format!("http://{}/auth", server.addr)
    );
    let mut names: Vec<_> = request.form.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["code", "code_verifier", "grant_type", "redirect_uri"]
    );

    let basic = BASE64_STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}"));
    assert_eq!(request.header("authorization"), format!("Basic {basic}"));
    assert_eq!(request.header("accept"), "application/json");
    assert!(
        request
            .header("user-agent")
            .starts_with("oauth2-axum-examples/")
    );
    assert_eq!(request.header("referer"), "");
    assert_eq!(request.header("cookie"), "");
}

// check 40
#[tokio::test]
async fn the_client_authenticates_in_the_body_when_it_is_told_to_and_then_only_there() {
    let provider = Provider::start().await;
    let method = [("CLIENT_AUTH_METHOD", "client_secret_post")];
    let server = start(app, &provider.settings_and(&method)).await;
    assert_eq!(
        Browser::new().log_in_with_code(&server).await.status,
        SUCCESS
    );
    let request = &provider.seen()[0];
    assert_eq!(request.field("client_id"), CLIENT_ID);
    assert_eq!(request.field("client_secret"), CLIENT_SECRET);
    assert!(!request.headers.contains_key("authorization"));
    assert_eq!(request.path, "/token");
}

// check 41
#[tokio::test]
async fn id_and_secret_are_form_encoded_before_base64() {
    let provider = Provider::start().await;
    let client = [("CLIENT_ID", "a b:c%"), ("CLIENT_SECRET", "p+/=é")];
    let server = start(app, &provider.settings_and(&client)).await;
    assert_eq!(
        Browser::new().log_in_with_code(&server).await.status,
        SUCCESS
    );
    let basic = BASE64_STANDARD.encode("a+b%3Ac%25:p%2B%2F%3D%C3%A9");
    assert_eq!(
        provider.seen()[0].header("authorization"),
        format!("Basic {basic}")
    );
}
