//! The authorization code flow (RFC 6749, section 4.1) with PKCE (RFC 7636), in protocol order:
//!
//! 1. [`OAuth::begin`] sends the browser to the provider;
//! 2. [`OAuth::verify`] checks the callback when the browser returns;
//! 3. [`OAuth::exchange`] redeems the code for a token;
//! 4. [`OAuth::identity`] asks who the user is.
//!
//! [`OAuth::exchange`] takes only what [`OAuth::verify`] returned, so the checks cannot be skipped.
//! After the login come [`OAuth::userinfo`], [`OAuth::refresh`] and [`OAuth::revoke`]. For each step a
//! function `narrate_…` writes to the log and to `GET /flow`. How a client is made is in `client.rs`.

use std::{sync::Arc, time::Duration};

use axum::response::Redirect;
use oauth2::{
    AuthorizationCode, CsrfToken, EndpointSet, PkceCodeChallenge, PkceCodeVerifier, Scope,
};
use serde::{Deserialize, Serialize};
use tower_cookies::Cookies;

use crate::{
    Error, Params, Result, cookies::CookieKeys, expiring::Expiring, flow::Flows, http::Http,
    provider::Provider, server::Companion, settings::PublicUrl, token::Token, unix_now,
};

mod client;
mod errors;
mod narration;
mod refresh;
mod revoke;
mod userinfo;

pub use client::Client;

/// How long a user has to come back from the provider.
const LOGIN_LIFETIME: Duration = Duration::from_mins(10);
/// How many unfinished logins one browser may have, such as in several tabs.
const MAX_PENDING_LOGINS: usize = 5;
/// How many used states are remembered. Beyond this, the oldest is forgotten early, and it is the
/// provider that rejects its replay.
const MAX_USED_STATES: usize = 10_000;

/// A client of one provider. Cheap to clone.
#[derive(Clone, Debug)]
pub struct OAuth {
    inner: Arc<Inner>,
    /// Keeps the demo provider running.
    _demo: Option<Arc<Companion>>,
}

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
}

/// An unfinished login. Each is stored in its own encrypted cookie.
#[derive(Serialize, Deserialize)]
struct PendingLogin {
    /// In Unix seconds.
    started: u64,
    verifier: PkceCodeVerifier,
    /// Where the browser must come back to: it is different for each provider.
    redirect_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A callback that belongs to a login that this browser started. Only [`OAuth::verify`] returns one,
/// and [`OAuth::exchange`] consumes it.
pub struct VerifiedCallback {
    state: String,
    code: AuthorizationCode,
    login: PendingLogin,
}

/// The result of a finished login.
pub struct FinishedLogin {
    /// The user's token.
    pub token: Token,
    /// Where to send the user now: what was given to [`OAuth::begin`].
    pub next: Option<String>,
    /// The nonce that an ID token of this login must contain.
    pub nonce: Option<String>,
}

impl OAuth {
    /// Step 1: remembers the login in a cookie and sends the browser to the provider (RFC 6749,
    /// section 4.1.1). `next` comes back from [`OAuth::exchange`].
    pub fn begin(&self, cookies: &Cookies, next: Option<String>) -> Result<Redirect> {
        self.begin_with_nonce(cookies, next, None)
    }

