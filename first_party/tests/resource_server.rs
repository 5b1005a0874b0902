//! The example `resource_server`: an API that knows its authorization server by its keys alone.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use common::{random_token, server::Server, unix_now};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use reqwest::Method;
use serde_json::{Value, json};
use testing::{
    Answer, Browser,
    provider::{Provider, Reply},
    start,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    task::JoinSet,
    time::timeout,
};

#[path = "../examples/resource_server/main.rs"]
#[expect(dead_code, reason = "`main` is the example's alone")]
mod example;

const AUDIENCE: &str = "https://api.example";
const JWKS: &str = "/keys";
const METADATA: &str = "/.well-known/oauth-authorization-server";

/// A key of an authorization server, and its public half.
#[derive(Clone)]
struct Key {
    private: EncodingKey,
    jwk: Value,
}

impl Key {
    fn new() -> Self {
        let random = SystemRandom::new();
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
        let private = EncodingKey::from_ec_der(der.expect("a key").as_ref());
        let mut jwk = Jwk::from_encoding_key(&private, Algorithm::ES256).expect("a JWK");
        jwk.common.key_id = Some(random_token());
        Self {
            private,
            jwk: json!(jwk),
        }
    }

    fn kid(&self) -> String {
        self.jwk["kid"].as_str().expect("a name").to_owned()
    }

    /// A token for `/endpoint1`, with these claims changed.
    fn token(&self, issuer: &str, changes: &Value) -> String {
        let now = unix_now();
        let mut claims = json!({
            "iss": issuer, "aud": AUDIENCE, "sub": "johndoe", "client_id": "shop",
            "scope": "some.scope", "iat": now, "exp": now + 600, "jti": random_token(),
        });
        for (name, value) in changes.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        let header = Header {
            typ: Some("at+jwt".into()),
            kid: Some(self.kid()),
            ..Header::new(Algorithm::ES256)
        };
        jsonwebtoken::encode(&header, &claims, &self.private).expect("a token")
    }
}

/// What the authorization server says at the moment.
#[derive(Default)]
struct Said {
    keys: Vec<Value>,
    /// Where they are.
    jwks: &'static str,
    is_down: bool,
    metadata: Value,
}

/// An authorization server, and an API that trusts it.
struct World {
    said: Arc<Mutex<Said>>,
    provider: Provider,
    api: Server,
}

impl World {
    async fn new(keys: &[&Key]) -> Self {
        let said = Arc::new(Mutex::new(Said::default()));
        let script = said.clone();
        let provider = Provider::scripted(move |seen| {
            let said = script.lock().expect("no panic before");
            match &*seen.path {
                _ if said.is_down => Some(Reply::error(500, "down")),
                METADATA => Some(Reply::json(200, &said.metadata)),
                path if path == said.jwks => Some(Reply::json(200, &json!({ "keys": said.keys }))),
                _ => Some(Reply::error(404, "nothing")),
            }
        })
        .await;
        let issuer = provider.origin.clone();
        {
            let mut said = said.lock().expect("no panic before");
            said.jwks = JWKS;
            said.keys = keys.iter().map(|key| key.jwk.clone()).collect();
            said.metadata = json!({ "issuer": issuer, "jwks_uri": format!("{issuer}{JWKS}") });
        }
        let vars = [("ISSUER", &*issuer), ("AUDIENCE", AUDIENCE)];
        let api = start(example::app, &vars).await;
        Self {
            said,
            provider,
            api,
        }
    }

    fn say(&self, change: impl FnOnce(&mut Said)) {
        change(&mut self.said.lock().expect("no panic before"));
    }

    fn issuer(&self) -> &str {
        &self.provider.origin
    }

    async fn get(&self, token: &str) -> Answer {
        get(&self.api, "/endpoint1", token).await
    }

    /// The status for a good token of this key.
    async fn status(&self, key: &Key) -> u16 {
        self.get(&key.token(self.issuer(), &json!({}))).await.status
    }

    /// The statuses for good tokens of these keys, all requested at once.
    async fn fifty_at_once(&self, key: impl Fn() -> Key) -> Vec<u16> {
        let mut requests = JoinSet::new();
        for _ in 0..50 {
            let token = key().token(self.issuer(), &json!({}));
            let url = self.api.public_url.join("/endpoint1");
            requests.spawn(async move {
                let mut browser = Browser::new();
                let request = browser.request(Method::GET, url).bearer_auth(token);
                browser.send(request).await.status
            });
        }
        requests.join_all().await
    }

    fn fetches(&self) -> usize {
        self.provider.seen_at(JWKS).len()
    }
}

