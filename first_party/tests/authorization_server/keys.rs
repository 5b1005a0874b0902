//! Key files: made for the tests, rotated, and refused.

use std::{fs, path::Path};

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair,
    },
};
use base64::{Engine, prelude::BASE64_STANDARD};
use common::{server::Server as Http, settings::Settings};
use jsonwebtoken::EncodingKey;
use serde_json::json;
use testing::Browser;

use super::{
    client::{Running, folder, part, server_with, text},
    example::{app, settings::Server},
};

fn pem(der: &[u8]) -> String {
    format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        BASE64_STANDARD.encode(der)
    )
}

pub fn der_of(file: &Path) -> Vec<u8> {
    let pem = fs::read_to_string(file).expect("a key file");
    BASE64_STANDARD
        .decode(pem.lines().nth(1).expect("base64"))
        .expect("base64")
}

/// A key file for ES256.
pub fn p256() -> String {
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    pem(key.expect("a key").as_ref())
}

pub fn generate_p256() -> EncodingKey {
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    EncodingKey::from_ec_der(key.expect("a key").as_ref())
}

fn rsa(size: KeySize) -> String {
    let key = KeyPair::generate(size).expect("a key");
    pem(AsDer::<aws_lc_rs::encoding::Pkcs8V1Der>::as_der(&key)
        .expect("DER")
        .as_ref())
}

fn p384() -> String {
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &SystemRandom::new());
    pem(key.expect("a key").as_ref())
}

fn ed25519() -> String {
    pem(Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
        .expect("a key")
        .as_ref())
}

/// `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024`: too short for anything but this.
const RSA_1024: &str = "\
-----BEGIN PRIVATE KEY-----
MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBAMjd89DhMZwluhg2
Rkz2hdRzOPNjhszgnu59AcnGD3WApXfkInXdPjSBvFT5Rsp0Cl2DoNiPrzU8zZ8H
JSPucw/dr6D3CcvO7snZlbEwF5P0/dtsxyqBvftyksO27cYkG/2aRGQdWna6wBys
uEU/P8Yev5SsGJiSMljcfeecOpAbAgMBAAECgYBWp7IUreIKHBiBc4C2mS+5LJAo
KAqyfkDyYAmSc5idt4crBsd7E5xPaJzIB9ZrZs5F85BDfRE4JWgLsDhsnOUT8oXO
qPc+iCVWj6+1KYQm8EiTcTVWKGRx3BID0O7KwQCG0mNUPCmHglQML/yZ2HwyXWQx
j/KMXR9QgN+fHwMn4QJBAOOEIpKr8VCW7XNZUq5e3gt8xDe66CADbymLBTN9Fbzi
OktrKGotbJ35UQgp8SjkLxqnSqxArCROItTnliP+YjECQQDiA7ce+3ZD0Mvm1eQP
RyTc6er+5Px97/MYZjYrjQ0D6Zq3lNtBU2pvryrcQvpRyqeZQUCbx8Ryfnx9mncc
49gLAkBedhwMnYsBlMhdnfZwIz85scGeCeIaeJKMwwWTzRlbZOojKgiLnPR92mfE
ZfWUrrjH7jFYtzlBkZdwof56T0HhAkEAsufn+5Fn01SjIu1q4qEZT/mmN/DA4Vug
HU9DUAQOKmuvOeSODk7ecNvC3Kn0BeyZ8FlTsDxYh50SJEayRN8icwJAOoYOMjap
WX85BZDCwXFwukR+CxIVV6LP7VcudrnOjiq28JAuR2vGOxKTGkNXmVIAq+Qvt0lA
f9lm3036jvaxJA==
-----END PRIVATE KEY-----
";

/// The problems that keep a server with these settings from starting.
pub async fn problems(vars: &[(&str, &str)]) -> Vec<String> {
    let addr = [("BIND_ADDR", "127.0.0.1:0")].into_iter();
    let settings = Settings::from_vars(addr.chain(vars.iter().copied()));
    Http::start(|server: Server| app(server), settings)
        .await
        .expect_err("it starts")
}