    /// [`OAuth::begin`] with a `nonce`. The caller compares it with that of the ID token, which
    /// ties the ID token to this login (OpenID Connect Core, section 3.1.2.1).
    pub fn begin_with_nonce(
        &self,
        cookies: &Cookies,
        next: Option<String>,
        nonce: Option<String>,
    ) -> Result<Redirect> {
        // PKCE: a stolen code is useless without the verifier, of which the URL has only a hash. The
        // thief can neither redeem it nor have us redeem it in a login of their own (RFC 7636; RFC
        // 9700, section 4.5).
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        // State: ties the callback to this browser. Without it, an attacker could log a victim in to
        // the attacker's account (RFC 6749, section 10.12).
        let mut request = self.inner.client.authorize_url(CsrfToken::new_random);
        if let Some(nonce) = &nonce {
            request = request.add_extra_param("nonce", nonce);
        }
        let (url, state) = request
            .add_scopes(self.inner.provider.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(challenge)
            .url();

        self.make_room(cookies);
        let login = PendingLogin {
            started: unix_now(),
            verifier,
            redirect_uri: self.inner.redirect_uri.clone(),
            nonce,
            next,
        };
        let name = cookie_name(state.secret());
        self.inner
            .cookie_keys
            .encrypt(cookies, &name, &login, LOGIN_LIFETIME)?;

        self.narrate_begin(state.secret(), &url);
        Ok(Redirect::to(url.as_str()))
    }

    /// Forgets the oldest logins of this browser, so that there are few cookies to send with each
    /// request.
    fn make_room(&self, cookies: &Cookies) {
        let started = |name: String| {
            let login: PendingLogin = self.inner.cookie_keys.decrypt(cookies, &name)?;
            Some((login.started, name))
        };
        let names = self.inner.cookie_keys.names(cookies, &cookie_name(""));
        let mut logins: Vec<_> = names.into_iter().filter_map(started).collect();
        logins.sort_unstable();
        // One more is about to be added.
        let too_many = (logins.len() + 1).saturating_sub(MAX_PENDING_LOGINS);
        for (_, name) in &logins[..too_many] {
            self.inner.cookie_keys.remove(cookies, name);
        }
    }

    /// Step 2: checks that the callback belongs to a login that this browser started here, and
    /// extracts the code (RFC 6749, section 4.1.2).
    pub fn verify(&self, cookies: &Cookies, callback: &Params) -> Result<VerifiedCallback> {
        let verified = self.check(cookies, callback);
        self.narrate_callback(callback, &verified);
        verified
    }

    fn check(&self, cookies: &Cookies, callback: &Params) -> Result<VerifiedCallback> {
        // Nothing in the callback is trusted before its state is checked: any site can send a
        // browser here.
        let state = callback.get("state").ok_or(Error::StateMismatch)?;
        let login = self.take(cookies, state).ok_or(Error::StateMismatch)?;
        // With several providers, each has its own `OAuth` and its own redirect URI: a malicious one
        // cannot trick us into sending it another's code (mix-up: RFC 9700, section 4.4).
        if login.redirect_uri != self.inner.redirect_uri {
            return Err(Error::StateMismatch);
        }
        // The same by issuer, if the response names one (RFC 9207, section 2.4).
        let provider = &self.inner.provider;
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
        let Some(code) = callback.get("code") else {
            let what = "the provider's response has neither a code nor an error";
            return Err(Error::Malformed(what.into()));
        };

        Ok(VerifiedCallback {
            state: state.to_owned(),
            code: AuthorizationCode::new(code.to_owned()),
            login,
        })
    }

    /// Takes and deletes the pending login for this state, unless it has expired.
    ///
    /// The cookie is named after the state, and its encryption covers the name: the value of another
    /// login's cookie is rejected, so only a browser that has this very cookie can finish this login.
    fn take(&self, cookies: &Cookies, state: &str) -> Option<PendingLogin> {
        let name = cookie_name(state);
        let login = self.inner.cookie_keys.decrypt(cookies, &name);
        self.inner.cookie_keys.remove(cookies, &name);
        // Someone may have kept a copy of the cookie, so this process remembers which states were
        // used (RFC 9700, section 2.1). In another process, or after a restart, the replay fails at
        // the provider, where a code works only once.
        login.filter(|_| self.inner.used_states.insert_new(state, ()))
    }

    /// Step 3: redeems the code for a token, with this login's PKCE verifier (RFC 6749, section
    /// 4.1.3; RFC 7636, section 4.5).
    pub async fn exchange(&self, callback: VerifiedCallback) -> Result<FinishedLogin> {
        let VerifiedCallback { state, code, login } = callback;
        // `GET /flow` shows hashes of the code and the verifier, which the request consumes.
        let sent = (code.clone(), login.verifier.secret().clone());
        let requested_at = unix_now();
        let token = self
            .inner
            .client
            .exchange_code(code)
            .set_pkce_verifier(login.verifier)
            .request_async(&self.inner.http)
            .await
            .map_err(|error| self.token_error(error))
            .and_then(|token| token.checked(requested_at));

        self.narrate_exchange(&state, sent, &token);
        Ok(FinishedLogin {
            token: token?,
            next: login.next,
            nonce: login.nonce,
        })
    }
}

fn cookie_name(state: &str) -> String {
    format!("login_{state}")
}
