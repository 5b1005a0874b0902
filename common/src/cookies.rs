//! The cookies: how they are named, protected and limited.

use std::{fmt, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tower_cookies::{
    Cookie, Cookies, Key,
    cookie::{SameSite, time},
};

use crate::{Error, Result, unix_now};

/// What browsers keep of one cookie, name and value, in bytes; of more they keep nothing
/// (RFC 6265bis, section 5.6).
const MAX_SIZE: usize = 4096;

/// The keys that cookies are signed and encrypted with: the first writes, all of them read.
#[derive(Clone)]
pub struct CookieKeys {
    keys: Vec<Key>,
    https: bool,
}

impl fmt::Debug for CookieKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieKeys").finish_non_exhaustive()
    }
}

/// What is inside a cookie. Without `purpose`, a signed value would be accepted under another
/// name; without `expires`, it would be good for ever in the hands of who ignores `Max-Age`.
#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    purpose: String,
    expires: u64,
    value: T,
}

impl CookieKeys {
    /// Keys from secrets of at least 64 characters.
    ///
    /// # Panics
    /// When there is no secret, or one is shorter than 32 bytes; the settings refuse both.
    pub fn new(secrets: &[String], https: bool) -> Self {
        assert!(!secrets.is_empty(), "there is at least one secret");
        let keys = secrets
            .iter()
            .map(|secret| Key::derive_from(secret.as_bytes()))
            .collect();
        Self { keys, https }
    }

    /// Writes a cookie that the browser can read and nobody can change.
    ///
    /// # Errors
    /// [`Error::CookieTooLarge`].
    pub fn sign<T: Serialize>(
        &self,
        cookies: &Cookies,
        name: &str,
        value: &T,
        lifetime: Duration,
    ) -> Result<()> {
        // Values are written raw and percent-decoded when read, which base64url survives.
        let value = BASE64_URL_SAFE_NO_PAD.encode(seal(name, value, lifetime));
        let cookie = self.cookie(name, value, lifetime);
        cookies.signed(&self.keys[0]).add(cookie);
        self.check_size(cookies, name)
    }

    /// Reads what [`CookieKeys::sign`] wrote, unless it was changed or has expired.
    pub fn verify<T: DeserializeOwned>(&self, cookies: &Cookies, name: &str) -> Option<T> {
        let full_name = self.full_name(name);
        let cookie = self
            .keys
            .iter()
            .find_map(|key| cookies.signed(key).get(&full_name))?;
        unseal(name, &BASE64_URL_SAFE_NO_PAD.decode(cookie.value()).ok()?)
    }

    /// Writes a cookie that only this server can read.
    ///
    /// # Errors
    /// [`Error::CookieTooLarge`].
    pub fn encrypt<T: Serialize>(
        &self,
        cookies: &Cookies,
        name: &str,
        value: &T,
        lifetime: Duration,
    ) -> Result<()> {
        let cookie = self.cookie(name, seal(name, value, lifetime), lifetime);
        cookies.private(&self.keys[0]).add(cookie);
        self.check_size(cookies, name)
    }

    /// Reads what [`CookieKeys::encrypt`] wrote, unless it was changed or has expired.
    pub fn decrypt<T: DeserializeOwned>(&self, cookies: &Cookies, name: &str) -> Option<T> {
        let full_name = self.full_name(name);
        let cookie = self
            .keys
            .iter()
            .find_map(|key| cookies.private(key).get(&full_name))?;
        unseal(name, cookie.value().as_bytes())
    }

    /// The names of the cookies that begin so, without the prefix that https adds.
    pub fn names(&self, cookies: &Cookies, start: &str) -> Vec<String> {
        let full_start = self.full_name(start);
        let rest = |cookie: Cookie| Some(cookie.name().strip_prefix(&full_start)?.to_owned());
        cookies
            .list()
            .into_iter()
            .filter_map(rest)
            .map(|rest| format!("{start}{rest}"))
            .collect()
    }

    /// Removes a cookie from the browser.
    pub fn remove(&self, cookies: &Cookies, name: &str) {
        cookies.remove(self.cookie(name, String::new(), Duration::ZERO));
    }

    /// `HttpOnly`: out of reach of scripts. `SameSite=Lax`: not sent with forms of other sites, but
    /// on the way back from the provider, where `Strict` would be missing. No `Domain`: this host
    /// alone. `__Host-`: browsers then insist on `Secure` and on no `Domain`, so that no other
    /// host of the same site can plant one; that names are not read with escapes, which would undo
    /// this, is seen to in [`server`](crate::server).
    fn cookie(&self, name: &str, value: String, lifetime: Duration) -> Cookie<'static> {
        let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        Cookie::build((self.full_name(name), value))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(self.https)
            .max_age(time::Duration::seconds(seconds))
            .build()
    }

    fn full_name(&self, name: &str) -> String {
        if self.https {
            format!("__Host-{name}")
        } else {
            name.to_owned()
        }
    }

    fn check_size(&self, cookies: &Cookies, name: &str) -> Result<()> {
        let full_name = self.full_name(name);
        let size = cookies
            .get(&full_name)
            .map_or(0, |c| c.name().len() + c.value().len());
        if size > MAX_SIZE {
            self.remove(cookies, name);
            return Err(Error::CookieTooLarge(size));
        }
        Ok(())
    }
}

fn seal<T: Serialize>(purpose: &str, value: &T, lifetime: Duration) -> String {
    let expires = unix_now() + lifetime.as_secs();
    serde_json::to_string(&Sealed {
        purpose: purpose.to_owned(),
        expires,
        value,
    })
    .expect("what goes into a cookie is a struct of texts and numbers")
}

fn unseal<T: DeserializeOwned>(purpose: &str, json: &[u8]) -> Option<T> {
    let sealed: Sealed<T> = serde_json::from_slice(json).ok()?;
    (sealed.purpose == purpose && sealed.expires > unix_now()).then_some(sealed.value)
}
