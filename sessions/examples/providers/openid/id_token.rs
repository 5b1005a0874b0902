//! The signed statement of who has logged in.

use common::{Error, Result, oauth::FinishedLogin, unix_now};
use jsonwebtoken::{Algorithm, Validation, errors::ErrorKind};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::OpenId;

/// How far the provider's clock may be off, in seconds.
const LEEWAY: u64 = 60;

/// The claims of an ID token that are checked (OpenID Connect Core, section 2).
#[derive(Deserialize)]
pub struct IdClaims {
    iss: String,
    /// The user's id at the provider.
    pub sub: String,
    aud: Value,
    azp: Option<String>,
    iat: u64,
    nonce: Option<String>,
    /// What else it says about the user.
    #[serde(flatten)]
    pub user: Map<String, Value>,
}

impl OpenId {
    /// Checks the ID token (OpenID Connect Core, section 3.1.3.7). TLS would be enough for a token
    /// that comes straight from the provider; the signature protects it whichever way it came.
    pub async fn verify(&self, login: &FinishedLogin) -> Result<IdClaims> {
        let token = login.token.id_token.as_ref();
        let token = &token.ok_or_else(|| bad("there is none"))?.0;
        let header = jsonwebtoken::decode_header(token).map_err(|_| bad("not a JWT"))?;
        // Never `none`, and never an HMAC, whose key would be the public key that everybody has.
        if !matches!(header.alg, Algorithm::RS256 | Algorithm::ES256) || header.crit.is_some() {
            return Err(bad("an algorithm or an extension that is not accepted"));
        }
        let key = self.key(header.kid.as_deref(), header.alg).await?;
        let validation = self.validation(header.alg);
        let claims: IdClaims = jsonwebtoken::decode(token, &key, &validation)
            .map_err(|error| match error.kind() {
                // The message would quote what the provider sent.
                ErrorKind::Json(_) => bad("claims that are missing or of another type"),
                kind => bad(&format!("{kind:?}")),
            })?
            .claims;
        self.check(&claims, login).map_err(bad)?;
        Ok(claims)
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&[&self.0.issuer]);
        validation.set_audience(&[self.client_id()]);
        validation.set_required_spec_claims(&["iss", "aud", "exp", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY;
        validation
    }

    /// What the library does not check.
    fn check(&self, claims: &IdClaims, login: &FinishedLogin) -> Result<(), &'static str> {
        if claims.iss != self.0.issuer || claims.sub.is_empty() {
            return Err("a wrong issuer, or no subject");
        }
        // With several audiences, `azp` must name the client that it was issued to.
        let is_ours = match &claims.azp {
            Some(azp) => azp == self.client_id(),
            None => claims.aud.as_array().is_none_or(|all| all.len() == 1),
        };
        if !is_ours {
            return Err("it was issued to another client");
        }
        if claims.iat > unix_now() + LEEWAY {
            return Err("it was issued in the future");
        }
        // Otherwise an ID token that was stolen from another login could be put in here.
        if login.nonce.is_none() || claims.nonce != login.nonce {
            return Err("it belongs to another login");
        }
        Ok(())
    }

    fn client_id(&self) -> &str {
        &self.0.registration.0
    }
}

fn bad(what: &str) -> Error {
    Error::Provider(format!("the ID token: {what}"))
}
