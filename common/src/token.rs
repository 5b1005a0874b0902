//! The token, as the provider sends it (RFC 6749, section 5.1).

use std::{fmt, time::Duration};

use oauth2::{AccessToken, RefreshToken, Scope, TokenResponse};
use serde::{Deserialize, Serialize};

use crate::{Error, Result, unix_now};

/// The members that RFC 6749 defines, as they were received, and when the token expires.
///
/// Its `Debug` shows no secret; its `Serialize` does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Token {
    /// Grants access to the provider's API.
    pub access_token: AccessToken,
    /// How to use it.
    pub token_type: TokenType,
    /// How long it lives after it was sent, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
    /// Redeemed for the next token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<RefreshToken>,
    /// The scopes it was issued for, separated by spaces, where the provider says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// A signed statement of who has logged in (OpenID Connect Core, section 3.1.3.3). It is for
    /// this server alone.
    #[serde(skip_serializing)]
    pub id_token: Option<IdToken>,
    /// When it expires, in Unix seconds: calculated here from `expires_in`, if there is one.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

/// `Bearer` in any case: a client must not use a type that it does not understand (RFC 6749,
/// section 7.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct TokenType(String);

/// A secret while it is fresh: `Debug` does not show it.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct IdToken(pub String);

impl fmt::Debug for IdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdToken([redacted])")
    }
}

impl TokenType {
    /// The only type that is used here.
    pub fn bearer() -> Self {
        Self("Bearer".into())
    }
}

impl TryFrom<String> for TokenType {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        if name.eq_ignore_ascii_case("bearer") {
            Ok(Self(name))
        } else {
            Err("not a bearer token")
        }
    }
}

impl Token {
    /// The token, if it can be used and cannot break a header (RFC 6749, appendix A.12).
    ///
    /// Its lifetime begins at `requested_at`, in Unix seconds, or later. If it were counted from the
    /// arrival, the token would be used for a moment after its expiry.
    pub fn checked(self, requested_at: u64) -> Result<Self> {
        let is_token = |token: &String| {
            !token.is_empty() && token.bytes().all(|byte| matches!(byte, 0x20..=0x7E))
        };
        let refresh_token = self.refresh_token.as_ref().map(RefreshToken::secret);
        if !is_token(self.access_token.secret()) || !refresh_token.is_none_or(is_token) {
            return Err(Error::ProviderUnclear(
                "a token with characters that a token must not have".into(),
            ));
        }
        let expires_at = self
            .expires_in
            .map(|seconds| requested_at.saturating_add(seconds));
        Ok(Self { expires_at, ..self })
    }

    /// Whether it has expired. A token that names no expiry is used until the provider rejects it.
    pub fn has_expired(&self) -> bool {
        self.expires_at.is_some_and(|end| end <= unix_now())
    }
}

impl oauth2::TokenType for TokenType {}

impl TokenResponse for Token {
    type TokenType = TokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &TokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        self.expires_in.map(Duration::from_secs)
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}
