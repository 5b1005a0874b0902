//! The encryption of what is stored.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hkdf::{HKDF_SHA256, Prk, Salt},
};
use common::settings::Secrets;
use serde::{Serialize, de::DeserializeOwned};

/// The first byte of each stored value. A value with another version is not read.
const VERSION: u8 = 1;

/// Encrypts each value for one place: an attacker who can write to the store can neither read a
/// value, nor change one, nor move one to another place.
///
/// They can put back an older value of the same place. Only a store that others cannot write to
/// prevents that.
#[derive(Clone)]
pub struct Seal {
    /// One for each secret: the first encrypts, all of them decrypt.
    keys: Vec<Prk>,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").finish_non_exhaustive()
    }
}

impl Seal {
    /// Uses keys derived from the secrets, not the secrets themselves, which also protect cookies.
    pub fn new(secrets: &Secrets) -> Self {
        let salt = Salt::new(HKDF_SHA256, b"sessions/replicas");
        let keys = secrets.iter().map(|secret| salt.extract(secret.as_bytes()));
        Self {
            keys: keys.collect(),
        }
    }

    /// Encrypts a value for this place.
    pub fn seal<T: Serialize>(&self, place: &str, value: &T) -> Vec<u8> {
        let mut text = serde_json::to_vec(value).expect("a struct of strings and numbers");
        let nonce = key(&self.keys[0], place)
            .seal_in_place_append_tag(Aad::from([VERSION]), &mut text)
            .expect("it is shorter than 64 GiB");
        [&[VERSION], &nonce.as_ref()[..], &text].concat()
    }

    /// Decrypts a value that was sealed for this place. `None` if it was sealed for another place,
    /// with another secret, or by another version of this program.
    pub fn open<T: DeserializeOwned>(&self, place: &str, sealed: &[u8]) -> Option<T> {
        let (version, sealed) = sealed.split_first()?;
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN)?;
        let open = |prk: &Prk| {
            let (nonce, mut text) = (Nonce::try_assume_unique_for_key(nonce).ok()?, text.to_vec());
            let key = key(prk, place);
            let text = key.open_in_place(nonce, Aad::from([*version]), &mut text);
            serde_json::from_slice(text.ok()?).ok()
        };
        self.keys
            .iter()
            .filter(|_| *version == VERSION)
            .find_map(open)
    }
}

/// Each place has its own key, so a value is useless elsewhere, and no key encrypts so much
/// that random nonces could repeat.
fn key(prk: &Prk, place: &str) -> RandomizedNonceKey {
    let mut key = [0; 32];
    prk.expand(&[place.as_bytes()], HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut key))
        .and_then(|()| RandomizedNonceKey::new(&AES_256_GCM, &key))
        .expect("the lengths fit")
}
