//! OpenID Connect on top of the flow: everything about a provider from one URL (discovery), and a
//! signed statement of who has logged in (the ID token).
//!
//! [`OpenId::begin`] -> [`OpenId::finish`] -> [`OpenId::identity`].

use std::sync::{Arc, Mutex, PoisonError};

use axum::response::Redirect;
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    errors::ErrorKind,
    jwk::{Jwk, KeyAlgorithm, PublicKeyUse},
};
use oauth2::{AuthType, ClientId};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use tokio::sync::OnceCell;
use tower_cookies::Cookies;
use url::Url;

use crate::{
    Error, Params, Result,
    cookies::CookieKeys,
    http::Http,
    oauth::{Login, OAuth},
    provider::{Identity, Provider, Quirks, Registration},
    random_token,
    settings::{PublicUrl, check_endpoint, is_loopback},
    unix_now,
};

/// How far the provider's clock may be off, in seconds.
const LEEWAY: u64 = 60;

/// A client of one OpenID provider, which is asked for its endpoints when the first person wants
/// to log in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct OpenId(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: String,
    name: String,
    issuer: String,
    registration: Registration,
    cookies: CookieKeys,
    public_url: PublicUrl,
    http: Http,
    discovered: OnceCell<Discovered>,
    keys: Mutex<Arc<Vec<Jwk>>>,
}

#[derive(Debug)]
struct Discovered {
    oauth: OAuth,
    jwks_uri: Url,
}

/// What a provider says of itself (OpenID Connect Discovery, section 3).
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

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

/// The claims of an ID token that are checked (OpenID Connect Core, section 2).
#[derive(Deserialize)]
struct IdClaims {
    iss: String,
    sub: String,
    aud: Value,
    azp: Option<String>,
    iat: u64,
    nonce: Option<String>,
    /// What it says of the user beside.
    #[serde(flatten)]
    user: Map<String, Value>,
}

impl OpenId {
    /// A client of the provider with this issuer, which sends people back to
    /// `PUBLIC_URL/auth/{id}`. Nothing is asked of it yet.
    ///
    /// # Errors
    /// When the issuer is no URL that can be trusted, or there are no certificates to check it with.
    pub fn new(
        (id, name): (&str, &str),
        issuer: &str,
        registration: Registration,
        cookies: CookieKeys,
        public_url: PublicUrl,
    ) -> Result<Self, String> {
        let url = Url::parse(issuer).map_err(|_| "is not a URL")?;
        check_endpoint(&url)?;
        let http = Http::new(is_loopback(&url))?;
        Ok(Self(Arc::new(Inner {
            id: id.to_owned(),
            name: name.to_owned(),
            // As it is written: issuers are compared as text.
            issuer: issuer.to_owned(),
            registration,
            cookies,
            public_url,
            http,
            discovered: OnceCell::new(),
            keys: Mutex::default(),
        })))
    }

    /// Steps 0 and 1: finds out where, and sends the browser there.
    ///
    /// # Errors
    /// [`Error::Provider`] when discovery fails, or lies; the next login tries again.
    pub async fn begin(&self, cookies: &Cookies, next: Option<String>) -> Result<Redirect> {
        let Discovered { oauth, .. } = self.discovered().await?;
        oauth.begin_with_nonce(cookies, next, Some(random_token()))
    }

    /// Steps 2 and 3: as [`OAuth::verify`] and [`OAuth::exchange`].
    pub async fn finish(&self, cookies: &Cookies, answer: &Params) -> Result<Login> {
        let oauth = &self.discovered().await?.oauth;
        oauth.exchange(oauth.verify(cookies, answer)?).await
    }

