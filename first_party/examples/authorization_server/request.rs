//! What a client asks for when it sends a browser here, and how it is answered.
//!
//! The checks of PKCE, the redirect URI and whatever else every authorization server must check are
//! in `common::authorization`.

use axum::response::{IntoResponse, Response};
use common::{
    Page, Params,
    authorization::{AuthorizationRequest, Policy},
    error::OAuthError,
    params::Unchecked,
};
use url::{Url, form_urlencoded};

use super::{
    clients::Client,
    resources,
    scopes::{granted, names},
    session::Session,
    settings::Server,
    store::now,
};

/// A request of a registered client, with the parameters that this server reads in addition.
pub struct Request {
    pub oauth: AuthorizationRequest,
    /// The resources that the tokens are for, separated by spaces.
    pub resources: String,
    prompt: Vec<String>,
    /// How old the login may be, in seconds.
    max_age: Option<i64>,
}

impl Server {
    /// Checks a request, even one that comes back from our own forms: the browser could have
    /// changed it.
    pub fn check(&self, params: Unchecked) -> Result<Request, Response> {
        let policy = Policy {
            scopes: &names(),
            issuer: Some(&self.issuer),
        };
        let oauth = AuthorizationRequest::check(params, policy, |id, uri| {
            self.clients
                .find(id)
                .is_some_and(|client| client.may_redirect_to(uri))
        })?;
        let read = read(&oauth.params, &self.resources);
        let (resources, prompt, max_age) =
            read.map_err(|error| oauth.redirect_with_error(error).into_response())?;
        Ok(Request {
            oauth,
            resources,
            prompt,
            max_age,
        })
    }

    /// What this user and this client may have of the scopes asked for.
    pub fn granted(&self, request: &Request, session: &Session) -> Vec<String> {
        let client = self.client(request);
        granted(
            &request.oauth.scopes,
            &session.account.scopes,
            &client.scopes,
        )
    }

    /// The client of a request.
    pub fn client(&self, request: &Request) -> &Client {
        let client = self.clients.find(&request.oauth.client_id);
        client.expect("a request is of a registered client: see `check`")
    }
}

/// The parameters beyond RFC 6749 and PKCE. Those that are not named here are ignored.
fn read(
    params: &Params,
    known: &[String],
) -> Result<(String, Vec<String>, Option<i64>), OAuthError> {
    if params.get("request").is_some() {
        return Err(REQUEST_NOT_SUPPORTED);
    }
    if params.get("request_uri").is_some() {
        return Err(REQUEST_URI_NOT_SUPPORTED);
    }
    if !matches!(params.get("response_mode"), None | Some("query")) {
        return Err(OAuthError::invalid_request("response_mode must be query"));
    }
    let prompt = params.get("prompt").unwrap_or_default().split_whitespace();
    let prompt: Vec<_> = prompt.map(str::to_owned).collect();
    let is_known = |prompt: &String| matches!(&**prompt, "none" | "login" | "consent");
    if !prompt.iter().all(is_known) || prompt.len() > 1 && prompt.iter().any(|one| one == "none") {
        return Err(OAuthError::invalid_request(
            "prompt must be none, or login, consent or both",
        ));
    }
    let max_age = params.get("max_age").map(str::parse::<u32>).transpose();
    let max_age = max_age.map_err(|_| OAuthError::invalid_request("max_age is not a number"))?;
    let resources = resources::requested(params, known)?;
    Ok((resources, prompt, max_age.map(Into::into)))
}

impl Request {
    pub fn prompts(&self, what: &str) -> bool {
        self.prompt.iter().any(|prompt| prompt == what)
    }

    /// Whether a login was recent enough for this client. With `max_age=0` none is; after the login
    /// it leads to, `max_age` is dropped, see [`Request::after_login`].
    pub fn accepts(&self, session: &Session) -> bool {
        let age = now().saturating_sub(session.auth_time);
        !self.prompts("login")
            && self
                .max_age
                .is_none_or(|max_age| max_age > 0 && age <= max_age)
    }

    /// A page, or this error if the client sent `prompt=none` (OpenID Connect Core, section
    /// 3.1.2.6).
    pub fn ask(
        &self,
        error: OAuthError,
        page: impl FnOnce() -> Response,
    ) -> Result<Response, Response> {
        if self.prompts("none") {
            return Err(self.oauth.redirect_with_error(error).into_response());
        }
        Ok(page())
    }

    /// The database failed. The client is known, so it gets the error and can tell the user itself.
    pub fn unavailable(&self, cause: &sqlx::Error) -> Response {
        tracing::error!("the database failed: {cause}");
        self.oauth.redirect_with_error(UNAVAILABLE).into_response()
    }

    /// Redirects to the client with a code.
    pub fn redirect_with_code(&self, code: &str) -> Response {
        tracing::info!(
            "4/5 the browser takes a code to the client; the code works once, within a minute"
        );
        self.oauth.redirect_with_code(code).into_response()
    }

    /// The request as the hidden fields of a form.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let params = &self.oauth.params;
        let field = |name| Some((name, params.get(name)?.to_owned()));
        let resources = params
            .resources()
            .iter()
            .map(|resource| ("resource", resource.clone()));
        CARRIED
            .into_iter()
            .filter_map(field)
            .chain(resources)
            .collect()
    }

    /// The same request, without what a login has already satisfied.
    pub fn after_login(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in self.fields() {
            match name {
                "max_age" => {}
                "prompt" => {
                    let rest = self.prompt.iter().filter(|prompt| *prompt != "login");
                    let rest: Vec<_> = rest.map(String::as_str).collect();
                    query.append_pair(name, &rest.join(" "));
                }
                _ => drop(query.append_pair(name, &value)),
            }
        }
        format!("/authorize?{}", query.finish())
    }

    /// A page whose form may end in a redirect to this client.
    pub fn page(&self, page: Page<impl askama::Template>) -> Response {
        match Url::parse(&self.oauth.redirect_uri) {
            Ok(client) => page.form_redirects_to(&client).into_response(),
            Err(_) => page.into_response(),
        }
    }
}

const CARRIED: [&str; 11] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "max_age",
    "id_token_hint",
];

const REQUEST_NOT_SUPPORTED: OAuthError = OAuthError {
    error: "request_not_supported",
    description: "send the parameters themselves, not a request object",
};

const REQUEST_URI_NOT_SUPPORTED: OAuthError = OAuthError {
    error: "request_uri_not_supported",
    description: "send the parameters themselves, not a request object",
};

const UNAVAILABLE: OAuthError = OAuthError {
    error: "temporarily_unavailable",
    description: "the database cannot be used at the moment; please try again",
};
