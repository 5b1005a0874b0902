//! The authorization endpoint's side of the code flow (RFC 6749, section 4.1) with PKCE (RFC 7636):
//! the checks that every authorization server needs, whatever its users and its storage look like.
//!
//! 1. [`AuthorizationRequest::check`] reads the request. A server then asks its user, and calls
//!    [`AuthorizationRequest::redirect_with_code`] or [`AuthorizationRequest::redirect_with_error`].
//! 2. The code is a [`random_token`](crate::random_token). The server stores it for at most a
//!    minute, with the [`CodeBinding`] of its request and with what the user allowed.
//! 3. At the token endpoint the server authenticates the client (see
//!    [`client_auth`](crate::client_auth)), consumes the code and calls [`CodeBinding::check`].

mod code;
pub mod pkce;
mod request;
pub mod scope;

pub use code::{CodeBinding, INVALID_GRANT};
pub use request::{ACCESS_DENIED, AuthorizationRequest, Policy};
