//! The keys that sign the tokens, and `/jwks.json`, where anyone can fetch the public keys.

use std::{fs, path::Path, sync::Arc};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use common::settings::{Setting, Settings};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header,
    jwk::{Jwk, PublicKeyUse, ThumbprintHash},
};
use serde::Serialize;
use serde_json::json;

use super::settings::Server;

pub const SIGNING_KEY_FILE: Setting = Setting {
    name: "SIGNING_KEY_FILE",
    default: "a new RSA key at each start; required when others can reach the server",
    help: "Files with the private keys that sign the tokens (PKCS#8 PEM; RSA of 2048 bits or more, or P-256), separated by commas; the first signs, all are published.",
};

/// How long others may cache the keys, in seconds. To change the key, first publish the new one as
/// the second for that long, then make it the first.
const MAX_AGE: u64 = 300;

/// The keys. The first one signs, and all are published. Cheap to clone.
#[derive(Clone)]
pub struct Keys(Arc<Vec<Key>>);

struct Key {
    private: EncodingKey,
    public: DecodingKey,
    algorithm: Algorithm,
    jwk: Jwk,
}

/// `GET /jwks.json`: the public keys (RFC 7517, section 5).
pub async fn jwks(State(server): State<Server>) -> impl IntoResponse {
    let cache = [(header::CACHE_CONTROL, format!("public, max-age={MAX_AGE}"))];
    let keys: Vec<_> = server.keys.0.iter().map(|key| &key.jwk).collect();
    (cache, Json(json!({ "keys": keys })))
}

impl Keys {
    /// Signs claims as a token of this type, which keeps tokens of different kinds apart (RFC 8725,
    /// section 3.11).
    pub fn sign(&self, typ: &str, claims: &impl Serialize) -> String {
        let key = self.signing();
        let header = Header {
            typ: Some(typ.to_owned()),
            kid: key.jwk.common.key_id.clone(),
            ..Header::new(key.algorithm)
        };
        jsonwebtoken::encode(&header, claims, &key.private)
            .expect("it signed before: see `Key::new`")
    }

    /// The algorithm of the key that signs.
    pub fn algorithm(&self) -> Algorithm {
        self.signing().algorithm
    }

    /// The key with this id, and the only algorithm that it may be used with.
    #[expect(
        clippy::unused_async,
        reason = "a resource server has to fetch its keys"
    )]
    pub async fn find(&self, kid: &str) -> Result<Option<(DecodingKey, Algorithm)>, Response> {
        let named = |key: &&Key| key.jwk.common.key_id.as_deref() == Some(kid);
        let key = self.0.iter().find(named);
        Ok(key.map(|key| (key.public.clone(), key.algorithm)))
    }

    /// Reads the keys of [`SIGNING_KEY_FILE`]. `None` after recording a problem.
    pub fn from_settings(settings: &mut Settings) -> Option<Self> {
        let Some(files) = settings.get(SIGNING_KEY_FILE.name).map(str::to_owned) else {
            return generate(settings);
        };
        let others_come = !settings.is_loopback();
        let keys = files.split(',').map(|file| read(file.trim(), others_come));
        match keys.collect() {
            Ok(keys) => Some(Self(Arc::new(keys))),
            Err(what) => {
                settings.problem(SIGNING_KEY_FILE.name, what);
                None
            }
        }
    }

    fn signing(&self) -> &Key {
        self.0.first().expect("`split` gives at least one file")
    }
}

/// A random key, which is lost when this process ends, and so are its tokens.
fn generate(settings: &mut Settings) -> Option<Keys> {
    let name = SIGNING_KEY_FILE.name;
    if !settings.is_loopback() {
        let what = "is missing; a server that others can reach needs a permanent key: openssl genpkey \
                    -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out signing-key.pem";
        settings.problem(name, what);
        return None;
    }
    settings.warning(format_args!(
        "{name} is not set: using a random key until this process ends"
    ));
    let key = KeyPair::generate(KeySize::Rsa2048).expect("the operating system has random numbers");
    let key = Key::rsa(&key).expect("a new key is a good one");
    Some(Keys(Arc::new(vec![key])))
}

/// The key in a file, or what is wrong with it.
fn read(file: &str, others_come: bool) -> Result<Key, String> {
    let at = |what: &str| format!("{file} {what}");
    let pem = fs::read_to_string(file).map_err(|error| at(&format!("cannot be read: {error}")))?;
    if others_come && others_can_write(Path::new(file)) {
        return Err(at(
            "can be changed by other users of this machine: chmod go-w",
        ));
    }
    let der = der_of(&pem).ok_or_else(|| at("is not a private key as PKCS#8 PEM"))?;
    let rsa = KeyPair::from_pkcs8(&der)
        .ok()
        .and_then(|key| Key::rsa(&key));
    rsa.or_else(|| Key::p256(&der))
        .ok_or_else(|| at("is neither RSA of 2048 bits or more nor P-256"))
}

/// A user who can replace the key file can forge tokens.
fn others_can_write(file: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(file).is_ok_and(|file| file.permissions().mode() & 0o022 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        false
    }
}

/// The content of a PEM file, between its first and last line (RFC 7468, section 10).
fn der_of(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (base64, _) = rest.split_once("-----END PRIVATE KEY-----")?;
    let base64: String = base64.split_whitespace().collect();
    BASE64_STANDARD.decode(base64).ok()
}

impl Key {
    fn rsa(key: &KeyPair) -> Option<Self> {
        let pkcs8: Pkcs8V1Der = key.as_der().ok()?;
        // jsonwebtoken takes the RSAPrivateKey (RFC 8017, appendix A.1.2), which is the last member
        // of the PKCS#8. With two bytes for each length, 26 bytes come before it.
        let private = EncodingKey::from_rsa_der(pkcs8.as_ref().get(26..)?);
        Self::new(private, Algorithm::RS256)
    }

    fn p256(der: &[u8]) -> Option<Self> {
        // The curve is checked here: jsonwebtoken would find out only with the first token.
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).ok()?;
        Self::new(EncodingKey::from_ec_der(der), Algorithm::ES256)
    }

    fn new(private: EncodingKey, algorithm: Algorithm) -> Option<Self> {
        let mut jwk = Jwk::from_encoding_key(&private, algorithm).ok()?;
        // The key id is a hash of the key (RFC 7638), so it is the same after a restart and on
        // every machine.
        jwk.common.key_id = jwk.thumbprint(ThumbprintHash::SHA256).ok();
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let public = DecodingKey::from_jwk(&jwk).ok()?;
        jsonwebtoken::crypto::sign(b"", &private, algorithm).ok()?;
        Some(Self {
            private,
            public,
            algorithm,
            jwk,
        })
    }
}
