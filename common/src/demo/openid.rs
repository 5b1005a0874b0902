//! The demo provider as an OpenID provider: it is found by discovery and issues ID tokens.

use std::sync::Arc;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use axum::{Json, Router, extract::State, http::HeaderMap, response::Response, routing::get};
use jsonwebtoken::{Algorithm, EncodingKey, Header, jwk::Jwk};
use oauth2::{ClientId, ClientSecret};
use serde_json::{Value, json};

use super::{Demo, OpenId, start::Place, store::Grant, user::id_of};
use crate::{
    Result, random_token,
    server::{Companion, get_only},
    settings::{Setting, Settings},
    unix_now,
};

/// The setting that [`start`] reads.
pub const DEMO_OPENID_ADDR: Setting = Setting {
    name: "DEMO_OPENID_ADDR",
    default: "127.0.0.1:5002",
    help: "Where the OpenID demo provider listens; browsers are sent to localhost.",
};

/// Every scope; the first is granted to a client that asks for none.
const SCOPES: &[&str] = &["openid", "profile", "email"];

/// Starts an OpenID demo provider next to the server. Returns its issuer and the client registered
/// there.
///
/// It lets anyone in, so it runs on this machine only; otherwise it records a problem and returns
/// `None`.
pub async fn start(
    settings: &mut Settings,
    redirect_path: &str,
) -> Option<(String, (ClientId, ClientSecret), Companion)> {
    let place = Place::bind(settings, DEMO_OPENID_ADDR.name, 5002).await?;
    let issuer = place.browser_url.to_string();
    let client_id = ClientId::new("demo-openid".into());
    let client_secret = ClientSecret::new(random_token());
    let (key, jwk) = new_key();
    let key_id = jwk.common.key_id.clone();
    let (metadata, keys) = (metadata(&issuer), json!({ "keys": [jwk] }));

    let mut demo = place.demo(
        settings,
        (&client_id, &client_secret),
        redirect_path,
        SCOPES,
    );
    let client = demo.client_id.clone();
    demo.openid = Some(OpenId::new(issuer.clone(), client, key, key_id));
    let demo = Arc::new(demo);
    let routes = Router::new()
        // The metadata (OpenID Connect Discovery, section 4).
        .route("/.well-known/openid-configuration", get(Json(metadata)))
        // The public key that ID tokens are checked with.
        .route("/jwks.json", get(Json(keys)))
        .route("/userinfo", get_only(userinfo))
        .with_state(demo.clone())
        .merge(super::routes(demo));
    let companion = place.run(routes).companion;
    Some((issuer, (client_id, client_secret), companion))
}

/// A private key, and its public half for others.
fn new_key() -> (EncodingKey, Jwk) {
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .expect("the operating system has random numbers");
    let key = EncodingKey::from_ec_der(key.as_ref());
    let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).expect("a P-256 key");
    jwk.common.key_id = Some(random_token());
    (key, jwk)
}

fn metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/oauth2/authorize"),
        "token_endpoint": format!("{issuer}/api/oauth2/token"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "revocation_endpoint": format!("{issuer}/api/oauth2/token/revoke"),
        "jwks_uri": format!("{issuer}/jwks.json"),
        "scopes_supported": SCOPES,
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    })
}

impl OpenId {
    fn new(issuer: String, client_id: String, key: EncodingKey, key_id: Option<String>) -> Self {
        let header = Header {
            kid: key_id,
            ..Header::new(Algorithm::ES256)
        };
        let iss = issuer.clone();
        // The ID token: for this client and this login (OpenID Connect Core, section 2).
        let sign = move |grant: &Grant, nonce: Option<&str>| {
            let mut claims = profile(&grant.username);
            claims["iss"] = iss.clone().into();
            claims["aud"] = client_id.clone().into();
            claims["iat"] = unix_now().into();
            claims["exp"] = (unix_now() + 300).into();
            if let Some(nonce) = nonce {
                claims["nonce"] = nonce.into();
            }
            jsonwebtoken::encode(&header, &claims, &key).expect("a P-256 key signs")
        };
        Self {
            issuer,
            sign: Box::new(sign),
        }
    }
}

/// What clients learn about a user.
fn profile(username: &str) -> Value {
    json!({
        "sub": id_of(username),
        "name": username,
        "email": format!("{username}@example.com"),
    })
}

/// `GET /userinfo`: the user, for an access token (OpenID Connect Core, section 5.3).
async fn userinfo(
    State(demo): State<Arc<Demo>>,
    headers: HeaderMap,
) -> Result<Json<Value>, Response> {
    Ok(Json(profile(&demo.granted(&headers)?.username)))
}
