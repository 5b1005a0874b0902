//! The token of a request, or the challenge to a client that sends none (RFC 6750).

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use axum_extra::headers::{Authorization, HeaderMapExt, authorization::Bearer};
use common::error::Detail;

use crate::token::{Claims, Tokens};

/// Why a request is rejected (RFC 6750, section 3.1).
#[derive(Clone, Debug)]
pub enum BearerError {
    /// 401, without an error code: there is no token.
    NotAuthenticated,
    /// 400: there are two `Authorization` headers.
    Ambiguous,
    /// 401: forged, changed, expired or not ours; the response does not say which.
    InvalidToken,
    /// 403: a valid token without the required scope; any of these scopes would do.
    InsufficientScope(String),
}

impl IntoResponse for BearerError {
    fn into_response(self) -> Response {
        let (status, error, detail) = match self {
            Self::NotAuthenticated => {
                (StatusCode::UNAUTHORIZED, String::new(), "Not authenticated")
            }
            Self::Ambiguous => (
                StatusCode::BAD_REQUEST,
                ", error=\"invalid_request\"".into(),
                "More than one Authorization header",
            ),
            Self::InvalidToken => (
                StatusCode::UNAUTHORIZED,
                ", error=\"invalid_token\"".into(),
                "Could not validate credentials",
            ),
            Self::InsufficientScope(scopes) => (
                StatusCode::FORBIDDEN,
                format!(", error=\"insufficient_scope\", scope=\"{scopes}\""),
                "Insufficient permissions",
            ),
        };
        let challenge = format!("Bearer realm=\"first_party\"{error}");
        let headers = [(header::WWW_AUTHENTICATE, challenge)];
        (status, headers, Detail::of(detail)).into_response()
    }
}

/// The guard for any valid token, which returns its claims. For a scope, see
/// [`AnyOf`](crate::scopes::AnyOf).
impl<S: Send + Sync> FromRequestParts<S> for Claims
where
    Tokens: FromRef<S>,
{
    type Rejection = BearerError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, BearerError> {
        let Authorization(bearer) = bearer(&parts.headers)?;
        Tokens::from_ref(state)
            .verify(bearer.token())
            .ok_or(BearerError::InvalidToken)
    }
}

/// The token in the header, the only place where it is accepted: URLs end up in logs, and browsers
/// send cookies with requests from other sites too.
pub fn bearer(headers: &HeaderMap) -> Result<Authorization<Bearer>, BearerError> {
    // With two, a proxy could read one and we the other.
    if headers.get_all(header::AUTHORIZATION).iter().count() > 1 {
        return Err(BearerError::Ambiguous);
    }
    headers.typed_get().ok_or(BearerError::NotAuthenticated)
}
