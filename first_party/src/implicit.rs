//! `POST /login`: the implicit grant (RFC 6749, section 4.2).
//!
//! It is shown because developers still meet it, but it must no longer be used (RFC 9700, section
//! 2.1.2), because tokens travel in URLs. Use the authorization code flow with PKCE, as the server
//! `basic` does.

use axum::{
    Extension,
    extract::{FromRef, State},
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use common::{
    Params,
    error::{OAuthError, without_code},
    flow::Flow,
    params::Unchecked,
    random_token,
    server::check_same_origin,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    docs,
    narration::{self, IMPLICIT},
    password::{AcceptsEveryone, LoginAttempt, User, authenticate},
    scopes::Scopes,
    token::Tokens,
};

/// `POST /login`: the form of an authorization request was submitted (RFC 6749, section 4.2.2).
pub async fn submit(
    State(accepts_everyone): State<AcceptsEveryone>,
    headers: HeaderMap,
    params: Unchecked,
) -> Result<Redirect, Response> {
    let tokens = Tokens::from_ref(&accepts_everyone);
    let request = ImplicitRequest::submitted(&tokens, &headers, params)?;
    let attempt = request.login()?;
    let user = authenticate(&attempt.username, &attempt.password)
        .await
        .map_err(|refusal| request.refused(refusal))?;

    Ok(request.answer(&tokens, &attempt, &user))
}

/// Replace this with your own list of clients.
fn registered_redirect_uri(tokens: &Tokens, client_id: &str) -> Option<String> {
    match client_id {
        "swagger" => Some(tokens.public_url().join(docs::REDIRECT)),
        _ => None,
    }
}

/// A valid request of a registered client (RFC 6749, section 4.2.1).
pub struct ImplicitRequest {
    params: Params,
    client_id: String,
    /// Where the browser goes with the token: it is registered for this client.
    pub redirect_uri: String,
    /// The requested scopes.
    pub scopes: Scopes,
    /// The flow to which all requests with its `state` belong.
    pub(crate) flow: Flow,
}

impl ImplicitRequest {
    /// Until the client and the redirect URI are known to be right, errors are shown here: a
    /// redirect would make us an open redirector. After that, errors are redirects to the client
    /// (section 4.2.2.1). `GET /flow` calls the request `what`.
    pub fn check(tokens: &Tokens, params: Unchecked, what: &str) -> Result<Self, Response> {
        const NAMES: [&str; 5] = [
            "response_type",
            "client_id",
            "redirect_uri",
            "scope",
            "state",
        ];
        let shown = NAMES.map(|name| Some((name, params.get(name)?.to_owned())));
        // Without a state, the form and its submission cannot be matched: each is a separate flow.
        let state = params.get("state").map_or_else(random_token, str::to_owned);
        let flow = tokens.flows().flow(IMPLICIT, &state);
        Self::read(tokens, params, flow.clone()).inspect_err(|refusal| {
            narration::implicit_refusal(&flow, what, shown.into_iter().flatten(), refusal);
        })
    }

    fn read(tokens: &Tokens, params: Unchecked, flow: Flow) -> Result<Self, Response> {
        let client_id = params.get("client_id").unwrap_or_default().to_owned();
        // Compared character by character: a pattern could also match a URL of an attacker (RFC 9700,
        // section 2.1).
        let redirect_uri = registered_redirect_uri(tokens, &client_id)
            .filter(|registered| params.get("redirect_uri") == Some(registered))
            .ok_or_else(|| {
                let why = "this client_id is not registered here with this redirect_uri";
                OAuthError::invalid_request(why).into_page()
            })?;
        let state = params.get("state").map(str::to_owned);
        let refuse = |error: OAuthError| {
            tracing::info!("rejected: {}: {}", error.error, error.description);
            let state = state.as_deref().map(|state| ("state", state));
            let answer: Vec<_> = [("error", error.error)].into_iter().chain(state).collect();
            (Extension(error), redirect(&redirect_uri, &answer)).into_response()
        };
        // Only now, so that this error goes to the client too.
        let params = params.check().map_err(|_| refuse(MALFORMED))?;
        match params.get("response_type") {
            Some("token") => {}
            Some(_) => return Err(refuse(OTHER_TYPE)),
            None => return Err(refuse(NO_TYPE)),
        }
        let scopes = params.get("scope").unwrap_or_default().parse();
        let scopes = scopes.map_err(refuse)?;
        Ok(Self {
            params,
            client_id,
            redirect_uri,
            scopes,
            flow,
        })
    }

    /// Checks the submitted form from the start, as the browser may have changed it. A form that
    /// another site sent gets 403.
    pub fn submitted(
        tokens: &Tokens,
        headers: &HeaderMap,
        params: Unchecked,
    ) -> Result<Self, Response> {
        check_same_origin(headers, tokens.public_url()).map_err(IntoResponse::into_response)?;
        Self::check(tokens, params, POST)
    }

    /// The user name and the password that the user entered.
    pub fn login(&self) -> Result<LoginAttempt, Response> {
        let entered = |name| self.params.get(name).unwrap_or_default().to_owned();
        let (username, password) = (entered("username"), entered("password"));
        LoginAttempt::new(self.client_id.clone(), self.scopes, username, password)
            .map_err(OAuthError::into_page)
            .inspect_err(|refusal| self.narrate(refusal))
    }

    /// The hidden fields of the form, which are checked again when it comes back.
    pub(crate) fn hidden(&self) -> Vec<(&'static str, &str)> {
        let names = ["response_type", "client_id", "redirect_uri", "state"];
        let value = |name| Some((name, self.params.get(name)?));
        names.into_iter().filter_map(value).collect()
    }

    fn narrate(&self, refusal: &Response) {
        narration::implicit_refusal(&self.flow, POST, self.state(), refusal);
    }

    fn state(&self) -> Option<(&'static str, &str)> {
        Some(("state", self.params.get("state")?))
    }

    /// Back to the client, with a token for the user who has logged in (section 4.2.2).
    pub fn answer(&self, tokens: &Tokens, attempt: &LoginAttempt, user: &User) -> Redirect {
        let members = attempt.issue(tokens, user).members();
        let members = members.iter().map(|(name, value)| (*name, &**value));
        let answer: Vec<_> = members.chain(self.state()).collect();
        narration::implicit_grant(&self.flow, &answer);
        redirect(&self.redirect_uri, &answer)
    }

    /// The response to a user who has not logged in, without the OAuth error code, which is meant for
    /// clients.
    pub fn refused(&self, refusal: Response) -> Response {
        self.narrate(&refusal);
        without_code(refusal)
    }
}

const POST: &str = "POST /login, the form";

const MALFORMED: OAuthError = OAuthError {
    error: "invalid_request",
    description: "a parameter is repeated or malformed",
};

const NO_TYPE: OAuthError = OAuthError {
    error: "invalid_request",
    description: "response_type is missing",
};

const OTHER_TYPE: OAuthError = OAuthError {
    error: "unsupported_response_type",
    description: "the response type here is token",
};

/// The answer in the fragment, which browsers do not send to servers.
fn redirect(redirect_uri: &str, answer: &[(&str, &str)]) -> Redirect {
    let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    let pairs = answer
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)));
    let pairs: Vec<_> = pairs.collect();
    Redirect::to(&format!("{redirect_uri}#{}", pairs.join("&")))
}
