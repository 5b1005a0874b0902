//! What logged-in users get.

use axum::{Json, extract::State};
use common::{Error, Result, oauth::OAuth};
use serde_json::{Map, Value};

use crate::{
    Sessions,
    session::{LoggedIn, SessionCookies},
};

/// `GET /users/me`: what the provider knows about the user.
pub async fn me(
    LoggedIn(session): LoggedIn,
    State(Sessions {
        oauth, refreshes, ..
    }): State<Sessions>,
    cookies: SessionCookies,
) -> Result<Json<Map<String, Value>>> {
    let user = async {
        let access_token = refreshes.fresh_access_token(&oauth, &cookies, &session);
        oauth.userinfo(&access_token.await?).await
    };
    let user = user.await.inspect_err(|error| {
        // The provider has ended the login, so the session ends too.
        if matches!(error, Error::NotLoggedIn) {
            cookies.forget(&session);
        }
    })?;
    Ok(Json(user))
}

/// `GET /privileged`: for every user who is logged in.
pub async fn privileged(_: LoggedIn, State(oauth): State<OAuth>) -> Json<String> {
    let provider = oauth.provider().played_name();
    Json(format!(
        "Congratulations, you are logged in using {provider}!"
    ))
}
