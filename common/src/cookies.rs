//! The cookies: how they are named, protected and limited.

use std::{fmt, time::Duration};

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, header},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tower::{layer::util::Stack, util::MapRequestLayer};
use tower_cookies::{
    Cookie, CookieManagerLayer, Cookies, Key,
    cookie::{SameSite, time},
};

use crate::{Error, Result, settings::Secrets, unix_now};

/// The largest cookie, name and value, that browsers keep, in bytes. They silently drop a larger
/// one (RFC 6265bis, section 5.6).
const MAX_SIZE: usize = 4096;

/// The one layer that reads cookies: [`CookieManagerLayer`] behind a filter.
///
/// A browser lets any host of the same site set a cookie whose name merely looks like `__Host-…` to
/// us: tower-cookies decodes `%5F_Host-session` and trims all Unicode white space. With such a name
/// an attacker could plant a login or a session of their own, which is what `__Host-` is meant to
/// prevent.
pub fn layer() -> CookieLayer {
    Stack::new(
        CookieManagerLayer::new(),
        MapRequestLayer::new(drop_disguised_cookies),
    )
}

/// The type of [`layer`].
pub type CookieLayer = Stack<CookieManagerLayer, MapRequestLayer<fn(Request) -> Request>>;

fn drop_disguised_cookies(mut request: Request) -> Request {
    let headers = request.headers_mut();
    let cookies = headers.get_all(header::COOKIE).iter();
    if !cookies.flat_map(pairs).all(is_plain) {
        keep_plain_cookies(headers);
    }
    request
}

fn keep_plain_cookies(headers: &mut HeaderMap) {
    let cookies = headers.get_all(header::COOKIE).iter();
    let plain: Vec<_> = cookies
        .flat_map(pairs)
        .filter(|pair| is_plain(pair))
        .collect();
    let plain = HeaderValue::from_bytes(&plain.join(&b';'));
    headers.remove(header::COOKIE);
    headers.extend(plain.map(|plain| (header::COOKIE, plain)));
}

fn pairs(cookies: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    cookies.as_bytes().split(|byte| *byte == b';')
}

/// Whether a `name=value` can be one of ours: ASCII, with nothing to decode in its name. Bytes are
/// checked, because a single byte that is not UTF-8 would hide all cookies in the header.
fn is_plain(pair: &[u8]) -> bool {
    let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
    let is_plain_name = |byte: &u8| byte.is_ascii_graphic() && *byte != b'%';
    pair.is_ascii() && name.trim_ascii().iter().all(is_plain_name)
}

/// The keys that cookies are signed and encrypted with: the first one writes, all of them read.
#[derive(Clone)]
pub struct CookieKeys {
    writes: Key,
    reads: Vec<Key>,
    https: bool,
}

impl fmt::Debug for CookieKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieKeys").finish_non_exhaustive()
    }
}

/// What is inside a cookie. Without `expires`, it would never expire for a client that ignores
/// `Max-Age`.
#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    /// The cookie's name, if it is signed: the signature covers only the value, which would
    /// otherwise be accepted under any name. Encryption covers the name as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<String>,
    expires: u64,
    value: T,
}

impl CookieKeys {
    /// `https` turns on `Secure` and the prefix `__Host-`.
    pub fn new(secrets: &Secrets, https: bool) -> Self {
        Self {
            writes: Key::derive_from(secrets.first().as_bytes()),
            reads: secrets
                .iter()
                .map(|secret| Key::derive_from(secret.as_bytes()))
                .collect(),
            https,
        }
    }

    /// Writes a cookie that the browser can read and nobody can change.
    pub fn sign<T: Serialize>(
        &self,
        cookies: &Cookies,
        name: &str,
        value: &T,
        lifetime: Duration,
    ) -> Result<()> {
        // Values are written raw and percent-decoded when read, which base64url survives.
        let value = BASE64_URL_SAFE_NO_PAD.encode(seal(Some(name), value, lifetime));
        let cookie = self.cookie(name, value, lifetime);
        cookies.signed(&self.writes).add(cookie);
        self.check_size(cookies, name)
    }

    /// Reads what [`CookieKeys::sign`] wrote, unless it was changed or has expired.
    pub fn verify<T: DeserializeOwned>(&self, cookies: &Cookies, name: &str) -> Option<T> {
        let full_name = self.full_name(name);
        let cookie = self
            .reads
            .iter()
            .find_map(|key| cookies.signed(key).get(&full_name))?;
        unseal(
            Some(name),
            &BASE64_URL_SAFE_NO_PAD.decode(cookie.value()).ok()?,
        )
    }

    /// Writes a cookie that only this server can read.
    pub fn encrypt<T: Serialize>(
        &self,
        cookies: &Cookies,
        name: &str,
        value: &T,
        lifetime: Duration,
    ) -> Result<()> {
        let cookie = self.cookie(name, seal(None, value, lifetime), lifetime);
        cookies.private(&self.writes).add(cookie);
        self.check_size(cookies, name)
    }

    /// Reads what [`CookieKeys::encrypt`] wrote, unless it was changed or has expired.
    pub fn decrypt<T: DeserializeOwned>(&self, cookies: &Cookies, name: &str) -> Option<T> {
        let full_name = self.full_name(name);
        let cookie = self
            .reads
            .iter()
            .find_map(|key| cookies.private(key).get(&full_name))?;
        unseal(None, cookie.value().as_bytes())
    }

    /// The names of the cookies that begin with `start`, without the prefix that https adds.
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
    /// sent on the way back from the provider, where `Strict` would be missing. No `Domain`: this
    /// host alone. `__Host-`: browsers then insist on `Secure` and on no `Domain`, so no other host of
    /// the same site can plant one; see [`layer`] for the names that only look like it.
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

fn seal<T: Serialize>(purpose: Option<&str>, value: &T, lifetime: Duration) -> String {
    serde_json::to_string(&Sealed {
        purpose: purpose.map(str::to_owned),
        expires: unix_now() + lifetime.as_secs(),
        value,
    })
    .expect("a cookie is a struct of strings and numbers")
}

fn unseal<T: DeserializeOwned>(purpose: Option<&str>, json: &[u8]) -> Option<T> {
    let sealed: Sealed<T> = serde_json::from_slice(json).ok()?;
    let is_ours = sealed.purpose.as_deref() == purpose && sealed.expires > unix_now();
    is_ours.then_some(sealed.value)
}
