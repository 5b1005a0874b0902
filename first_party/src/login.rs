//! How a person gets a token: the form, the password grant and the implicit grant.
//!
//! Both grants are shown because many still meet them, and must not be used any more (RFC 9700,
//! sections 2.1.2 and 2.4): with the one, applications see passwords; with the other, tokens
//! travel in URLs. Use the authorization code flow with PKCE, as the server `basic` does.

use askama::Template;
use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Redirect, Response},
};
use common::{
    Error, Page, Params,
    error::{NO_STORE, NoStore, OAuthError, without_code},
    params::Unchecked,
    server::check_same_origin,
    settings::{FromSettings, Setting, Settings},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    scopes::{SCOPES, granted, requested},
    token::{CLIENT, TokenResponse, Tokens},
};

/// Names longer than this, in bytes, are refused.
const MAX_NAME: usize = 255;

/// Who has logged in.
#[derive(Clone, Debug)]
pub struct User {
    /// The `sub` of the token.
    pub subject: String,
    /// What a token of this user may open: scopes, separated by spaces.
    pub scopes: String,
}

/// The user, or the answer to somebody who is none.
pub type Authenticated = Result<User, Response>;

/// Replace this with your own check of the password: see the example `users`. Here everybody who
/// gives a name and a password is who he says, and may have every scope.
///
/// # Errors
/// None here. An [`OAuthError`] becomes what `/token` and the form need.
pub async fn authenticate(username: String, _password: String) -> Authenticated {
    let scopes = SCOPES.map(|(name, _)| name).join(" ");
    Ok(User {
        subject: username,
        scopes,
    })
}

/// What the server is made of as long as [`authenticate`] accepts everyone: it does not start where
/// others can reach it. Remove this along with that function; then [`app`](crate::app) takes
/// [`Tokens`].
#[derive(Clone, Debug)]
pub struct AcceptsEveryone(pub Tokens);

impl FromSettings for AcceptsEveryone {
    const SETTINGS: &'static [&'static [Setting]] = Tokens::SETTINGS;

    async fn from_settings(settings: &mut Settings) -> Option<Self> {
        if !settings.is_loopback() {
            let what = "in first_party/src/login.rs accepts every password; replace it before \
                        BIND_ADDR or PUBLIC_URL let others reach this server";
            settings.problem("authenticate", what);
        }
        Tokens::from_settings(settings).await.map(Self)
    }
}

#[derive(Template)]
#[template(path = "login.html")]
struct Form {
    action: &'static str,
    hidden: Vec<(&'static str, String)>,
    /// Name, description, and whether it is checked.
    scopes: Vec<(&'static str, &'static str, bool)>,
}

/// `GET /login`: the form. With the parameters of an authorization request (RFC 6749, section
/// 4.2.1) its Submit leads back to the client that asked, with the token in the fragment.
///
/// # Errors
/// 400 for an unknown client or redirect URI; every other error is a redirect to the client.
pub async fn form(State(tokens): State<Tokens>, params: Unchecked) -> Result<Response, Response> {
    let is_authorization_request = ["response_type", "client_id", "redirect_uri"]
        .iter()
        .any(|name| params.has(name));
    if !is_authorization_request {
        let hidden = vec![("grant_type", "password".to_owned())];
        let scopes = SCOPES.map(|(name, description)| (name, description, name == "some.scope"));
        let form = Form {
            action: "/token",
            hidden,
            scopes: scopes.to_vec(),
        };
        return Ok(Page::new("Log in", form).into_response());
    }
    let request = AuthorizationRequest::check(&tokens, params)?;
    tracing::info!("1/3 a client sends the browser for a token; we know where the answer may go");
    let names = ["response_type", "client_id", "redirect_uri", "state"];
    let hidden = |name| Some((name, request.params.get(name)?.to_owned()));
    let form = Form {
        action: "/login",
        hidden: names.into_iter().filter_map(hidden).collect(),
        // No more can be given than was asked for.
        scopes: SCOPES
            .into_iter()
            .filter(|(name, _)| request.scopes.iter().any(|asked| asked == name))
            .map(|(name, description)| (name, description, true))
            .collect(),
    };
    let page = Page::new("Log in", form);
    let page = match tokens.public_url().as_url().join(&request.redirect_uri) {
        Ok(client) => page.form_redirects_to(client.origin().ascii_serialization()),
        Err(_) => page,
    };
    Ok(page.into_response())
}

/// The form of a token request (RFC 6749, section 4.3.2), for the documentation.
#[derive(utoipa::ToSchema)]
#[expect(
    dead_code,
    reason = "it is read as `Params`, which are stricter than serde"
)]
struct TokenRequest {
    /// `password`, also when it is left out.
    #[schema(example = "password")]
    grant_type: Option<String>,
    #[schema(example = "johndoe")]
    username: String,
    #[schema(example = "secret123", format = Password)]
    password: String,
    /// Scopes, separated by spaces.
    #[schema(example = "some.scope")]
    scope: Option<String>,
    client_id: Option<String>,
}

/// `POST /token`: the password grant (RFC 6749, section 4.3).
///
/// # Errors
/// Those of RFC 6749, section 5.2, and those of the check.
#[utoipa::path(
    post,
    tag = "token",
    path = "/token",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "A token", body = TokenResponse),
        (status = 400, description = "An error code of RFC 6749, section 5.2"),
        (status = 413, description = "More than 64 KiB"),
    )
)]
pub async fn token<F: Future<Output = Authenticated>>(
    State(tokens): State<Tokens>,
    params: Params,
    authenticate: impl FnOnce(String, String) -> F,
) -> Result<(NoStore, Json<TokenResponse>), Response> {
    let (client_id, scopes) = check(&params).map_err(IntoResponse::into_response)?;
    let (username, password) = credentials(&params).map_err(IntoResponse::into_response)?;
    let user = authenticate(username, password).await?;
    tracing::info!(
        "1/2 a client gives us a user name and a password; we accept both, and it knows both"
    );

    let token = tokens.issue(&user.subject, client_id, granted(&scopes, &user.scopes));
    tracing::info!(
        "2/2 we sign a token for [{}] and answer with it; nobody may store it",
        token.scope
    );
    Ok((NO_STORE, Json(token)))
}

