//! The keys with which the provider signs.

use std::sync::{Arc, Mutex, PoisonError};

use common::{Error, Result};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{Jwk, KeyAlgorithm, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

use super::OpenId;

/// The keys that were fetched last.
#[derive(Default)]
pub struct Keys(Mutex<Arc<Vec<Jwk>>>);

/// A JWK set (RFC 7517, section 5).
#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Value>,
}

impl Keys {
    fn kept(&self) -> Arc<Vec<Jwk>> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.clone()
    }

    fn keep(&self, keys: &Arc<Vec<Jwk>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = keys.clone();
    }
}

impl OpenId {
    /// The provider's key with this id. Keys are cached, and fetched again when the id is unknown.
    /// Without an id they are always fetched, because the key may have changed.
    pub async fn key(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<DecodingKey> {
        let mut keys = self.0.keys.kept();
        if kid.is_none() || find(&keys, kid, algorithm).is_none() {
            keys = Arc::new(self.fetch_keys().await?);
            self.0.keys.keep(&keys);
        }
        let key = find(&keys, kid, algorithm);
        key.and_then(|key| DecodingKey::from_jwk(key).ok())
            .ok_or_else(|| Error::Provider("the ID token is signed with an unknown key".into()))
    }

    async fn fetch_keys(&self) -> Result<Vec<Jwk>> {
        let set: KeySet = self.fetch(&self.discovered().await?.jwks_uri).await?;
        // A key of a kind that is not known here is no reason to reject the others.
        let known = |key| serde_json::from_value(key).ok();
        Ok(set.keys.into_iter().filter_map(known).collect())
    }
}

/// The key that made this signature. Without an id there must be only one candidate.
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
