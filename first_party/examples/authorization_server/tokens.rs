//! The tokens: the claims of access tokens and ID tokens, and when they expire.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Json;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use common::{
    error::{NO_STORE, NoStore},
    random_token, unix_now,
};
use serde::{Deserialize, Serialize};
use sqlx::AnyPool;

use super::{access_token::Claims, settings::Server};

/// How long an access token lives. Short, because an API that checks it only with the published
/// keys does not learn that it was revoked.
pub const ACCESS_LIFETIME: Duration = Duration::from_mins(10);

/// The answer to a token request (RFC 6749, section 5.1; OpenID Connect Core, section 3.1.3.3).
#[derive(Serialize)]
pub struct TokenResponse {
    pub access_token: String,
    pub token_type: &'static str,
    pub expires_in: u64,
    /// What was granted, which can be less than what was requested.
    pub scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
}

/// A token response that must not be cached.
pub type Issued = (NoStore, Json<TokenResponse>);

/// The claims of an ID token: who has logged in, for one client (OpenID Connect Core, section 2).
#[derive(Serialize, Deserialize)]
pub struct IdClaims {
    pub iss: String,
    pub sub: String,
    pub aud: String,
    pub exp: u64,
    pub iat: u64,
    pub auth_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// Ties it to the access token that came with it.
    pub at_hash: String,
}

/// Whom an access token is issued to, and what it grants access to at which API.
pub struct NewToken<'a> {
    pub subject: &'a str,
    pub client_id: &'a str,
    pub audience: &'a str,
    pub scope: String,
    /// Revoking a grant revokes everything that was issued for it; a client that acts on its own
    /// behalf has none.
    pub grant_id: Option<&'a str>,
}

impl Server {
    /// Issues an access token (RFC 9068, section 2), and returns it in a token response.
    pub fn issue(&self, token: NewToken<'_>) -> TokenResponse {
        let iat = unix_now();
        let unique = random_token();
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: token.audience.to_owned(),
            sub: token.subject.to_owned(),
            client_id: token.client_id.to_owned(),
            scope: token.scope,
            iat,
            exp: iat.saturating_add(ACCESS_LIFETIME.as_secs()),
            jti: token
                .grant_id
                .map_or(unique.clone(), |grant| format!("{grant}.{unique}")),
            nbf: 0,
        };
        TokenResponse {
            access_token: self.keys.sign("at+jwt", &claims),
            token_type: "Bearer",
            expires_in: ACCESS_LIFETIME.as_secs(),
            scope: claims.scope,
            refresh_token: None,
            id_token: None,
        }
    }

    /// The ID token that belongs to an access token.
    pub fn id_token(&self, access_token: &str, login: IdLogin<'_>) -> String {
        let iat = unix_now();
        // The left half of the hash (OpenID Connect Core, section 3.1.3.6).
        let hash = digest(&SHA256, access_token.as_bytes());
        let claims = IdClaims {
            iss: self.issuer.clone(),
            sub: login.subject.to_owned(),
            aud: login.client_id.to_owned(),
            exp: iat.saturating_add(ACCESS_LIFETIME.as_secs()),
            iat,
            auth_time: login.auth_time,
            nonce: login.nonce,
            at_hash: BASE64_URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16]),
        };
        self.keys.sign("JWT", &claims)
    }
}

/// What an ID token says about a login.
pub struct IdLogin<'a> {
    pub subject: &'a str,
    pub client_id: &'a str,
    pub auth_time: i64,
    pub nonce: Option<String>,
}

impl TokenResponse {
    pub fn into_answer(self) -> Issued {
        (NO_STORE, Json(self))
    }
}

/// Whether an access token that verified is still active: neither it nor its grant was revoked, and
/// its user is still enabled. Only this server knows that; see [`ACCESS_LIFETIME`].
pub async fn is_alive(db: &AnyPool, claims: &Claims) -> sqlx::Result<bool> {
    const REVOKED: &str = "SELECT COUNT(*) FROM authorization_revoked_tokens WHERE jti = $1";
    const GRANTED: &str = "SELECT COUNT(*) FROM authorization_grants
        JOIN users ON users.username = authorization_grants.subject
        WHERE grant_id = $1 AND users.disabled = 0";
    let count = |sql, id| sqlx::query_scalar::<_, i64>(sql).bind(id).fetch_one(db);
    if count(REVOKED, claims.jti.clone()).await? > 0 {
        return Ok(false);
    }
    match claims.jti.split_once('.') {
        Some((grant_id, _)) => Ok(count(GRANTED, grant_id.to_owned()).await? > 0),
        None => Ok(true),
    }
}
