//! What applies to every response: limits, error bodies, headers.

use std::{convert::Infallible, future::ready, panic::AssertUnwindSafe, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{Route, get},
};
use futures_util::{FutureExt, future::Either};
use tokio::time::timeout;
use tower::{Service, layer::layer_fn, service_fn};
use url::Url;

use crate::{
    Error,
    error::{Detail, negotiate, prefers_html, too_slow},
    page::stylesheet,
    settings::{PublicUrl, is_this_machine},
};

/// How long one request may take; longer than a request to the provider may.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// The largest body of a request, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// The last line of an app: protects all of its responses, even under plain `axum::serve`.
///
/// A handler that panics becomes a 500, and one that takes too long a 504. Errors get a body in the
/// form that the client prefers, and every response gets its security headers. While `PUBLIC_URL`
/// is on this machine, requests for other hosts are rejected. A route that is added afterwards has
/// none of this.
///
/// One layer and not six of `tower-http`: each of them would cost a boxed future in each request.
pub fn protect(app: Router, public_url: &PublicUrl) -> Router {
    let (https, this_machine_only) = (public_url.is_https(), public_url.is_loopback());
    app.route("/style.css", get(stylesheet))
        .layer(layer_fn(move |mut route: Route| {
            service_fn(move |mut request: Request| {
                let html = prefers_html(request.headers());
                DefaultBodyLimit::max(MAX_BODY).apply(&mut request);
                let response = if this_machine_only && !is_for_this_machine(request.headers()) {
                    Either::Left(ready(Ok(Error::Misdirected.into_response())))
                } else {
                    Either::Right(route.call(request))
                };
                respond(response, html, https, this_machine_only)
            })
        }))
}

async fn respond(
    response: impl Future<Output = Result<Response, Infallible>>,
    html: bool,
    https: bool,
    this_machine_only: bool,
) -> Result<Response, Infallible> {
    let response = timeout(REQUEST_TIMEOUT, response);
    let mut response = match AssertUnwindSafe(response).catch_unwind().await {
        Ok(Ok(Ok(response))) => response,
        Ok(Err(_)) => too_slow(),
        Err(_) => {
            let detail = Detail::of("unexpected error; see the log for details");
            (StatusCode::INTERNAL_SERVER_ERROR, detail).into_response()
        }
    };
    negotiate(&mut response, html, this_machine_only).await;
    security_headers(response.headers_mut(), https);
    Ok(response)
}

/// Whether the `Host` field names this machine. It alone decides: anyone can put another host
/// into the request line.
fn is_for_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else {
        return true;
    };
    let url = host
        .to_str()
        .map(|host| Url::parse(&format!("http://{host}")));
    matches!(url, Ok(Ok(url)) if is_this_machine(&url))
}

/// The headers of every response; a page or a handler that sets its own keeps it.
fn security_headers(headers: &mut HeaderMap, https: bool) {
    const DEFAULTS: [(HeaderName, HeaderValue); 6] = [
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("same-origin"),
        ),
    ];
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(value);
    }
    if https {
        let two_years = HeaderValue::from_static("max-age=63072000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, two_years);
    }
}