/// The client and the scopes of a token request.
fn check(params: &Params) -> Result<(&str, Vec<&str>), OAuthError> {
    if !matches!(params.get("grant_type"), None | Some("password")) {
        let description = "the grant type here is password";
        return Err(OAuthError {
            error: "unsupported_grant_type",
            description,
        });
    }
    let client_id = params.get("client_id").unwrap_or("first_party");
    if client_id.len() > MAX_NAME {
        return Err(OAuthError::invalid_request("client_id is too long"));
    }
    Ok((client_id, requested(params.get("scope"))?))
}

/// The user name and the password of a form.
fn credentials(params: &Params) -> Result<(String, String), OAuthError> {
    let required = OAuthError::invalid_request("username and password are required");
    let (username, password) = params
        .get("username")
        .zip(params.get("password"))
        .ok_or(required)?;
    if username.len() > MAX_NAME {
        return Err(OAuthError::invalid_request("the user name is too long"));
    }
    // Or else a user could be taken for a client that acts for itself (RFC 9700, section 4.15).
    if username.starts_with(CLIENT) {
        return Err(OAuthError::invalid_request("no user name begins like this"));
    }
    Ok((username.to_owned(), password.to_owned()))
}

/// `POST /login`: the form of an authorization request was submitted: the implicit grant
/// (RFC 6749, section 4.2.2).
///
/// # Errors
/// Those of [`form`] and of the check, and 403 when another site sent it.
pub async fn submit<F: Future<Output = Authenticated>>(
    State(tokens): State<Tokens>,
    headers: HeaderMap,
    params: Unchecked,
    authenticate: impl FnOnce(String, String) -> F,
) -> Result<Redirect, Response> {
    check_same_origin(&headers, tokens.public_url()).map_err(IntoResponse::into_response)?;
    // The form was in the hands of the browser: all of it is checked again.
    let request = AuthorizationRequest::check(&tokens, params)?;
    let (username, password) =
        credentials(&request.params).map_err(|error| Error::from(error).into_response())?;
    let user = match authenticate(username, password).await {
        Ok(user) => user,
        Err(error) => return Err(without_code(error).await),
    };
    tracing::info!("2/3 the person gives us a user name and a password; the client sees neither");

    let scope = granted(&request.scopes, &user.scopes);
    let token = tokens.issue(&user.subject, &request.client_id, scope);
    tracing::info!(
        "3/3 we sign a token for [{}] and put it after the # of a URL, which browsers send to no server",
        token.scope
    );
    let expires_in = token.expires_in.to_string();
    Ok(request.redirect(&[
        ("access_token", &token.access_token),
        ("token_type", token.token_type),
        ("expires_in", &expires_in),
        ("scope", &token.scope),
    ]))
}

/// Replace this with your own list of clients. A redirect URI is compared to the last character:
/// where a token goes, nothing is guessed (RFC 9700, section 2.1).
fn registered_redirect_uri(tokens: &Tokens, client_id: &str) -> Option<String> {
    match client_id {
        "swagger" => Some(tokens.public_url().join("/docs/oauth2-redirect.html")),
        _ => None,
    }
}

/// A valid request of a registered client (RFC 6749, section 4.2.1).
struct AuthorizationRequest {
    params: Params,
    client_id: String,
    redirect_uri: String,
    scopes: Vec<String>,
}

impl AuthorizationRequest {
    /// While client and redirect URI are not known to be right, errors stay here: to redirect
    /// would make us an open redirector. After that they go to the client (section 4.2.2.1).
    fn check(tokens: &Tokens, params: Unchecked) -> Result<Self, Response> {
        let client_id = params.get("client_id").unwrap_or_default().to_owned();
        let redirect_uri = registered_redirect_uri(tokens, &client_id)
            .filter(|registered| params.get("redirect_uri") == Some(registered))
            .ok_or_else(|| {
                let why = "this client_id with this redirect_uri is not registered here";
                Error::Malformed(why.into()).into_response()
            })?;
        let state = params.get("state").map(str::to_owned);
        let refuse = |error| {
            let answer = [("error", error)];
            redirect(&redirect_uri, &answer, state.as_deref()).into_response()
        };
        let params = params.check().map_err(|_| refuse("invalid_request"))?;
        match params.get("response_type") {
            Some("token") => {}
            Some(_) => return Err(refuse("unsupported_response_type")),
            None => return Err(refuse("invalid_request")),
        }
        let scopes = requested(params.get("scope")).map_err(|error| refuse(error.error))?;
        let scopes = scopes.into_iter().map(str::to_owned).collect();
        Ok(Self {
            params,
            client_id,
            redirect_uri,
            scopes,
        })
    }

    fn redirect(&self, answer: &[(&str, &str)]) -> Redirect {
        redirect(&self.redirect_uri, answer, self.params.get("state"))
    }
}

/// The answer in the fragment, which browsers do not send to servers, with the client's `state`.
fn redirect(redirect_uri: &str, answer: &[(&str, &str)], state: Option<&str>) -> Redirect {
    let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    let state = state.map(|state| ("state", state));
    let pairs = answer.iter().copied().chain(state);
    let pairs: Vec<_> = pairs
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    Redirect::to(&format!("{redirect_uri}#{}", pairs.join("&")))
}
