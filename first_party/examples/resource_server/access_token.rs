//! The endpoints, and the guard that says which access tokens grant access to them (RFC 9068,
//! section 4).
//!
//! The authorization server uses this file too, with its own keys.

use axum::{
    Json, Router,
    extract::{FromRef, FromRequestParts},
    http::request::Parts,
    response::{IntoResponse, Response},
};
use axum_extra::headers::Authorization;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use common::{server::get_only, unix_now};
use first_party::{
    bearer::{BearerError, bearer},
    scopes::{OTHER, SOME, Scopes, THIRD},
};
use jsonwebtoken::{Algorithm, crypto};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::keys::Keys;

/// What this API accepts. Cheap to clone.
#[derive(Clone)]
pub struct Accepted {
    pub keys: Keys,
    /// The authorization server.
    pub issuer: String,
    /// This API: a token for another API is rejected here (RFC 8707, section 3).
    pub audience: String,
}

/// The guard: a handler that takes an `AnyOf<{ SOME | THIRD }>` is for tokens with one of these
/// scopes, and its signature says so.
pub struct AnyOf<const ALLOWED: u8>;

/// The endpoints that need a token, and the one that does not.
pub fn endpoints<S: Clone + Send + Sync + 'static>() -> Router<S>
where
    Accepted: FromRef<S>,
{
    Router::new()
        .route("/endpoint1", get_only(endpoint1))
        .route("/endpoint2", get_only(endpoint2))
        .route("/endpoint3", get_only(endpoint3))
}

/// `GET /endpoint1`: for `some.scope` or `third.scope`.
#[utoipa::path(
    get,
    tag = "endpoints",
    path = "/endpoint1",
    responses((status = 200, body = String), (status = 401), (status = 403)),
    security(("oauth2" = ["some.scope"]), ("oauth2" = ["third.scope"]))
)]
pub async fn endpoint1(_: AnyOf<{ SOME | THIRD }>) -> Json<&'static str> {
    Json("Hello from endpoint 1")
}

/// `GET /endpoint2`: for `other.scope` or `third.scope`.
#[utoipa::path(
    get,
    tag = "endpoints",
    path = "/endpoint2",
    responses((status = 200, body = String), (status = 401), (status = 403)),
    security(("oauth2" = ["other.scope"]), ("oauth2" = ["third.scope"]))
)]
pub async fn endpoint2(_: AnyOf<{ OTHER | THIRD }>) -> Json<&'static str> {
    Json("Hello from endpoint 2")
}

/// `GET /endpoint3`: for everyone, with or without a token.
#[utoipa::path(
    get,
    tag = "endpoints",
    path = "/endpoint3",
    responses((status = 200, body = String))
)]
pub async fn endpoint3() -> Json<&'static str> {
    Json("Hello from the unprotected endpoint 3")
}

impl<S: Send + Sync, const ALLOWED: u8> FromRequestParts<S> for AnyOf<ALLOWED>
where
    Accepted: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let accepted = Accepted::from_ref(state);
        let Authorization(bearer) = bearer(&parts.headers).map_err(IntoResponse::into_response)?;
        let claims = verify(bearer.token(), &accepted.keys, &accepted.issuer).await?;
        let claims = claims.filter(|claims| claims.aud == accepted.audience);
        let claims = claims.ok_or_else(|| BearerError::InvalidToken.into_response())?;
        let allowed = Scopes::of(ALLOWED);
        if Scopes::known_in(&claims.scope).intersects(allowed) {
            return Ok(Self);
        }
        Err(BearerError::InsufficientScope(allowed.to_string()).into_response())
    }
}

/// The claims of an access token (RFC 9068, section 2.2). Its scopes can include more than those of
/// this API: `openid` and the like are for the authorization server.
#[derive(Clone, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub aud: String,
    pub sub: String,
    pub client_id: String,
    pub scope: String,
    pub iat: u64,
    pub exp: u64,
    pub jti: String,
    #[serde(default, skip_serializing)]
    pub nbf: u64,
}

/// The header of an access token, which may have no other members: no `crit`, which we would have
/// to understand (RFC 7515, section 4.1.11), and no key that the token itself supplies.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenHeader {
    typ: String,
    alg: Algorithm,
    kid: String,
}

/// The claims of an access token of this issuer, if it is valid and has not expired. The caller
/// must check the audience. `Err` if the keys are not available.
pub async fn verify(token: &str, keys: &Keys, issuer: &str) -> Result<Option<Claims>, Response> {
    let Some((message, signature, header)) = parse(token) else {
        return Ok(None);
    };
    let Some((key, algorithm)) = keys.find(&header.kid).await? else {
        return Ok(None);
    };
    // The key determines the algorithm. A server that lets the token choose lets the attacker
    // choose (RFC 8725, section 3.1). The type keeps out ID tokens, which the same key signs
    // (section 3.11).
    let is_ours = header.alg == algorithm && header.typ == "at+jwt";
    let verified = crypto::verify(signature, message.as_bytes(), &key, algorithm);
    if !is_ours || !matches!(verified, Ok(true)) {
        return Ok(None);
    }
    let claims = message
        .split_once('.')
        .and_then(|(_, claims)| object::<Claims>(claims));
    let now = unix_now();
    Ok(claims.filter(|claims| {
        let is_from_issuer = claims.iss == issuer && !claims.sub.is_empty();
        is_from_issuer && claims.nbf <= now && now < claims.exp
    }))
}

fn parse(token: &str) -> Option<(&str, &str, TokenHeader)> {
    let (message, signature) = token.rsplit_once('.')?;
    let (header, _) = message.split_once('.')?;
    Some((message, signature, object(header)?))
}

/// Decodes a part of a token. It must be a JSON object: serde would also read a struct from a list.
pub fn object<T: DeserializeOwned>(part: &str) -> Option<T> {
    let json = BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
    let is_object = json.trim_ascii_start().starts_with(b"{");
    is_object.then(|| serde_json::from_slice(&json).ok())?
}