    /// Step 4: who has logged in, as the ID token says; userinfo must speak of the same.
    ///
    /// # Errors
    /// [`Error::Provider`] when the ID token is not what it must be.
    pub async fn identity(&self, login: &Login) -> Result<Identity> {
        let Discovered { oauth, .. } = self.discovered().await?;
        let claims = self.verify(login).await?;
        let mut user = claims.user;
        if oauth.provider().userinfo_url.is_some() {
            user = oauth.userinfo_of_new_token(&login.token).await?;
            if user.get("sub").and_then(Value::as_str) != Some(&claims.sub) {
                return Err(Error::Provider("userinfo speaks of another user".into()));
            }
        }
        user.insert("sub".into(), claims.sub.into());
        let identity = oauth.provider().identify(&user)?;
        tracing::info!(
            "4/4 {} has signed who the user is, for us and for this login: the ID token",
            self.0.name
        );
        Ok(identity)
    }

    /// The client behind it, once the provider has been found.
    ///
    /// # Errors
    /// [`Error::Provider`] when discovery fails.
    pub async fn oauth(&self) -> Result<&OAuth> {
        Ok(&self.discovered().await?.oauth)
    }

    async fn discovered(&self) -> Result<&Discovered> {
        if let Some(discovered) = self.0.discovered.get() {
            return Ok(discovered);
        }
        // Everybody asks for himself: in a queue each would wait for the failure of all before.
        let discovered = self.discover().await?;
        Ok(self.0.discovered.get_or_init(async || discovered).await)
    }

    async fn discover(&self) -> Result<Discovered> {
        let Inner {
            id,
            name,
            issuer,
            registration,
            cookies,
            public_url,
            ..
        } = &*self.0;
        let bad = |what: &str| Error::Provider(format!("the discovery of {issuer}: {what}"));
        let base = issuer.trim_end_matches('/');
        let url = Url::parse(&format!("{base}/.well-known/openid-configuration"));
        let metadata: Metadata = self.fetch(&url.map_err(|_| bad("not a URL"))?).await?;
        // Or else one provider could pass itself off as another (Discovery, section 4.3).
        if metadata.issuer != *issuer {
            return Err(bad("it speaks for another issuer"));
        }
        let Metadata {
            authorization_endpoint,
            token_endpoint,
            jwks_uri,
            ..
        } = metadata;
        let (userinfo, revocation) = (metadata.userinfo_endpoint, metadata.revocation_endpoint);
        let urls = [&authorization_endpoint, &token_endpoint, &jwks_uri];
        for url in urls.into_iter().chain(&userinfo).chain(&revocation) {
            check_endpoint(url).map_err(|what| bad(&format!("an endpoint {what}")))?;
        }
        let methods = metadata.token_endpoint_auth_methods_supported;
        let basic = methods.is_empty() || methods.iter().any(|name| name == "client_secret_basic");
        let (client_id, client_secret) = registration.clone();
        let provider = Provider {
            id: id.clone(),
            name: name.clone(),
            plays: None,
            auth_url: authorization_endpoint,
            token_url: token_endpoint,
            userinfo_url: userinfo,
            revocation_url: revocation,
            scopes: ["openid", "email", "profile"].map(str::to_owned).into(),
            issuer: Some(issuer.clone()),
            always_sends_iss: metadata.authorization_response_iss_parameter_supported,
            auth_type: if basic {
                AuthType::BasicAuth
            } else {
                AuthType::RequestBody
            },
            quirks: Quirks::default(),
            client_id,
            client_secret,
        };
        let path = format!("/auth/{id}");
        let oauth = OAuth::new(provider, cookies.clone(), public_url.clone(), &path);
        tracing::info!("0/4 we ask {name} where its endpoints are; it answers for its own issuer");
        Ok(Discovered {
            oauth: oauth.map_err(Error::Provider)?,
            jwks_uri,
        })
    }