// check 178
#[tokio::test]
async fn rsa_and_p256_keys_sign_and_keep_their_kid() {
    let folder = folder("good_keys");
    for (name, pem, algorithm) in [
        ("rsa2048", rsa(KeySize::Rsa2048), "RS256"),
        ("rsa4096", rsa(KeySize::Rsa4096), "RS256"),
        ("p256", p256(), "ES256"),
    ] {
        let file = folder.join(name);
        fs::write(&file, pem).expect("a file");
        let vars = [("SIGNING_KEY_FILE", file.to_str().expect("UTF-8"))];
        let mut kids = Vec::new();
        for _ in 0..2 {
            let server = server_with(&vars).await;
            let key = Browser::new().get(server.url("/jwks.json")).await.json()["keys"][0].clone();
            assert_eq!(key["alg"], algorithm);
            for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                assert!(key.get(private).is_none(), "{key}");
            }
            let token = text(&server.tokens("openid some.scope").await, "access_token");
            assert_eq!(part(&token, 0)["alg"], algorithm);
            assert_eq!(server.get("/endpoint1", &token).await.status, 200);
            kids.push(key["kid"].clone());
        }
        assert_eq!(kids[0], kids[1], "{name}");
    }
}

// check 217
#[tokio::test]
async fn a_key_is_replaced_without_refusing_anybody() {
    let folder = folder("rotation");
    let (old, new) = (folder.join("old.pem"), folder.join("new.pem"));
    fs::write(&old, p256()).expect("a file");
    fs::write(&new, rsa(KeySize::Rsa2048)).expect("a file");
    let database = format!("sqlite://{}", folder.join("users.db").display());
    let start = async |files: String, bind: &str| {
        let vars = [
            ("SIGNING_KEY_FILE", &*files),
            ("DATABASE_URL", &database),
            ("BIND_ADDR", bind),
        ];
        server_with(&vars).await
    };
    let kids = async |server: &Running| {
        let keys = Browser::new().get(server.url("/jwks.json")).await.json();
        let keys = keys["keys"].as_array().expect("a list").clone();
        keys.into_iter()
            .map(|key| key["kid"].clone())
            .collect::<Vec<_>>()
    };
    let (old, new) = (old.display().to_string(), new.display().to_string());
    let server = start(old.clone(), "127.0.0.1:0").await;
    let bind = server.http.addr.to_string();
    let first = text(&server.tokens("openid some.scope").await, "access_token");
    server.http.stop().await;

    // The new key is published, and signs nothing yet.
    let server = start(format!("{old}, {new}"), &bind).await;
    let published = kids(&server).await;
    assert_eq!(published.len(), 2);
    let second = text(&server.tokens("openid some.scope").await, "access_token");
    assert_eq!(part(&second, 0)["kid"], part(&first, 0)["kid"]);
    server.http.stop().await;

    let server = start(format!("{new},{old}"), &bind).await;
    let third = text(&server.tokens("openid some.scope").await, "access_token");
    assert_eq!(part(&third, 0)["kid"], published[1]);
    for token in [&first, &second, &third] {
        assert_eq!(server.get("/endpoint1", token).await.status, 200);
        server.assert_alive(token).await;
    }
    server.http.stop().await;

    let server = start(new, &bind).await;
    assert_eq!(server.get("/endpoint1", &first).await.status, 401);
    assert_eq!(server.get("/endpoint1", &third).await.status, 200);
}

// check 225
#[tokio::test]
async fn a_key_that_cannot_sign_is_a_problem() {
    let folder = folder("bad_keys");
    let good = p256();
    for (name, content) in [
        ("rsa1024", RSA_1024.to_owned()),
        ("p384", p384()),
        ("ed25519", ed25519()),
        ("empty", String::new()),
        ("public", good.replace("PRIVATE", "PUBLIC")),
        ("sec1", good.replace("PRIVATE KEY", "EC PRIVATE KEY")),
        ("cut", good[..60].to_owned()),
    ] {
        let file = folder.join(name);
        fs::write(&file, content).expect("a file");
        let file = file.display().to_string();
        let found = problems(&[("SIGNING_KEY_FILE", &file)]).await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("SIGNING_KEY_FILE "), "{found:?}");
        // Also as the second one.
        let first = folder.join("first");
        fs::write(&first, &good).expect("a file");
        let both = format!("{},{file}", first.display());
        assert_eq!(problems(&[("SIGNING_KEY_FILE", &both)]).await, found);
    }
    let found = problems(&[("SIGNING_KEY_FILE", "/nowhere.pem")]).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(json!(found).to_string().matches("BEGIN").count(), 0);
}
