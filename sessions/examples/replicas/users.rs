//! What logged-in users get.

use axum::{Json, extract::State};
use common::{Error, Result, oauth::OAuth};
use serde_json::{Map, Value};
use tower_cookies::Cookies;

use super::{
    Replica,
    session::{LoggedIn, Session, user_key},
};

/// `GET /users/me`: what the provider knows about the user.
pub async fn me(
    LoggedIn(session): LoggedIn,
    State(replica): State<Replica>,
    cookies: Cookies,
) -> Result<Json<Map<String, Value>>> {
    let user = replica.userinfo(&session).await;
    if matches!(user, Err(Error::NotLoggedIn)) {
        // The provider has ended the login, so the session ends too.
        let user_key = user_key(&session.identity);
        replica.store.end(&session.key, &user_key).await?;
        replica.forget(&cookies);
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

impl Replica {
    async fn userinfo(&self, session: &Session) -> Result<Map<String, Value>> {
        let token = self.fresh_access_token(session.clone()).await?;
        let user = self.oauth.userinfo(&token).await;
        if !matches!(user, Err(Error::NotLoggedIn)) {
            return user;
        }
        // Another request may have refreshed the token in the meantime, and some providers then
        // revoke the old access token.
        let session = self.load(session.key.clone()).await?;
        let session = session.ok_or(Error::NotLoggedIn)?;
        let next = self.fresh_access_token(session).await?;
        if next.secret() == token.secret() {
            return user;
        }
        self.oauth.userinfo(&next).await
    }
}