async fn get(api: &Server, path: &str, token: &str) -> Answer {
    let mut browser = Browser::new();
    let request = browser.request(Method::GET, api.public_url.join(path));
    browser.send(request.bearer_auth(token)).await
}

// check 256
#[tokio::test]
async fn keys_are_fetched_once_and_not_for_each_request() {
    let key = Key::new();
    let world = World::new(&[&key]).await;
    assert_eq!(world.fetches(), 0);
    for _ in 0..20 {
        assert_eq!(world.status(&key).await, 200);
    }
    assert_eq!(
        (world.fetches(), world.provider.seen_at(METADATA).len()),
        (1, 1)
    );
    let none = json!({ "scope": "" });
    let answer = world.get(&key.token(world.issuer(), &none)).await;
    assert_eq!(answer.status, 403);
    let token = key.token(world.issuer(), &json!({}));
    assert_eq!(get(&world.api, "/endpoint2", &token).await.status, 403);
    assert_eq!(get(&world.api, "/endpoint3", "nonsense").await.status, 200);
    let answer = Browser::new()
        .get(world.api.public_url.join("/endpoint1"))
        .await;
    assert_eq!(answer.status, 401);
    assert_eq!(world.fetches(), 1);
}

// check 256
#[tokio::test]
async fn an_unknown_kid_is_looked_up_once_however_many_ask() {
    let (key, new) = (Key::new(), Key::new());
    let world = World::new(&[&key]).await;
    assert_eq!(world.status(&key).await, 200);
    // The authorization server has a new key.
    world.say(|said| said.keys.push(new.jwk.clone()));
    assert_eq!(world.status(&new).await, 200);
    assert_eq!(world.fetches(), 2);
    // Made-up key ids, one after the other and then all at once.
    for _ in 0..10 {
        assert_eq!(world.status(&Key::new()).await, 401);
    }
    assert_eq!(world.fifty_at_once(Key::new).await, [401; 50]);
    assert_eq!(world.fetches(), 2);
    assert_eq!(world.status(&key).await, 200);
}

