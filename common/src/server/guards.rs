//! What a single route checks before its handler runs.

use std::convert::Infallible;

use crate::{
    Error, Result,
    settings::{PublicUrl, is_this_machine, url_of_host},
};
use axum::{
    extract::{FromRef, FromRequestParts},
    handler::Handler,
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::Redirect,
    routing::{MethodRouter, get},
};

/// Like [`get`], for a handler with side effects: `HEAD`, for which axum would run the handler, is
/// rejected like every other method.
pub fn get_only<H, T, S>(handler: H) -> MethodRouter<S, Infallible>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    refuse_others(get(handler), "GET")
}

/// Like [`get_only`], for a page whose form is sent to its own path.
pub fn get_and_post<G, P, T, U, S>(page: G, form: P) -> MethodRouter<S, Infallible>
where
    G: Handler<T, S>,
    P: Handler<U, S>,
    T: 'static,
    U: 'static,
    S: Clone + Send + Sync + 'static,
{
    refuse_others(get(page).post(form), "GET, POST")
}

fn refuse_others<S>(routes: MethodRouter<S>, allow: &'static str) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    let refuse = move || async move { (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, allow)]) };
    routes.head(refuse).fallback(refuse)
}

/// A guard: the browser uses the host name of `PUBLIC_URL`.
///
/// A user who types `localhost` instead of `127.0.0.1` is redirected; otherwise the login cookie
/// would be set on the wrong host.
#[derive(Clone, Copy, Debug)]
pub struct PublicHost;

impl<S: Send + Sync> FromRequestParts<S> for PublicHost
where
    PublicUrl: FromRef<S>,
{
    type Rejection = Redirect;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Redirect> {
        let own = PublicUrl::from_ref(state);
        let is_another_name = |host: &HeaderValue| {
            let asked = url_of_host(host).filter(is_this_machine);
            asked.is_some_and(|asked| asked.host() != own.as_url().host())
        };
        let host = parts.headers.get(header::HOST);
        let host = host.filter(|host| own.is_loopback() && !own.has_host(host));
        if host.is_some_and(is_another_name) {
            // Only the path: the request line may contain a whole URL with another host.
            let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
            return Err(Redirect::to(&own.join(path)));
        }
        Ok(Self)
    }
}

/// Rejects a form that another site sent in this user's name (cross-site request forgery).
///
/// Browsers send `Sec-Fetch-Site`, older ones only `Origin`. A client that sends neither, such as
/// curl, has no cookies that another site could use. `CsrfLayer` of tower-http 0.7 does the same but
/// compares with `Host`, which a proxy may have changed.
pub fn check_same_origin(request: &HeaderMap, own: &PublicUrl) -> Result<()> {
    let same = match (request.get("sec-fetch-site"), request.get(header::ORIGIN)) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => *origin == *own.to_string(),
        (None, None) => true,
    };
    if same { Ok(()) } else { Err(Error::CrossSite) }
}
