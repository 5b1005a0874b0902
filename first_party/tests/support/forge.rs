//! Tokens made by hand with the server's own secret, so that one thing at a time is wrong.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use common::{server::Server, unix_now};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use reqwest::Method;
use serde_json::{Value, json};
use testing::{Answer, Browser, start};

pub const SECRET: &str = "a secret that only this server and these tests know";

/// The header of the server's own tokens.
pub const HEADER: &str = r#"{"typ":"at+jwt","alg":"HS256"}"#;

pub async fn server() -> Server {
    start(first_party::app, &[("JWT_SECRET", SECRET)]).await
}

/// What a token of this server says, with `some.scope`.
pub fn claims(server: &Server) -> Value {
    let (issuer, now) = (server.public_url.to_string(), unix_now());
    json!({
        "iss": issuer, "aud": issuer, "sub": "alice", "client_id": "first_party",
        "scope": "some.scope", "iat": now, "exp": now + 600, "jti": "1",
    })
}

/// The claims, with one changed, or removed with [`None`].
pub fn with(mut claims: Value, name: &str, value: impl Into<Option<Value>>) -> Value {
    match value.into() {
        Some(value) => claims[name] = value,
        None => drop(claims.as_object_mut().expect("an object").remove(name)),
    }
    claims
}

/// A token with a valid HS256 signature, whatever header and payload say.
pub fn sign(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    let encode = |part: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(part);
    seal(
        &format!("{}.{}", encode(header.as_ref()), encode(payload.as_ref())),
        SECRET,
    )
}

/// Signs what has been encoded already.
pub fn seal(message: &str, secret: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    let signature = crypto::sign(message.as_bytes(), &key, Algorithm::HS256);
    format!("{message}.{}", signature.expect("HMAC takes any key"))
}

/// `GET` with a token in the header.
pub async fn get(server: &Server, path: &str, token: &str) -> Answer {
    let mut browser = Browser::new();
    let request = browser.request(Method::GET, server.public_url.join(path));
    browser.send(request.bearer_auth(token)).await
}

/// The one challenge of an answer (RFC 6750, section 3), each attribute in it once.
pub fn challenge(answer: &Answer) -> &str {
    let count = answer.headers.get_all("www-authenticate").iter().count();
    assert_eq!(count, 1, "{answer:?}");
    let challenge = answer.header("www-authenticate");
    assert!(challenge.starts_with("Bearer realm=\""), "{challenge}");
    for attribute in ["realm=", "error=", "scope="] {
        assert!(challenge.matches(attribute).count() <= 1, "{challenge}");
    }
    challenge
}

/// The token grants no access, and the answer says neither why nor what is in it.
pub async fn assert_refused(server: &Server, case: &str, token: &str) {
    let answer = get(server, "/endpoint1", token).await;
    assert_eq!(answer.status, 401, "{case}: {answer:?}");
    assert!(
        challenge(&answer).contains(r#"error="invalid_token""#),
        "{case}: {answer:?}"
    );
    assert_eq!(
        answer.json(),
        json!({ "detail": "Could not validate credentials" }),
        "{case}"
    );
    let shown = format!("{:?}{}", answer.headers, answer.body);
    for part in token.split('.').filter(|part| part.len() > 8) {
        assert!(!shown.contains(part), "{case}: {shown}");
    }
}
