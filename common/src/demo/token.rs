//! The token endpoint and the revocation endpoint.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use serde_json::{Value, json};

use super::{
    Demo,
    store::{ACCESS_LIFETIME, Redeemed},
};
use crate::{
    Params, Result,
    client_auth::{ClientCredentials, INVALID_CLIENT},
    error::{NO_STORE, NoStore, OAuthError},
};

/// `POST /api/oauth2/token`: issues a token for a code or for a refresh token (RFC 6749, sections
/// 4.1.3 and 6).
pub(super) async fn token(
    State(demo): State<Arc<Demo>>,
    headers: HeaderMap,
    params: Params,
) -> Result<(NoStore, Json<Value>), OAuthError> {
    demo.authenticate(&headers, &params)?;
    let redeemed = match params.get("grant_type") {
        Some("authorization_code") => demo.store.redeem_code(&demo.client_id, &params)?,
        Some("refresh_token") => demo.store.redeem_refresh_token(&params)?,
        Some(_) => return Err(UNSUPPORTED_GRANT_TYPE),
        None => return Err(OAuthError::invalid_request("grant_type is missing")),
    };
    Ok((NO_STORE, Json(demo.answer(redeemed))))
}

const UNSUPPORTED_GRANT_TYPE: OAuthError = OAuthError {
    error: "unsupported_grant_type",
    description: "only authorization_code and refresh_token are supported",
};

/// `POST /api/oauth2/token/revoke`: revokes everything that the user allowed, as Discord's does
/// (RFC 7009). An unknown token counts as revoked already: 200.
pub(super) async fn revoke(
    State(demo): State<Arc<Demo>>,
    headers: HeaderMap,
    params: Params,
) -> Result<StatusCode, OAuthError> {
    demo.authenticate(&headers, &params)?;
    let missing = OAuthError::invalid_request("token is missing");
    demo.store.revoke(params.get("token").ok_or(missing)?);
    Ok(StatusCode::OK)
}

impl Demo {
    fn authenticate(&self, headers: &HeaderMap, params: &Params) -> Result<(), OAuthError> {
        let client = ClientCredentials::read(headers, params)?;
        if client.is(&self.client_id, &self.client_secret) {
            Ok(())
        } else {
            Err(INVALID_CLIENT)
        }
    }

    /// The token response (RFC 6749, section 5.1).
    fn answer(&self, redeemed: Redeemed) -> Value {
        let mut answer = json!({
            "token_type": "Bearer",
            "expires_in": ACCESS_LIFETIME.as_secs(),
            "scope": redeemed.scopes.join(" "),
        });
        if let Some(openid) = &self.openid {
            let id_token = (openid.sign)(&redeemed.grant, redeemed.nonce.as_deref());
            answer["id_token"] = id_token.into();
        }
        let (access_token, refresh_token) = self.store.issue_tokens(redeemed);
        answer["access_token"] = access_token.into();
        answer["refresh_token"] = refresh_token.into();
        answer
    }
}
