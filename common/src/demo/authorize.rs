//! The authorization endpoint: asks the user.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};

use super::Demo;
use crate::{
    Error, Page,
    authorization::{ACCESS_DENIED, AuthorizationRequest, Policy},
    params::Unchecked,
    server::check_same_origin,
};

/// The longest user name, in bytes.
const MAX_USERNAME: usize = 100;

/// The parameters of a request that its form repeats (RFC 6749, section 4.1.1; RFC 7636, section
/// 4.3; OpenID Connect Core, section 3.1.2.1).
const PARAMS: [&str; 8] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
];

#[derive(Template)]
#[template(path = "demo_consent.html")]
struct Consent {
    client_id: String,
    scope: String,
    hidden: Vec<(&'static str, String)>,
}

/// `GET /oauth2/authorize?…`: shows which client asks for which scopes, with a form to allow or
/// deny it.
pub(super) async fn authorize(
    State(demo): State<Arc<Demo>>,
    params: Unchecked,
) -> Result<Response, Response> {
    let request = demo.check(params)?;
    // The whole request rides along in the form, and is checked again when it comes back.
    let hidden = |name| Some((name, request.params.get(name)?.to_owned()));
    let consent = Consent {
        hidden: PARAMS.into_iter().filter_map(hidden).collect(),
        scope: request.scopes.join(" "),
        client_id: request.client_id,
    };
    let page = Page::new("Log in to the demo provider", consent);
    let client = demo.client_url.as_url();
    Ok(page.form_redirects_to(client).into_response())
}

/// `POST /oauth2/authorize`: the user pressed Allow or Deny.
pub(super) async fn decide(
    State(demo): State<Arc<Demo>>,
    headers: HeaderMap,
    params: Unchecked,
) -> axum::response::Result<Redirect> {
    // Otherwise any web page could press Allow.
    check_same_origin(&headers, &demo.own_url)?;
    if params.get("decision") != Some("allow") {
        return Ok(demo.check(params)?.redirect_with_error(ACCESS_DENIED));
    }
    // The user's own mistake is shown here: the client cannot fix it.
    let username = params.get("username").map(str::to_owned);
    let username = username
        .filter(|name| name.len() <= MAX_USERNAME)
        .ok_or(Error::Malformed("enter a user name".into()))?;
    let request = demo.check(params)?;
    let code = demo.store.issue_code(&request, &username);
    Ok(request.redirect_with_code(&code))
}

impl Demo {
    fn check(&self, params: Unchecked) -> Result<AuthorizationRequest, Response> {
        let policy = Policy {
            scopes: self.scopes,
            issuer: self.openid.as_ref().map(|openid| &*openid.issuer),
        };
        let is_registered = |client_id: &str, redirect_uri: &str| {
            client_id == self.client_id && redirect_uri == self.redirect_uri
        };
        let mut request = AuthorizationRequest::check(params, policy, is_registered)?;
        if request.scopes.is_empty() {
            request.scopes.push(self.scopes[0].to_owned());
        }
        Ok(request)
    }
}
