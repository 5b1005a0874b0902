//! The access tokens: signed by us, read by us (RFC 7519, in the manner of RFC 9068).

use std::{fmt, sync::Arc, time::Duration};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use axum_extra::headers::{Authorization, HeaderMapExt, authorization::Bearer};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use common::{
    error::Detail,
    random_token,
    settings::{FromSettings, PublicUrl, Secrets, Setting, Settings},
    unix_now,
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, crypto};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// How long a token lives. There is no way to call one back, so that it is short.
pub const LIFETIME: Duration = Duration::from_mins(30);

/// Before the name of a client that acts for itself, in `sub`. No user name begins like this, so
/// that neither can be taken for the other (RFC 9700, section 4.15).
pub const CLIENT: &str = "client:";

/// What a token says (RFC 9068, section 2.2). Each but `nbf` is required, and one text or number:
/// `iss` or `aud` as a list would let another one in beside ours.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    /// Who made it: `PUBLIC_URL`.
    pub iss: String,
    /// Who may read it: `PUBLIC_URL` too.
    pub aud: String,
    /// The user, or [`CLIENT`] and a client.
    pub sub: String,
    /// Which application asked for it. Nobody has proven that: these clients have no secrets.
    pub client_id: String,
    /// What it opens: scopes, separated by spaces.
    pub scope: String,
    /// When it was made, in Unix seconds.
    pub iat: u64,
    /// From when on it is good for nothing, in Unix seconds.
    pub exp: u64,
    /// A name of its own.
    pub jti: String,
    /// From when on it is good, in Unix seconds; ours are at once, and do not say it.
    #[serde(default, skip_serializing)]
    pub nbf: u64,
}

/// The header of our tokens, which has no other members: no `crit` that nobody here understands
/// (RFC 7515, section 4.1.11), no key that the token brings along.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnHeader {
    typ: String,
    alg: String,
}

/// The type keeps other tokens of the same key apart (RFC 8725, section 3.11).
const TYPE: &str = "at+jwt";

/// The answer to a token request (RFC 6749, section 5.1).
#[derive(Serialize, utoipa::ToSchema)]
pub struct TokenResponse {
    /// The token.
    pub access_token: String,
    /// How to use it: in the header `Authorization: Bearer …`.
    #[schema(example = "bearer")]
    pub token_type: &'static str,
    /// How long it lives, in seconds.
    pub expires_in: u64,
    /// What it opens: scopes, separated by spaces.
    pub scope: String,
}

/// Makes tokens and checks them. Cheap to clone.
#[derive(Clone)]
pub struct Tokens(Arc<Inner>);

struct Inner {
    header: Header,
    signing_key: EncodingKey,
    keys: Vec<DecodingKey>,
    /// `PUBLIC_URL` as the claims have it.
    issuer: String,
    public_url: PublicUrl,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("public_url", &self.0.public_url)
            .finish_non_exhaustive()
    }
}

impl Tokens {
    /// Signs with the first of the secrets, which have 32 bytes or more (RFC 7518, section 3.2),
    /// and accepts all.
    ///
    /// # Panics
    /// When there is no secret; the settings always give one.
    pub fn new(secrets: &Secrets, public_url: PublicUrl) -> Self {
        Self(Arc::new(Inner {
            header: Header {
                typ: Some(TYPE.into()),
                ..Header::new(Algorithm::HS256)
            },
            signing_key: EncodingKey::from_secret(secrets.first().as_bytes()),
            keys: secrets
                .iter()
                .map(|s| DecodingKey::from_secret(s.as_bytes()))
                .collect(),
            issuer: public_url.to_string(),
            public_url,
        }))
    }

    /// A new token for this user, or for [`CLIENT`] and a client.
    ///
    /// # Panics
    /// Never: texts and numbers are JSON, and HMAC takes any key.
    pub fn issue(&self, subject: &str, client_id: &str, scope: String) -> TokenResponse {
        let iat = unix_now();
        let claims = Claims {
            iss: self.0.issuer.clone(),
            aud: self.0.issuer.clone(),
            sub: subject.to_owned(),
            client_id: client_id.to_owned(),
            scope: scope.clone(),
            iat,
            exp: iat + LIFETIME.as_secs(),
            jti: random_token(),
            nbf: 0,
        };
        let access_token = jsonwebtoken::encode(&self.0.header, &claims, &self.0.signing_key)
            .expect("texts and numbers are JSON, and HMAC takes any key");
        TokenResponse {
            access_token,
            token_type: "bearer",
            expires_in: LIFETIME.as_secs(),
            scope,
        }
    }

