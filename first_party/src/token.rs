//! The access tokens: we sign them, and we verify them (RFC 7519, modelled on RFC 9068).

use std::{fmt, sync::Arc, time::Duration};

use axum::extract::FromRef;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use common::{
    flow::Flows,
    random_token,
    settings::{FromSettings, PublicUrl, Secrets, Setting, Settings},
    unix_now,
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::scopes::Scopes;

/// How long a token lives: short, because an issued token cannot be revoked.
pub const LIFETIME: Duration = Duration::from_mins(30);

/// The prefix in `sub` for a client that acts on its own behalf. The `sub` of a user must not begin
/// with it, or one could be mistaken for the other (RFC 9700, section 4.15).
pub const CLIENT: &str = "client:";

/// The claims of a token (RFC 9068, section 2.2). All but `nbf` are required, and each is a string
/// or a number: a list in `iss` or `aud` could contain others besides ours.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    /// The issuer: `PUBLIC_URL`.
    pub iss: String,
    /// The audience: `PUBLIC_URL` too.
    pub aud: String,
    /// The user, or [`CLIENT`] and a client.
    pub sub: String,
    /// The client that requested it. The grants of this server do not prove it: their clients have
    /// no secrets.
    pub client_id: String,
    /// What it grants access to.
    pub scope: Scopes,
    /// When it was issued, in Unix seconds.
    pub iat: u64,
    /// The expiry, in Unix seconds.
    pub exp: u64,
    /// Unique to this token.
    pub jti: String,
    /// Not valid before, in Unix seconds; we never set it.
    #[serde(default, skip_serializing)]
    pub nbf: u64,
}

/// The header of our tokens, which may have no other members: no `crit`, which we would have to
/// understand (RFC 7515, section 4.1.11), and no key that the token itself supplies. The library
/// accepts both, and `"alg":{"HS256":null}` too.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnHeader {
    typ: String,
    alg: String,
}

/// The type keeps access tokens apart from other tokens of the same key (RFC 8725, section 3.11).
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
    /// What it grants access to: scopes, separated by spaces.
    #[schema(value_type = String)]
    pub scope: Scopes,
}

impl TokenResponse {
    /// Its members, as the implicit grant sends them.
    pub fn members(&self) -> [(&'static str, String); 4] {
        [
            ("access_token", self.access_token.clone()),
            ("token_type", self.token_type.to_owned()),
            ("expires_in", self.expires_in.to_string()),
            ("scope", self.scope.to_string()),
        ]
    }
}

/// Issues tokens and validates them. Cheap to clone.
#[derive(Clone)]
pub struct Tokens(Arc<Inner>);

struct Inner {
    header: Header,
    signing_key: EncodingKey,
    keys: Vec<DecodingKey>,
    validation: Validation,
    /// `PUBLIC_URL` as it appears in the claims.
    issuer: String,
    public_url: PublicUrl,
    flows: Flows,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("public_url", &self.0.public_url)
            .finish_non_exhaustive()
    }
}

impl Tokens {
    /// Signs with the first of the secrets, and accepts all. Each must have 32 bytes or more (RFC
    /// 7518, section 3.2), which [`Tokens::from_settings`] checks.
    pub fn new(secrets: &Secrets, public_url: PublicUrl, flows: Flows) -> Self {
        let issuer = public_url.to_string();
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
            validation: validation(&issuer),
            issuer,
            public_url,
            flows,
        }))
    }

    /// Issues a new token for this user, or for [`CLIENT`] followed by a client id.
    pub fn issue(&self, subject: &str, client_id: &str, scope: Scopes) -> TokenResponse {
        let iat = unix_now();
        let claims = Claims {
            iss: self.0.issuer.clone(),
            aud: self.0.issuer.clone(),
            sub: subject.to_owned(),
            client_id: client_id.to_owned(),
            scope,
            iat,
            exp: iat + LIFETIME.as_secs(),
            jti: random_token(),
            nbf: 0,
        };
        let access_token = jsonwebtoken::encode(&self.0.header, &claims, &self.0.signing_key)
            .expect("strings and numbers serialize, and HMAC takes any key");
        TokenResponse {
            access_token,
            token_type: "bearer",
            expires_in: LIFETIME.as_secs(),
            scope,
        }
    }

    /// The claims of a token, if it is one of ours and has not expired.
    ///
    /// jsonwebtoken checks signature, algorithm, issuer, audience and times; the rest rejects what
    /// it would still accept. Copy both.
    pub fn verify(&self, token: &str) -> Option<Claims> {
        let decode = |key| jsonwebtoken::decode::<Claims>(token, key, &self.0.validation).ok();
        let claims = self.0.keys.iter().find_map(decode)?.claims;
        let header = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next()?);
        let header: OwnHeader = serde_json::from_slice(&header.ok()?).ok()?;
        let is_ours = header.typ == TYPE && header.alg == "HS256";
        (is_ours && !claims.sub.is_empty()).then_some(claims)
    }

    /// Where browsers find this server.
    pub fn public_url(&self) -> &PublicUrl {
        &self.0.public_url
    }

    /// The grants of this server, for `GET /flow`.
    pub fn flows(&self) -> &Flows {
        &self.0.flows
    }
}

/// What every token must satisfy in addition to its signature.
fn validation(issuer: &str) -> Validation {
    // One algorithm: a server that lets the token choose lets the attacker choose (RFC 8725,
    // section 3.1).
    let mut validation = Validation::new(Algorithm::HS256);
    // A claim that is set below is checked only if it is present. The type of our claims requires
    // them as well, but a copy with other claims needs this line.
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[issuer]);
    validation.validate_nbf = true;
    validation.leeway = 0;
    // A token expires at the second in its `exp`, not after it (RFC 7519, section 4.1.4).
    validation.reject_tokens_expiring_in_less_than = 1;
    validation
}

/// The setting that names the signing secrets.
pub const JWT_SECRET: Setting = Setting {
    name: "JWT_SECRET",
    default: "random at each start; required when others can reach the server",
    help: "Signs the tokens: 32 bytes or more (openssl rand -hex 32); several, separated by commas, to change it.",
};

impl FromSettings for Tokens {
    const SETTINGS: &'static [&'static [Setting]] = &[&[JWT_SECRET]];

    async fn from_settings(settings: &mut Settings) -> Option<Self> {
        let secrets = settings.signing_secrets(JWT_SECRET.name, 32);
        let public_url = settings.public_url().clone();
        Some(Self::new(&secrets, public_url, Flows::new(settings)))
    }
}

impl FromRef<Tokens> for Flows {
    fn from_ref(tokens: &Tokens) -> Self {
        tokens.flows().clone()
    }
}
