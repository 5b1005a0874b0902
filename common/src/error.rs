//! What can go wrong, and how each becomes an answer.
//!
//! Three steps, so that handlers know nothing of formats: an error becomes a status and a
//! [`Detail`]; on OAuth endpoints [`oauth_endpoint`] makes RFC 6749 JSON of it; the server makes
//! of every other error a page or JSON, by what the client prefers.

use std::{borrow::Cow, time::Duration};

use askama::Template;
use axum::{
    Extension, Json,
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;

use crate::page::Page;

/// What a handler answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A request that cannot be served. The text is for the person; the cause goes to the log alone.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// 400: the request itself is wrong.
    #[error("{0}")]
    Malformed(Cow<'static, str>),

    /// 400: the answer does not belong to a login that this browser started (RFC 6749, section 10.12).
    #[error(
        "this login was not started here, or it has expired or was used; please start again, \
         with cookies allowed"
    )]
    StateMismatch,

    /// 400: the answer comes from another provider than the one that was asked (RFC 9207).
    #[error("this answer comes from another provider; please start again")]
    IssuerMismatch,

    /// 403: the person pressed Deny (RFC 6749, section 4.1.2.1).
    #[error("you did not allow it (access_denied); you can start again")]
    Denied,

    /// 400: the provider refused the authorization request (RFC 6749, section 4.1.2.1).
    #[error("the provider refused the login: {0}")]
    Refused(&'static str),

    /// 400: the code or the refresh token is used, expired or somebody else's (`invalid_grant`,
    /// RFC 6749, section 5.2).
    #[error("the provider did not accept the code; please start again")]
    GrantRefused,

    /// 401: nobody is logged in.
    #[error("Not logged in")]
    NotLoggedIn,

    /// 403: a request that changes something came from another site (cross-site request forgery).
    #[error("this was sent by another site; use the button on our own page")]
    CrossSite,

    /// 502: the provider does not answer, or not as the standards say. The cause is for the log.
    #[error("the provider cannot be used at the moment; please try again")]
    Provider(String),

    /// 504: the provider takes too long.
    #[error("the provider takes too long; please try again")]
    ProviderTimeout,

    /// 502: what the provider sent does not fit into a cookie, which browsers would drop.
    #[error("what the provider sent is too large for a cookie ({0} bytes); keep it on the server")]
    CookieTooLarge(usize),
}

impl Error {
    /// The status that it becomes.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_)
            | Self::StateMismatch
            | Self::IssuerMismatch
            | Self::Refused(_)
            | Self::GrantRefused => StatusCode::BAD_REQUEST,
            Self::NotLoggedIn => StatusCode::UNAUTHORIZED,
            Self::Denied | Self::CrossSite => StatusCode::FORBIDDEN,
            Self::Provider(_) | Self::CookieTooLarge(_) => StatusCode::BAD_GATEWAY,
            Self::ProviderTimeout => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        match &self {
            Self::Provider(cause) => tracing::warn!("the provider failed: {cause}"),
            Self::NotLoggedIn => {}
            other => tracing::info!("refused: {other}"),
        }
        let mut response = (self.status(), Detail::of(self.to_string())).into_response();
        if matches!(self, Self::NotLoggedIn) {
            // A 401 must say how to log in (RFC 9110, section 15.5.2); at this scheme no browser
            // asks for a password.
            let challenge = HeaderValue::from_static("Cookie realm=\"session\"");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// The reason in words, before anybody has decided how it looks.
#[derive(Clone, Debug)]
pub struct Detail(Cow<'static, str>);

impl Detail {
    /// Put it into the parts of a response: `(StatusCode::FORBIDDEN, Detail::of("no"))`.
    pub fn of(reason: impl Into<Cow<'static, str>>) -> Extension<Self> {
        Extension(Self(reason.into()))
    }

    /// What a response says of itself, else what its status means.
    fn take(response: &mut Response) -> Cow<'static, str> {
        match response.extensions_mut().remove::<Self>() {
            Some(Self(reason)) => reason,
            None => response
                .status()
                .canonical_reason()
                .unwrap_or("Error")
                .into(),
        }
    }
}

/// An error of OAuth (RFC 6749, section 5.2): 400, and for `invalid_client` 401. On an
/// [`oauth_endpoint`] its code is answered; elsewhere, as on a form, its description alone.
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
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        tracing::info!("refused: {}: {}", self.error, self.description);
        let status = match self.error {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            _ => StatusCode::BAD_REQUEST,
        };
        let challenge = [(header::WWW_AUTHENTICATE, "Basic realm=\"client\"")];
        let body = (
            status,
            Extension(Code(self.error)),
            Detail::of(self.description),
        );
        if status == StatusCode::UNAUTHORIZED {
            (challenge, body).into_response()
        } else {
            body.into_response()
        }
    }
}

