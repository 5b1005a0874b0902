//! `POST /token`: the password grant, and the check of the password.
//!
//! It is shown because developers still meet it, but it must no longer be used (RFC 9700, section
//! 2.4), because applications see passwords. Use the authorization code flow with PKCE, as the
//! server `basic` does.

use axum::{
    Json,
    extract::{FromRef, State},
    response::{IntoResponse, Response},
};
use common::{
    error::{NO_STORE, NoStore, OAuthError},
    params::Strict,
    settings::{FromSettings, Setting, Settings},
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    narration,
    scopes::Scopes,
    token::{CLIENT, TokenResponse, Tokens},
};

/// Names longer than this, in bytes, are rejected.
const MAX_NAME: usize = 255;

/// A user who has logged in.
#[derive(Clone, Debug)]
pub struct User {
    /// The `sub` of the token: not empty, and it must not begin with [`CLIENT`].
    pub subject: String,
    /// The scopes that a token of this user may have.
    pub scopes: Scopes,
}

/// Replace this with your own check of the password: see the example `users`. This one accepts any
/// name and password, and grants every scope. Yours fails with
/// `OAuthError { error: "invalid_grant", … }.into_response()`, which suits both `/token` and the form.
pub async fn authenticate(username: &str, _password: &str) -> Result<User, Response> {
    Ok(User {
        subject: username.to_owned(),
        scopes: Scopes::ALL,
    })
}

/// The state of the two handlers that call [`authenticate`], as long as that accepts everyone. It is
/// built only from settings, and the server does not start where others can reach it. Replace
/// `authenticate` first, and then this with [`Tokens`].
#[derive(Clone, Debug)]
pub struct AcceptsEveryone(Tokens);

impl FromRef<AcceptsEveryone> for Tokens {
    fn from_ref(AcceptsEveryone(tokens): &AcceptsEveryone) -> Self {
        tokens.clone()
    }
}

impl FromSettings for AcceptsEveryone {
    const SETTINGS: &'static [&'static [Setting]] = Tokens::SETTINGS;

    async fn from_settings(settings: &mut Settings) -> Option<Self> {
        if !settings.is_loopback() {
            let what = "in first_party/src/password.rs accepts every password; replace it, and \
                        then AcceptsEveryone with Tokens, before BIND_ADDR or PUBLIC_URL lets \
                        others reach this server";
            settings.problem("authenticate", what);
        }
        Tokens::from_settings(settings).await.map(Self)
    }
}

/// The form of a token request (RFC 6749, section 4.3.2). [`TokenRequest::check`] looks for missing
/// parameters, because serde would report them before a wrong grant type.
#[derive(Deserialize, ToSchema)]
pub struct TokenRequest {
    /// `password`, also when it is left out.
    #[schema(example = "password")]
    grant_type: Option<String>,
    #[serde(default)]
    #[schema(required, example = "johndoe")]
    username: String,
    #[serde(default)]
    #[schema(required, example = "secret123", format = Password)]
    password: String,
    /// Scopes, separated by spaces.
    #[schema(example = "some.scope")]
    scope: Option<String>,
    client_id: Option<String>,
}

impl TokenRequest {
    /// Checks the request (RFC 6749, section 5.2).
    pub fn check(self, tokens: &Tokens) -> Result<LoginAttempt, Response> {
        let request = self.shown();
        let attempt = self.read().map_err(IntoResponse::into_response);
        attempt.inspect_err(|refusal| narration::password_refusal(tokens, &request, refusal))
    }

    fn read(self) -> Result<LoginAttempt, OAuthError> {
        if !matches!(self.grant_type.as_deref(), None | Some("password")) {
            return Err(OAuthError {
                error: "unsupported_grant_type",
                description: "grant_type must be password",
            });
        }
        let client_id = self.client_id.unwrap_or_else(|| "first_party".to_owned());
        if client_id.len() > MAX_NAME {
            return Err(OAuthError::invalid_request("client_id is too long"));
        }
        let scopes = self.scope.unwrap_or_default().parse()?;
        LoginAttempt::new(client_id, scopes, self.username, self.password)
    }

    /// What `GET /flow` shows of it.
    fn shown(&self) -> Vec<(&'static str, String)> {
        let parameters = [
            ("grant_type", &self.grant_type),
            ("client_id", &self.client_id),
            ("scope", &self.scope),
        ];
        let shown = |(name, value): (_, &Option<String>)| Some((name, value.clone()?));
        parameters.into_iter().filter_map(shown).collect()
    }
}

/// What a user entered, for which client and scopes.
pub struct LoginAttempt {
    client_id: String,
    scopes: Scopes,
    /// At most `MAX_NAME` bytes, and not the name of a client.
    pub username: String,
    /// The password as it was entered: whether it is right is yet to be checked.
    pub password: String,
}

impl LoginAttempt {
    /// Fails with `invalid_request` if the user name or the password is missing, or if the user name
    /// is too long or begins with [`CLIENT`].
    pub(crate) fn new(
        client_id: String,
        scopes: Scopes,
        username: String,
        password: String,
    ) -> Result<Self, OAuthError> {
        let invalid = |why| Err(OAuthError::invalid_request(why));
        if username.is_empty() || password.is_empty() {
            return invalid("username and password are required");
        }
        if username.len() > MAX_NAME {
            return invalid("the user name is too long");
        }
        // Otherwise a user could be taken for a client that acts for itself (RFC 9700, section 4.15).
        if username.starts_with(CLIENT) {
            return invalid("user names must not begin with client:");
        }
        Ok(Self {
            client_id,
            scopes,
            username,
            password,
        })
    }

    /// Issues a token for the user who has logged in, with the requested scopes that they may have.
    pub(crate) fn issue(&self, tokens: &Tokens, user: &User) -> TokenResponse {
        tokens.issue(&user.subject, &self.client_id, self.scopes & user.scopes)
    }

    /// The response to a client whose user has logged in.
    pub fn answer(&self, tokens: &Tokens, user: &User) -> (NoStore, Json<TokenResponse>) {
        let token = self.issue(tokens, user);
        narration::password_grant(tokens, &self.shown(), &token);
        (NO_STORE, Json(token))
    }

    /// The response to a client whose user has not logged in.
    pub fn refused(&self, tokens: &Tokens, refusal: Response) -> Response {
        narration::password_refusal(tokens, &self.shown(), &refusal);
        refusal
    }

    /// What `GET /flow` shows of it.
    fn shown(&self) -> [(&'static str, String); 3] {
        [
            ("grant_type", "password".to_owned()),
            ("client_id", self.client_id.clone()),
            ("scope", self.scopes.to_string()),
        ]
    }
}

/// `POST /token`: the password grant (RFC 6749, section 4.3).
#[utoipa::path(
    post,
    tag = "token",
    path = "/token",
    summary = "Issues a token for a user name and a password",
    description = "The password grant (RFC 6749, section 4.3).",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "A token", body = TokenResponse),
        (status = 400, description = "An error code of RFC 6749, section 5.2"),
        (status = 413, description = "More than 64 KiB"),
    )
)]
pub async fn token(
    State(AcceptsEveryone(tokens)): State<AcceptsEveryone>,
    Strict(request): Strict<TokenRequest>,
) -> Result<(NoStore, Json<TokenResponse>), Response> {
    let attempt = request.check(&tokens)?;
    let user = authenticate(&attempt.username, &attempt.password)
        .await
        .map_err(|refusal| attempt.refused(&tokens, refusal))?;

    Ok(attempt.answer(&tokens, &user))
}
