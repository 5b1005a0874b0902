//! What the three servers share, or what may exist only once because it is security.

pub mod client_auth;
pub mod config;
#[cfg(feature = "client")]
pub mod cookies;
#[cfg(feature = "sqlite")]
pub mod database;
#[cfg(feature = "demo")]
pub mod demo;
pub mod error;
pub mod expiring;
#[cfg(feature = "client")]
pub mod http;
#[cfg(feature = "client")]
pub mod oauth;
#[cfg(feature = "oidc")]
pub mod oidc;
pub mod page;
pub mod params;
#[cfg(feature = "client")]
pub mod provider;
pub mod server;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "client")]
pub mod token;

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

pub use crate::{
    error::{Error, Result},
    page::Page,
    params::Params,
    server::{run, run_command},
};

/// 256 random bits as base64url: a name or a secret that nobody guesses.
///
/// # Panics
/// When the operating system has no random numbers, without which nothing here is safe.
pub fn random_token() -> String {
    let mut bytes = [0; 32];
    getrandom::getrandom(&mut bytes).expect("the operating system has random numbers");
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Unix time in seconds.
pub fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs())
}
