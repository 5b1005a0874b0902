//! What is in the tokens, and which are accepted.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use common::unix_now;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use reqwest::Method;
use serde_json::{Value, json};
use testing::{Answer, Browser, start};

use super::client::{
    Running, claims, folder, kept_in, part, server, server_of, server_with, text, vars,
};

// check 209
#[tokio::test]
async fn an_access_token_names_its_user_client_scopes_audience_and_expiry() {
    let server = server().await;
    let tokens = server.tokens("openid some.scope").await;
    let token = text(&tokens, "access_token");
    let header = part(&token, 0);
    assert_eq!(
        (&header["typ"], &header["alg"]),
        (&json!("at+jwt"), &json!("RS256"))
    );
    assert_eq!(header.as_object().expect("an object").len(), 3, "{header}");
    assert!(header["kid"].is_string());
    let issuer = server.http.public_url.to_string();
    let claims = claims(&token);
    let (iat, exp) = (
        claims["iat"].as_u64().expect("a time"),
        claims["exp"].as_u64().expect("a time"),
    );
    assert!(unix_now() - iat < 10);
    assert_eq!((exp - iat, &tokens["expires_in"]), (600, &json!(600)));
    assert!(claims["jti"].as_str().expect("a text").len() > 20);
    for (name, value) in [
        ("iss", &*issuer),
        ("aud", &issuer),
        ("sub", "johndoe"),
        ("client_id", "demo"),
        ("scope", "openid some.scope"),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    assert_eq!(claims.as_object().expect("an object").len(), 8, "{claims}");
    assert_eq!(server.get("/endpoint1", &token).await.status, 200);
    assert_eq!(server.get("/endpoint2", &token).await.status, 403);
}

// check 210
#[tokio::test]
async fn an_id_token_says_who_logged_in_for_this_login() {
    let server = server().await;
    let login = server.login("openid");
    let code = server.code(&mut Browser::new(), &login).await;
    let tokens = server.redeem(&login, &code).await.json();
    let (id_token, access_token) = (text(&tokens, "id_token"), text(&tokens, "access_token"));
    let claims = claims(&id_token);
    let nonce = login
        .params
        .iter()
        .find(|(name, _)| *name == "nonce")
        .expect("it");
    let hash = digest(&SHA256, access_token.as_bytes());
    for (name, value) in [
        ("iss", server.http.public_url.to_string()),
        ("sub", "johndoe".into()),
        ("aud", "demo".into()),
        ("nonce", nonce.1.clone()),
        (
            "at_hash",
            BASE64_URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16]),
        ),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    for time in ["iat", "exp", "auth_time"] {
        assert!(
            claims[time].as_u64().expect(time).abs_diff(unix_now()) < 700,
            "{time}"
        );
    }
    assert_eq!(part(&id_token, 0)["kid"], part(&access_token, 0)["kid"]);
    for path in ["/endpoint1", "/userinfo"] {
        assert_eq!(server.get(path, &id_token).await.status, 401, "{path}");
    }
    assert_eq!(server.introspect(&id_token).await, json!({"active": false}));
    let without = server.tokens("some.scope").await;
    assert!(without.get("id_token").is_none(), "{without}");
    // An access token does not count as an `id_token_hint`.
    let answer = Browser::new()
        .get(server.url(&format!("/logout?id_token_hint={access_token}")))
        .await;
    assert_eq!(answer.status, 200);
}

/// Signs this header and these claims with this key.
fn sign(header: &Value, claims: &Value, key: &EncodingKey, algorithm: Algorithm) -> String {
    let encode = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = crypto::sign(message.as_bytes(), key, algorithm).expect("a signature");
    format!("{message}.{signature}")
}

async fn assert_invalid(server: &Running, case: &str, token: &str) {
    for path in ["/endpoint1", "/userinfo"] {
        let answer = server.get(path, token).await;
        assert_eq!(answer.status, 401, "{case} at {path}");
        assert!(
            answer
                .header("www-authenticate")
                .contains("error=\"invalid_token\""),
            "{case}"
        );
    }
    assert_eq!(
        server.introspect(token).await,
        json!({"active": false}),
        "{case}"
    );
}

