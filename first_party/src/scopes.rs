//! The scopes: what a token grants access to, and the guard that requires them.

use std::{fmt, ops::BitAnd, str::FromStr};

use axum::{
    extract::{FromRef, FromRequestParts, OptionalFromRequestParts},
    http::request::Parts,
};
use common::error::OAuthError;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    bearer::BearerError,
    token::{Claims, Tokens},
};

/// The scopes and what each is for. Add yours here, and a constant below. For more than eight, widen
/// [`Bits`].
pub const SCOPES: [(&str, &str); 3] = [
    ("some.scope", "Can access endpoint1"),
    ("other.scope", "Can access endpoint2"),
    ("third.scope", "Can access both endpoint1 and endpoint2"),
];

/// The bits of a set of scopes, as many as there can be scopes.
pub type Bits = u8;

/// `some.scope`
pub const SOME: Bits = named("some.scope");
/// `other.scope`
pub const OTHER: Bits = named("other.scope");
/// `third.scope`
pub const THIRD: Bits = named("third.scope");

/// A set of [`SCOPES`], one bit for each. Written out, it is their names in the order of that list,
/// separated by spaces; the order means nothing (RFC 6749, section 3.3).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Scopes(Bits);

impl Scopes {
    /// Every scope that there is.
    pub const ALL: Self = Self(Bits::MAX >> (Bits::BITS as usize - SCOPES.len()));

    /// The scopes with these bits, such as `SOME | THIRD`.
    pub const fn of(bits: Bits) -> Self {
        Self(bits)
    }

    /// The scopes of a list that exist; the others are ignored. Only for lists that we wrote
    /// ourselves: in a request, an unknown scope is an error, see [`str::parse`].
    pub fn known_in(list: &str) -> Self {
        Self(
            list.split(' ')
                .filter_map(bit)
                .fold(0, |set, bit| set | bit),
        )
    }

    /// Whether they have one in common.
    pub fn intersects(self, other: Self) -> bool {
        self & other != Self::default()
    }

    /// The scopes of this set, each with what it is for.
    pub fn iter(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let contains = move |name| bit(name).is_some_and(|bit| self.0 & bit != 0);
        SCOPES.into_iter().filter(move |(name, _)| contains(name))
    }
}

/// The scopes of a request. If none is requested, none is granted, never all. An unknown scope is
/// `invalid_scope` (RFC 6749, section 3.3).
impl FromStr for Scopes {
    type Err = OAuthError;

    fn from_str(list: &str) -> Result<Self, OAuthError> {
        let mut scopes = Self::default();
        for name in list.split(' ').filter(|name| !name.is_empty()) {
            scopes.0 |= bit(name).ok_or(INVALID_SCOPE)?;
        }
        Ok(scopes)
    }
}

/// The scopes to grant: those that were requested and that this user or client may have. The
/// `scope` of the response says which (RFC 6749, section 3.3).
impl BitAnd for Scopes {
    type Output = Self;

    fn bitand(self, allowed: Self) -> Self {
        Self(self.0 & allowed.0)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(|(name, _)| name).collect();
        f.write_str(&names.join(" "))
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The claim of a token: a scope that no longer exists is ignored, and the others stay valid.
impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|list| Self::known_in(&list))
    }
}

/// The guard: a handler that takes an `AnyOf<{ SOME | THIRD }>` accepts tokens with one of these
/// scopes, and its signature says so. Without a token, or with a bad one, the response is 401; with
/// other scopes, 403.
///
/// An `Option` of it is `None` without a token; a bad token, or one with other scopes, is rejected.
#[derive(Debug)]
pub struct AnyOf<const ALLOWED: Bits>(pub Claims);

impl<S: Send + Sync, const ALLOWED: Bits> FromRequestParts<S> for AnyOf<ALLOWED>
where
    Tokens: FromRef<S>,
{
    type Rejection = BearerError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, BearerError> {
        let claims = Claims::from_request_parts(parts, state).await?;
        let allowed = Scopes::of(ALLOWED);
        if claims.scope.intersects(allowed) {
            Ok(Self(claims))
        } else {
            Err(BearerError::InsufficientScope(allowed.to_string()))
        }
    }
}

impl<S: Send + Sync, const ALLOWED: Bits> OptionalFromRequestParts<S> for AnyOf<ALLOWED>
where
    Tokens: FromRef<S>,
{
    type Rejection = BearerError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, BearerError> {
        match <Self as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Err(BearerError::NotAuthenticated) => Ok(None),
            guarded => guarded.map(Some),
        }
    }
}

const INVALID_SCOPE: OAuthError = OAuthError {
    error: "invalid_scope",
    description: "there is no such scope",
};

/// The bit of a scope: its place in the list.
const fn bit(name: &str) -> Option<Bits> {
    let mut place = 0;
    while place < SCOPES.len() {
        if same(SCOPES[place].0.as_bytes(), name.as_bytes()) {
            return Some(1 << place);
        }
        place += 1;
    }
    None
}

/// The bit of a scope that exists; otherwise this does not compile.
const fn named(name: &str) -> Bits {
    bit(name).expect("a name in the list of scopes")
}

/// `==`, which a `const fn` cannot use yet.
const fn same(a: &[u8], b: &[u8]) -> bool {
    match (a, b) {
        ([], []) => true,
        ([a, rest_of_a @ ..], [b, rest_of_b @ ..]) => *a == *b && same(rest_of_a, rest_of_b),
        _ => false,
    }
}
