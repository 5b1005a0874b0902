//! The scopes: what a token opens, and the guard that asks for them.

use axum::{
    extract::{FromRef, FromRequestParts},
    http::request::Parts,
};
use common::error::OAuthError;

use crate::token::{Claims, Refusal, Tokens};

/// A scope and what it is for. Its place in the list is its bit in [`AnyOf`].
pub const SCOPES: [(&str, &str); 3] = [
    ("some.scope", "Can access endpoint1"),
    ("other.scope", "Can access endpoint2"),
    ("third.scope", "Can access both endpoint1 and endpoint2"),
];

/// `some.scope`
pub const SOME: u8 = 1;
/// `other.scope`
pub const OTHER: u8 = 1 << 1;
/// `third.scope`
pub const THIRD: u8 = 1 << 2;

/// The guard: a handler that takes an `AnyOf<{ SOME | THIRD }>` is for tokens with one of these
/// scopes, and its signature says so. No or a bad token gets 401, another scope 403.
#[derive(Debug)]
pub struct AnyOf<const ALLOWED: u8>(pub Claims);

impl<S: Send + Sync, const ALLOWED: u8> FromRequestParts<S> for AnyOf<ALLOWED>
where
    Tokens: FromRef<S>,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let claims = Claims::from_request_parts(parts, state).await?;
        if has_any_of(&claims.scope, ALLOWED) {
            return Ok(Self(claims));
        }
        let scopes = allowed(ALLOWED).collect::<Vec<_>>().join(" ");
        Err(Refusal::InsufficientScope(scopes))
    }
}

/// Whether one of the scopes in a set was granted.
pub fn has_any_of(granted: &str, set: u8) -> bool {
    allowed(set).any(|scope| granted.split(' ').any(|granted| granted == scope))
}

/// The names of the scopes in a set.
fn allowed(set: u8) -> impl Iterator<Item = &'static str> {
    let in_set = move |(place, (name, _))| (set >> place & 1 == 1).then_some(name);
    SCOPES.into_iter().enumerate().filter_map(in_set)
}

/// The scopes that a client asks for, each once. None asked for is none given, never all.
///
/// # Errors
/// `invalid_scope` when one of them does not exist (RFC 6749, section 3.3).
pub fn requested(scope: Option<&str>) -> Result<Vec<&str>, OAuthError> {
    let mut requested: Vec<&str> = Vec::new();
    for scope in scope
        .unwrap_or_default()
        .split(' ')
        .filter(|scope| !scope.is_empty())
    {
        if !SCOPES.iter().any(|(name, _)| *name == scope) {
            return Err(INVALID_SCOPE);
        }
        if !requested.contains(&scope) {
            requested.push(scope);
        }
    }
    Ok(requested)
}

/// What is given of the scopes that were asked for: those that this user or client may have. The
/// others are left out, and the `scope` of the answer says so (RFC 6749, section 3.3).
pub fn granted(requested: &[impl AsRef<str>], allowed: &str) -> String {
    let may_have = |scope: &&str| allowed.split(' ').any(|allowed| allowed == *scope);
    let granted: Vec<&str> = requested
        .iter()
        .map(AsRef::as_ref)
        .filter(may_have)
        .collect();
    granted.join(" ")
}

const INVALID_SCOPE: OAuthError = OAuthError {
    error: "invalid_scope",
    description: "there is no such scope",
};
