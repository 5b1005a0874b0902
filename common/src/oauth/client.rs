//! Builds a client, from its parts or from the settings.

use std::sync::Arc;

use axum::extract::FromRef;
use oauth2::{
    AuthUrl, EndpointNotSet, EndpointSet, RedirectUrl, StandardRevocableToken, TokenUrl,
    basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse},
};

use super::{Inner, LOGIN_LIFETIME, MAX_USED_STATES, OAuth};
use crate::{
    cookies::CookieKeys,
    expiring::Expiring,
    flow::Flows,
    http::Http,
    provider::{CLIENT_SETTINGS, Provider},
    settings::{FromSettings, PublicUrl, Setting, Settings, is_loopback},
    token::Token,
};

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
        let redirect_uri = public_url.join(redirect_path);
        let client = oauth2::Client::new(provider.client_id.clone())
            .set_client_secret(provider.client_secret.clone())
            .set_auth_type(provider.auth_type.clone())
            .set_auth_uri(AuthUrl::from_url(provider.auth_url.clone()))
            .set_token_uri(TokenUrl::from_url(provider.token_url.clone()))
            .set_redirect_uri(RedirectUrl::new(redirect_uri.clone()).map_err(|e| e.to_string())?);
        let inner = Inner {
            http: Http::new(is_loopback(&provider.token_url))?,
            provider,
            client,
            cookie_keys,
            public_url,
            redirect_uri,
            used_states: Expiring::new(LOGIN_LIFETIME, MAX_USED_STATES),
            flows,
        };
        Ok(Self {
            inner: Arc::new(inner),
            _demo: None,
        })
    }

    /// The provider.
    pub fn provider(&self) -> &Provider {
        &self.inner.provider
    }

    /// The flows of this client, for `GET /flow`.
    pub fn flows(&self) -> &Flows {
        &self.inner.flows
    }

    /// The keys of this server's cookies.
    pub fn cookie_keys(&self) -> &CookieKeys {
        &self.inner.cookie_keys
    }

    /// Where browsers find this server.
    pub fn public_url(&self) -> &PublicUrl {
        &self.inner.public_url
    }

    /// Records the lines that are logged once the server is up.
    fn announce(&self, settings: &mut Settings) {
        let Provider {
            name,
            plays,
            auth_url,
            ..
        } = &self.inner.provider;
        if let Some(plays) = plays {
            let origin = auth_url.origin().ascii_serialization();
            settings.notice(format_args!(
                "the provider is {name} on {origin}, which imitates {plays}"
            ));
            settings.notice(
                "to use a real one, set CLIENT_ID, CLIENT_SECRET and PROVIDER; see the README",
            );
        } else {
            settings.notice(format_args!("the provider is {name}"));
        }
        settings.notice(format_args!(
            "the redirect URI to register there is {}",
            self.inner.redirect_uri
        ));
    }
}

impl FromSettings for OAuth {
    const SETTINGS: &'static [&'static [Setting]] = &[CLIENT_SETTINGS];

    async fn from_settings(settings: &mut Settings) -> Option<Self> {
        let secrets = settings.signing_secrets("SESSION_SECRET", 64);
        let (provider, demo) = Provider::from_settings(settings).await?;
        let public_url = settings.public_url().clone();
        let cookie_keys = CookieKeys::new(&secrets, public_url.is_https());
        let flows = Flows::new(settings);
        let oauth = Self::new(provider, cookie_keys, public_url, "/auth", flows);
        let oauth = oauth.map_err(|why| settings.problem("HTTPS", why)).ok()?;
        oauth.announce(settings);
        Some(Self {
            _demo: demo.map(Arc::new),
            ..oauth
        })
    }
}

impl FromRef<OAuth> for PublicUrl {
    fn from_ref(oauth: &OAuth) -> Self {
        oauth.inner.public_url.clone()
    }
}

impl FromRef<OAuth> for Flows {
    fn from_ref(oauth: &OAuth) -> Self {
        oauth.inner.flows.clone()
    }
}
