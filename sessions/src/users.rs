//! What logged-in users get.

use axum::{Json, extract::State};
use common::{Error, Result, oauth::OAuth};
use serde_json::{Map, Value};

use crate::{
    AppState,
    session::{LoggedIn, SessionCookies},
};

/// `GET /users/me`: what the provider knows about the user.
pub async fn me(
    LoggedIn(session): LoggedIn,
    State(AppState {
        oauth, refreshes, ..
    }): State<AppState>,
    cookies: SessionCookies,
) -> Result<Json<Map<String, Value>>> {
    let access_token = refreshes.fresh_access_token(&oauth, &cookies, &session);
    let user = match access_token.await {
        Ok(access_token) => oauth.userinfo(&access_token).await,
        Err(error) => Err(error),
    };
    // No token, or one that the provider no longer accepts: the user must log in again.
    if matches!(user, Err(Error::NotLoggedIn)) {
        cookies.forget(&session);
    }
    user.map(Json)
}

/// `GET /privileged`: for every user who is logged in.
pub async fn privileged(_: LoggedIn, State(oauth): State<OAuth>) -> Json<String> {
    let provider = oauth.provider().played_name();
    Json(format!(
        "Congratulations, you are logged in using {provider}!"
    ))
}
