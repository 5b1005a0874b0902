//! `GET /login`: the form, for both grants.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use common::{Page, params::Unchecked};

use crate::{implicit::ImplicitRequest, narration, scopes::SCOPES, token::Tokens};

#[derive(Template)]
#[template(path = "login.html")]
struct Form<'a> {
    action: &'static str,
    hidden: Vec<(&'static str, &'a str)>,
    /// Name, description, and whether it is checked.
    scopes: Vec<(&'static str, &'static str, bool)>,
}

/// `GET /login`: the form. With the parameters of an authorization request (RFC 6749, section
/// 4.2.1), submitting it redirects to the client that asked, with the token in the fragment.
pub async fn form(State(tokens): State<Tokens>, params: Unchecked) -> Result<Response, Response> {
    let is_authorization_request = ["response_type", "client_id", "redirect_uri"]
        .iter()
        .any(|name| params.has(name));
    if is_authorization_request {
        let request = ImplicitRequest::check(&tokens, params, "GET /login")?;
        narration::implicit_form(&request.flow, &request.hidden());
        Ok(for_client(&tokens, &request))
    } else {
        Ok(for_token_endpoint())
    }
}

/// The form that is itself the client of the password grant.
fn for_token_endpoint() -> Response {
    let form = Form {
        action: "/token",
        hidden: vec![("grant_type", "password")],
        scopes: SCOPES
            .map(|(name, description)| (name, description, name == "some.scope"))
            .to_vec(),
    };
    Page::new("Log in", form).into_response()
}

/// The form of the implicit grant.
fn for_client(tokens: &Tokens, request: &ImplicitRequest) -> Response {
    let form = Form {
        action: "/login",
        hidden: request.hidden(),
        // Only what the client has requested. The user could still send more scopes, but gets none
        // that they may not have.
        scopes: request
            .scopes
            .iter()
            .map(|(name, description)| (name, description, true))
            .collect(),
    };
    let page = Page::new("Log in", form);
    // Chromium applies the policy for forms to the redirect after the form too.
    match tokens.public_url().as_url().join(&request.redirect_uri) {
        Ok(client) => page.form_redirects_to(&client),
        Err(_) => page,
    }
    .into_response()
}
