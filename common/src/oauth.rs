//! The authorization code flow (RFC 6749, section 4.1) with PKCE (RFC 7636), in protocol order:
//!
//! 1. [`OAuth::begin`] sends the browser to the provider;
//! 2. [`OAuth::verify`] checks the callback with which it comes back;
//! 3. [`OAuth::exchange`] redeems the code for a token;
//! 4. [`OAuth::identity`] asks who the user is.
//!
//! [`OAuth::exchange`] takes only what [`OAuth::verify`] returned, so the checks cannot be skipped.
//! Later come [`OAuth::userinfo`], [`OAuth::refresh`] and [`OAuth::revoke`]. Each step that the log
//! and `GET /flow` show is two functions: one performs it, and the other reports it.

use std::{sync::Arc, time::Duration};

use axum::response::Redirect;
use oauth2::{
    AuthorizationCode, CsrfToken, EndpointNotSet, EndpointSet, PkceCodeChallenge, PkceCodeVerifier,
    Scope, StandardRevocableToken,
    basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse},
};
use serde::{Deserialize, Serialize};
use tower_cookies::Cookies;

use crate::{
    Error, Params, Result, cookies::CookieKeys, expiring::Expiring, flow::Flows, http::Http,
    provider::Provider, server::Companion, settings::PublicUrl, token::Token, unix_now,
};

mod errors;
mod from_settings;
mod narration;
mod refresh;
mod revoke;
mod userinfo;

/// How long a user has between `/login` and `/auth`.
const LOGIN_LIFETIME: Duration = Duration::from_mins(10);
/// How many logins one browser may have in progress, each in a tab of its own.
const MAX_LOGINS: usize = 5;
/// How many used states are remembered, so that none works twice; more than that, and the oldest is
/// forgotten before its ten minutes are over.
const MAX_USED_STATES: usize = 10_000;

/// A client of one provider. Cheap to clone.
#[derive(Clone, Debug)]
pub struct OAuth(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    provider: Provider,
    client: Client<EndpointSet>,
    http: Http,
    cookie_keys: CookieKeys,
    public_url: PublicUrl,
    redirect_uri: String,
    used_states: Expiring<()>,
    flows: Flows,
    /// The demo provider runs as long as its client.
    _demo: Option<Companion>,
}

/// The client of the `oauth2` crate with our [`Token`] and a token endpoint.
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
struct PendingLogin {
    started: u64,
    verifier: PkceCodeVerifier,
    redirect_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A callback that belongs to a login of this browser. Only [`OAuth::verify`] makes one, and
/// [`OAuth::exchange`] consumes it.
pub struct VerifiedCallback {
    state: String,
    code: AuthorizationCode,
    login: PendingLogin,
}

/// The result of a finished login.
pub struct Login {
    /// The token of the user.
    pub token: Token,
    /// What was given to [`OAuth::begin`].
    pub next: Option<String>,
    /// What an ID token of this login must repeat.
    pub nonce: Option<String>,
}

impl OAuth {
    /// A client of this provider, which sends users back to `PUBLIC_URL` + `redirect_path` and
    /// records its flows. Fails when there are no certificates to check the provider's with.
    pub fn new(
        provider: Provider,
        cookie_keys: CookieKeys,
        public_url: PublicUrl,
        redirect_path: &str,
        flows: Flows,
    ) -> Result<Self, String> {
        Self::with_demo(
            provider,
            cookie_keys,
            public_url,
            redirect_path,
            flows,
            None,
        )
    }

    /// Step 1: remembers the login in a cookie and sends the browser to the provider (RFC 6749,
    /// section 4.1.1). `next` comes back from [`OAuth::exchange`].
    pub fn begin(&self, cookies: &Cookies, next: Option<String>) -> Result<Redirect> {
        self.begin_with_nonce(cookies, next, None)
    }

    /// [`OAuth::begin`] with a `nonce`, which ties the ID token to this login (OpenID Connect Core,
    /// section 3.1.2.1).
    pub fn begin_with_nonce(
        &self,
        cookies: &Cookies,
        next: Option<String>,
        nonce: Option<String>,
    ) -> Result<Redirect> {
        // PKCE: an attacker who steals the code cannot redeem it without the verifier, of which the
        // browser carries only a hash, and cannot have us redeem it in a login of their own (RFC
        // 7636; RFC 9700, section 4.5). State: ties the callback to this browser; otherwise an
        // attacker could log a victim in to the attacker's account (RFC 6749, section 10.12).
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
        let login = PendingLogin {
            started: unix_now(),
            verifier,
            redirect_uri: self.0.redirect_uri.clone(),
            nonce,
            next,
        };
        let name = cookie_name(state.secret());
        self.0
            .cookie_keys
            .encrypt(cookies, &name, &login, LOGIN_LIFETIME)?;

        self.narrate_begin(state.secret(), &url);
        Ok(Redirect::to(url.as_str()))
    }