/// The code of an [`OAuthError`], before anybody has decided how it looks.
#[derive(Clone, Copy)]
struct Code(&'static str);

/// How long an OAuth endpoint may take: less than the server's limit for every request, which ends
/// with an error that is not OAuth's.
const OAUTH_TIMEOUT: Duration = Duration::from_secs(12);

/// 504: it is not the client that is slow. After a 408 browsers would send the request again.
pub(crate) fn too_slow() -> Response {
    let detail = Detail::of("this takes too long; please try again");
    (StatusCode::GATEWAY_TIMEOUT, detail).into_response()
}

/// Marks a response that is not to be rewritten any more.
#[derive(Clone, Copy)]
struct Finished;

/// Headers for an answer with a token in it (RFC 6749, section 5.1): nobody may keep a copy.
#[derive(Clone, Copy, Debug)]
pub struct NoStore;

impl axum::response::IntoResponseParts for NoStore {
    type Error = std::convert::Infallible;

    fn into_response_parts(
        self,
        mut parts: axum::response::ResponseParts,
    ) -> std::result::Result<axum::response::ResponseParts, Self::Error> {
        let headers = parts.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
        Ok(parts)
    }
}

/// Middleware for the routes that answer RFC 6749 JSON to every client: what the framework refuses
/// (405, 413, ...) becomes an OAuth error too, and so does what takes more than 12 seconds.
pub async fn oauth_endpoint(request: Request, next: Next) -> Response {
    let response = timeout(OAUTH_TIMEOUT, next.run(request)).await;
    let mut response = response.unwrap_or_else(|_| too_slow());
    let status = response.status();
    if is_error(status) {
        let error = match response.extensions_mut().remove::<Code>() {
            Some(Code(error)) => error,
            None if status.is_server_error() => "server_error",
            None => "invalid_request",
        };
        let description = Detail::take(&mut response);
        let body = json!({ "error": error, "error_description": description });
        replace_body(&mut response, (Extension(Finished), NoStore, Json(body)));
    }
    response
}

/// Every error that is not finished becomes a page for a person's browser, and `{"detail": "..."}`
/// for everybody else.
pub(crate) fn negotiate(response: &mut Response, html: bool) {
    let status = response.status();
    if !is_error(status) || response.extensions().get::<Finished>().is_some() {
        return;
    }
    let detail = Detail::take(response);
    if html {
        let title = status.canonical_reason().unwrap_or("Error");
        replace_body(response, Page::new(title, ErrorPage { status, detail }));
        // It has no form, and the URL of `/auth` has a code in it.
        let no_referrer = HeaderValue::from_static("no-referrer");
        response
            .headers_mut()
            .insert(header::REFERRER_POLICY, no_referrer);
    } else {
        replace_body(response, Json(Body { detail }));
    }
    response
        .headers_mut()
        .append(header::VARY, HeaderValue::from_static("Accept"));
}

#[derive(Serialize)]
struct Body {
    detail: Cow<'static, str>,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    status: StatusCode,
    detail: Cow<'static, str>,
}

fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// Keeps the status and the headers (`Allow`, `WWW-Authenticate`, cookies), changes the rest.
fn replace_body(response: &mut Response, with: impl IntoResponse) {
    let (mut parts, body) = with.into_response().into_parts();
    response.headers_mut().remove(header::CONTENT_LENGTH);
    for (name, value) in parts
        .headers
        .drain()
        .filter_map(|(name, value)| Some((name?, value)))
    {
        response.headers_mut().insert(name, value);
    }
    response.extensions_mut().extend(parts.extensions);
    *response.body_mut() = body;
}

/// Whether `Accept` puts `text/html` before `application/json` (RFC 9110, section 12.5.1); a
/// wildcard alone, as curl sends it, does not.
pub(crate) fn prefers_html(headers: &HeaderMap) -> bool {
    let (mut html, mut json) = (0.0, 0.0);
    let accept = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    for range in accept.flat_map(|value| value.split(',')) {
        let (media_type, parameters) = range.split_once(';').unwrap_or((range, ""));
        let quality = parameters
            .split(';')
            .find_map(|parameter| parameter.trim().strip_prefix("q="))
            .map_or(1.0, |q| q.parse().unwrap_or(0.0));
        match media_type.trim() {
            "text/html" | "application/xhtml+xml" => html = f32::max(html, quality),
            "application/json" => json = f32::max(json, quality),
            _ => {}
        }
    }
    html > json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_for_those_who_ask_for_html_first() {
        let prefers = |accept: &'static str| {
            prefers_html(&HeaderMap::from_iter([(
                header::ACCEPT,
                HeaderValue::from_static(accept),
            )]))
        };
        assert!(prefers(
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
        ));
        assert!(prefers("application/json;q=0.5, text/html;q=0.9"));
        assert!(!prefers("*/*"));
        assert!(!prefers("application/json"));
        assert!(!prefers("text/html;q=0.1, application/json"));
        assert!(!prefers("text/html;q=0"));
        assert!(!prefers("text/html;q=x"));
        assert!(!prefers_html(&HeaderMap::new()));
    }
}
