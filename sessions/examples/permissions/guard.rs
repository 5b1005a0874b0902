//! The guards: a handler's signature says who may call it.
//!
//! Both ask the database at each request, so that a logout, a grant or a revocation takes effect at
//! the next request. Anything that is only in the cookie would be valid until the cookie expires.

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{StatusCode, request::Parts},
};
use common::{Error, Result};
use sessions::session::{LoggedIn, Session};

use super::{Permissions, accounts::Account};

/// What can be granted. Replace this with your own list.
pub const PERMISSIONS: [&str; 2] = ["Admin", "Something"];

/// `Admin`: its place in the list.
pub const ADMIN: usize = 0;
/// The place of `Something` in the list.
pub const SOMETHING: usize = 1;

/// The guard for logged-in users: the cookie is valid, and its session has not ended.
#[derive(Debug)]
pub struct ActiveSession {
    /// What the cookie says.
    pub session: Session,
    /// Whose it is.
    pub account: Account,
}

impl FromRequestParts<Permissions> for ActiveSession {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &Permissions) -> Result<Self> {
        let guard = <LoggedIn as FromRequestParts<_>>::from_request_parts;
        let LoggedIn(session) = guard(parts, state).await?;
        let account = state.accounts.account_of(&session.id).await?;
        let account = account.ok_or(Error::NotLoggedIn)?;
        Ok(Self { session, account })
    }
}

impl OptionalFromRequestParts<Permissions> for ActiveSession {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &Permissions) -> Result<Option<Self>> {
        let guard = <Self as FromRequestParts<_>>::from_request_parts;
        match guard(parts, state).await {
            Ok(session) => Ok(Some(session)),
            Err(Error::NotLoggedIn) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The guard for a permission: a handler that takes a `Permitted<{ ADMIN }>` is for accounts that
/// have it. Anyone who is not logged in gets 401, any other account 403.
#[derive(Debug)]
pub struct Permitted<const NEEDED: usize>(pub Account);

impl<const NEEDED: usize> FromRequestParts<Permissions> for Permitted<NEEDED> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &Permissions) -> Result<Self> {
        let guard = <ActiveSession as FromRequestParts<_>>::from_request_parts;
        let ActiveSession { account, .. } = guard(parts, state).await?;
        let needed = const { PERMISSIONS[NEEDED] };
        if state.accounts.has(account.id, needed).await? {
            return Ok(Self(account));
        }
        tracing::info!("account {} does not have {needed}", account.id);
        Err((StatusCode::FORBIDDEN, "Insufficient permissions").into())
    }
}