    /// Checks the ID token (OpenID Connect Core, section 3.1.3.7). The TLS connection alone would
    /// do for a token straight from the provider; the signature holds whichever way it came.
    async fn verify(&self, login: &Login) -> Result<IdClaims> {
        let bad = |what: &str| Error::Provider(format!("the ID token: {what}"));
        let token = &login
            .token
            .id_token
            .as_ref()
            .ok_or_else(|| bad("there is none"))?
            .0;
        let header = jsonwebtoken::decode_header(token).map_err(|_| bad("not a JWT"))?;
        // Never `none`, and never an HMAC, whose key would be the public key that everybody has.
        if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) || header.crit.is_some() {
            return Err(bad("an algorithm or an extension that is not accepted"));
        }
        let key = self.key(header.kid.as_deref(), header.alg).await?;

        let client_id: &ClientId = &self.0.registration.0;
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[&self.0.issuer]);
        validation.set_audience(&[client_id.as_str()]);
        validation.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY;
        let claims = jsonwebtoken::decode::<IdClaims>(token, &key, &validation)
            .map_err(|error| match error.kind() {
                // It quotes what the provider has written.
                ErrorKind::Json(_) => bad("claims that are missing or of another type"),
                kind => bad(&format!("{kind:?}")),
            })?
            .claims;
        if claims.iss != self.0.issuer || claims.sub.is_empty() {
            return Err(bad("a wrong issuer, or no subject"));
        }
        // For several audiences it must say to whom it was given.
        let ours = match &claims.azp {
            Some(azp) => *azp == **client_id,
            None => claims.aud.as_array().is_none_or(|all| all.len() == 1),
        };
        if !ours {
            return Err(bad("it was given to another client"));
        }
        if claims.iat > unix_now() + LEEWAY {
            return Err(bad("it was made in the future"));
        }
        // Or else a token that was stolen from another login could be put in here.
        if login.nonce.is_none() || claims.nonce != login.nonce {
            return Err(bad("it belongs to another login"));
        }
        Ok(claims)
    }

    /// The provider's key of this name. Keys are kept, and fetched once more when the name is new;
    /// of a key without a name nobody knows whether it is still the same.
    async fn key(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<DecodingKey> {
        let mut keys = self.kept_keys();
        if kid.is_none() || find(&keys, kid, algorithm).is_none() {
            let Discovered { jwks_uri, .. } = self.discovered().await?;
            let set: KeySet = self.fetch(jwks_uri).await?;
            // A key of a kind that is not known here is no reason to refuse the others.
            let known = set
                .keys
                .into_iter()
                .filter_map(|key| serde_json::from_value(key).ok());
            keys = Arc::new(known.collect());
            *self.0.keys.lock().unwrap_or_else(PoisonError::into_inner) = keys.clone();
        }
        let key = find(&keys, kid, algorithm);
        key.and_then(|key| DecodingKey::from_jwk(key).ok())
            .ok_or_else(|| Error::Provider("the ID token is signed with an unknown key".into()))
    }

    fn kept_keys(&self) -> Arc<Vec<Jwk>> {
        self.0
            .keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn fetch<T: DeserializeOwned>(&self, url: &Url) -> Result<T> {
        let answer = self.0.http.get(url, None).await?;
        let bad = || Error::Provider(format!("{} from {url}", answer.status()));
        if !answer.status().is_success() {
            return Err(bad());
        }
        serde_json::from_slice(answer.body()).map_err(|_| bad())
    }
}

/// The one key that can have made such a signature; without a name there must be no choice.
fn find<'a>(keys: &'a [Jwk], kid: Option<&str>, algorithm: Algorithm) -> Option<&'a Jwk> {
    let wanted = match algorithm {
        Algorithm::ES256 => KeyAlgorithm::ES256,
        _ => KeyAlgorithm::RS256,
    };
    let mut fitting = keys.iter().filter(|key| {
        let common = &key.common;
        let named = kid.is_none() || common.key_id.as_deref() == kid;
        let for_this = common
            .key_algorithm
            .is_none_or(|algorithm| algorithm == wanted);
        let to_sign = !matches!(common.public_key_use, Some(PublicKeyUse::Encryption));
        named && for_this && to_sign
    });
    let first = fitting.next()?;
    (kid.is_some() || fitting.next().is_none()).then_some(first)
}
