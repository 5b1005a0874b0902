//! The guards: a handler's signature says who may call it.
//!
//! Both ask the database at each request, so that a logout, a grant and a revocation count from
//! the next request on. What is in the cookie alone would count until the cookie ends.

use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use common::{Error, error::Detail};
use sessions::session::{Session, User};

use super::{Permissions, accounts::Account};

/// What can be granted. Replace this with your own list.
pub const PERMISSIONS: [&str; 2] = ["Admin", "Something"];

/// `Admin`: its place in the list.
pub const ADMIN: usize = 0;
/// `Something`
pub const SOMETHING: usize = 1;

/// The guard for who is logged in: the cookie is good, and its session has not been ended.
#[derive(Debug)]
pub struct LoggedIn {
    /// What the cookie says.
    pub session: Session,
    /// Whose it is.
    pub account: Account,
}

impl FromRequestParts<Permissions> for LoggedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &Permissions) -> Result<Self, Response> {
        let User(session) = User::from_request_parts(parts, state).await?;
        let account = state.accounts.account_of(&session.id).await;
        match account.map_err(IntoResponse::into_response)? {
            Some(account) => Ok(Self { session, account }),
            None => Err(Error::NotLoggedIn.into_response()),
        }
    }
}

/// The guard for who may: a handler that takes a `Permitted<{ ADMIN }>` is for accounts with this
/// permission. Who is not logged in gets 401, everybody else 403.
#[derive(Debug)]
pub struct Permitted<const NEEDED: usize>(pub Account);

impl<const NEEDED: usize> FromRequestParts<Permissions> for Permitted<NEEDED> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &Permissions) -> Result<Self, Response> {
        let LoggedIn { account, .. } = LoggedIn::from_request_parts(parts, state).await?;
        let needed = const { PERMISSIONS[NEEDED] };
        let has = state.accounts.has(account.id, needed).await;
        if has.map_err(IntoResponse::into_response)? {
            return Ok(Self(account));
        }
        tracing::info!("refused: account {} does not have {needed}", account.id);
        Err((
            StatusCode::FORBIDDEN,
            Detail::of("Insufficient permissions"),
        )
            .into_response())
    }
}
