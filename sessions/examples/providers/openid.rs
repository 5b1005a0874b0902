//! OpenID Connect on top of the flow: everything about a provider comes from one URL (discovery),
//! and a signed statement says who has logged in (the ID token).
//!
//! [`OpenId::begin`] -> [`OpenId::finish`] -> [`OpenId::identity`].

use std::sync::Arc;

use axum::response::Redirect;
use common::{
    Error, Params, Result,
    cookies::CookieKeys,
    flow::Flows,
    http::Http,
    oauth::{FinishedLogin, OAuth},
    provider::{Identity, Registration},
    random_token,
    settings::{PublicUrl, check_endpoint, is_loopback},
};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{OnceCell, Semaphore};
use tower_cookies::Cookies;
use url::Url;

mod discovery;
mod id_token;
mod keys;

use discovery::{Discovered, MAX_DISCOVERIES};
use keys::Keys;

/// A client of one OpenID provider, whose endpoints are fetched when the first user logs in. Cheap
/// to clone.
#[derive(Clone)]
pub struct OpenId(Arc<Inner>);

struct Inner {
    id: String,
    name: String,
    issuer: String,
    registration: Registration,
    cookies: CookieKeys,
    public_url: PublicUrl,
    flows: Flows,
    http: Http,
    discovered: OnceCell<Discovered>,
    discoveries: Semaphore,
    keys: Keys,
}

impl OpenId {
    /// A client of the provider with this issuer, which sends users back to
    /// `PUBLIC_URL/auth/{id}`. No request is sent yet.
    ///
    /// Fails when the issuer is not an acceptable URL, or there are no root certificates to check
    /// it with.
    pub fn new(
        (id, name): (&str, &str),
        issuer: &str,
        registration: Registration,
        (cookies, public_url, flows): (CookieKeys, PublicUrl, Flows),
    ) -> Result<Self, String> {
        let url = Url::parse(issuer).map_err(|_| "is not a URL")?;
        check_endpoint(&url)?;
        let http = Http::new(is_loopback(&url))?;
        Ok(Self(Arc::new(Inner {
            id: id.to_owned(),
            name: name.to_owned(),
            // As it is written: issuers are compared as strings.
            issuer: issuer.to_owned(),
            registration,
            cookies,
            public_url,
            flows,
            http,
            discovered: OnceCell::new(),
            discoveries: Semaphore::new(MAX_DISCOVERIES),
            keys: Keys::default(),
        })))
    }

    /// Steps 0 and 1: finds the authorization endpoint, and sends the browser there.
    pub async fn begin(&self, cookies: &Cookies, next: Option<String>) -> Result<Redirect> {
        let oauth = self.oauth().await?;
        oauth.begin_with_nonce(cookies, next, Some(random_token()))
    }

    /// Steps 2 and 3: as [`OAuth::verify`] and [`OAuth::exchange`].
    pub async fn finish(&self, cookies: &Cookies, callback: &Params) -> Result<FinishedLogin> {
        let oauth = self.oauth().await?;
        oauth.exchange(oauth.verify(cookies, callback)?).await
    }

    /// Step 4: who has logged in, as the ID token says; userinfo must be about the same user.
    pub async fn identity(&self, login: &FinishedLogin) -> Result<Identity> {
        let oauth = self.oauth().await?;
        let claims = self.verify(login).await?;
        let mut user = claims.user;
        if oauth.provider().userinfo_url.is_some() {
            user = oauth.userinfo_of_new_token(&login.token).await?;
            // Otherwise a token of another user could be put in here (Core, section 5.3.2).
            if user.get("sub").and_then(Value::as_str) != Some(&claims.sub) {
                return Err(Error::Provider("userinfo is about another user".into()));
            }
        }
        user.insert("sub".into(), claims.sub.into());
        let identity = oauth.provider().identify(&user)?;
        tracing::info!(
            "4/4 the ID token, signed by {} for us and for this login, says who the user is",
            self.0.name
        );
        Ok(identity)
    }

    /// The client behind it, once the provider has been found.
    pub async fn oauth(&self) -> Result<&OAuth> {
        Ok(&self.discovered().await?.oauth)
    }

    async fn fetch<T: DeserializeOwned>(&self, url: &Url) -> Result<T> {
        let response = self.0.http.get(url, None).await?;
        let bad = || Error::Provider(format!("{} from {url}", response.status()));
        if !response.status().is_success() {
            return Err(bad());
        }
        serde_json::from_slice(response.body()).map_err(|_| bad())
    }
}
