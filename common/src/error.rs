//! What can go wrong, and how each error becomes a response.
//!
//! An error writes its own status and JSON, so it is complete by itself. Handlers know nothing
//! about `Accept`: [`protect`](crate::server::protect) turns an error into a page where a
//! browser asks for one.

use std::borrow::Cow;

use axum::{
    Extension, Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

mod negotiate;
mod oauth_error;

use negotiate::StopsFlow;
pub(crate) use negotiate::{Finished, negotiate, prefers_html};
pub use oauth_error::{NO_STORE, NoStore, OAuthError, oauth_endpoint, without_code};

/// The result of a handler.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A request that cannot be served. The message is for the user; the cause goes only to the log.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// 400: the request itself is wrong.
    #[error("{0}")]
    Malformed(Cow<'static, str>),

    /// 400: the callback does not belong to a login that this browser started (RFC 6749, section
    /// 10.12).
    #[error(
        "this login was not started in this browser, has expired or was already used; please start again, \
         with cookies enabled"
    )]
    StateMismatch,

    /// 400: the callback comes from a provider other than the one this login was sent to (RFC
    /// 9207).
    #[error("this response came from another provider; please start again")]
    IssuerMismatch,

    /// 403: the user denied access (RFC 6749, section 4.1.2.1).
    #[error("you denied access (access_denied); you can start again")]
    Denied,

    /// 400: the provider refused the authorization request (RFC 6749, section 4.1.2.1).
    #[error("the provider rejected the login: {0}")]
    Refused(&'static str),

    /// 400: the code or the refresh token was used before, has expired or is another client's
    /// (`invalid_grant`, RFC 6749, section 5.2).
    #[error("the provider did not accept the code; please start again")]
    GrantRefused,

    /// 401: nobody is logged in.
    #[error("Not logged in")]
    NotLoggedIn,

    /// 403: a request that changes something came from another site (cross-site request forgery).
    #[error("this request was sent by another site; use the button on our own page")]
    CrossSite,

    /// 421: the request is for another host (RFC 9110, section 15.5.20), but this server is meant for
    /// its own machine only. Requests through a proxy that passes `Host` on get this when
    /// `PUBLIC_URL` was forgotten, and so do those of a web page that points its own name at
    /// 127.0.0.1 (DNS rebinding).
    #[error(
        "this server only answers requests for its own machine; to serve other hosts, set PUBLIC_URL to the \
         origin that browsers see"
    )]
    Misdirected,

    /// 502: the provider does not respond, or not as the standards require. The cause is for the
    /// log.
    #[error("the provider cannot be used at the moment; please try again")]
    Provider(String),

    /// 502: the same, and what the request asked for may have happened: its response was lost, or
    /// is unusable.
    #[error("the provider cannot be used at the moment; please try again")]
    ProviderUnclear(String),

    /// 504: the provider takes too long. If `sent`, it may have done what was asked.
    #[error("the provider took too long; please try again")]
    ProviderTimeout { sent: bool },

    /// 503: the database cannot be used. The cause is for the log.
    #[error("the database cannot be used at the moment; please try again")]
    Database(String),

    /// Any other status with its reason, from `(StatusCode::CONFLICT, "...").into()`.
    #[error("{1}")]
    Other(StatusCode, &'static str),

    /// 502: what the provider sent does not fit into a cookie, which browsers would drop.
    #[error(
        "the provider's response is too large for a cookie ({0} bytes); this application must keep it on the server"
    )]
    CookieTooLarge(usize),
}

impl Error {
    /// The status of its response.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_)
            | Self::StateMismatch
            | Self::IssuerMismatch
            | Self::Refused(_)
            | Self::GrantRefused => StatusCode::BAD_REQUEST,
            Self::NotLoggedIn => StatusCode::UNAUTHORIZED,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::Denied | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::Provider(_) | Self::ProviderUnclear(_) | Self::CookieTooLarge(_) => {
                StatusCode::BAD_GATEWAY
            }
            Self::ProviderTimeout { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::Database(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Other(status, _) => *status,
        }
    }

    /// Whether `GET /flow` shows where it happened.
    fn stops_flow(&self) -> bool {
        matches!(
            self,
            Self::StateMismatch
                | Self::IssuerMismatch
                | Self::Denied
                | Self::Refused(_)
                | Self::GrantRefused
                | Self::Provider(_)
                | Self::ProviderUnclear(_)
                | Self::ProviderTimeout { .. }
        )
    }
}

impl From<(StatusCode, &'static str)> for Error {
    fn from((status, reason): (StatusCode, &'static str)) -> Self {
        Self::Other(status, reason)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        match &self {
            Self::Provider(cause) | Self::ProviderUnclear(cause) => {
                tracing::warn!("the provider failed: {cause}");
            }
            Self::ProviderTimeout { .. } => {
                tracing::warn!("the provider failed: no response in time");
            }
            Self::Database(cause) => tracing::error!("the database failed: {cause}"),
            Self::NotLoggedIn => {}
            other => tracing::info!("rejected: {other}"),
        }
        let body = (self.status(), Detail::of(self.to_string()));
        if self.stops_flow() {
            return (Extension(StopsFlow), body).into_response();
        }
        match self.status() {
            // A 401 must say how to authenticate (RFC 9110, section 15.5.2). No browser asks for a
            // password for this scheme.
            StatusCode::UNAUTHORIZED => {
                let challenge = [(header::WWW_AUTHENTICATE, "Cookie realm=\"session\"")];
                (challenge, body).into_response()
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                let seconds = [(header::RETRY_AFTER, "5")];
                (seconds, body).into_response()
            }
            _ => body.into_response(),
        }
    }
}

/// The body of an error, `{"detail": "…"}`, for a handler that has no [`Error`] for it:
/// `(StatusCode::CONFLICT, Detail::of("…"))`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Detail {
    detail: Cow<'static, str>,
}

impl Detail {
    pub fn of(reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            detail: reason.into(),
        }
    }
}

impl IntoResponse for Detail {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// 504: the server is too slow, not the client. After a 408 browsers would send the request again.
pub(crate) fn too_slow() -> Response {
    let detail = Detail::of("this took too long; please try again");
    (StatusCode::GATEWAY_TIMEOUT, detail).into_response()
}
