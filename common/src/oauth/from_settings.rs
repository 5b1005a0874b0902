//! The client that the settings describe, and what it says once the server is up.

use std::sync::Arc;

use axum::extract::FromRef;
use oauth2::{AuthUrl, RedirectUrl, TokenUrl};

use super::{Inner, LOGIN_LIFETIME, MAX_USED_STATES, OAuth};
use crate::{
    cookies::CookieKeys,
    expiring::Expiring,
    flow::Flows,
    http::Http,
    provider::{CLIENT_SETTINGS, Provider},
    server::Companion,
    settings::{FromSettings, PublicUrl, Setting, Settings, is_loopback},
};

impl OAuth {
    pub(super) fn with_demo(
        provider: Provider,
        cookie_keys: CookieKeys,
        public_url: PublicUrl,
        redirect_path: &str,
        flows: Flows,
        demo: Option<Companion>,
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
            cookie_keys,
            public_url,
            redirect_uri,
            used_states: Expiring::new(LOGIN_LIFETIME, MAX_USED_STATES),
            flows,
            _demo: demo,
        })))
    }

    /// Records the lines that are logged once the server is up.
    fn announce(&self, settings: &mut Settings) {
        let Provider {
            name,
            plays,
            auth_url,
            ..
        } = &self.0.provider;
        if let Some(plays) = plays {
            let origin = auth_url.origin().ascii_serialization();
            settings.notice(format!(
                "the provider is {name} on {origin}, which imitates {plays}"
            ));
            settings.notice(
                "to use a real one, set CLIENT_ID, CLIENT_SECRET and PROVIDER; see the README"
                    .into(),
            );
        } else {
            settings.notice(format!("the provider is {name}"));
        }
        settings.notice(format!(
            "the redirect URI to register there is {}",
            self.0.redirect_uri
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
        match Self::with_demo(provider, cookie_keys, public_url, "/auth", flows, demo) {
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

impl FromRef<OAuth> for Flows {
    fn from_ref(oauth: &OAuth) -> Self {
        oauth.0.flows.clone()
    }
}
