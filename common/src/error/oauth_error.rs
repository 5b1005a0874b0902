//! The errors of OAuth endpoints (RFC 6749, section 5.2).

use std::time::Duration;

use axum::{
    Extension, Json,
    extract::Request,
    http::{HeaderName, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tokio::time::timeout;

use super::{
    Detail, Error,
    negotiate::{Finished, StopsFlow, is_error, is_finished, reason, replace_body},
    too_slow,
};

/// How long an OAuth endpoint may take: less than [`protect`](crate::server::protect) allows any
/// request, so that the client gets an OAuth error.
const OAUTH_TIMEOUT: Duration = Duration::from_secs(12);

/// The headers of a response that contains a token (RFC 6749, section 5.1): nobody may keep a copy.
pub const NO_STORE: NoStore = [
    (header::CACHE_CONTROL, "no-store"),
    (header::PRAGMA, "no-cache"),
];

/// The type of [`NO_STORE`], for the signature of a handler that returns a token.
pub type NoStore = [(HeaderName, &'static str); 2];

/// `{"error": "…", "error_description": "…"}` with status 400, or 401 for `invalid_client`.
#[derive(Clone, Copy, Debug)]
pub struct OAuthError {
    /// The registered code, such as `invalid_grant`.
    pub error: &'static str,
    /// What a developer should know, in the characters that section 5.2 allows.
    pub description: &'static str,
}

impl OAuthError {
    /// `invalid_request`: a parameter is missing, repeated or malformed.
    pub fn invalid_request(description: &'static str) -> Self {
        Self {
            error: "invalid_request",
            description,
        }
    }

    /// The error that a response was built from, for a log or a diagram. A response that says `429`
    /// or the like has none.
    pub fn of(response: &Response) -> Option<Self> {
        response.extensions().get().copied()
    }

    /// For a form that a person sends: the description without the code.
    pub fn into_page(self) -> Response {
        let stopped = (Extension(StopsFlow), Extension(self));
        (stopped, Error::Malformed(self.description.into())).into_response()
    }
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    error_description: &'a str,
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        tracing::info!("rejected: {}: {}", self.error, self.description);
        let body = Json(Body {
            error: self.error,
            error_description: self.description,
        });
        let response = (NO_STORE, Extension(Finished), Extension(self), body);
        if self.error == "invalid_client" {
            let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"client\"")];
            (StatusCode::UNAUTHORIZED, challenge, response).into_response()
        } else {
            (StatusCode::BAD_REQUEST, response).into_response()
        }
    }
}

/// [`OAuthError::into_page`] for an error that is a response already. Any other response, such as a
/// 429, stays as it is.
pub fn without_code(mut response: Response) -> Response {
    if let Some(error) = OAuthError::of(&response) {
        replace_body(&mut response, Detail::of(error.description));
        response.extensions_mut().remove::<Finished>();
    }
    response.extensions_mut().insert(StopsFlow);
    response
}

/// Middleware for the routes that send RFC 6749 JSON to every client: what the framework rejects
/// (405, 413, ...) becomes an OAuth error too, and so does a request that takes longer than 12
/// seconds.
pub async fn oauth_endpoint(request: Request, next: Next) -> Response {
    let response = timeout(OAUTH_TIMEOUT, next.run(request)).await;
    let mut response = response.unwrap_or_else(|_| too_slow());
    let status = response.status();
    if is_error(status) && !is_finished(&response) {
        let description = reason(&mut response).await;
        let body = Json(Body {
            error: if status.is_server_error() {
                "server_error"
            } else {
                "invalid_request"
            },
            error_description: &description,
        });
        replace_body(&mut response, (NO_STORE, Extension(Finished), body));
    }
    response
}