// check 256
#[tokio::test]
async fn a_client_that_disconnects_does_not_make_it_fetch_again() {
    let key = Key::new();
    let world = World::new(&[&key]).await;
    assert_eq!(world.status(&key).await, 200);
    let release = Arc::new(Notify::new());
    let known = Reply::json(200, &json!({ "keys": [key.jwk] }));
    world.provider.answer_next(JWKS, known.held(&release));

    let token = Key::new().token(world.issuer(), &json!({}));
    let request = format!(
        "GET /endpoint1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    let mut client = TcpStream::connect(world.api.addr).await.expect("the API");
    client
        .write_all(request.as_bytes())
        .await
        .expect("it reads");
    world.provider.seen_reach(JWKS, 2).await;
    client.shutdown().await.expect("it is open");
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.expect("it is closed");
    assert!(rest.is_empty(), "nobody waits for the response any more");

    release.notify_one();
    assert_eq!(world.status(&Key::new()).await, 401);
    assert_eq!(world.fetches(), 2);
}

// check 256
#[tokio::test]
async fn keys_that_have_moved_are_found_again() {
    let (key, new) = (Key::new(), Key::new());
    let world = World::new(&[&key]).await;
    assert_eq!(world.status(&key).await, 200);
    let moved = format!("{}/moved", world.issuer());
    world.say(|said| {
        said.metadata["jwks_uri"] = json!(moved);
        said.keys = vec![new.jwk.clone()];
        said.jwks = "/moved";
    });
    let found = async { while world.status(&new).await != 200 {} };
    let found = timeout(Duration::from_secs(20), found).await;
    found.expect("they are found by discovery");
    assert_eq!(world.status(&key).await, 401, "the old key is withdrawn");
}

// check 256
#[tokio::test]
async fn only_one_of_many_parallel_requests_fetches_the_first_keys() {
    let key = Key::new();
    let world = World::new(&[&key]).await;
    assert_eq!(world.fifty_at_once(|| key.clone()).await, [200; 50]);
    assert_eq!(world.fetches(), 1);
}

// check 256
#[tokio::test]
async fn known_keys_keep_working_while_the_issuer_is_down() {
    let (key, new) = (Key::new(), Key::new());
    let world = World::new(&[&key]).await;
    world.say(|said| said.is_down = true);
    let answer = world.get(&key.token(world.issuer(), &json!({}))).await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert_ne!(answer.header("retry-after"), "");

    let world = World::new(&[&key]).await;
    assert_eq!(world.status(&key).await, 200);
    world.say(|said| said.is_down = true);
    assert_eq!(world.status(&new).await, 503);
    assert_eq!(world.status(&key).await, 200);
}

// check 256
#[tokio::test]
async fn known_keys_keep_working_while_the_issuer_is_slow() {
    let (key, new) = (Key::new(), Key::new());
    let world = World::new(&[&key]).await;
    assert_eq!(world.status(&key).await, 200);
    let never = Arc::new(Notify::new());
    world
        .provider
        .answer_next(JWKS, Reply::json(200, &json!({ "keys": [] })).held(&never));
    let (slow, known) = tokio::join!(world.status(&new), world.status(&key));
    assert_eq!((slow, known), (503, 200));
}

// check 256
#[tokio::test]
async fn metadata_with_a_wrong_issuer_or_jwks_uri_gives_no_keys() {
    let key = Key::new();
    for (name, value) in [
        ("issuer", json!("https://evil.example")),
        ("issuer", json!(null)),
        ("jwks_uri", json!("http://evil.example/keys")),
        ("jwks_uri", json!("file:///etc/passwd")),
        ("jwks_uri", json!(null)),
    ] {
        let world = World::new(&[&key]).await;
        world.say(|said| said.metadata[name] = value.clone());
        assert_eq!(world.status(&key).await, 503, "{name}={value}");
        assert_eq!(world.fetches(), 0, "{name}={value}");
    }
}

// check 256
#[tokio::test]
async fn a_key_that_must_not_sign_verifies_nothing() {
    let key = Key::new();
    for (name, value) in [
        ("use", json!("enc")),
        ("alg", json!("ES384")),
        ("alg", json!("RS256")),
        ("alg", json!("HS256")),
        ("kty", json!("oct")),
        ("crv", json!("P-384")),
        ("x", json!("AAAA")),
        ("kid", json!("another")),
    ] {
        let mut changed = key.clone();
        changed.jwk[name] = value.clone();
        let world = World::new(&[]).await;
        world.say(|said| said.keys = vec![changed.jwk]);
        assert_eq!(world.status(&key).await, 401, "{name}={value}");
    }
    // A published secret: whoever reads it could sign with it.
    let world = World::new(&[]).await;
    let secret = json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "a", "alg": "HS256", "use": "sig" });
    world.say(|said| said.keys = vec![secret, key.jwk.clone()]);
    let header = Header {
        typ: Some("at+jwt".into()),
        kid: Some("a".into()),
        ..Header::new(Algorithm::HS256)
    };
    let now = unix_now();
    let claims = json!({
        "iss": world.issuer(), "aud": AUDIENCE, "sub": "johndoe", "client_id": "shop",
        "scope": "some.scope", "iat": now, "exp": now + 600, "jti": "1",
    });
    let signed = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(b"secret"));
    assert_eq!(world.get(&signed.expect("a token")).await.status, 401);
    // A key of an unknown type does not invalidate the others.
    assert_eq!(world.status(&key).await, 200);
}

// check 256
#[tokio::test]
async fn a_token_for_another_audience_or_from_another_issuer_grants_no_access() {
    let key = Key::new();
    let world = World::new(&[&key]).await;
    for changes in [
        json!({ "aud": "https://other.example" }),
        json!({ "aud": [AUDIENCE, "https://other.example"] }),
        json!({ "aud": "" }),
        json!({ "iss": "https://evil.example" }),
        json!({ "iss": format!("{}/", world.issuer()) }),
        json!({ "exp": unix_now() }),
        json!({ "sub": "" }),
        json!({ "client_id": null }),
    ] {
        let answer = world.get(&key.token(world.issuer(), &changes)).await;
        assert_eq!(answer.status, 401, "{changes}");
        assert!(answer.header("www-authenticate").contains("invalid_token"));
    }
}

#[tokio::test]
async fn where_others_can_reach_it_issuer_and_audience_have_to_be_set() {
    use common::settings::Settings;
    for (vars, wrong) in [
        (
            &[("PUBLIC_URL", "https://api.example")][..],
            &["ISSUER", "AUDIENCE"][..],
        ),
        (&[("ISSUER", "http://login.example")], &["ISSUER"]),
        (&[("ISSUER", "login.example")], &["ISSUER"]),
    ] {
        let bind = [("BIND_ADDR", "127.0.0.1:0")].into_iter();
        let settings = Settings::from_vars(bind.chain(vars.iter().copied()));
        let problems = Server::start(example::app, settings)
            .await
            .expect_err("problems");
        let names: Vec<_> = problems
            .iter()
            .filter_map(|line| line.split(' ').next())
            .collect();
        assert_eq!(names, wrong);
    }
}
