//! What `{:?}` shows of the types of this package and of `common`: no secret.

#[path = "../examples/permissions/main.rs"]
#[expect(dead_code, reason = "a test has no use for `main`")]
mod permissions;
#[path = "../examples/replicas/main.rs"]
#[expect(dead_code, reason = "a test has no use for `main`")]
mod replicas;

use std::path::Path;

use common::{
    Params,
    flow::{Flow, Flows, Kind},
    http::{Http, HttpError},
    oauth::OAuth,
    settings::{FromSettings, Settings},
    token::Token,
};
use oauth2::{AccessToken, url::Url};
use permissions::Permissions;
use replicas::Replica;
use serde::de::DeserializeOwned;
use serde_json::json;
use sessions::{AppState, session::LoggedIn};
use testing::{
    Browser,
    debug::Printed,
    provider::{CLIENT_SECRET, Provider, token},
    start, url,
};

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const ACCESS: &str = "the-access-token";
const REFRESH: &str = "the-refresh-token";
const CODE: &str = "the-code";
const SECRETS: [&str; 5] = [SECRET, CLIENT_SECRET, ACCESS, REFRESH, CODE];

// check 171 for B S F
#[tokio::test]
async fn debug_shows_no_secret_of_what_the_servers_share() {
    let mut printed = Printed::default();
    let params = format!("code={CODE}&state={CODE}&password={CODE}&client_secret={CLIENT_SECRET}");
    printed.add(&Params::parse(&params).expect("good parameters"));
    printed.add(&a_token::<Token>());
    printed.add(&a_failed_request().await);

    let mut settings = Settings::from_vars([("DEMO_ADDR", "127.0.0.1:0")]);
    printed.add(&OAuth::from_settings(&mut settings).await.expect("the demo"));
    let provider = Provider::start().await;
    let vars = provider.settings_and(&[("SESSION_SECRET", SECRET)]);
    let mut settings = Settings::from_vars(vars.iter().copied());
    printed.add(&settings);
    printed.add(&settings.signing_secrets("SESSION_SECRET", 64));
    let oauth = OAuth::from_settings(&mut settings).await.expect("a client");
    printed.add(&oauth);
    printed.add(&a_flow(&settings));
    printed.add(&start(sessions::app, &vars).await);

    printed.assert_hides(&SECRETS);
    let common = Path::new(env!("CARGO_MANIFEST_DIR")).join("../common");
    let exceptions = [
        ("CodeBinding", "a client, its redirect URI, and a hash"),
        ("Detail", "what the client is told"),
        ("Error", "what the client is told, or an HttpError in words"),
        ("Home", "what a program is by default"),
        ("Identity", "inside a Session, in the test below"),
        ("Page", "what its reader sees"),
        ("Shown", "what stands in a diagram: for a secret, its hash"),
        ("Unchecked", "inside Params, as a set of names"),
        ("Vars", "inside Settings, as a set of names"),
    ];
    printed.assert_has_all_of(&common, &exceptions);
}

// check 171
#[tokio::test]
async fn debug_shows_no_secret_of_a_session() {
    let mut printed = Printed::default();
    let provider = Provider::start().await;
    let first = json!({ "access_token": "old", "refresh_token": REFRESH, "expires_in": 0 });
    provider.answer_next("/token", token(&first));
    let vars = provider.settings_and(&[("SESSION_SECRET", SECRET)]);
    let mut shared = None;
    let app = |state: AppState| {
        shared = Some(state.clone());
        sessions::app(state)
    };
    let server = start(app, &vars).await;
    let mut browser = Browser::new();
    assert_eq!(browser.log_in_with_code(&server).await.status, 303);
    // The refresh is kept for a while: the key is the old token, the value has the new one.
    let next = json!({ "access_token": ACCESS, "refresh_token": "the-next-refresh-token" });
    provider.answer_next("/token", token(&next));
    assert_eq!(browser.get(url(&server, "/users/me")).await.status, 200);
    printed.add(&shared);

    let user = json!({ "provider": "discord", "subject": "1", "name": "Ada" });
    let session = json!({ "id": "its-name", "user": user });
    printed.add(&LoggedIn(
        serde_json::from_value(session).expect("a session"),
    ));
    let mut settings = Settings::from_vars(vars.iter().copied());
    printed.add(&Permissions::from_settings(&mut settings).await);
    printed.add(&Replica::from_settings(&mut settings).await);
    let redis = [("REDIS_URL", "redis://:the-redis-password@127.0.0.1:1")];
    let mut settings = Settings::from_vars([&vars[..], &redis].concat());
    printed.add(&Replica::from_settings(&mut settings).await);

    printed.assert_hides(&SECRETS);
    printed.assert_hides(&["the-next-refresh-token", "the-redis-password"]);
    let exceptions = [
        ("Account", "who a user is, which is no secret"),
        ("Entry", "a line of the administrator's page"),
        ("ActiveSession", "a Session and an Account"),
        ("Permitted", "an Account"),
        ("Store", "inside Replica, as Memory and as Redis"),
    ];
    printed.assert_has_all_of(Path::new(env!("CARGO_MANIFEST_DIR")), &exceptions);
}

/// A token response, and a session's cookie.
fn a_token<T: DeserializeOwned>() -> T {
    let token = json!({
        "session": "its-name",
        "access_token": ACCESS,
        "token_type": "Bearer",
        "refresh_token": REFRESH,
        "id_token": CODE,
    });
    serde_json::from_value(token).expect("a token")
}

/// A request that nobody answers, with secrets in it.
async fn a_failed_request() -> HttpError {
    let http = Http::new(true).expect("an HTTP client");
    let url = format!("http://127.0.0.1:1/user?code={CODE}");
    let url = Url::parse(&url).expect("a URL");
    let token = AccessToken::new(ACCESS.into());
    http.get(&url, Some(&token))
        .await
        .expect_err("nobody is there")
}

/// A flow that is drawn, known by its state and its token.
fn a_flow(settings: &Settings) -> Flow {
    let kind = Kind {
        title: "a login",
        columns: ["browser", "server", "provider"],
    };
    let flow = Flows::new(settings).flow(kind, CODE);
    flow.continues_with(ACCESS);
    flow
}
