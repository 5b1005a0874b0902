#![cfg_attr(doc, doc = include_str!("../README.md"))]
//!
//! ## In code
//!
//! What the three servers share, and the security code that should exist only once.
//!
//! A server is a function from what it needs to its routes. This is a complete one, which logs
//! people in at a provider and greets them:
//!
//! ```no_run
//! # #[cfg(not(feature = "client"))]
//! # fn main() {}
//! # #[cfg(feature = "client")]
//! # use login::main;
//! # #[cfg(feature = "client")]
//! # mod login {
//! use std::process::ExitCode;
//!
//! use axum::{Router, extract::State, response::Redirect, routing::get};
//! use common::{Params, Result, cookies, oauth::OAuth, server::protect};
//! use tower_cookies::Cookies;
//!
//! # pub
//! fn main() -> ExitCode {
//!     common::run(app)
//! }
//!
//! fn app(oauth: OAuth) -> Router {
//!     let routes = Router::new()
//!         .route("/", get(login))
//!         .route("/auth", get(auth))
//!         .layer(cookies::layer())
//!         .with_state(oauth.clone());
//!     protect(routes, oauth.public_url())
//! }
//!
//! async fn login(State(oauth): State<OAuth>, cookies: Cookies) -> Result<Redirect> {
//!     oauth.begin(&cookies, None)
//! }
//!
//! async fn auth(State(oauth): State<OAuth>, cookies: Cookies, callback: Params) -> Result<String> {
//!     let verified = oauth.verify(&cookies, &callback)?;
//!     let login = oauth.exchange(verified).await?;
//!     let user = oauth.identity(&login.token).await?;
//!     Ok(format!("Hello, {}", user.name))
//! }
//! # }
//! ```
//!
//! What happens in it, in this order:
//!
//! 1. [`run`] reads the [settings], builds [`OAuth`](oauth::OAuth) from them, and listens.
//!    [`protect`](server::protect) applies to every response, and errors are in [`error`].
//! 2. [`OAuth::begin`](oauth::OAuth::begin) remembers the login in an encrypted [cookie](cookies)
//!    and sends the browser to the [`provider`], which may be the built-in [`demo`].
//! 3. [`OAuth::verify`](oauth::OAuth::verify) checks the callback, read as strict [`params`], and
//!    [`OAuth::exchange`](oauth::OAuth::exchange) redeems its code for a [`token`] over an [`http`]
//!    client with limits.
//! 4. [`OAuth::identity`](oauth::OAuth::identity) asks the provider who the user is.
//!
//! A server that issues tokens uses the rest: [`page`] for its forms, [`client_auth`] for its
//! clients, [`authorization`] for their codes, [`expiring`] for values that expire.
//!
//! What happens is logged, and drawn as the diagrams of [`flow`].
//!
//! The OAuth client is behind the feature `client`, as `first_party` needs none; the demo provider
//! is behind `demo`, its OpenID part behind `oidc`, the page of the diagrams behind `flow`, a
//! database behind `database`, codes behind `authorization`. Test support is a crate of its own,
//! `common/testing`.

#[cfg(feature = "authorization")]
pub mod authorization;
pub mod client_auth;
#[cfg(feature = "client")]
pub mod cookies;
#[cfg(feature = "database")]
pub mod database;
#[cfg(feature = "demo")]
pub mod demo;
pub mod error;
pub mod expiring;
pub mod flow;
#[cfg(feature = "client")]
pub mod http;
#[cfg(feature = "client")]
pub mod oauth;
pub mod page;
pub mod params;
#[cfg(feature = "client")]
pub mod provider;
pub mod server;
pub mod settings;
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

/// 256 random bits as base64url: a name or a secret that nobody can guess. Panics when the operating
/// system has no random numbers, without which nothing here is safe.
pub fn random_token() -> String {
    let mut bytes = [0; 32];
    getrandom::getrandom(&mut bytes).expect("the operating system has random numbers");
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Unix time in seconds.
pub fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}
