//! The userinfo endpoint.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use axum_extra::headers::{Authorization, HeaderMapExt, authorization::Bearer};
use serde_json::{Value, json};

use super::{Demo, store::Grant};
use crate::{Result, error::Detail};

/// `GET /api/users/@me`: the user, in Discord's own format.
pub(super) async fn user(
    State(demo): State<Arc<Demo>>,
    headers: HeaderMap,
) -> Result<Json<Value>, Response> {
    let Grant { username, .. } = demo.granted(&headers)?;
    Ok(Json(json!({
        "id": id_of(&username),
        "username": username,
        "discriminator": "0",
        "global_name": username,
        "avatar": null,
    })))
}

impl Demo {
    /// The grant of the request's access token (RFC 6750, section 3).
    pub(super) fn granted(&self, headers: &HeaderMap) -> Result<Grant, Response> {
        let bearer = headers
            .typed_get::<Authorization<Bearer>>()
            .ok_or_else(|| unauthorized("Bearer realm=\"demo\""))?;
        self.store
            .grant_of(bearer.token())
            .ok_or_else(|| unauthorized("Bearer realm=\"demo\", error=\"invalid_token\""))
    }
}

fn unauthorized(challenge: &'static str) -> Response {
    let challenge = [(header::WWW_AUTHENTICATE, challenge)];
    let detail = Detail::of("401: Unauthorized");
    (StatusCode::UNAUTHORIZED, challenge, detail).into_response()
}

/// An id like Discord's, always the same for the same user name (FNV-1a).
pub(super) fn id_of(username: &str) -> String {
    let hash = username
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    hash.to_string()
}