    /// What a token says, if it is one of ours and has not ended.
    ///
    /// The cryptography is jsonwebtoken's. Its `decode` would read header and claims twice, and take
    /// more than we ever write. What makes a token one of ours stands here; a copy needs all of it.
    pub fn verify(&self, token: &str) -> Option<Claims> {
        let Inner { keys, issuer, .. } = &*self.0;
        let (message, signature) = token.rsplit_once('.')?;
        // One algorithm: who lets the token choose lets the attacker choose (RFC 8725, section 3.1).
        let verify = |key| crypto::verify(signature, message.as_bytes(), key, Algorithm::HS256);
        if !keys.iter().any(|key| matches!(verify(key), Ok(true))) {
            return None;
        }
        let (header, claims) = message.split_once('.')?;
        let (header, claims): (OwnHeader, Claims) = (object(header)?, object(claims)?);
        let now = unix_now();
        let is_ours = header.typ == TYPE && header.alg == "HS256";
        let is_for_us = claims.iss == *issuer && claims.aud == *issuer && !claims.sub.is_empty();
        (is_ours && is_for_us && claims.nbf <= now && now < claims.exp).then_some(claims)
    }

    /// Where browsers find this server.
    pub fn public_url(&self) -> &PublicUrl {
        &self.0.public_url
    }
}

/// What a part of a token says. It must be an object: serde takes a list for a struct too.
fn object<T: DeserializeOwned>(part: &str) -> Option<T> {
    let json = BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
    let is_object = json.trim_ascii_start().starts_with(b"{");
    is_object.then(|| serde_json::from_slice(&json).ok())?
}

impl FromSettings for Tokens {
    const SETTINGS: &'static [&'static [Setting]] = &[&[Setting {
        name: "JWT_SECRET",
        default: "random at each start; required when others can reach the server",
        help: "Signs the tokens: 32 bytes or more (openssl rand -hex 32); several, separated by commas, to change it.",
    }]];

    async fn from_settings(settings: &mut Settings) -> Option<Self> {
        let secrets = settings.signing_secrets("JWT_SECRET", 32);
        Some(Self::new(&secrets, settings.public_url().clone()))
    }
}

/// Why a request with or without a token gets nothing (RFC 6750, section 3.1).
#[derive(Clone, Debug)]
pub enum Refusal {
    /// 401, without an error code: there is no token.
    NotAuthenticated,
    /// 400: two of them.
    Ambiguous,
    /// 401: forged, changed, ended or not ours; which of these is nobody's business.
    InvalidToken,
    /// 403: a good token that does not open this; these scopes would.
    InsufficientScope(String),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, error, detail) = match &self {
            Self::NotAuthenticated => {
                (StatusCode::UNAUTHORIZED, String::new(), "Not authenticated")
            }
            Self::Ambiguous => (
                StatusCode::BAD_REQUEST,
                ", error=\"invalid_request\"".into(),
                "More than one Authorization header",
            ),
            Self::InvalidToken => (
                StatusCode::UNAUTHORIZED,
                ", error=\"invalid_token\"".into(),
                "Could not validate credentials",
            ),
            Self::InsufficientScope(scopes) => (
                StatusCode::FORBIDDEN,
                format!(", error=\"insufficient_scope\", scope=\"{scopes}\""),
                "Insufficient permissions",
            ),
        };
        let challenge = format!("Bearer realm=\"first_party\"{error}");
        (
            status,
            [(header::WWW_AUTHENTICATE, challenge)],
            Detail::of(detail),
        )
            .into_response()
    }
}

/// The guard for any valid token: what it says. For a scope, see [`AnyOf`](crate::scopes::AnyOf).
impl<S: Send + Sync> FromRequestParts<S> for Claims
where
    Tokens: FromRef<S>,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        // In the header alone: URLs end up in logs, and cookies are sent by other sites too.
        if parts
            .headers
            .get_all(header::AUTHORIZATION)
            .iter()
            .nth(1)
            .is_some()
        {
            return Err(Refusal::Ambiguous);
        }
        let Authorization(bearer) = parts
            .headers
            .typed_get::<Authorization<Bearer>>()
            .ok_or(Refusal::NotAuthenticated)?;
        Tokens::from_ref(state)
            .verify(bearer.token())
            .ok_or(Refusal::InvalidToken)
    }
}
