//! A user who gets a token in the ordinary way.

use common::server::Server;
use testing::{Answer, Browser};

/// `POST /token` with these fields.
pub async fn ask(server: &Server, form: &[(&str, &str)]) -> Answer {
    Browser::new()
        .post(server.public_url.join("/token"), form)
        .await
}

/// A token with these scopes, separated by spaces.
pub async fn token_with(server: &Server, scope: &str) -> String {
    let form = [
        ("username", "alice"),
        ("password", "wonderland"),
        ("scope", scope),
    ];
    let answer = ask(server, &form).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["access_token"]
        .as_str()
        .expect("a token")
        .to_owned()
}