    /// Forgets the oldest logins of this browser, so that its cookies never grow too large to send.
    fn make_room(&self, cookies: &Cookies) {
        let started = |name: String| {
            let login: PendingLogin = self.0.cookie_keys.decrypt(cookies, &name)?;
            Some((login.started, name))
        };
        let names = self.0.cookie_keys.names(cookies, &cookie_name(""));
        let mut logins: Vec<_> = names.into_iter().filter_map(started).collect();
        logins.sort_unstable();
        let too_many = (logins.len() + 1).saturating_sub(MAX_LOGINS);
        for (_, name) in &logins[..too_many] {
            self.0.cookie_keys.remove(cookies, name);
        }
    }

    /// Step 2: checks that the callback belongs to a login that this browser started here, and takes
    /// the code out of it (RFC 6749, section 4.1.2).
    pub fn verify(&self, cookies: &Cookies, callback: &Params) -> Result<VerifiedCallback> {
        let verified = self.check(cookies, callback);
        self.narrate_callback(callback, &verified);
        verified
    }

    fn check(&self, cookies: &Cookies, callback: &Params) -> Result<VerifiedCallback> {
        // Nothing in the callback is trusted before its state is checked: anyone can send a browser
        // here.
        let state = callback.get("state").ok_or(Error::StateMismatch)?;
        let login = self.take(cookies, state).ok_or(Error::StateMismatch)?;
        // Each of several providers has its own redirect URI, whose route uses its own `OAuth`: a
        // malicious provider cannot have us redeem the code of another at its own token endpoint
        // (mix-up: RFC 9700, section 4.4).
        if login.redirect_uri != self.0.redirect_uri {
            return Err(Error::StateMismatch);
        }
        // The same check by issuer, where the provider names one (RFC 9207, section 2.4).
        let provider = &self.0.provider;
        let is_right_issuer = match (callback.get("iss"), &provider.issuer) {
            (Some(iss), Some(issuer)) => iss == issuer,
            (Some(_), None) => true, // nothing to compare it with
            (None, _) => !provider.always_sends_iss,
        };
        if !is_right_issuer {
            return Err(Error::IssuerMismatch);
        }
        if let Some(error) = callback.get("error") {
            return Err(errors::callback_error(error));
        }
        let missing =
            || Error::Malformed("the provider's response has neither a code nor an error".into());
        let code = callback.get("code").ok_or_else(missing)?;

        Ok(VerifiedCallback {
            state: state.to_owned(),
            code: AuthorizationCode::new(code.to_owned()),
            login,
        })
    }

    /// Takes and deletes the pending login of this state.
    ///
    /// The state is in the name of its cookie, and the encryption covers the name: no other value is
    /// accepted there, so only a browser that has this very cookie can finish this login. Its
    /// expiry was encrypted with it.
    fn take(&self, cookies: &Cookies, state: &str) -> Option<PendingLogin> {
        let name = cookie_name(state);
        let login = self.0.cookie_keys.decrypt(cookies, &name);
        self.0.cookie_keys.remove(cookies, &name);
        // A copy of the cookie can be sent again, but a state works only once (RFC 9700, section
        // 2.1). Another process does not know which states were used here; there a replay fails at
        // the provider, where a code works only once too.
        login.filter(|_| self.0.used_states.insert_new(state, ()))
    }

    /// Step 3: redeems the code for a token, with the verifier that only this login has (RFC 6749,
    /// section 4.1.3; RFC 7636, section 4.5).
    pub async fn exchange(&self, callback: VerifiedCallback) -> Result<Login> {
        let VerifiedCallback { state, code, login } = callback;
        let token = self.redeem(&code, &login.verifier).await;
        self.narrate_exchange(&state, (&code, &login.verifier), &token);
        Ok(Login {
            token: token?,
            next: login.next,
            nonce: login.nonce,
        })
    }

    async fn redeem(&self, code: &AuthorizationCode, verifier: &PkceCodeVerifier) -> Result<Token> {
        let requested_at = unix_now();
        let verifier = PkceCodeVerifier::new(verifier.secret().clone());
        self.0
            .client
            .exchange_code(code.clone())
            .set_pkce_verifier(verifier)
            .request_async(&self.0.http)
            .await
            .map_err(|error| self.token_error(error))?
            .checked(requested_at)
    }

    /// The provider.
    pub fn provider(&self) -> &Provider {
        &self.0.provider
    }

    /// The flows of this client, for `GET /flow`.
    pub fn flows(&self) -> &Flows {
        &self.0.flows
    }

    /// The keys of this server's cookies.
    pub fn cookie_keys(&self) -> &CookieKeys {
        &self.0.cookie_keys
    }

    /// Where browsers find this server.
    pub fn public_url(&self) -> &PublicUrl {
        &self.0.public_url
    }
}

fn cookie_name(state: &str) -> String {
    format!("login_{state}")
}
