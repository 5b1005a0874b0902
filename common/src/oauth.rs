//! The authorization code flow (RFC 6749, section 4.1) with PKCE (RFC 7636), once for everybody:
//! [`OAuth::begin`] -> [`OAuth::finish`] -> [`OAuth::identity`]; later [`OAuth::user`],
//! [`OAuth::refresh`], [`OAuth::revoke`].

use std::{sync::Arc, time::Duration};

use axum::{
    extract::FromRef,
    http::{HeaderValue, Method, StatusCode, header},
    response::Redirect,
};
use axum_extra::headers::{Authorization, HeaderMapExt};
use oauth2::{
    AccessToken, AuthType, AuthUrl, AuthorizationCode, CsrfToken, EndpointNotSet, EndpointSet,
    HttpRequest, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError,
    Scope, StandardRevocableToken, TokenUrl,
    basic::{
        BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse,
        BasicTokenIntrospectionResponse,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tower_cookies::Cookies;
use url::{
    Url,
    form_urlencoded::{self, byte_serialize},
};

use crate::{
    Error, Params, Result,
    config::{FromSettings, PublicUrl, Setting, Settings, is_loopback},
    cookies::CookieKeys,
    http::{Http, HttpError, request},
    provider::{CLIENT_SETTINGS, Identity, Provider},
    token::Token,
    unix_now,
};

/// How long a person has between `/login` and `/auth`.
const LOGIN_LIFETIME: Duration = Duration::from_mins(10);
/// How many logins may be under way in one browser, each in a tab of its own.
const MAX_LOGINS: usize = 5;

/// A client of one provider. Cheap to clone.
#[derive(Clone, Debug)]
pub struct OAuth(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    provider: Provider,
    client: Client<EndpointSet>,
    http: Http,
    cookies: CookieKeys,
    public_url: PublicUrl,
    redirect_uri: String,
}

/// The client of the `oauth2` crate with our [`Token`], and with a token endpoint.
pub type Client<HasAuthUrl = EndpointNotSet> = oauth2::Client<
    BasicErrorResponse,
    Token,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    HasAuthUrl,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// A login that this browser has started and not finished, in an encrypted cookie of its own.
#[derive(Serialize, Deserialize)]
struct Pending {
    started: u64,
    state: CsrfToken,
    verifier: PkceCodeVerifier,
    redirect_uri: String,
    nonce: Option<String>,
    next: Option<String>,
}

/// What a finished login brings.
pub struct Login {
    /// The token of the user.
    pub token: Token,
    /// What was given to [`OAuth::begin`].
    pub next: Option<String>,
    /// What an ID token of this login must repeat.
    pub nonce: Option<String>,
}

impl OAuth {
    /// A client of this provider, which sends people back to `PUBLIC_URL` + `redirect_path`.
    ///
    /// # Errors
    /// When there are no certificates to check the provider's with.
    pub fn new(
        provider: Provider,
        cookies: CookieKeys,
        public_url: PublicUrl,
        redirect_path: &str,
    ) -> Result<Self, String> {
        let redirect_uri = public_url.join(redirect_path);
        let client = oauth2::Client::new(provider.client_id.clone())
            .set_client_secret(provider.client_secret.clone())
            .set_auth_type(provider.auth_type.clone())
            .set_auth_uri(AuthUrl::from_url(provider.auth_url.clone()))
            .set_token_uri(TokenUrl::from_url(provider.token_url.clone()))
            .set_redirect_uri(RedirectUrl::new(redirect_uri.clone()).map_err(|e| e.to_string())?);
        let http = Http::new(is_loopback(&provider.token_url))?;
        Ok(Self(Arc::new(Inner {
            provider,
            client,
            http,
            cookies,
            public_url,
            redirect_uri,
        })))
    }

    /// Step 1: remembers the login in a cookie and sends the browser to the provider.
    ///
    /// `next` comes back from [`OAuth::finish`].
    ///
    /// # Errors
    /// [`Error::CookieTooLarge`].
    pub fn begin(&self, cookies: &Cookies, next: Option<String>) -> Result<Redirect> {
        self.begin_with(cookies, next, None)
    }

    /// With a `nonce`, which ties the ID token to this login (OpenID Connect Core, section 3.1.2.1).
    pub(crate) fn begin_with(
        &self,
        cookies: &Cookies,
        next: Option<String>,
        nonce: Option<String>,
    ) -> Result<Redirect> {
        // PKCE: who steals the code cannot use it without the verifier, of which the provider is
        // shown a hash only (RFC 7636). State: ties the answer to this browser, or else an attacker
        // could log a victim into the attacker's account (RFC 6749, section 10.12).
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = self.0.client.authorize_url(CsrfToken::new_random);
        if let Some(nonce) = &nonce {
            request = request.add_extra_param("nonce", nonce);
        }
        let (url, state) = request
            .add_scopes(self.0.provider.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(challenge)
            .url();

        self.make_room(cookies);
        let name = cookie_name(state.secret());
        let redirect_uri = self.0.redirect_uri.clone();
        let pending = Pending {
            started: unix_now(),
            state,
            verifier,
            redirect_uri,
            nonce,
            next,
        };
        self.0
            .cookies
            .encrypt(cookies, &name, &pending, LOGIN_LIFETIME)?;

        tracing::info!(
            "1/4 we send the browser to {} with a state and a PKCE challenge; its cookie hides the verifier",
            self.0.provider.name
        );
        Ok(Redirect::to(url.as_str()))
    }

    /// Step 2 and 3: checks the provider's answer and exchanges its code for a token.
    ///
    /// # Errors
    /// What the browser brought wrong, what the person refused, what the provider did wrong.
    pub async fn finish(&self, cookies: &Cookies, answer: &Params) -> Result<Login> {
        // Nothing of the answer is believed before the state is: anybody can send a browser here.
        let state = answer.get("state").ok_or(Error::StateMismatch)?;
        let pending = self.take(cookies, state).ok_or(Error::StateMismatch)?;
        // With several providers, each has its redirect URI: an answer must come back to its own.
        if *pending.state.secret() != state || pending.redirect_uri != self.0.redirect_uri {
            return Err(Error::StateMismatch);
        }
        // Which provider answers, where it says so (RFC 9207).
        let provider = &self.0.provider;
        let right_issuer = match (answer.get("iss"), &provider.issuer) {
            (Some(iss), Some(issuer)) => iss == issuer,
            // Nothing to compare it with, and only one provider to come from.
            (Some(_), None) => true,
            (None, _) => !provider.always_sends_iss,
        };
        if !right_issuer {
            return Err(Error::IssuerMismatch);
        }
        if let Some(error) = answer.get("error") {
            return Err(refusal(error));
        }
        let missing = || Error::Malformed("the answer has neither a code nor an error".into());
        let code = answer.get("code").ok_or_else(missing)?;
        tracing::info!(
            "2/4 the browser brings a code from {}; the state matches, so it began this login",
            provider.name
        );

        let token = self.exchange(code, pending.verifier).await?;
        tracing::info!(
            "3/4 we give {} the code and the PKCE verifier; the token comes to us, past the browser",
            provider.name
        );
        Ok(Login {
            token,
            next: pending.next,
            nonce: pending.nonce,
        })
    }

    async fn exchange(&self, code: &str, verifier: PkceCodeVerifier) -> Result<Token> {
        let asked = unix_now();
        self.0
            .client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(verifier)
            .request_async(&self.0.http)
            .await
            .map_err(|error| self.token_error(error))?
            .checked(asked)
    }

    /// The next token, when the last has run out (RFC 6749, section 6).
    ///
    /// # Errors
    /// [`Error::GrantRefused`] when the provider wants the person to log in again.
    pub async fn refresh(&self, refresh_token: &RefreshToken) -> Result<Token> {
        let asked = unix_now();
        let mut token = self
            .0
            .client
            .exchange_refresh_token(refresh_token)
            .request_async(&self.0.http)
            .await
            .map_err(|error| self.token_error(error))?
            .checked(asked)?;
        // No new refresh token in the answer: the old one goes on.
        token
            .refresh_token
            .get_or_insert_with(|| refresh_token.clone());
        tracing::info!(
            "the token had run out; {} gave the next one",
            self.0.provider.name
        );
        Ok(token)
    }

    /// Step 4: who has logged in.
    ///
    /// # Errors
    /// [`Error::Provider`] when the provider fails, or does not say it as we understand it.
    pub async fn identity(&self, token: &Token) -> Result<Identity> {
        let user = self.new_user(token).await?;
        let identity = self.0.provider.identify(&user)?;
        tracing::info!(
            "4/4 we ask {} with the token who the user is, and need not believe the browser",
            self.0.provider.name
        );
        Ok(identity)
    }

    /// What the provider knows of the user of a token that it has just given.
    pub(crate) async fn new_user(&self, token: &Token) -> Result<Map<String, Value>> {
        self.user(&token.access_token)
            .await
            .map_err(|error| match error {
                Error::NotLoggedIn => {
                    Error::Provider("it does not know the token that it gave".into())
                }
                other => other,
            })
    }

    /// What the provider knows of the user.
    ///
    /// # Errors
    /// [`Error::NotLoggedIn`] when the provider does not accept the token any more.
    pub async fn user(&self, access_token: &AccessToken) -> Result<Map<String, Value>> {
        let no_endpoint = || Error::Provider("no USERINFO_URL is set".into());
        let url = self
            .0
            .provider
            .userinfo_url
            .as_ref()
            .ok_or_else(no_endpoint)?;
        let answer = self.0.http.get(url, Some(access_token)).await?;
        match answer.status().as_u16() {
            200 => serde_json::from_slice(answer.body())
                .map_err(|_| Error::Provider("the user is not a JSON object".into())),
            401 => Err(Error::NotLoggedIn),
            status => Err(Error::Provider(format!(
                "status {status} instead of a user"
            ))),
        }
    }

    /// Tells the provider that the token is not needed any more (RFC 7009).
    ///
    /// Best effort: the person is logged out here whatever the provider says.
    pub async fn revoke(&self, access_token: &AccessToken, refresh_token: Option<&RefreshToken>) {
        let Some(url) = &self.0.provider.revocation_url else {
            return;
        };
        let refresh = async {
            match refresh_token {
                Some(token) => self.revoke_one(url, token.secret(), "refresh_token").await,
                None => Ok(()),
            }
        };
        let access = self.revoke_one(url, access_token.secret(), "access_token");
        // Both at once: not every provider ends the one with the other.
        let (refresh, access) = tokio::join!(refresh, access);
        match refresh.and(access) {
            Ok(()) => tracing::info!("{} has revoked the token", self.0.provider.name),
            Err(error) => tracing::warn!("the token could not be revoked: {error}"),
        }
    }

    async fn revoke_one(&self, url: &Url, token: &str, hint: &str) -> Result<(), HttpError> {
        let request = self.revocation_request(url, token, hint);
        match self.0.http.send(request).await?.status() {
            StatusCode::OK => Ok(()),
            status => Err(HttpError::Status(status)),
        }
    }

    /// By hand, as oauth2 insists on https here, which a provider on this machine does not have.
    fn revocation_request(&self, url: &Url, token: &str, hint: &str) -> HttpRequest {
        let Provider {
            client_id,
            client_secret,
            auth_type,
            ..
        } = &self.0.provider;
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("token", token)
            .append_pair("token_type_hint", hint);
        let in_body = matches!(auth_type, AuthType::RequestBody);
        if in_body {
            form.append_pair("client_id", client_id);
            form.append_pair("client_secret", client_secret.secret());
        }
        let mut request = request(Method::POST, url, form.finish().into_bytes());
        let form_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        request
            .headers_mut()
            .insert(header::CONTENT_TYPE, form_type);
        if !in_body {
            let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
            let basic = Authorization::basic(&encode(client_id), &encode(client_secret.secret()));
            request.headers_mut().typed_insert(basic);
        }
        request
    }

    /// What a person should know when the server is up.
    fn announce(&self, settings: &mut Settings) {
        let Provider {
            id, name, auth_url, ..
        } = &self.0.provider;
        if id == "demo" {
            let origin = auth_url.origin().ascii_serialization();
            settings.notice(format!(
                "the provider is the demo provider on {origin}, which plays {name}"
            ));
            settings.notice(
                "for a real one set CLIENT_ID, CLIENT_SECRET and PROVIDER; see the README".into(),
            );
        } else {
            settings.notice(format!("the provider is {name}"));
        }
        settings.notice(format!(
            "the redirect URI to register there is {}",
            self.0.redirect_uri
        ));
    }

    /// The provider.
    pub fn provider(&self) -> &Provider {
        &self.0.provider
    }

    /// The keys of this server's cookies.
    pub fn cookies(&self) -> &CookieKeys {
        &self.0.cookies
    }

    /// Where browsers find this server.
    pub fn public_url(&self) -> &PublicUrl {
        &self.0.public_url
    }

    /// The login of this state, which is spent by this, whatever comes next. A copy of its cookie
    /// could come again: that fails at the provider, where a code works once.
    fn take(&self, cookies: &Cookies, state: &str) -> Option<Pending> {
        let name = cookie_name(state);
        let pending = self.0.cookies.decrypt(cookies, &name);
        self.0.cookies.remove(cookies, &name);
        pending
    }

    /// Forgets the oldest logins of this browser, so that its cookies never grow too large to send.
    fn make_room(&self, cookies: &Cookies) {
        let started = |name: String| {
            let pending: Pending = self.0.cookies.decrypt(cookies, &name)?;
            Some((pending.started, name))
        };
        let names = self.0.cookies.names(cookies, &cookie_name(""));
        let mut logins: Vec<_> = names.into_iter().filter_map(started).collect();
        logins.sort_unstable();
        let too_many = (logins.len() + 1).saturating_sub(MAX_LOGINS);
        for (_, name) in &logins[..too_many] {
            self.0.cookies.remove(cookies, name);
        }
    }

    /// What a failed token request means for the person. Only the `Display` of the error is
    /// logged: its `Debug` shows the token response.
    fn token_error(&self, error: RequestTokenError<HttpError, BasicErrorResponse>) -> Error {
        use BasicErrorResponseType::{Extension, InvalidClient, InvalidGrant, UnauthorizedClient};

        let code = match error {
            RequestTokenError::Request(error) => return error.into(),
            RequestTokenError::ServerResponse(response) => response.error().clone(),
            other => return Error::Provider(format!("its token endpoint: {other}")),
        };
        match &code {
            InvalidGrant => Error::GrantRefused,
            InvalidClient | UnauthorizedClient => self.client_refused(),
            // GitHub has names of its own.
            Extension(name) => match name.as_str() {
                "bad_verification_code" | "bad_refresh_token" => Error::GrantRefused,
                "incorrect_client_credentials" => self.client_refused(),
                _ => Error::Provider("an unknown error code from its token endpoint".into()),
            },
            other => Error::Provider(format!("{} from its token endpoint", other.as_ref())),
        }
    }

    fn client_refused(&self) -> Error {
        let method = match self.0.provider.auth_type {
            AuthType::BasicAuth => "client_secret_basic",
            _ => "client_secret_post",
        };
        Error::Provider(format!(
            "it does not accept this client; check CLIENT_ID, CLIENT_SECRET and CLIENT_AUTH_METHOD \
             (now {method})"
        ))
    }
}

impl FromSettings for OAuth {
    const SETTINGS: &'static [&'static [Setting]] = &[CLIENT_SETTINGS];

    async fn from_settings(settings: &mut Settings) -> Option<Self> {
        let secrets = settings.signing_secrets("SESSION_SECRET", 64);
        let provider = Provider::from_settings(settings).await?;
        let public_url = settings.public_url().clone();
        let cookies = CookieKeys::new(&secrets, public_url.is_https());
        match Self::new(provider, cookies, public_url, "/auth") {
            Ok(oauth) => {
                oauth.announce(settings);
                Some(oauth)
            }
            Err(why) => {
                settings.problem("HTTPS", why);
                None
            }
        }
    }
}

impl FromRef<OAuth> for PublicUrl {
    fn from_ref(oauth: &OAuth) -> Self {
        oauth.0.public_url.clone()
    }
}

fn cookie_name(state: &str) -> String {
    format!("login_{state}")
}

/// What an `error` in the answer means (RFC 6749, section 4.1.2.1). Only known codes are repeated:
/// the rest, and the description, are text that anybody can have written.
fn refusal(error: &str) -> Error {
    const KNOWN: [&str; 4] = [
        "invalid_request",
        "unauthorized_client",
        "unsupported_response_type",
        "invalid_scope",
    ];
    match error {
        "access_denied" => Error::Denied,
        "server_error" => Error::Provider("server_error in its answer".into()),
        "temporarily_unavailable" => {
            Error::Provider("temporarily_unavailable in its answer".into())
        }
        other => Error::Refused(
            KNOWN
                .into_iter()
                .find(|known| *known == other)
                .unwrap_or("unknown error"),
        ),
    }
}

impl From<HttpError> for Error {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Timeout => Self::ProviderTimeout,
            other => Self::Provider(other.to_string()),
        }
    }
}
