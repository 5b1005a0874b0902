//! What the provider's errors mean for the user.

use oauth2::{
    AuthType, RequestTokenError,
    basic::{BasicErrorResponse, BasicErrorResponseType},
};

use super::OAuth;
use crate::{Error, http::HttpError};

impl OAuth {
    /// What a failed token request means for the user. Only the `Display` of the error is
    /// logged: its `Debug` shows the token response.
    pub(super) fn token_error(
        &self,
        error: RequestTokenError<HttpError, BasicErrorResponse>,
    ) -> Error {
        use BasicErrorResponseType::{Extension, InvalidClient, InvalidGrant, UnauthorizedClient};

        let code = match error {
            RequestTokenError::Request(error) => return error.into(),
            RequestTokenError::ServerResponse(response) => response.error().clone(),
            other => return Error::Provider(format!("its token endpoint: {other}")),
        };
        match &code {
            InvalidGrant => Error::GrantRefused,
            InvalidClient | UnauthorizedClient => self.client_refused(),
            // GitHub has names of its own.
            Extension(name) => match name.as_str() {
                "bad_verification_code" | "bad_refresh_token" => Error::GrantRefused,
                "incorrect_client_credentials" => self.client_refused(),
                _ => Error::Provider("an unknown error code from its token endpoint".into()),
            },
            other => Error::Provider(format!("{} from its token endpoint", other.as_ref())),
        }
    }

    fn client_refused(&self) -> Error {
        let method = match self.0.provider.auth_type {
            AuthType::BasicAuth => "client_secret_basic",
            _ => "client_secret_post",
        };
        Error::Provider(format!(
            "it does not accept this client; check CLIENT_ID, CLIENT_SECRET and CLIENT_AUTH_METHOD \
             (now {method})"
        ))
    }
}

/// What an `error` in the callback means (RFC 6749, section 4.1.2.1). Only known codes are repeated:
/// the rest, and the description, are text that anybody can have written.
pub(super) fn callback_error(error: &str) -> Error {
    const KNOWN: [&str; 4] = [
        "invalid_request",
        "unauthorized_client",
        "unsupported_response_type",
        "invalid_scope",
    ];
    match error {
        "access_denied" => Error::Denied,
        "server_error" => Error::Provider("server_error in its answer".into()),
        "temporarily_unavailable" => {
            Error::Provider("temporarily_unavailable in its answer".into())
        }
        other => Error::Refused(
            KNOWN
                .into_iter()
                .find(|known| *known == other)
                .unwrap_or("unknown error"),
        ),
    }
}

impl From<HttpError> for Error {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Timeout => Self::ProviderTimeout,
            other => Self::Provider(other.to_string()),
        }
    }
}
