//! `/authorize`: the authorization endpoint (RFC 6749, section 3.1; OpenID Connect Core, section
//! 3.1.2). It asks for what is missing, a login or a consent, and then issues a code.

use axum::{
    extract::{RawForm, State},
    http::Uri,
    response::{IntoResponse, Redirect, Response},
};
use common::{Error, error::OAuthError, params::Unchecked, server::PublicHost};
use tower_cookies::Cookies;

use super::{
    consent, login, request::Request, session::Session, settings::Server, tokens::IdClaims,
};

/// `GET /authorize?…`: a client sends a browser here.
pub async fn authorize(
    _: PublicHost,
    State(server): State<Server>,
    cookies: Cookies,
    params: Unchecked,
) -> Result<Response, Response> {
    let request = server.check(params)?;
    tracing::info!("1/5 a client sends a browser here; its redirect URI is registered");
    server.proceed(&cookies, request).await
}

/// `POST /authorize` and `POST /logout`: the same request as a form (OpenID Connect Core, section
/// 3.1.2.1). It is redirected to the same URL as a `GET`, so there is only one code path.
pub async fn by_form(uri: Uri, RawForm(form): RawForm) -> Result<Redirect, Error> {
    let unreadable = || Error::Malformed("send the parameters of the link as a form".into());
    let form = std::str::from_utf8(&form).map_err(|_| unreadable())?;
    let uri: Uri = format!("{}?{form}", uri.path())
        .parse()
        .map_err(|_| unreadable())?;
    Ok(Redirect::to(&uri.to_string()))
}

impl Server {
    /// The next page on the way to a code, or the redirect with the code.
    pub async fn proceed(&self, cookies: &Cookies, request: Request) -> Result<Response, Response> {
        let session = self
            .session(cookies)
            .await
            .map_err(|error| request.unavailable(&error))?;
        let expected = self.expected_user(&request).await?;
        let accepts = |session: &Session| {
            let is_expected = |user: &String| *user == session.account.username;
            request.accepts(session) && expected.as_ref().is_none_or(is_expected)
        };
        let Some(session) = session.filter(accepts) else {
            let as_whom = expected.map(|_| "Log in as the user whom the application expects");
            return request.ask(LOGIN_REQUIRED, || login::page(Some(&request), as_whom));
        };
        let scopes = self.granted(&request, &session);
        let consented = self.has_consented(&request, &session, &scopes).await;
        if !consented.map_err(|error| request.unavailable(&error))? {
            return request.ask(CONSENT_REQUIRED, || {
                consent::page(&request, &session, &scopes)
            });
        }
        let code = self.issue_code(&self.db, &request, &session, &scopes).await;
        let code = code.map_err(|error| request.unavailable(&error))?;
        Ok(request.redirect_with_code(&code))
    }

    /// The user whom the client names with an ID token that it got here. It must not get tokens for
    /// anyone else, even if they are logged in now (OpenID Connect Core, section 3.1.2.2).
    async fn expected_user(&self, request: &Request) -> Result<Option<String>, Response> {
        let Some(token) = request.oauth.params.get("id_token_hint") else {
            return Ok(None);
        };
        let hint = self.id_token_hint(token).await?;
        let is_its_own = |hint: &IdClaims| hint.aud == request.oauth.client_id;
        let hint = hint.filter(is_its_own);
        if hint.is_none() && request.prompts("none") {
            // For whom it is, nobody knows, so it may not be for the user who is logged in.
            let error = request.oauth.redirect_with_error(LOGIN_REQUIRED);
            return Err(error.into_response());
        }
        Ok(hint.map(|hint| hint.sub))
    }
}

const LOGIN_REQUIRED: OAuthError = OAuthError {
    error: "login_required",
    description: "the user must log in, but prompt=none forbids asking",
};

const CONSENT_REQUIRED: OAuthError = OAuthError {
    error: "consent_required",
    description: "the user has to be asked, which prompt=none does not allow",
};
