//! What `{:?}` shows of the types of this package: no secret.

#[path = "../examples/users/main.rs"]
#[expect(dead_code, reason = "a test has no use for `main`")]
mod example;

use std::path::Path;

use first_party::{bearer::BearerError, password::AcceptsEveryone};
use testing::{Browser, debug::Printed, start, url};

const SECRET: &str = "one of several secrets that are long enough for SHA-256";
const PASSWORD: &str = "the-pass-word";

// check 171
#[tokio::test]
async fn debug_shows_no_secret_of_users_and_tokens() {
    let mut shared = None;
    let app = |state: example::users::Users| {
        shared = Some(state.clone());
        example::app(state)
    };
    let server = start(app, &[("JWT_SECRET", SECRET)]).await;
    let mut browser = Browser::new();
    let good = [("username", "johndoe"), ("password", "secret123")];
    let token = browser.post(url(&server, "/token"), &good).await;
    let token = token.json()["access_token"].clone();
    // Failed logins are remembered for a while.
    let wrong = [("username", "nobody-knows"), ("password", PASSWORD)];
    let refused = browser.post(url(&server, "/token"), &wrong).await;
    assert_eq!(refused.status, 400);

    let mut printed = Printed::default();
    let tokens = shared
        .as_ref()
        .map(|users: &example::users::Users| &users.tokens);
    printed.add(&tokens.expect("it started"));
    let app = |state: AcceptsEveryone| {
        printed.add(&state);
        first_party::app(state)
    };
    start(app, &[("JWT_SECRET", SECRET)]).await;
    printed.add(&shared);
    printed.add(&first_party::scopes::Scopes::ALL);
    printed.add(&BearerError::InsufficientScope("some.scope".into()));
    let signature = token.as_str().and_then(|token| token.rsplit('.').next());
    printed.assert_hides(&[SECRET, PASSWORD, "secret123", "nobody-knows", "$argon2"]);
    printed.assert_hides(&[signature.expect("a token")]);
    let exceptions = [
        ("AnyOf", "Claims that have one of some scopes"),
        (
            "Claims",
            "what a token says; it is useless without its signature",
        ),
        ("User", "who was let in, and for what"),
    ];
    printed.assert_has_all_of(Path::new(env!("CARGO_MANIFEST_DIR")), &exceptions);
}
