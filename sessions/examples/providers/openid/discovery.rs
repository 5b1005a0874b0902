//! What a provider says about itself (OpenID Connect Discovery 1.0).

use axum::http::StatusCode;
use common::{
    Error, Result,
    oauth::OAuth,
    provider::{Provider, Registration},
    settings::check_endpoint,
};
use oauth2::AuthType;
use serde::Deserialize;
use url::Url;

use super::{Inner, OpenId};

/// How many discovery requests may wait for the provider at once, until one has succeeded.
pub const MAX_DISCOVERIES: usize = 8;

const BUSY: (StatusCode, &str) = (
    StatusCode::SERVICE_UNAVAILABLE,
    "too many users are already waiting for this provider; please try again later",
);

/// The provider, once it has been found.
pub struct Discovered {
    pub oauth: OAuth,
    pub jwks_uri: Url,
}

/// The members that are used here (Discovery, section 3; RFC 8414, section 2; RFC 9207, section 3).
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    userinfo_endpoint: Option<Url>,
    revocation_endpoint: Option<Url>,
    jwks_uri: Url,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl OpenId {
    /// The endpoints, fetched once and then kept.
    ///
    /// [`Error::Provider`] when discovery fails or finds wrong metadata; the next login retries.
    pub async fn discovered(&self) -> Result<&Discovered> {
        if let Some(discovered) = self.0.discovered.get() {
            return Ok(discovered);
        }
        // Each login sends its own request: in a queue, it would wait for every earlier one to
        // fail. But anyone can start a login, so the number of requests is limited.
        let _permit = self.0.discoveries.try_acquire().map_err(|_| BUSY)?;
        let discovered = self.discover().await?;
        Ok(self.0.discovered.get_or_init(async || discovered).await)
    }

    async fn discover(&self) -> Result<Discovered> {
        let Inner {
            id,
            name,
            issuer,
            cookies,
            public_url,
            flows,
            ..
        } = &*self.0;
        let lie = |what: String| Error::Provider(format!("the discovery of {issuer}: {what}"));
        let base = issuer.trim_end_matches('/');
        let url = Url::parse(&format!("{base}/.well-known/openid-configuration"));
        let url = url.map_err(|error| lie(error.to_string()))?;
        let metadata: Metadata = self.fetch(&url).await?;
        metadata.check(issuer).map_err(lie)?;

        let jwks_uri = metadata.jwks_uri.clone();
        let provider = metadata.into_provider(id, name, self.0.registration.clone());
        let oauth = OAuth::new(
            provider,
            cookies.clone(),
            public_url.clone(),
            &format!("/auth/{id}"),
            flows.clone(),
        );
        let oauth = oauth.map_err(Error::Provider)?;
        tracing::info!(
            "0/4 we ask {name} where its endpoints are; its metadata names the right issuer"
        );
        Ok(Discovered { oauth, jwks_uri })
    }
}

impl Metadata {
    /// Whether this metadata can come from this issuer. `Err` says why not.
    fn check(&self, issuer: &str) -> Result<(), String> {
        // Otherwise one provider could pass itself off as another (Discovery, section 4.3).
        if self.issuer != issuer {
            return Err("its metadata names another issuer".into());
        }
        let urls = [
            &self.authorization_endpoint,
            &self.token_endpoint,
            &self.jwks_uri,
        ];
        let urls = urls.into_iter().chain(&self.userinfo_endpoint);
        for url in urls.chain(&self.revocation_endpoint) {
            check_endpoint(url).map_err(|what| format!("an endpoint {what}"))?;
            // An endpoint on this machine may use http, but a provider elsewhere must not make us
            // send codes and the client secret to whatever listens here.
            if issuer.starts_with("https:") && url.scheme() != "https" {
                return Err("an endpoint is http although the issuer is https".into());
            }
        }
        Ok(())
    }

    fn into_provider(self, id: &str, name: &str, registration: Registration) -> Provider {
        let methods = self.token_endpoint_auth_methods_supported;
        let basic = methods.is_empty() || methods.iter().any(|name| name == "client_secret_basic");
        let endpoints = (self.authorization_endpoint, self.token_endpoint);
        Provider {
            userinfo_url: self.userinfo_endpoint,
            revocation_url: self.revocation_endpoint,
            scopes: ["openid", "email", "profile"].map(str::to_owned).into(),
            issuer: Some(self.issuer),
            always_sends_iss: self.authorization_response_iss_parameter_supported,
            auth_type: if basic {
                AuthType::BasicAuth
            } else {
                AuthType::RequestBody
            },
            ..Provider::new(id, name, endpoints, registration)
        }
    }
}