// check 211
#[tokio::test]
async fn a_token_that_is_not_signed_like_ours_is_invalid() {
    let folder = folder("forged");
    let own = kept_in(&folder);
    let server = server_of(&vars(&own), Vec::new(), "shop").await;
    let own_key = EncodingKey::from_ec_der(&super::keys::der_of(&folder.join("key.pem")));
    let good = text(&server.tokens("openid some.scope").await, "access_token");
    let (header, claims) = (part(&good, 0), claims(&good));
    let es256 = |header: &Value, claims: &Value| sign(header, claims, &own_key, Algorithm::ES256);
    let with = |name: &str, value: Value| {
        let mut header = header.clone();
        header[name] = value;
        header
    };
    // The control: made by hand, and valid.
    let control = es256(&header, &claims);
    assert_eq!(server.get("/endpoint1", &control).await.status, 200);

    let other_key = super::keys::generate_p256();
    let jwk: Value = Browser::new().get(server.url("/jwks.json")).await.json()["keys"][0].clone();
    let public = EncodingKey::from_secret(jwk.to_string().as_bytes());
    let hs256 = sign(
        &with("alg", json!("HS256")),
        &claims,
        &public,
        Algorithm::HS256,
    );
    let point = jwk["x"].as_str().expect("it").as_bytes();
    let hs256_x = sign(
        &with("alg", json!("HS256")),
        &claims,
        &EncodingKey::from_secret(point),
        Algorithm::HS256,
    );
    let (message, signature) = control.rsplit_once('.').expect("a JWT");
    let none = es256(&with("alg", json!("none")), &claims);
    let unsigned = none.rsplit_once('.').expect("a JWT").0.to_owned() + ".";
    let other = sign(&header, &claims, &other_key, Algorithm::ES256);
    let embedded = sign(
        &with("jwk", jwk.clone()),
        &claims,
        &other_key,
        Algorithm::ES256,
    );
    for (case, token) in [
        ("none", none),
        ("none, unsigned", unsigned),
        ("no signature", format!("{message}.")),
        ("HS256 with the key as JSON", hs256),
        ("HS256 with a part of the key", hs256_x),
        ("another key", other),
        ("an embedded key", embedded),
        ("an embedded key of ours", es256(&with("jwk", jwk), &claims)),
        (
            "kid with a path",
            es256(&with("kid", json!("../../../../dev/null")), &claims),
        ),
        (
            "kid as a list",
            es256(&with("kid", json!([header["kid"]])), &claims),
        ),
        ("crit", es256(&with("crit", json!(["exp"])), &claims)),
        ("unencoded", es256(&with("b64", json!(false)), &claims)),
        (
            "jku",
            es256(&with("jku", json!("https://evil.example/")), &claims),
        ),
        ("typ JWT", es256(&with("typ", json!("JWT")), &claims)),
        (
            "alg of another kind of key",
            es256(&with("alg", json!("RS256")), &claims),
        ),
        ("cut", good[..good.len() - 4].to_owned()),
        ("extended", format!("{good}x")),
        ("two parts", message.to_owned()),
        ("five parts", format!("{control}.a.{signature}")),
        ("nothing", "x".to_owned()),
    ] {
        assert_invalid(&server, case, &token).await;
    }
}

// check 211, 212: and what is signed as ours are, but is for somebody else or expired
#[tokio::test]
async fn a_well_signed_token_with_wrong_claims_is_invalid() {
    let folder = folder("claims");
    let own = kept_in(&folder);
    let server = server_of(&vars(&own), Vec::new(), "shop").await;
    let key = EncodingKey::from_ec_der(&super::keys::der_of(&folder.join("key.pem")));
    let good = text(&server.tokens("openid some.scope").await, "access_token");
    let issuer = server.http.public_url.to_string();
    for (name, value) in [
        ("iss", json!("https://evil.example")),
        ("iss", json!([issuer, "https://evil.example"])),
        ("iss", json!(format!("{issuer}/"))),
        ("aud", json!("https://other.example")),
        ("aud", json!([issuer])),
        ("aud", json!("")),
        ("sub", json!("")),
        ("exp", json!(unix_now())),
        ("exp", json!("9999999999")),
        ("exp", json!(null)),
        ("nbf", json!(unix_now() + 60)),
        ("scope", json!(["some.scope"])),
    ] {
        let mut claims = claims(&good);
        claims[name] = value.clone();
        let token = sign(&part(&good, 0), &claims, &key, Algorithm::ES256);
        let answer = server.get("/endpoint1", &token).await;
        assert_eq!(answer.status, 401, "{name} {value}");
    }
}

