//! `/userinfo`: who the user is, for an access token with the scope `openid` (OpenID Connect Core,
//! section 5.3).

use axum::{Json, extract::State, http::HeaderMap, response::Result};
use axum_extra::headers::Authorization;
use common::Error;
use first_party::bearer::{BearerError, bearer};
use serde_json::{Value, json};

use super::{
    access_token::{Claims, verify},
    accounts,
    scopes::{EMAIL, OPENID, PROFILE, has},
    settings::Server,
    tokens::is_alive,
};

/// `GET /userinfo`, or `POST`: what the scopes of the token let its client know.
pub async fn userinfo(State(server): State<Server>, headers: HeaderMap) -> Result<Json<Value>> {
    let Authorization(bearer) = bearer(&headers)?;
    let claims = verify(bearer.token(), &server.keys, &server.issuer).await?;
    let claims = claims.ok_or(BearerError::InvalidToken)?;
    let user = server.user_of(&claims).await.map_err(Error::from)?;
    let user = user.ok_or(BearerError::InvalidToken)?;
    if !has(&claims.scope, OPENID) {
        return Err(BearerError::InsufficientScope(OPENID.into()).into());
    }
    Ok(Json(user))
}

impl Server {
    /// What a token reveals about its user, or `None` if the token was revoked or the user is gone.
    async fn user_of(&self, claims: &Claims) -> sqlx::Result<Option<Value>> {
        if !is_alive(&self.db, claims).await? {
            return Ok(None);
        }
        let Some(account) = accounts::find(&self.db, &claims.sub).await? else {
            return Ok(None);
        };
        let mut user = json!({ "sub": account.username });
        if has(&claims.scope, PROFILE) {
            user["preferred_username"] = account.username.into();
            user["name"] = account.full_name.into();
        }
        if has(&claims.scope, EMAIL) {
            user["email"] = account.email.into();
        }
        Ok(Some(user))
    }
}
