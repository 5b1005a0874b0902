//! The public keys of the authorization server: found by discovery, cached, and fetched again for
//! an unknown `kid`. While the authorization server is down, known keys keep working.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use common::{error::Detail, http::Http, settings::check_endpoint};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::{
    sync::Mutex as AsyncMutex,
    time::{Instant, timeout},
};
use url::Url;

/// How long keys are used before they are fetched again: a withdrawn one is forgotten then.
const MAX_AGE: Duration = Duration::from_mins(10);
/// How long to wait between attempts: anyone can make up a `kid`, and must not make us ask the
/// authorization server at each request.
const PAUSE: Duration = Duration::from_secs(10);
/// The same after a failure, from which we want to recover soon.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);
/// How long a request waits for keys; less than the timeout of the whole request.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// The keys of one issuer. Cheap to clone.
#[derive(Clone)]
pub struct Keys(Arc<Inner>);

struct Inner {
    issuer: String,
    http: Http,
    kept: Mutex<Kept>,
    /// Only one request fetches at a time; the others wait for its result.
    attempt: AsyncMutex<Option<Attempt>>,
}

/// What was fetched last.
#[derive(Clone, Default)]
struct Kept {
    keys: Arc<Vec<Jwk>>,
    fetched: Option<Instant>,
    jwks_uri: Option<Url>,
}

#[derive(Clone, Copy)]
struct Attempt {
    ended: Instant,
    succeeded: bool,
}

/// What the authorization server says about itself (RFC 8414, section 2).
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: Url,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

impl Keys {
    /// Nothing is fetched until the first token arrives.
    pub fn new(issuer: &str, http: Http) -> Self {
        Self(Arc::new(Inner {
            issuer: issuer.to_owned(),
            http,
            kept: Mutex::default(),
            attempt: AsyncMutex::default(),
        }))
    }

    /// The key with this id, and the only algorithm that it may be used with. `Err` is a 503: the
    /// keys could not be fetched, so the key may exist.
    pub async fn find(&self, kid: &str) -> Result<Option<(DecodingKey, Algorithm)>, Response> {
        let kept = self.kept();
        if let Some(key) = find(&kept.keys, kid) {
            let is_old = |fetched: Instant| fetched.elapsed() > MAX_AGE;
            // One fetch at a time, however many requests come while it lasts.
            if kept.fetched.is_none_or(is_old) && self.0.attempt.try_lock().is_ok() {
                let keys = self.clone();
                // Nobody waits for it: the key that is known may be used meanwhile.
                tokio::spawn(async move { keys.fetch_unless_tried(kept.fetched).await });
            }
            return Ok(Some(key));
        }
        // In a task of its own: a client that hangs up must not end the fetch before the pause after
        // it is noted, or it could make us fetch at each request.
        let keys = self.clone();
        let fetch = tokio::spawn(async move { keys.fetch_unless_tried(kept.fetched).await });
        let fetched = matches!(timeout(FETCH_TIMEOUT, fetch).await, Ok(Ok(true)));
        match find(&self.kept().keys, kid) {
            None if !fetched => Err(unavailable()),
            key => Ok(key),
        }
    }

    /// Fetches newer keys than those of `last`, unless that was tried just now. Returns whether the
    /// last attempt succeeded.
    async fn fetch_unless_tried(&self, last: Option<Instant>) -> bool {
        let mut attempt = self.0.attempt.lock().await;
        if self.kept().fetched != last {
            return true;
        }
        if let Some(Attempt { ended, succeeded }) = *attempt {
            let pause = if succeeded {
                PAUSE
            } else {
                PAUSE_AFTER_FAILURE
            };
            if ended.elapsed() < pause {
                return succeeded;
            }
        }
        let fetched = timeout(FETCH_TIMEOUT, self.fetch()).await;
        let fetched = fetched.unwrap_or_else(|_| Err("it took too long".into()));
        if let Err(why) = &fetched {
            tracing::warn!("no keys from {}: {why}", self.0.issuer);
            // They may have moved.
            self.lock().jwks_uri = None;
        }
        // There is no pause after the first success, which no unknown `kid` caused.
        *attempt = (last.is_some() || fetched.is_err()).then(|| Attempt {
            ended: Instant::now(),
            succeeded: fetched.is_ok(),
        });
        fetched.is_ok()
    }

    async fn fetch(&self) -> Result<(), String> {
        let jwks_uri = match self.kept().jwks_uri {
            Some(known) => known,
            None => self.discover().await?,
        };
        let set: KeySet = self.get(&jwks_uri).await?;
        // An unsupported key is no reason to reject the others.
        let known = set.keys.into_iter();
        let known = known.filter_map(|key| serde_json::from_value(key).ok());
        let keys: Vec<Jwk> = known.collect();
        tracing::info!("{} publishes {} keys", self.0.issuer, keys.len());
        *self.lock() = Kept {
            keys: Arc::new(keys),
            fetched: Some(Instant::now()),
            jwks_uri: Some(jwks_uri),
        };
        Ok(())
    }

    /// Where the keys are, by the metadata of RFC 8414 or of OpenID Connect Discovery.
    async fn discover(&self) -> Result<Url, String> {
        let issuer = &self.0.issuer;
        let at = |path| Url::parse(&format!("{issuer}/.well-known/{path}")).map_err(|_| "no URL");
        let metadata = self.get(&at("oauth-authorization-server")?).await;
        let metadata: Metadata = match metadata {
            Ok(metadata) => metadata,
            Err(_) => self.get(&at("openid-configuration")?).await?,
        };
        // Otherwise one server could pass itself off as another (RFC 8414, section 3.3).
        if metadata.issuer != *issuer {
            return Err("its metadata names another issuer".into());
        }
        check_endpoint(&metadata.jwks_uri).map_err(|what| format!("its jwks_uri {what}"))?;
        Ok(metadata.jwks_uri)
    }

    async fn get<T: DeserializeOwned>(&self, url: &Url) -> Result<T, String> {
        let answer = self.0.http.get(url, None).await;
        let answer = answer.map_err(|error| error.to_string())?;
        if !answer.status().is_success() {
            return Err(format!("{} from {url}", answer.status()));
        }
        serde_json::from_slice(answer.body()).map_err(|_| format!("unexpected JSON from {url}"))
    }

    fn kept(&self) -> Kept {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key of this name, when it is one that tokens are signed with: never an HMAC, whose key is no
/// secret once it is published (RFC 8725, section 3.1).
fn find(keys: &[Jwk], kid: &str) -> Option<(DecodingKey, Algorithm)> {
    let named = |key: &&Jwk| key.common.key_id.as_deref() == Some(kid);
    let key = keys.iter().find(named)?;
    let algorithm = match (&key.algorithm, key.common.key_algorithm) {
        (AlgorithmParameters::RSA(_), None | Some(KeyAlgorithm::RS256)) => Algorithm::RS256,
        (AlgorithmParameters::EllipticCurve(point), None | Some(KeyAlgorithm::ES256))
            if point.curve == EllipticCurve::P256 =>
        {
            Algorithm::ES256
        }
        _ => return None,
    };
    let signs = !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
    let key = DecodingKey::from_jwk(key).ok().filter(|_| signs)?;
    Some((key, algorithm))
}

fn unavailable() -> Response {
    let wait = [(header::RETRY_AFTER, "2")];
    let detail =
        Detail::of("the authorization server's keys are not available; please try again later");
    (StatusCode::SERVICE_UNAVAILABLE, wait, detail).into_response()
}