// check 212
#[tokio::test]
async fn tokens_of_other_servers_and_for_other_apis_grant_no_access() {
    let other_api = "https://other.example";
    let server = server().await;
    let resources = format!("{} {other_api}", server.http.public_url);
    let elsewhere = server_with(&[]).await;
    let token = text(&elsewhere.tokens("openid some.scope").await, "access_token");
    assert_invalid(&server, "another issuer", &token).await;
    drop(elsewhere);

    let secret = "a secret that only this server and these tests know";
    let first_party = start(first_party::app, &[("JWT_SECRET", secret)]).await;
    let form = [
        ("username", "johndoe"),
        ("password", "x"),
        ("scope", "some.scope"),
    ];
    let answer = Browser::new()
        .post(first_party.public_url.join("/token"), &form)
        .await;
    let token = text(&answer.json(), "access_token");
    assert_invalid(&server, "first_party", &token).await;

    let addr = server.http.addr;
    server.http.stop().await;
    let bind = addr.to_string();
    let server = server_with(&[("BIND_ADDR", &bind), ("RESOURCES", &resources)]).await;
    let mut login = server.login("openid some.scope");
    login.params.push(("resource", other_api.into()));
    let code = server.code(&mut Browser::new(), &login).await;
    let token = text(&server.redeem(&login, &code).await.json(), "access_token");
    let answer = server.get("/endpoint1", &token).await;
    assert_eq!(answer.status, 401, "{}", answer.body);
    server.assert_alive(&token).await;
}

// check 213
#[tokio::test]
async fn userinfo_returns_what_the_scopes_allow_while_token_and_user_exist() {
    let server = server().await;
    let answer = Browser::new().get(server.url("/userinfo")).await;
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.header("www-authenticate"),
        "Bearer realm=\"first_party\""
    );
    let token = text(&server.tokens("some.scope").await, "access_token");
    let answer = server.get("/userinfo", &token).await;
    assert_eq!(answer.status, 403);
    assert!(
        answer
            .header("www-authenticate")
            .contains("insufficient_scope")
    );

    for (scope, expected) in [
        ("openid", json!({"sub": "johndoe"})),
        (
            "openid profile",
            json!({"sub": "johndoe", "name": "John Doe", "preferred_username": "johndoe"}),
        ),
        (
            "openid email",
            json!({"sub": "johndoe", "email": "johndoe@example.com"}),
        ),
    ] {
        let tokens = server.tokens(scope).await;
        let user = server
            .get("/userinfo", &text(&tokens, "access_token"))
            .await
            .json();
        assert_eq!(user, expected);
        assert_eq!(user["sub"], claims(&text(&tokens, "id_token"))["sub"]);
    }
    let revoked = text(&server.tokens("openid").await, "access_token");
    server.post("/revoke", &[("token", &revoked)]).await;
    assert_eq!(server.get("/userinfo", &revoked).await.status, 401);
    let token = text(&server.tokens("openid").await, "access_token");
    let mut browser = Browser::new();
    let post = browser
        .request(Method::POST, server.url("/userinfo"))
        .bearer_auth(&token);
    assert_eq!(browser.send(post).await.json()["sub"], "johndoe");
    server
        .sql("DELETE FROM users WHERE username = 'johndoe'")
        .await;
    let answer = server.get("/userinfo", &token).await;
    assert_eq!(answer.status, 401);
    assert!(answer.header("www-authenticate").contains("invalid_token"));
}

// check 216
#[tokio::test]
async fn a_token_counts_in_the_header_alone() {
    let server = server().await;
    let token = text(&server.tokens("openid some.scope").await, "access_token");
    let mut browser = Browser::new();
    for path in ["/userinfo", "/endpoint1"] {
        let answer = browser
            .get(server.url(&format!("{path}?access_token={token}")))
            .await;
        assert_eq!(answer.status, 401, "{path}");
        assert!(
            !answer.header("www-authenticate").contains("error="),
            "{path}"
        );
    }
    let answer = browser
        .post(server.url("/userinfo"), &[("access_token", &token)])
        .await;
    assert_eq!(answer.status, 401);
    browser
        .cookies
        .insert(("localhost".into(), "access_token".into()), token.clone());
    assert_eq!(browser.get(server.url("/endpoint1")).await.status, 401);
    let both = |path: &str| {
        let request = browser.request(Method::GET, server.url(&format!("{path}?access_token=x")));
        request.bearer_auth(&token)
    };
    let answer: Answer = browser.clone().send(both("/userinfo")).await;
    assert_eq!(answer.status, 200);
    let twice = both("/endpoint1").bearer_auth(&token);
    assert_eq!(browser.clone().send(twice).await.status, 400);
}
