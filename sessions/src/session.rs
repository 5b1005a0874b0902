//! The session: who is logged in, in a cookie that can be read and not changed; beside it the
//! provider's token, in a cookie that only this server can read.
//!
//! Nothing is kept on the server, so that any number of replicas with one `SESSION_SECRET` serve
//! any request. The price: who copies the `session` cookie is logged in until it ends.

use std::time::Duration;

use axum::{
    extract::{FromRef, FromRequestParts},
    http::request::Parts,
    response::{IntoResponse, Response},
};
use common::{
    Error, Result, cookies::CookieKeys, oauth::OAuth, provider::Identity, random_token,
    token::Token,
};
use oauth2::{AccessToken, RefreshToken};
use serde::{Deserialize, Serialize};
use tower_cookies::Cookies;

/// How long a session lasts, from the login on.
pub const LIFETIME: Duration = Duration::from_hours(7 * 24);

const SESSION: &str = "session";
const TOKEN: &str = "token";

/// Who is logged in: an authenticated user, never merely a browser that was here before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Its name, 256 random bits; ties the token to it.
    pub id: String,
    /// The user, as the provider named him.
    pub user: Identity,
}

/// The provider's token, good only together with its session.
#[derive(Debug, Serialize, Deserialize)]
pub struct SessionToken {
    session: String,
    /// What opens the provider's API.
    pub access_token: AccessToken,
    /// What gets the next token.
    pub refresh_token: Option<RefreshToken>,
    /// When the access token ends, in Unix seconds.
    pub expires_at: Option<u64>,
}

/// The guard: a handler that takes a `User` is for who is logged in; everybody else gets 401.
#[derive(Debug)]
pub struct User(pub Session);

impl<S: Send + Sync> FromRequestParts<S> for User
where
    OAuth: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let cookies = Cookies::from_request_parts(parts, state)
            .await
            .map_err(IntoResponse::into_response)?;
        let session = current(&OAuth::from_ref(state), &cookies)
            .ok_or_else(|| Error::NotLoggedIn.into_response())?;
        // Replace this with your own check on the server: has the session been ended, is the user
        // still welcome? Without one, a copied cookie is good until it ends.
        Ok(Self(session))
    }
}

/// Begins a session. Its id is new, so that nobody can have planted it before the login.
///
/// # Errors
/// [`Error::CookieTooLarge`].
pub fn begin(oauth: &OAuth, cookies: &Cookies, user: Identity, token: Token) -> Result<Session> {
    let session = Session {
        id: random_token(),
        user,
    };
    set_token(oauth, cookies, &session, token)?;
    oauth
        .cookie_keys()
        .sign(cookies, SESSION, &session, LIFETIME)?;
    Ok(session)
}

/// The session of this browser. It must be of this provider: another one's subject is another
/// person, and another one's token must not be sent here.
pub fn current(oauth: &OAuth, cookies: &Cookies) -> Option<Session> {
    of_any_provider(oauth.cookie_keys(), cookies)
        .filter(|session| session.user.provider == oauth.provider().id)
}

/// The session of this browser, for a server of several providers.
pub fn of_any_provider(keys: &CookieKeys, cookies: &Cookies) -> Option<Session> {
    keys.verify(cookies, SESSION)
}

/// Ends the session of this browser, and its token at the provider.
pub async fn end(oauth: &OAuth, cookies: &Cookies) {
    let token = current(oauth, cookies).and_then(|session| token(oauth, cookies, &session));
    if let Some(token) = token {
        oauth
            .revoke(&token.access_token, token.refresh_token.as_ref())
            .await;
    }
    forget(oauth.cookie_keys(), cookies);
}

/// Removes the cookies: the provider has ended it, or nobody knows it.
pub fn forget(keys: &CookieKeys, cookies: &Cookies) {
    keys.remove(cookies, SESSION);
    keys.remove(cookies, TOKEN);
}

/// Keeps the provider's token, without touching the session: a refresh that comes late cannot undo
/// a logout.
///
/// # Errors
/// [`Error::CookieTooLarge`].
pub fn set_token(oauth: &OAuth, cookies: &Cookies, session: &Session, token: Token) -> Result<()> {
    let token = SessionToken {
        session: session.id.clone(),
        access_token: token.access_token,
        refresh_token: token.refresh_token,
        expires_at: token.expires_at,
    };
    oauth
        .cookie_keys()
        .encrypt(cookies, TOKEN, &token, LIFETIME)
}

/// The provider's token of this session.
pub fn token(oauth: &OAuth, cookies: &Cookies, session: &Session) -> Option<SessionToken> {
    let token: SessionToken = oauth.cookie_keys().decrypt(cookies, TOKEN)?;
    (token.session == session.id).then_some(token)
}
