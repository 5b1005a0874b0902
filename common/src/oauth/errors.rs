//! What the provider's errors mean for the user.

use oauth2::{
    AuthType, RequestTokenError,
    basic::{BasicErrorResponse, BasicErrorResponseType},
};

use super::OAuth;
use crate::{Error, Result, http::HttpError};

impl OAuth {
    /// What a failed token request means for the user.
    pub(super) fn token_error(
        &self,
        error: RequestTokenError<HttpError, BasicErrorResponse>,
    ) -> Error {
        use BasicErrorResponseType::{Extension, InvalidClient, InvalidGrant, UnauthorizedClient};

        let code = match self.error_code(error) {
            Ok(code) => code,
            Err(error) => return error,
        };
        match code {
            InvalidGrant => Error::GrantRefused,
            InvalidClient | UnauthorizedClient => self.client_refused(),
            Extension(_) => Error::Provider("an unknown error code from its token endpoint".into()),
            other => Error::Provider(format!("{} from its token endpoint", other.as_ref())),
        }
    }

    /// The registered error code (RFC 6749, section 5.2), even if this provider has its own.
    fn error_code(
        &self,
        error: RequestTokenError<HttpError, BasicErrorResponse>,
    ) -> Result<BasicErrorResponseType> {
        let quirks = &self.inner.provider.quirks;
        let code = match error {
            RequestTokenError::Request(error) => return Err(error.into()),
            RequestTokenError::ServerResponse(response) => response.error().clone(),
            RequestTokenError::Parse(_, body) if quirks.errors_are_200 => {
                // The parser's message would repeat parts of the body in the log.
                let neither = |_| Error::ProviderUnclear("its token endpoint: no token".into());
                let response: BasicErrorResponse =
                    serde_json::from_slice(&body).map_err(neither)?;
                response.error().clone()
            }
            // `Display`: the `Debug` of this error would put the token response into the log.
            other => {
                return Err(Error::ProviderUnclear(format!(
                    "its token endpoint: {other}"
                )));
            }
        };
        let own_name = |(name, _): &&(_, _)| code.as_ref() == *name;
        let registered = quirks.error_names.iter().find(own_name);
        Ok(registered.map_or(code.clone(), |(_, registered)| registered.clone()))
    }

    fn client_refused(&self) -> Error {
        let method = match self.inner.provider.auth_type {
            AuthType::BasicAuth => "client_secret_basic",
            _ => "client_secret_post",
        };
        Error::Provider(format!(
            "it rejects this client; check CLIENT_ID, CLIENT_SECRET and CLIENT_AUTH_METHOD \
             (now {method})"
        ))
    }
}

/// What an `error` in the callback means (RFC 6749, section 4.1.2.1). Only known codes are repeated:
/// anyone could have written the rest, including the description.
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
            HttpError::Timeout { sent } => Self::ProviderTimeout { sent },
            HttpError::NotSent(_) | HttpError::Status(_) => Self::Provider(error.to_string()),
            HttpError::Failed(_) | HttpError::TooLarge => Self::ProviderUnclear(error.to_string()),
        }
    }
}
