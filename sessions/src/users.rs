//! What one gets when logged in.

use axum::{Json, extract::State};
use common::{Error, Result, oauth::OAuth};
use serde_json::{Map, Value};
use tower_cookies::Cookies;

use crate::{
    Sessions,
    session::{self, User},
};

/// `GET /users/me`: what the provider knows of the user.
///
/// # Errors
/// [`Error::NotLoggedIn`] also when the provider has ended it, [`Error::Provider`] when it fails.
pub async fn me(
    User(session): User,
    State(sessions): State<Sessions>,
    cookies: Cookies,
) -> Result<Json<Map<String, Value>>> {
    let Sessions { oauth, refreshes } = &sessions;
    let user = async {
        let access_token = refreshes.access_token(oauth, &cookies, &session).await?;
        oauth.userinfo(&access_token).await
    };
    let user = user.await.inspect_err(|error| {
        // The provider has ended it: so do we.
        if matches!(error, Error::NotLoggedIn) {
            session::forget(oauth.cookie_keys(), &cookies);
        }
    })?;
    Ok(Json(user))
}

/// `GET /privileged`: for everybody who is logged in.
pub async fn privileged(_: User, State(oauth): State<OAuth>) -> Json<String> {
    let provider = oauth.provider().played_name();
    Json(format!(
        "Congratulations, you are logged in using {provider}!"
    ))
}
