//! Client authentication, on the server's side (RFC 6749, section 2.3).

use axum::http::{HeaderMap, header};
use axum_extra::headers::{Authorization, HeaderMapExt, authorization::Basic};
use subtle::ConstantTimeEq;

use crate::{
    error::OAuthError,
    params::{Params, decode},
};

/// The credentials that a client sent. Check them with [`ClientCredentials::is`].
pub struct ClientCredentials {
    id: String,
    secret: String,
}

impl ClientCredentials {
    /// Reads them from the `Authorization: Basic` header, or from `client_id` and `client_secret`
    /// in the body.
    ///
    /// Fails with `invalid_request` when the header and the body contradict or repeat each other,
    /// and with `invalid_client` when neither has usable credentials.
    pub fn read(headers: &HeaderMap, params: &Params) -> Result<Self, OAuthError> {
        let in_body = params.get("client_id").zip(params.get("client_secret"));
        if !headers.contains_key(header::AUTHORIZATION) {
            let (id, secret) = in_body.ok_or(INVALID_CLIENT)?;
            return Ok(Self {
                id: id.to_owned(),
                secret: secret.to_owned(),
            });
        }
        if headers.get_all(header::AUTHORIZATION).iter().count() > 1 {
            return Err(OAuthError::invalid_request(
                "more than one Authorization header",
            ));
        }
        if params.get("client_secret").is_some() {
            return Err(OAuthError::invalid_request(
                "authenticate by header or by body, not both",
            ));
        }
        let Authorization(basic) = headers
            .typed_get::<Authorization<Basic>>()
            .ok_or(INVALID_CLIENT)?;
        // Both are form-encoded before they are base64-encoded (RFC 6749, section 2.3.1).
        let decoded = |text| decode(text).map_err(|_| INVALID_CLIENT);
        let credentials = Self {
            id: decoded(basic.username())?,
            secret: decoded(basic.password())?,
        };
        if params
            .get("client_id")
            .is_some_and(|id| id != credentials.id)
        {
            return Err(OAuthError::invalid_request(
                "client_id differs from the Authorization header",
            ));
        }
        Ok(credentials)
    }

    /// The identifier that the client claims. [`ClientCredentials::is`] proves it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether these are this client's id and secret.
    pub fn is(&self, id: &str, secret: &str) -> bool {
        // Both are always compared, in constant time, so that neither can be guessed piece by
        // piece.
        let same_id = self.id.as_bytes().ct_eq(id.as_bytes());
        let same_secret = self.secret.as_bytes().ct_eq(secret.as_bytes());
        (same_id & same_secret).into()
    }
}

/// The same answer for an unknown client and for a wrong secret (RFC 6749, section 5.2).
pub const INVALID_CLIENT: OAuthError = OAuthError {
    error: "invalid_client",
    description: "unknown client or wrong secret",
};
