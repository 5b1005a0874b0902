//! The session: who is logged in, in a cookie that can be read but not changed, and the provider's
//! token, in a second cookie that only this server can read.
//!
//! No session is kept on the server, so any replica with the same `SESSION_SECRET` can serve any
//! request. The price: anyone who copies the `session` cookie is logged in until it expires.

use std::time::Duration;

use axum::{
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts},
    http::{StatusCode, request::Parts},
};
use common::{
    Error, Result,
    cookies::CookieKeys,
    oauth::OAuth,
    provider::{Identity, Provider},
    random_token,
    token::{Token, TokenType},
};
use oauth2::{AccessToken, RefreshToken};
use serde::{Deserialize, Serialize};
use tower_cookies::Cookies;

use crate::ended::EndedSessions;

/// How long a session lasts after the login.
pub const LIFETIME: Duration = Duration::from_hours(7 * 24);

const SESSION: &str = "session";
const TOKEN: &str = "token";

/// Who is logged in. A browser that has only visited has no session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Its id, 256 random bits, which ties the token to the session.
    pub id: String,
    /// The user, as the provider named them.
    #[serde(rename = "user")]
    pub identity: Identity,
}

/// The guard: a handler that takes a `LoggedIn` is for logged-in users; anyone else gets 401. One
/// that takes an `Option<LoggedIn>` is for everybody. A handler that changes something also calls
/// [`check_same_origin`](common::server::check_same_origin), as [`logout`](crate::login::logout)
/// does.
#[derive(Debug)]
pub struct LoggedIn(pub Session);

impl<S> FromRequestParts<S> for LoggedIn
where
    S: Send + Sync,
    OAuth: FromRef<S>,
    SessionCookies: FromRequestParts<S, Rejection = Error>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let cookies = SessionCookies::from_request_parts(parts, state).await?;
        let session = cookies.session(OAuth::from_ref(state).provider());
        // Replace this with your own check on the server: has the session been ended, is the user
        // still welcome? Without one, a copied cookie is valid until it expires.
        session.map(Self).ok_or(Error::NotLoggedIn)
    }
}

impl<S> OptionalFromRequestParts<S> for LoggedIn
where
    S: Send + Sync,
    Self: FromRequestParts<S, Rejection = Error>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(user) => Ok(Some(user)),
            Err(Error::NotLoggedIn) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The session cookies of a request and of its response. There is no `Debug`, which would show them.
#[derive(Clone)]
pub struct SessionCookies {
    cookies: Cookies,
    keys: CookieKeys,
    ended: EndedSessions,
}

impl SessionCookies {
    /// Wraps a browser's cookies.
    pub fn new(cookies: Cookies, keys: CookieKeys, ended: EndedSessions) -> Self {
        Self {
            cookies,
            keys,
            ended,
        }
    }

    /// Begins a session. Its id is new, so nobody can have planted it before the login (session
    /// fixation).
    ///
    /// It replaces this browser's previous session, whose token is not revoked: some providers would
    /// revoke the token of the new session with it.
    pub fn begin(&self, identity: Identity, token: Token) -> Result<Session> {
        let replaced = self.of_any_provider();
        let session = Session {
            id: random_token(),
            identity,
        };
        self.set_token(&session, token)?;
        self.keys.sign(&self.cookies, SESSION, &session, LIFETIME)?;
        if let Some(replaced) = replaced {
            self.ended.add(replaced);
        }
        Ok(session)
    }

    /// Logs this browser out: removes its cookies. A copy of the session's cookie is valid until it
    /// expires; to reject it earlier, add a check to [`LoggedIn`].
    pub fn end(&self) {
        if let Some(ended) = self.of_any_provider() {
            self.ended.add(ended);
        }
        self.remove();
    }

    /// The session of this browser. It must belong to this provider: the same subject at another
    /// provider is another user, and another provider's token must not be sent to this one.
    pub fn session(&self, provider: &Provider) -> Option<Session> {
        self.of_any_provider()
            .filter(|session| session.identity.provider == provider.id)
    }

    /// The session of this browser, for a server of several providers.
    pub fn of_any_provider(&self) -> Option<Session> {
        self.keys.verify(&self.cookies, SESSION)
    }

    /// The provider's token of this session.
    pub fn token(&self, session: &Session) -> Option<Token> {
        let kept: KeptToken = self.keys.decrypt(&self.cookies, TOKEN)?;
        let is_valid = kept.session == session.id && !self.ended.contains(session);
        is_valid.then(|| kept.into())
    }

    /// Stores the provider's token, unless the session has ended: a refresh that finishes late must
    /// neither leave a token behind nor replace that of the next session.
    pub fn set_token(&self, session: &Session, token: Token) -> Result<()> {
        if self.ended.contains(session) {
            return Ok(());
        }
        let token = KeptToken {
            session: session.id.clone(),
            access_token: token.access_token,
            refresh_token: token.refresh_token,
            expires_at: token.expires_at,
        };
        self.keys.encrypt(&self.cookies, TOKEN, &token, LIFETIME)
    }

    /// Removes a session whose token is missing or no longer accepted. If the session has also ended
    /// here, the cookies may already belong to the next one, so they stay.
    pub fn forget(&self, session: &Session) {
        if !self.ended.contains(session) {
            self.remove();
        }
    }

    fn remove(&self) {
        self.keys.remove(&self.cookies, SESSION);
        self.keys.remove(&self.cookies, TOKEN);
    }
}

impl<S> FromRequestParts<S> for SessionCookies
where
    S: Send + Sync,
    CookieKeys: FromRef<S>,
    EndedSessions: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let cookies = Cookies::from_request_parts(parts, state).await;
        // The error of tower-cookies recommends its own layer, which accepts planted cookies.
        let cookies = cookies.map_err(|_| NO_COOKIES)?;
        let keys = CookieKeys::from_ref(state);
        Ok(Self::new(cookies, keys, EndedSessions::from_ref(state)))
    }
}

const NO_COOKIES: (StatusCode, &str) = (
    StatusCode::INTERNAL_SERVER_ERROR,
    "no cookies here: put .layer(common::cookies::layer()) after this route",
);

/// The provider's token as the cookie holds it, valid only together with its session.
#[derive(Serialize, Deserialize)]
struct KeptToken {
    session: String,
    access_token: AccessToken,
    refresh_token: Option<RefreshToken>,
    expires_at: Option<u64>,
}

impl From<KeptToken> for Token {
    fn from(kept: KeptToken) -> Self {
        Self {
            access_token: kept.access_token,
            token_type: TokenType::bearer(),
            expires_in: None,
            refresh_token: kept.refresh_token,
            scope: None,
            id_token: None,
            expires_at: kept.expires_at,
        }
    }
}
