//! The example `providers`: several providers in one application, some of them found by discovery.

#[path = "../../common/testing/database.rs"]
mod database;
#[path = "../examples/providers/main.rs"]
#[expect(dead_code, reason = "a test has no use for `main`")]
mod providers;

use std::sync::Arc;

use aws_lc_rs::{
    encoding::AsDer,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use common::{server::Server, unix_now};
use database::start;
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use serde_json::{Value, json};
use testing::{
    Answer, Browser,
    fault::{Fault, Faulty, ORIGIN, Then},
    param_of,
    program::{self, Program},
    provider::{CLIENT_ID, CLIENT_SECRET, Provider, Reply, token},
    url,
};
use tokio::{sync::Notify, task::JoinSet};

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

const DISCOVERY: &str = "/.well-known/openid-configuration";

/// A key of the provider, and its public half.
struct SigningKey {
    algorithm: Algorithm,
    key: EncodingKey,
    jwk: Jwk,
}

impl SigningKey {
    fn es256(kid: &str) -> Self {
        let random = aws_lc_rs::rand::SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self::new(
            Algorithm::ES256,
            EncodingKey::from_ec_der(key.as_ref()),
            kid,
        )
    }

    fn rs256(kid: &str) -> Self {
        let key = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: aws_lc_rs::encoding::Pkcs8V1Der = key.as_der().unwrap();
        // jsonwebtoken wants PKCS #1, which PKCS #8 has inside, after 26 bytes.
        Self::new(
            Algorithm::RS256,
            EncodingKey::from_rsa_der(&der.as_ref()[26..]),
            kid,
        )
    }

    fn new(algorithm: Algorithm, key: EncodingKey, kid: &str) -> Self {
        let mut jwk = Jwk::from_encoding_key(&key, algorithm).unwrap();
        jwk.common.key_id = Some(kid.to_owned());
        Self {
            algorithm,
            key,
            jwk,
        }
    }

    fn sign(&self, claims: &Value) -> String {
        let header = Header {
            kid: self.jwk.common.key_id.clone(),
            ..Header::new(self.algorithm)
        };
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }
}

/// An OpenID provider, and the example that knows it as `oidc`.
struct OpenId {
    provider: Provider,
    server: Server,
}

impl OpenId {
    async fn start(key: &SigningKey) -> Self {
        Self::with(|_| {}, json!({ "keys": [key.jwk] })).await
    }

    async fn with(change: fn(&mut Value), keys: Value) -> Self {
        let provider = Provider::scripted(move |seen| match &*seen.path {
            DISCOVERY => {
                let mut metadata = metadata(&format!("http://{}", seen.header("host")));
                change(&mut metadata);
                Some(Reply::json(200, &metadata))
            }
            "/keys" => Some(Reply::json(200, &keys)),
            "/user" => Some(Reply::json(200, &json!({ "sub": "ada-1", "name": "Ada" }))),
            _ => None,
        })
        .await;
        let server = server_of(&provider).await;
        Self { provider, server }
    }

    async fn log_in(&self, browser: &mut Browser, answer: impl FnOnce(Value) -> Reply) -> Answer {
        log_in(
            &self.provider,
            &self.server.public_url.to_string(),
            browser,
            answer,
        )
        .await
    }

    async fn log_in_with(&self, browser: &mut Browser, key: &SigningKey) -> Answer {
        self.log_in(browser, |claims| with_id_token(&key.sign(&claims)))
            .await
    }
}

/// What such a provider says of itself.
fn metadata(origin: &str) -> Value {
    json!({
        "issuer": origin,
        "authorization_endpoint": format!("{origin}/authorize"),
        "token_endpoint": format!("{origin}/token"),
        "userinfo_endpoint": format!("{origin}/user"),
        "revocation_endpoint": format!("{origin}/revoke"),
        "jwks_uri": format!("{origin}/keys"),
    })
}

fn settings(provider: &Provider) -> [(&str, &str); 6] {
    [
        ("OIDC_ISSUER", &provider.origin),
        ("OIDC_CLIENT_ID", CLIENT_ID),
        ("OIDC_CLIENT_SECRET", CLIENT_SECRET),
        ("DISCORD_CLIENT_ID", "discord-client"),
        ("DISCORD_CLIENT_SECRET", "discord-secret"),
        ("SESSION_SECRET", SECRET),
    ]
}

async fn server_of(provider: &Provider) -> Server {
    start(providers::app, &settings(provider)).await
}

/// A login; `answer` makes the token response from the claims that would be valid.
async fn log_in(
    provider: &Provider,
    origin: &str,
    browser: &mut Browser,
    answer: impl FnOnce(Value) -> Reply,
) -> Answer {
    let login = browser.get(format!("{origin}/login/oidc")).await;
    let claims = json!({
        "iss": provider.origin,
        "aud": CLIENT_ID,
        "sub": "ada-1",
        "iat": unix_now(),
        "exp": unix_now() + 300,
        "nonce": param_of(login.location(), "nonce"),
    });
    provider.answer_next("/token", answer(claims));
    let state = param_of(login.location(), "state");
    browser
        .get(format!("{origin}/auth/oidc?code=c&state={state}"))
        .await
}

/// Makes a token response from the claims that would be valid.
type Forge<'a> = Box<dyn Fn(Value) -> Reply + 'a>;

fn with_id_token(id_token: &str) -> Reply {
    token(&json!({ "id_token": id_token }))
}

/// A login at one of the demo providers, to its end.
async fn log_in_at(browser: &mut Browser, server: &Server, id: &str, username: &str) -> Answer {
    let login = browser.get(url(server, &format!("/login/{id}"))).await;
    let callback = browser.allow(&login, username).await;
    browser.get(callback).await
}

// check 248
#[tokio::test]
async fn the_same_name_at_two_demo_providers_is_two_accounts() {
    let server = start(providers::app, &[]).await;
    let choices = Browser::new().get(url(&server, "/login")).await;
    assert!(
        choices.body.contains("Log in with the demo provider"),
        "{}",
        choices.body
    );
    assert!(
        choices.body.contains("Log in with OpenID demo"),
        "{}",
        choices.body
    );

    let mut accounts = Vec::new();
    for id in ["demo", "openid", "demo", "openid"] {
        let mut browser = Browser::new();
        assert_eq!(
            log_in_at(&mut browser, &server, id, "ada").await.location(),
            "/users/me"
        );
        let me = browser.get(url(&server, "/users/me")).await;
        assert_eq!(me.status, 200, "{}", me.body);
        assert_eq!(
            (me.json()["provider"].as_str(), me.json()["name"].as_str()),
            (Some(id), Some("ada"))
        );
        accounts.push(me.json()["id"].clone());
    }
    assert_ne!(accounts[0], accounts[1]);
    assert_eq!(accounts[..2], accounts[2..]);
}

#[tokio::test]
async fn a_login_asks_an_openid_provider_for_an_id_token_of_this_login() {
    let server = start(providers::app, &[]).await;
    let nonce = async || {
        let login = Browser::new().get(url(&server, "/login/openid")).await;
        assert!(
            param_of(login.location(), "scope")
                .split(' ')
                .any(|scope| scope == "openid")
        );
        param_of(login.location(), "nonce")
    };
    let (first, second) = (nonce().await, nonce().await);
    assert!(first.len() >= 22 && first != second, "{first} {second}");
}

#[tokio::test]
async fn an_unknown_provider_is_404_and_nobody_is_logged_in_without_a_login() {
    let server = start(providers::app, &[]).await;
    let mut browser = Browser::new();
    for path in [
        "/login/nonsense",
        "/auth/nonsense?code=c&state=s",
        "/login/discord",
        "/login/google",
    ] {
        let answer = browser.get(url(&server, path)).await;
        assert_eq!(
            (answer.status, &answer.json()["detail"]),
            (404, &json!("this provider is not set up here"))
        );
    }
    browser.get(url(&server, "/login/demo")).await;
    let me = browser.get(url(&server, "/users/me")).await;
    assert_eq!(
        (me.status, &me.json()["detail"]),
        (401, &json!("Not logged in"))
    );
}

#[tokio::test]
async fn an_answer_of_one_provider_is_refused_at_the_other() {
    let server = start(providers::app, &[]).await;
    for (own, other) in [("demo", "openid"), ("openid", "demo")] {
        let mut browser = Browser::new();
        let login = browser.get(url(&server, &format!("/login/{own}"))).await;
        let callback = browser.allow(&login, "ada").await;
        let before = browser.clone();

        let moved = callback.replace(&format!("/auth/{own}"), &format!("/auth/{other}"));
        assert_ne!(moved, callback);
        let refused = browser.get(&moved).await;
        assert_eq!(refused.status, 400);
        // We refuse it: the other provider, which may be an attacker's, never sees the code.
        let detail = refused.json()["detail"].to_string();
        assert!(
            detail.contains("was not started in this browser"),
            "{detail}"
        );
        assert_eq!(browser.get(url(&server, "/users/me")).await.status, 401);

        assert_eq!(before.clone().get(&callback).await.location(), "/users/me");
    }
}

#[tokio::test]
async fn logout_ends_the_session_and_the_token() {
    let server = start(providers::app, &[]).await;
    for id in ["demo", "openid"] {
        let mut browser = Browser::new();
        log_in_at(&mut browser, &server, id, "ada").await;
        assert_eq!(
            browser.post(url(&server, "/logout"), &[]).await.location(),
            "/"
        );
        assert!(browser.cookies.is_empty());
        assert_eq!(browser.get(url(&server, "/users/me")).await.status, 401);
    }
}

#[tokio::test]
async fn a_session_whose_account_is_gone_creates_no_new_one() {
    let key = SigningKey::es256("key-1");
    let openid = OpenId::start(&key).await;
    let mut browser = Browser::new();
    openid.log_in_with(&mut browser, &key).await;
    assert_eq!(
        browser.get(url(&openid.server, "/users/me")).await.json()["id"],
        1
    );

    // The same secret, so that the session is good, and a new database.
    let restarted = server_of(&openid.provider).await;
    let me = browser.get(url(&restarted, "/users/me")).await;
    assert_eq!(
        (me.status, &me.json()["detail"]),
        (401, &json!("Not logged in"))
    );
    assert!(browser.cookies.is_empty(), "{:?}", browser.cookie_names());
}

#[tokio::test]
async fn an_openid_provider_is_found_by_its_issuer_alone() {
    for key in [SigningKey::es256("key-1"), SigningKey::rs256("key-1")] {
        let openid = OpenId::start(&key).await;
        let mut browser = Browser::new();
        let done = openid.log_in_with(&mut browser, &key).await;
        assert_eq!(done.location(), "/users/me");
        let me = browser.get(url(&openid.server, "/users/me")).await.json();
        assert_eq!(
            (&me["provider"], &me["subject"], &me["name"]),
            (&json!("oidc"), &json!("ada-1"), &json!("Ada"))
        );
    }
}

#[tokio::test]
async fn keys_are_fetched_once_and_again_for_an_unknown_kid() {
    let (first, second) = (SigningKey::es256("key-1"), SigningKey::es256("key-2"));
    let keys = json!({ "keys": [{ "kty": "unheard-of", "kid": "key-0" }, first.jwk, second.jwk] });
    let openid = OpenId::with(|_| {}, keys).await;
    let fetched = || openid.provider.seen_at("/keys").len();
    assert_eq!(fetched(), 0);
    for key in [&first, &second, &first] {
        assert_eq!(
            openid.log_in_with(&mut Browser::new(), key).await.status,
            303
        );
        assert_eq!(fetched(), 1);
    }
    for more in 1..=2 {
        let unknown = SigningKey::es256("key-3");
        assert_eq!(
            openid
                .log_in_with(&mut Browser::new(), &unknown)
                .await
                .status,
            502
        );
        assert_eq!(fetched(), 1 + more);
    }
    assert_eq!(
        openid
            .provider
            .seen_at("/.well-known/openid-configuration")
            .len(),
        1
    );
}

#[tokio::test]
async fn a_key_without_a_kid_may_have_changed_the_next_time() {
    let [first, second] = ["", ""].map(|name| {
        let mut key = SigningKey::es256(name);
        key.jwk.common.key_id = None;
        key
    });
    let openid = OpenId::start(&second).await;
    openid
        .provider
        .answer_next("/keys", Reply::json(200, &json!({ "keys": [first.jwk] })));
    for key in [&first, &second] {
        assert_eq!(
            openid.log_in_with(&mut Browser::new(), key).await.status,
            303
        );
    }
}

#[tokio::test]
async fn an_id_token_that_is_not_of_this_login_is_refused() {
    let key = SigningKey::es256("key-1");
    let openid = OpenId::start(&key).await;
    let changes: [(&str, Value); 16] = [
        ("iss", json!("https://evil.example")),
        ("iss", json!(null)),
        (
            "iss",
            json!(["https://evil.example", openid.provider.origin]),
        ),
        ("aud", json!("another-client")),
        ("aud", json!(null)),
        ("aud", json!([CLIENT_ID, "another-client"])),
        ("azp", json!("another-client")),
        ("exp", json!(unix_now() - 61)),
        ("exp", json!(null)),
        ("exp", json!("tomorrow")),
        ("iat", json!(unix_now() + 600)),
        ("iat", json!(null)),
        ("sub", json!("")),
        ("sub", json!(null)),
        ("nonce", json!("of-another-login")),
        ("nonce", json!(null)),
    ];
    for (claim, value) in changes {
        let mut browser = Browser::new();
        let sign = |mut claims: Value| {
            claims[claim] = value.clone();
            if let Value::Object(members) = &mut claims {
                members.retain(|_, value| !value.is_null());
            }
            with_id_token(&key.sign(&claims))
        };
        let answer = openid.log_in(&mut browser, sign).await;
        assert_eq!(answer.status, 502, "{claim}: {value}: {}", answer.body);
        assert_eq!(
            browser.get(url(&openid.server, "/users/me")).await.status,
            401
        );
    }
}

#[tokio::test]
async fn an_id_token_that_the_provider_has_not_signed_is_refused() {
    let key = SigningKey::es256("key-1");
    let openid = OpenId::start(&key).await;
    let part = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let unsigned = |alg: &str, claims: &Value| {
        format!(
            "{}.{}",
            part(&json!({ "alg": alg, "kid": "key-1" })),
            part(claims)
        )
    };
    let forgeries: Vec<(&str, Forge)> = vec![
        ("none at all", Box::new(|_| token(&json!({})))),
        ("not a JWT", Box::new(|_| with_id_token("x.y.z"))),
        (
            "alg none",
            Box::new(|claims| with_id_token(&format!("{}.", unsigned("none", &claims)))),
        ),
        (
            "HS256 with the public key as secret",
            Box::new(|claims| {
                let public = json!(key.jwk);
                let header = Header {
                    kid: Some("key-1".into()),
                    ..Header::new(Algorithm::HS256)
                };
                let secret = EncodingKey::from_secret(public.to_string().as_bytes());
                with_id_token(&jsonwebtoken::encode(&header, &claims, &secret).unwrap())
            }),
        ),
        (
            "another key of the same name",
            Box::new(|claims| with_id_token(&SigningKey::es256("key-1").sign(&claims))),
        ),
        (
            "a key that the token brings along",
            Box::new(|claims| {
                let own = SigningKey::es256("key-9");
                let header = Header {
                    jwk: Some(own.jwk.clone()),
                    ..Header::new(Algorithm::ES256)
                };
                with_id_token(&jsonwebtoken::encode(&header, &claims, &own.key).unwrap())
            }),
        ),
        (
            "an extension that nobody here understands",
            Box::new(|claims| {
                let header = Header {
                    kid: Some("key-1".into()),
                    crit: Some(vec!["x".into()]),
                    ..Header::new(Algorithm::ES256)
                };
                with_id_token(&jsonwebtoken::encode(&header, &claims, &key.key).unwrap())
            }),
        ),
        (
            "the signature of other claims",
            Box::new(|claims| {
                let good = key.sign(&claims);
                let mut changed = claims;
                changed["sub"] = json!("bob-2");
                let signature = good.rsplit('.').next().unwrap();
                with_id_token(&format!("{}.{signature}", unsigned("ES256", &changed)))
            }),
        ),
    ];
    for (what, forge) in forgeries {
        let mut browser = Browser::new();
        let answer = openid.log_in(&mut browser, forge).await;
        assert_eq!(answer.status, 502, "{what}: {}", answer.body);
        assert_eq!(
            browser.get(url(&openid.server, "/users/me")).await.status,
            401,
            "{what}"
        );
    }
}

#[tokio::test]
async fn userinfo_must_be_about_the_user_of_the_id_token() {
    let key = SigningKey::es256("key-1");
    let openid = OpenId::start(&key).await;
    for user in [
        json!({ "sub": "bob-2", "name": "Bob" }),
        json!({ "name": "Ada" }),
    ] {
        openid
            .provider
            .answer_next("/user", Reply::json(200, &user));
        let answer = openid.log_in_with(&mut Browser::new(), &key).await;
        assert_eq!(answer.status, 502, "{user}");
    }
    assert_eq!(
        openid.log_in_with(&mut Browser::new(), &key).await.status,
        303
    );
}

#[tokio::test]
async fn what_an_id_token_says_does_not_reach_the_log() {
    let key = SigningKey::es256("key-1");
    let openid = OpenId::start(&key).await;
    let binary = program::example("sessions", "providers");
    let program = Program::start(&binary, &settings(&openid.provider));
    for claim in ["iss", "aud", "azp", "exp", "iat", "nonce", "nbf"] {
        let sign = |mut claims: Value| {
            claims[claim] = json!("what ada keeps to herself");
            with_id_token(&key.sign(&claims))
        };
        let origin = program.join("");
        let answer = log_in(&openid.provider, &origin, &mut Browser::new(), sign).await;
        assert_eq!(answer.status, 502, "{claim}: {}", answer.body);
    }
    let said = program.stop();
    assert!(
        said.contains("the ID token") && !said.contains("herself"),
        "{said}"
    );
}

#[tokio::test]
async fn discovery_that_lies_is_refused_and_stops_no_other_provider() {
    let lies: [fn(&mut Value); 5] = [
        |metadata| metadata["issuer"] = json!("https://evil.example"),
        |metadata| metadata["token_endpoint"] = json!("http://evil.example/token"),
        |metadata| metadata["jwks_uri"] = json!("http://evil.example/keys"),
        |metadata| metadata["authorization_endpoint"] = json!("javascript:alert(1)"),
        |metadata| metadata["issuer"] = json!(null),
    ];
    for lie in lies {
        let openid = OpenId::with(lie, json!({ "keys": [] })).await;
        let answer = Browser::new().get(url(&openid.server, "/login/oidc")).await;
        assert_eq!(answer.status, 502, "{}", answer.body);
        let other = Browser::new()
            .get(url(&openid.server, "/login/discord"))
            .await;
        assert!(other.location().starts_with("https://discord.com/"));
    }
}

#[tokio::test]
async fn discovery_that_fails_is_tried_again_at_the_next_login() {
    let key = SigningKey::es256("key-1");
    let openid = OpenId::start(&key).await;
    for reply in [
        Reply::error(503, "x"),
        Reply::new(200, "text/html", "<html>"),
        Reply::error(404, "x"),
    ] {
        openid.provider.answer_next(DISCOVERY, reply);
        let answer = Browser::new().get(url(&openid.server, "/login/oidc")).await;
        assert_eq!(answer.status, 502, "{}", answer.body);
    }
    assert_eq!(
        openid.log_in_with(&mut Browser::new(), &key).await.status,
        303
    );
}

#[tokio::test]
async fn logins_at_a_silent_provider_are_limited_and_the_rest_are_refused_at_once() {
    let silent = Faulty::start(vec![Fault(Vec::new(), Then::Silence)]).await;
    let provider = Provider::start().await;
    let mut settings = settings(&provider);
    settings[0].1 = &silent.origin;
    let server = start(providers::app, &settings).await;
    let (browser, login) = (Browser::new(), url(&server, "/login/oidc"));
    let mut waiting = JoinSet::new();
    for count in 1..=8 {
        let (mut browser, login) = (browser.clone(), login.clone());
        waiting.spawn(async move { browser.get(login).await.status });
        silent.heard_reach(count).await;
    }
    for path in ["/login/oidc", "/auth/oidc?code=c&state=s"] {
        let busy = browser.clone().get(url(&server, path)).await;
        assert_eq!((busy.status, busy.header("retry-after")), (503, "5"));
        assert!(busy.body.contains("please try again"), "{}", busy.body);
    }
    assert_eq!(silent.heard().len(), 8, "it gets no more requests");
    let discord = browser.clone().get(url(&server, "/login/discord")).await;
    assert_eq!(discord.status, 303, "the other provider has its own limit");

    // A slot is free again once a waiting login is given up.
    waiting.abort_all();
    while waiting.join_next().await.is_some() {}
    let again = tokio::spawn(async move {
        let mut browser = browser.clone();
        while browser.get(&login).await.status == 503 {}
    });
    silent.heard_reach(9).await;
    again.abort();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_https_issuer_must_not_name_an_endpoint_that_is_http() {
    let provider = Provider::start().await;
    let binary = program::example("sessions", "providers");
    for (name, status) in [
        ("authorization_endpoint", 502),
        ("token_endpoint", 502),
        ("userinfo_endpoint", 502),
        ("revocation_endpoint", 502),
        ("jwks_uri", 502),
        ("no endpoint at all", 303),
    ] {
        let mut metadata = metadata(ORIGIN);
        // http is allowed on this machine, if the issuer is on this machine and uses http too.
        metadata[name] = json!(format!("{}/here", provider.origin));
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{metadata}"
        );
        let (issuer, pem) = Faulty::with_tls(vec![Fault(answer.into(), Then::Close)]).await;
        let certificate = format!("{}/issuer.pem", env!("CARGO_TARGET_TMPDIR"));
        std::fs::write(&certificate, pem).expect("a file");
        let mut settings = settings(&provider).to_vec();
        settings[0].1 = &issuer.origin;
        settings.push(("SSL_CERT_FILE", &certificate));
        let program = Program::start(&binary, &settings);
        let login = Browser::new().get(program.join("/login/oidc")).await;
        assert_eq!(login.status, status, "{name}: {}", login.body);
        assert_eq!(
            issuer.heard().len(),
            1,
            "{name}: its certificate is trusted"
        );
    }
}

// check 29
#[tokio::test]
async fn a_provider_that_announces_iss_must_send_it() {
    let announce: fn(&mut Value) =
        |metadata| metadata["authorization_response_iss_parameter_supported"] = json!(true);
    let openid = OpenId::with(announce, json!({ "keys": [] })).await;
    for iss in ["", "&iss=https://evil.example"] {
        let mut browser = Browser::new();
        let login = browser.get(url(&openid.server, "/login/oidc")).await;
        let state = param_of(login.location(), "state");
        let callback = url(
            &openid.server,
            &format!("/auth/oidc?code=c&state={state}{iss}"),
        );
        assert_eq!(browser.get(callback).await.status, 400, "{iss}");
    }
    assert_eq!(openid.provider.token_requests(), 0);
}

// checks 158, 168
#[tokio::test]
async fn a_logout_does_not_wait_for_a_provider_that_must_be_found_first() {
    let key = SigningKey::es256("key-1");
    let openid = OpenId::start(&key).await;
    let mut browser = Browser::new();
    openid.log_in_with(&mut browser, &key).await;

    // A server that has just started needs discovery before it can send the provider anything.
    let restarted = server_of(&openid.provider).await;
    let found = Arc::new(Notify::new());
    let discovery = Reply::json(200, &metadata(&openid.provider.origin)).held(&found);
    openid.provider.answer_next(DISCOVERY, discovery);
    let out = browser.post(url(&restarted, "/logout"), &[]).await;
    assert_eq!((out.status, out.location()), (303, "/"), "{}", out.body);
    assert!(browser.cookies.is_empty(), "{:?}", browser.cookie_names());

    // A logout that waited for the provider would have timed out by now.
    found.notify_one();
    let revoked = openid.provider.seen_reach("/revoke", 2).await;
    let mut tokens: Vec<_> = revoked.iter().map(|seen| seen.field("token")).collect();
    tokens.sort_unstable();
    assert_eq!(tokens, ["access", "refresh"]);
}
