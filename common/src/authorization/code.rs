//! What an authorization code is bound to.

use super::{AuthorizationRequest, pkce};
use crate::{Params, error::OAuthError};

/// The authorization request that a code answers. A client that redeems the code must repeat or
/// prove every part of it, so that a stolen code is useless (RFC 6749, section 4.1.3; RFC 7636,
/// section 4.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeBinding {
    /// The client that the code was issued to.
    pub client_id: String,
    /// Where the code was sent, as the client wrote it.
    pub redirect_uri: String,
    /// The SHA-256 of the verifier, as base64url.
    pub code_challenge: String,
}

/// The only error for anything wrong with a code or a refresh token (RFC 6749, section 5.2), so
/// that it does not tell an attacker how far they got.
pub const INVALID_GRANT: OAuthError = OAuthError {
    error: "invalid_grant",
    description: "the code or the refresh token is wrong, used or expired",
};

impl CodeBinding {
    /// Checks the token request of a client that has authenticated as `client_id`.
    ///
    /// The caller consumes the code first: whether this succeeds or not, the code must not work
    /// again (RFC 6749, section 4.1.2).
    pub fn check(&self, client_id: &str, request: &Params) -> Result<(), OAuthError> {
        let verifier = request.get("code_verifier").unwrap_or_default();
        let is_bound = self.client_id == client_id
            && request.get("redirect_uri") == Some(&self.redirect_uri)
            && pkce::is_proven(&self.code_challenge, verifier);
        if is_bound { Ok(()) } else { Err(INVALID_GRANT) }
    }
}

impl From<&AuthorizationRequest> for CodeBinding {
    fn from(request: &AuthorizationRequest) -> Self {
        Self {
            client_id: request.client_id.clone(),
            redirect_uri: request.redirect_uri.clone(),
            code_challenge: request.code_challenge.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    fn check(client_id: &str, redirect_uri: &str, verifier: &str) -> bool {
        let binding = CodeBinding {
            client_id: "client".into(),
            redirect_uri: "https://client.example/auth".into(),
            code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".into(),
        };
        let request = format!("redirect_uri={redirect_uri}&code_verifier={verifier}");
        let request = Params::parse(&request).unwrap();
        binding.check(client_id, &request).is_ok()
    }

    #[test]
    fn a_code_is_bound_to_its_client_redirect_uri_and_verifier() {
        let uri = "https://client.example/auth";
        assert!(check("client", uri, VERIFIER));
        assert!(!check("another", uri, VERIFIER));
        assert!(!check("client", "https://client.example/auth/", VERIFIER));
        assert!(!check("client", "", VERIFIER));
        assert!(!check("client", uri, &VERIFIER.to_lowercase()));
        assert!(!check("client", uri, ""));
    }
}
