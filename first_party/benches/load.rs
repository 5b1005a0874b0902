//! `cargo bench -p first_party --bench load`: the guards, beside a bare axum server.

use axum::{
    Json, Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use axum_extra::{
    TypedHeader,
    headers::{Authorization, authorization::Bearer},
    typed_header::TypedHeaderRejection,
};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use testing::{
    Browser,
    load::{Case, Process, compare, serve_bare},
};

fn main() {
    serve_bare(Router::new().route("/protected", get(protected)));
    let server = Process::start(env!("CARGO_BIN_EXE_first_party"), &[]);
    let form = "grant_type=password&username=johndoe&password=secret123&scope=some.scope";
    let token = token(&server.origin);
    let authorization = format!("authorization: Bearer {token}");
    let post = [
        "-m",
        "POST",
        "-T",
        "application/x-www-form-urlencoded",
        "-d",
        form,
    ];
    let cases = [
        Case::new("/endpoint3", "/endpoint3", 200),
        Case::new("/endpoint1 with a token", "/endpoint1", 200)
            .with(&["-H", &authorization])
            .beside(Case::new("jwt", "/protected", 200).with(&["-H", &peer_authorization()])),
        Case::new("/endpoint1 without", "/endpoint1", 401).beside(Case::new(
            "jwt",
            "/protected",
            400,
        )),
        Case::new("POST /token", "/token", 200).with(&post),
    ];
    compare(&Process::bare(), &server, &cases);
}

/// A token for `some.scope`.
fn token(origin: &str) -> String {
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let form = [
        ("username", "johndoe"),
        ("password", "secret123"),
        ("scope", "some.scope"),
    ];
    let answer = runtime.block_on(async {
        let mut browser = Browser::new();
        browser.post(format!("{origin}/token"), &form).await
    });
    answer.json()["access_token"]
        .as_str()
        .expect("a token")
        .to_owned()
}

/// The work of axum's example `jwt`: a bearer header, `decode` with the default validation, a line of
/// text; a rejection is 400 and JSON.
async fn protected(
    bearer: Result<TypedHeader<Authorization<Bearer>>, TypedHeaderRejection>,
) -> Result<String, Response> {
    let reject = |error: &str| {
        let body = Json(json!({ "error": error }));
        (StatusCode::BAD_REQUEST, body).into_response()
    };
    let bearer = bearer.map_err(|_| reject("Invalid token"))?;
    let key = DecodingKey::from_secret(PEER_SECRET);
    let claims = decode::<PeerClaims>(bearer.token(), &key, &Validation::default());
    let PeerClaims { sub, company, .. } = claims.map_err(|_| reject("Invalid token"))?.claims;
    Ok(format!("Welcome to the protected area: {sub} of {company}"))
}

const PEER_SECRET: &[u8] = b"a secret of this benchmark, and of nobody else";

#[derive(Serialize, Deserialize)]
struct PeerClaims {
    sub: String,
    company: String,
    exp: usize,
}

fn peer_authorization() -> String {
    let claims = PeerClaims {
        sub: "b@b.com".into(),
        company: "ACME".into(),
        exp: 2_000_000_000,
    };
    let key = EncodingKey::from_secret(PEER_SECRET);
    let token = encode(&Header::default(), &claims, &key).expect("a token");
    format!("authorization: Bearer {token}")
}
