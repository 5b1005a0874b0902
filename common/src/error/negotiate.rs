//! Which form an error takes: JSON, or a page for a browser.

use std::borrow::Cow;

use askama::Template;
use axum::{
    body::to_bytes,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::Detail;
use crate::page::Page;

/// The longest error that is read again to put it on a page, in bytes.
const MAX_ERROR: usize = 4096;

/// Marks a response that keeps its format, whatever the client prefers.
#[derive(Clone, Copy)]
pub(crate) struct Finished;

/// Marks an error that a flow stopped with: its page links to the diagram.
#[derive(Clone, Copy)]
pub(super) struct StopsFlow;

pub(super) fn is_finished(response: &Response) -> bool {
    response.extensions().get::<Finished>().is_some()
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    status: StatusCode,
    detail: Cow<'static, str>,
    flow: bool,
}

/// Turns an error into a page if `html` is preferred. Otherwise turns the framework's own errors
/// (404, 405, 413, ...), which have plain text or no body, into `{"detail": "…"}`.
pub(crate) async fn negotiate(response: &mut Response, html: bool, this_machine_only: bool) {
    let status = response.status();
    if !is_error(status) || is_finished(response) {
        return;
    }
    if html {
        let detail = reason(response).await;
        let stops_flow = response.extensions().get::<StopsFlow>().is_some();
        let flow = cfg!(feature = "flow") && this_machine_only && stops_flow;
        let title = status.canonical_reason().unwrap_or("Error");
        replace_body(
            response,
            Page::new(
                title,
                ErrorPage {
                    status,
                    detail,
                    flow,
                },
            ),
        );
        // Unlike other pages this one has no form, and the URL of `/auth` has a code in it.
        let no_referrer = HeaderValue::from_static("no-referrer");
        let headers = response.headers_mut();
        headers.insert(header::REFERRER_POLICY, no_referrer);
    } else if !is_json(response) {
        let detail = reason(response).await;
        replace_body(response, Detail::of(detail));
    }
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Accept"));
}

/// The error's own message, or the meaning of its status if it has none.
pub(super) async fn reason(response: &mut Response) -> Cow<'static, str> {
    if is_json(response) {
        let body = std::mem::take(response.body_mut());
        let body = to_bytes(body, MAX_ERROR).await.unwrap_or_default();
        if let Ok(Detail { detail }) = serde_json::from_slice(&body) {
            return detail;
        }
    }
    response
        .status()
        .canonical_reason()
        .unwrap_or("Error")
        .into()
}

fn is_json(response: &Response) -> bool {
    let content_type = response.headers().get(header::CONTENT_TYPE);
    content_type.is_some_and(|content_type| content_type == "application/json")
}

pub(super) fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// Keeps the status and the headers (`Allow`, `WWW-Authenticate`, cookies) and replaces the body
/// and the headers that belong to it.
pub(super) fn replace_body(response: &mut Response, with: impl IntoResponse) {
    let (parts, body) = with.into_response().into_parts();
    response.headers_mut().remove(header::CONTENT_LENGTH);
    for (name, value) in &parts.headers {
        response.headers_mut().insert(name, value.clone());
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
    fn only_clients_that_prefer_html_get_a_page() {
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
