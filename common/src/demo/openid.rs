//! The demo provider as an OpenID provider: found by discovery, signs who has logged in.

use std::sync::Arc;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use axum::{Json, Router, extract::State, http::HeaderMap, response::Response, routing::get};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use oauth2::{ClientId, ClientSecret};
use serde_json::{Value, json};

use super::{Demo, Grant, for_browsers, id_of, listen_here};
use crate::{
    Result,
    provider::Registration,
    random_token,
    server::{Companion, get_only, protect},
    settings::{PublicUrl, Setting, Settings},
    unix_now,
};

/// The setting that [`start`] reads.
pub const DEMO_OPENID_ADDR: Setting = Setting {
    name: "DEMO_OPENID_ADDR",
    default: "127.0.0.1:5002",
    help: "Where the OpenID demo provider listens; browsers are sent to localhost.",
};

/// Who signs, and with what.
pub(super) struct Issuer {
    url: String,
    key: EncodingKey,
    jwk: Jwk,
}

/// Starts an OpenID demo provider beside the server: its issuer, and the client registered there.
///
/// `None` after a problem was noted: it lets everybody in, so that it runs for this machine alone.
pub async fn start(
    settings: &mut Settings,
    redirect_path: &str,
) -> Option<(String, Registration, Companion)> {
    let (listener, addr) = listen_here(settings, DEMO_OPENID_ADDR.name, 5002).await?;
    let issuer = for_browsers(settings, addr)?.origin().ascii_serialization();
    let client = (
        ClientId::new("demo-openid".into()),
        ClientSecret::new(random_token()),
    );
    let scopes = &["openid", "profile", "email"];
    let mut demo = Demo::new(settings, &client.0, &client.1, redirect_path, scopes);
    demo.openid = Some(Arc::new(Issuer::new(issuer.clone())));
    let discovery = Router::new()
        .route("/.well-known/openid-configuration", get(metadata))
        .route("/jwks.json", get(keys))
        .route("/userinfo", get_only(userinfo))
        .with_state(demo.clone());
    let routes = super::app(demo).merge(discovery);
    let companion = Companion::start(listener, protect(routes, &PublicUrl::of(addr)));
    Some((issuer, client, companion))
}

impl Issuer {
    fn new(url: String) -> Self {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .expect("the operating system has random numbers");
        let key = EncodingKey::from_ec_der(key.as_ref());
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).expect("a P-256 key");
        jwk.common.key_id = Some(random_token());
        Self { url, key, jwk }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Who has logged in, for this client and this login (OpenID Connect Core, section 2).
    pub(super) fn id_token(&self, client: &str, grant: &Grant, nonce: Option<String>) -> String {
        let header = Header {
            kid: self.jwk.common.key_id.clone(),
            ..Header::new(Algorithm::ES256)
        };
        let mut claims = profile(grant);
        claims["iss"] = self.url.clone().into();
        claims["aud"] = client.into();
        claims["iat"] = unix_now().into();
        claims["exp"] = (unix_now() + 300).into();
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        jsonwebtoken::encode(&header, &claims, &self.key).expect("a P-256 key signs")
    }
}

/// What is told of a user.
fn profile(grant: &Grant) -> Value {
    json!({
        "sub": id_of(&grant.username),
        "name": grant.username,
        "email": format!("{}@example.com", grant.username),
    })
}

/// `GET /.well-known/openid-configuration`: where everything is (Discovery, section 4).
async fn metadata(State(demo): State<Demo>) -> Json<Value> {
    let issuer = demo.openid.map(|own| own.url.clone()).unwrap_or_default();
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/oauth2/authorize"),
        "token_endpoint": format!("{issuer}/api/oauth2/token"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "revocation_endpoint": format!("{issuer}/api/oauth2/token/revoke"),
        "jwks_uri": format!("{issuer}/jwks.json"),
        "scopes_supported": demo.scopes,
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    }))
}

/// `GET /jwks.json`: the public key that ID tokens are checked with.
async fn keys(State(demo): State<Demo>) -> Json<Value> {
    Json(json!({ "keys": demo.openid.iter().map(|own| &own.jwk).collect::<Vec<_>>() }))
}

/// `GET /userinfo`: the same of the user, for an access token (OpenID Connect Core, section 5.3).
async fn userinfo(State(demo): State<Demo>, headers: HeaderMap) -> Result<Json<Value>, Response> {
    Ok(Json(profile(&demo.granted(&headers)?)))
}
