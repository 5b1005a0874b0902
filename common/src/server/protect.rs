//! What applies to every response: limits, error bodies, headers.

use std::{convert::Infallible, future::ready, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use axum::{
    Router,
    body::HttpBody,
    extract::{DefaultBodyLimit, Request},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{Route, get},
};
use futures_util::{FutureExt, future::Either};
use tokio::time::timeout;
use tower::{Service, layer::layer_fn, service_fn};

use crate::{
    Error,
    error::{Detail, negotiate, prefers_html, too_slow},
    page::stylesheet,
    settings::{PublicUrl, is_this_machine, url_of_host},
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
/// One layer, because each call of `Router::layer` costs every request a boxed future. The order
/// inside it matters: a panic or a timeout becomes an error before errors get their bodies, and
/// headers come last.
pub fn protect(app: Router, public_url: &PublicUrl) -> Router {
    let own = public_url.clone();
    let headers = Arc::new(security_headers(&own));
    app.route("/style.css", get(stylesheet))
        .layer(layer_fn(move |mut route: Route| {
            let (own, headers) = (own.clone(), headers.clone());
            service_fn(move |mut request: Request| {
                let html = prefers_html(request.headers());
                // Where there is no body, this saves storing its limit.
                if !request.body().is_end_stream() {
                    DefaultBodyLimit::max(MAX_BODY).apply(&mut request);
                }
                let response = if is_misdirected(request.headers(), &own) {
                    Either::Left(ready(Ok(Error::Misdirected.into_response())))
                } else {
                    Either::Right(route.call(request))
                };
                respond(response, html, own.is_loopback(), headers.clone())
            })
        }))
}

async fn respond(
    response: impl Future<Output = Result<Response, Infallible>>,
    html: bool,
    this_machine_only: bool,
    defaults: Arc<HeaderMap>,
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
    let headers = response.headers_mut();
    headers.reserve(defaults.len());
    for (name, value) in &*defaults {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    Ok(response)
}

/// Whether a server for this machine alone is asked for another host. The `Host` field decides:
/// anyone can put another host into the request line.
fn is_misdirected(request: &HeaderMap, own: &PublicUrl) -> bool {
    let is_elsewhere = |host: &HeaderValue| {
        !own.has_host(host) && !url_of_host(host).is_some_and(|url| is_this_machine(&url))
    };
    own.is_loopback() && request.get(header::HOST).is_some_and(is_elsewhere)
}

/// The headers of every response; a page or a handler that sets its own keeps it.
fn security_headers(own: &PublicUrl) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    );
    set(header::CACHE_CONTROL, "no-store");
    set(CROSS_ORIGIN_RESOURCE_POLICY, "same-origin");
    if own.is_https() {
        // Two years.
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=63072000");
    }
    headers
}

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");
