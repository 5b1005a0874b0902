//! The example `resource_server` beside the server whose tokens it accepts.

use std::fs;

use testing::{
    Browser,
    program::{Program, example},
};

use super::{
    client::{folder, server_with, text},
    keys::p256,
};

// check 217
#[tokio::test]
async fn an_api_that_keeps_the_keys_refuses_nobody_when_they_change() {
    let folder = folder("rotation_elsewhere");
    let [old, new] = ["old.pem", "new.pem"].map(|name| {
        fs::write(folder.join(name), p256()).expect("a file");
        folder.join(name).display().to_string()
    });
    let server = server_with(&[("SIGNING_KEY_FILE", &old)]).await;
    let (issuer, bind) = (
        server.http.public_url.to_string(),
        server.http.addr.to_string(),
    );
    let vars = [("ISSUER", &*issuer), ("AUDIENCE", &issuer)];
    let api = Program::start(&example("first_party", "resource_server"), &vars);
    let status = async |token: &str| {
        let mut browser = Browser::new();
        let request = browser.request(reqwest::Method::GET, api.join("/endpoint1"));
        browser.send(request.bearer_auth(token)).await.status
    };
    let first = text(&server.tokens("openid some.scope").await, "access_token");
    assert_eq!(status(&first).await, 200);
    // Revoked there, it goes on here: only the keys are asked. It lives for ten minutes.
    server.post("/revoke", &[("token", &first)]).await;
    server.assert_dead(&first).await;
    assert_eq!(status(&first).await, 200);
    server.http.stop().await;
    assert_eq!(status(&first).await, 200);

    let both = format!("{new},{old}");
    let server = server_with(&[("SIGNING_KEY_FILE", &both), ("BIND_ADDR", &bind)]).await;
    let second = text(&server.tokens("openid some.scope").await, "access_token");
    assert_eq!(status(&second).await, 200);
    assert_eq!(status(&first).await, 200);
}
