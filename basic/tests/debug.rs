//! What `{:?}` shows of the types of this package: no secret.

#[path = "../examples/machine_client.rs"]
#[expect(dead_code, reason = "a test has no use for `main`")]
mod machine_client;

use std::path::Path;

use common::settings::{FromSettings, Settings};
use machine_client::Api;
use serde_json::json;
use testing::{
    debug::Printed,
    provider::{Provider, Reply, token},
};

// check 171
#[tokio::test]
async fn debug_shows_no_secret_of_a_client_and_its_token() {
    let provider = Provider::start().await;
    let tokens =
        json!({ "access_token": "the-access-token", "refresh_token": "the-refresh-token" });
    provider.answer_next("/token", token(&tokens));
    provider.answer_next("/api", Reply::json(200, &json!("Hello")));
    let token_url = format!("{}/token", provider.origin);
    let api_url = format!("{}/api", provider.origin);
    let mut settings = Settings::from_vars([
        ("TOKEN_URL", &*token_url),
        ("API_URL", &*api_url),
        ("MACHINE_CLIENT_ID", "id"),
        ("MACHINE_CLIENT_SECRET", "the-client-secret"),
    ]);
    let api = Api::from_settings(&mut settings).await;
    let api = api.expect("good settings");
    assert_eq!(api.call().await.expect("an answer").status(), 200);

    let mut printed = Printed::default();
    printed.add(&api);
    printed.assert_hides(&["the-client-secret", "the-access-token", "the-refresh-token"]);
    printed.assert_has_all_of(Path::new(env!("CARGO_MANIFEST_DIR")), &[]);
}
