//! Forged, changed and borrowed tokens, and the secrets that sign real ones.

use std::time::Duration;

use common::{cookies::CookieKeys, server::Server, settings::Settings, unix_now};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use testing::{program::Program, start};
use tower_cookies::Cookies;

#[path = "support/forge.rs"]
mod forge;
#[path = "support/raw.rs"]
mod raw;
#[path = "support/user.rs"]
mod user;

use forge::{HEADER, SECRET, assert_refused, claims, get, seal, server, sign, with};

/// A token that is valid in every respect.
fn good(server: &Server) -> String {
    sign(HEADER, claims(server).to_string())
}

/// The three parts of a token.
fn parts(token: &str) -> [&str; 3] {
    let parts: Vec<_> = token.split('.').collect();
    parts.try_into().expect("three parts")
}

/// All other tests here depend on this one: each of their tokens is valid but for one thing.
#[tokio::test]
async fn a_token_signed_with_the_secret_is_accepted() {
    let server = server().await;
    let answer = get(&server, "/endpoint1", &good(&server)).await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!("Hello from endpoint 1"))
    );
    for (name, value) in [("nbf", json!(unix_now() - 60)), ("roles", json!(["admin"]))] {
        let token = sign(HEADER, with(claims(&server), name, value).to_string());
        assert_eq!(
            get(&server, "/endpoint1", &token).await.status,
            200,
            "{name}"
        );
    }
}

// check 125
#[tokio::test]
async fn a_token_without_a_signature_is_refused() {
    let server = server().await;
    let signature = parts(&good(&server))[2].to_owned();
    for algorithm in ["none", "None", "nOnE", "NONE", ""] {
        let header = json!({ "typ": "at+jwt", "alg": algorithm }).to_string();
        let signed = sign(header, claims(&server).to_string());
        let [header, payload, _] = parts(&signed);
        for signature in ["", &signature] {
            let token = format!("{header}.{payload}.{signature}");
            assert_refused(&server, algorithm, &token).await;
        }
        assert_refused(&server, algorithm, &signed).await;
    }
    let token = good(&server);
    let [header, payload, _] = parts(&token);
    assert_refused(&server, "empty signature", &format!("{header}.{payload}.")).await;
}

// check 126
#[tokio::test]
async fn another_algorithm_is_refused_even_with_the_right_key() {
    let server = server().await;
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let header = Header {
            typ: Some("at+jwt".into()),
            ..Header::new(algorithm)
        };
        let token = jsonwebtoken::encode(&header, &claims(&server), &key).unwrap();
        assert_refused(&server, "another hash", &token).await;
    }
    let names = [
        "HS384", "HS512", "RS256", "PS256", "ES256", "EdDSA", "hs256", "HS256 ", "dir",
    ];
    for name in names {
        let header = json!({ "typ": "at+jwt", "alg": name }).to_string();
        assert_refused(&server, name, &sign(header, claims(&server).to_string())).await;
    }
}

// checks 127, 136
#[tokio::test]
async fn a_token_that_was_changed_anywhere_is_refused() {
    let server = server().await;
    let token = good(&server);
    let [header, payload, signature] = parts(&token);

    let wider = with(claims(&server), "scope", json!("some.scope third.scope"));
    let wider = sign(HEADER, wider.to_string());
    let cases = [
        (
            "another payload",
            format!("{header}.{}.{signature}", parts(&wider)[1]),
        ),
        (
            "another key",
            seal(
                &format!("{header}.{payload}"),
                "another secret of the same length, or about",
            ),
        ),
        ("the empty key", seal(&format!("{header}.{payload}"), "")),
        ("two parts", format!("{header}.{payload}")),
        ("one part", payload.to_owned()),
        ("four parts", format!("{token}.{signature}")),
        ("five parts", format!("{token}.{payload}.{signature}")),
        ("a dot at the end", format!("{token}.")),
        ("a dot in front", format!(".{token}")),
        ("no header", format!(".{payload}.{signature}")),
        ("no payload", format!("{header}..{signature}")),
        ("dots alone", "..".to_owned()),
        ("padding", format!("{token}=")),
        (
            "padding in the header",
            format!("{header}=.{payload}.{signature}"),
        ),
        ("a space in it", format!("{header}.{payload} .{signature}")),
        ("quotes around it", format!("\"{token}\"")),
        (
            "JSON serialization",
            json!({ "payload": payload, "protected": header, "signature": signature }).to_string(),
        ),
    ];
    for (case, token) in cases {
        assert_refused(&server, case, &token).await;
    }
}

// checks 127, 136
#[tokio::test]
async fn the_last_character_of_the_signature_counts() {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let server = server().await;
    let token = good(&server);
    let (front, last) = token.split_at(token.len() - 1);
    // Four characters of the alphabet stand for the same last bits; one of them is canonical.
    for other in ALPHABET
        .split("")
        .filter(|other| !other.is_empty() && *other != last)
    {
        assert_refused(&server, other, &format!("{front}{other}")).await;
    }
    assert_eq!(get(&server, "/endpoint1", &token).await.status, 200);
}

// check 136
#[tokio::test]
async fn an_encoding_that_is_not_canonical_is_refused_though_it_is_signed() {
    let server = server().await;
    let mut payload = claims(&server).to_string();
    // One byte over a multiple of three, so that four bits of the last character are unused.
    while payload.len() % 3 != 1 {
        payload.push(' ');
    }
    let token = sign(HEADER, &payload);
    assert_eq!(get(&server, "/endpoint1", &token).await.status, 200);

    let [header, payload, _] = parts(&token);
    let (front, last) = payload.split_at(payload.len() - 1);
    let next = char::from(last.as_bytes()[0] + 1);
    let cases = [
        ("unused bits", format!("{header}.{front}{next}")),
        ("padding", format!("{header}.{payload}==")),
        ("padding in the header", format!("{header}==.{payload}")),
        ("a space", format!("{header}.{front} {last}")),
        ("the other alphabet", format!("{header}.{front}+")),
    ];
    for (case, message) in cases {
        assert_refused(&server, case, &seal(&message, SECRET)).await;
    }
}

// checks 133, 134, 135, 136, 138
#[tokio::test]
async fn a_header_other_than_our_own_is_refused() {
    let server = server().await;
    let headers = [
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"HS256","typ":"JWT"}"#,
        r#"{"alg":"HS256","typ":"logout+jwt"}"#,
        r#"{"alg":"HS256","typ":"application/at+jwt"}"#,
        r#"{"alg":"HS256","typ":""}"#,
        r#"{"alg":"HS256","typ":null}"#,
        r#"{"alg":"HS256","typ":1}"#,
        r#"{"alg":"HS256","typ":["at+jwt"]}"#,
        r#"{"typ":"at+jwt"}"#,
        r#"{"typ":"at+jwt","alg":null}"#,
        r#"{"typ":"at+jwt","alg":["HS256"]}"#,
        r#"{"typ":"at+jwt","alg":{"HS256":null}}"#,
        r#"{"typ":"at+jwt","alg":{"HS256":null},"x":1}"#,
        r#"{"typ":"at+jwt","alg":"HS256","crit":null}"#,
        r#"{"typ":"at+jwt","alg":"HS256","kid":null}"#,
        r#"{"typ":"at+jwt","alg":"HS256","jwk":null,"jku":null,"x5u":null}"#,
        r#"{"typ":"at+jwt","alg":"hs256"}"#,
        r#"{"typ":"at+jwt","alg":"HS256","crit":["x"],"x":1}"#,
        r#"{"typ":"at+jwt","alg":"HS256","crit":["exp"]}"#,
        r#"{"typ":"at+jwt","alg":"HS256","crit":[]}"#,
        r#"{"typ":"at+jwt","alg":"HS256","crit":"x"}"#,
        r#"{"typ":"at+jwt","alg":"HS256","b64":false}"#,
        r#"{"typ":"at+jwt","alg":"HS256","b64":true}"#,
        r#"{"typ":"at+jwt","alg":"HS256","b64":false,"crit":["b64"]}"#,
        r#"{"typ":"at+jwt","alg":"HS256","cty":"JWT"}"#,
        r#"{"typ":"at+jwt","alg":"HS256","zip":"DEF"}"#,
        r#"{"typ":"at+jwt","alg":"HS256","enc":"A256GCM"}"#,
        r#"{"typ":"at+jwt","alg":"HS256","kid":"1"}"#,
        r#"{"typ":"at+jwt","alg":"HS256","kid":"../../dev/null"}"#,
        r#"{"typ":"at+jwt","alg":"HS256","x5c":["MII="]}"#,
        r#"{"typ":"at+jwt","alg":"HS256","nonce":"1"}"#,
        r#"{"typ":"at+jwt","alg":"HS256","foo":"bar"}"#,
        r#"{"typ":"at+jwt","alg":"HS256","alg":"HS256"}"#,
        r#"{"typ":"at+jwt","alg":"none","alg":"HS256"}"#,
        r#"{"typ":"at+jwt","alg":"HS256","alg":"none"}"#,
        r#"{"typ":"JWT","typ":"at+jwt","alg":"HS256"}"#,
        r#"{"typ":"at+jwt","alg":"HS256"}{}"#,
        r#"["at+jwt","HS256"]"#,
        r#"["HS256","at+jwt"]"#,
        r#""HS256""#,
        "{}",
        "null",
        "at+jwt",
        "",
    ];
    let payload = claims(&server).to_string();
    for header in headers {
        assert_refused(&server, header, &sign(header, &payload)).await;
    }
    assert_refused(
        &server,
        "not UTF-8",
        &sign(b"{\"typ\":\"at+jwt\",\"alg\":\"HS256\xff\"}", &payload),
    )
    .await;
    // The same header in another spelling is accepted, so the spelling is not why the others fail.
    let spaced = sign(r#"{ "alg": "HS\u003256", "typ": "at+jwt" }"#, &payload);
    assert_eq!(get(&server, "/endpoint1", &spaced).await.status, 200);
}

// check 135
#[tokio::test]
async fn a_key_that_a_token_supplies_is_neither_used_nor_fetched() {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

    let server = server().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    let own_key = "the attacker's own key, long enough for HS256";
    let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    for (name, value) in [
        (
            "jwk",
            json!({ "kty": "oct", "alg": "HS256", "k": encode(own_key) }),
        ),
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("kid", json!("../../dev/null")),
        ("kid", json!("' UNION SELECT 'the attacker's own key'--")),
    ] {
        let mut header = json!({ "typ": "at+jwt", "alg": "HS256" });
        header[name] = value;
        let payload = encode(&claims(&server).to_string());
        let message = format!("{}.{payload}", encode(&header.to_string()));
        for secret in [own_key, "", SECRET] {
            assert_refused(&server, name, &seal(&message, secret)).await;
        }
    }
    let nobody_came = listener.accept().unwrap_err().kind();
    assert_eq!(nobody_came, std::io::ErrorKind::WouldBlock);
}

// checks 119, 128, 130, 131, 132
#[tokio::test]
async fn each_claim_is_required_and_must_be_one_string_or_number() {
    let server = server().await;
    for name in [
        "iss",
        "aud",
        "sub",
        "client_id",
        "scope",
        "iat",
        "exp",
        "jti",
    ] {
        let good = claims(&server);
        let value = good[name].clone();
        let other_type = if value.is_string() {
            json!(1)
        } else {
            json!(value.to_string())
        };
        let wrong = [
            None,
            Some(Value::Null),
            Some(json!([value])),
            Some(json!(["evil", value])),
            Some(json!({ "0": value })),
            Some(json!(true)),
            Some(other_type),
        ];
        for wrong in wrong {
            let case = format!("{name}: {wrong:?}");
            let token = sign(HEADER, with(good.clone(), name, wrong).to_string());
            assert_refused(&server, &case, &token).await;
        }
    }
}

// checks 130, 131, 132, 138
#[tokio::test]
async fn a_token_with_another_issuer_another_audience_or_no_subject_is_refused() {
    let server = server().await;
    let own = server.public_url.to_string();
    let port = server.addr.port();
    for name in ["iss", "aud"] {
        for other in [
            "https://evil.example".to_owned(),
            format!("{own}/"),
            format!("{own}.evil.example"),
            format!("http://localhost:{port}"),
            format!("https://127.0.0.1:{port}"),
            format!("HTTP://127.0.0.1:{port}"),
            format!(" {own}"),
            String::new(),
        ] {
            let token = sign(
                HEADER,
                with(claims(&server), name, json!(other)).to_string(),
            );
            assert_refused(&server, &format!("{name} {other}"), &token).await;
        }
    }
    let nobody = sign(HEADER, with(claims(&server), "sub", json!("")).to_string());
    assert_refused(&server, "nobody", &nobody).await;
}

// checks 128, 129
#[tokio::test]
async fn a_token_is_valid_until_its_expiry_and_not_a_second_longer() {
    let server = server().await;
    let now = unix_now();
    let wrong = [
        ("exp", json!(now)),
        ("exp", json!(now - 1)),
        ("exp", json!(now - 59)),
        ("exp", json!(0)),
        ("exp", json!(-1)),
        ("exp", json!(now + 600).to_string().into()),
        ("exp", json!(600.5)),
        (
            "exp",
            serde_json::from_str(&format!("{}.5", now + 600)).unwrap(),
        ),
        ("exp", json!(1e300)),
        ("exp", json!(-1e300)),
        ("nbf", json!(now + 3600)),
        ("nbf", json!(u64::MAX)),
        ("nbf", json!(1e300)),
        ("nbf", json!(-1)),
        ("nbf", json!("0")),
        ("nbf", json!([0])),
        ("iat", json!(-1)),
        ("iat", json!(1e300)),
    ];
    for (name, value) in wrong {
        let case = format!("{name} {value}");
        let token = sign(HEADER, with(claims(&server), name, value).to_string());
        assert_refused(&server, &case, &token).await;
    }
    let last_minute = with(claims(&server), "exp", json!(now + 59)).to_string();
    assert_eq!(
        get(&server, "/endpoint1", &sign(HEADER, last_minute))
            .await
            .status,
        200
    );
}

// check 136
#[tokio::test]
async fn a_payload_that_is_not_one_object_with_each_claim_once_is_refused() {
    let server = server().await;
    let good = claims(&server).to_string();
    let inside = &good[1..good.len() - 1];
    let values: Vec<_> = [
        "iss",
        "aud",
        "sub",
        "client_id",
        "scope",
        "iat",
        "exp",
        "jti",
    ]
    .map(|name| claims(&server)[name].clone())
    .into();
    let values_and_nbf = [&values[..], &[json!(0)]].concat();
    let mut cases: Vec<Vec<u8>> = [
        "[1]",
        "{}",
        "null",
        "1",
        "\"alice\"",
        "alice",
        "",
        &json!(values).to_string(),
        &json!(values_and_nbf).to_string(),
        &format!(" {}", json!(values_and_nbf)),
        &format!("[{good}]"),
        &format!("{good}{good}"),
        &format!("{good}x"),
        &format!("\u{feff}{good}"),
        &good[..good.len() - 1],
        &format!(r#"{{"exp":0,{inside}}}"#),
        &format!(r#"{{{inside},"exp":0}}"#),
        &format!(r#"{{{inside},"exp":{}}}"#, unix_now() + 600),
        &format!(r#"{{{inside},"iss":"https://evil.example"}}"#),
        &format!(r#"{{{inside},"aud":"https://evil.example"}}"#),
        &format!(r#"{{{inside},"sub":"bob"}}"#),
        &format!(r#"{{{inside},"scope":"third.scope"}}"#),
        &format!(r#"{{{inside},"nbf":0,"nbf":{}}}"#, u64::MAX),
        &good.replace("alice", r"\ud800"),
    ]
    .map(|payload: &str| payload.as_bytes().to_vec())
    .into();
    cases.push([good.as_bytes(), b"\xff"].concat());
    cases.push(good.replace("alice", "\u{1}").into_bytes());
    cases.push(
        good.as_bytes()
            .iter()
            .map(|&byte| if byte == b'a' { 0xff } else { byte })
            .collect(),
    );
    cases.push("[".repeat(10_000).into_bytes());
    for payload in cases {
        let case = String::from_utf8_lossy(&payload);
        assert_refused(&server, &case, &sign(HEADER, &payload)).await;
    }
}

// check 138
#[tokio::test]
async fn a_token_issued_for_something_else_is_not_an_access_token() {
    let server = server().await;
    let own = server.public_url.to_string();
    let id_token = json!({
        "iss": own, "aud": "swagger", "sub": "alice", "nonce": "1",
        "iat": unix_now(), "exp": unix_now() + 600,
    });
    let of_another_service = with(claims(&server), "aud", json!("https://other.example"));
    let cases = [
        (
            "an ID token",
            sign(r#"{"typ":"JWT","alg":"HS256"}"#, id_token.to_string()),
        ),
        (
            "an ID token with our type",
            sign(HEADER, id_token.to_string()),
        ),
        (
            "our claims in an ID token",
            sign(
                r#"{"typ":"JWT","alg":"HS256"}"#,
                claims(&server).to_string(),
            ),
        ),
        (
            "another service's",
            sign(HEADER, of_another_service.to_string()),
        ),
        (
            "a session cookie",
            "eyJzdWIiOiJhbGljZSIsImV4cCI6OTk5OTk5OTk5OX0.c2lnbmF0dXJl".to_owned(),
        ),
        ("an API key", common::random_token()),
        ("the secret itself", SECRET.replace(' ', "-")),
    ];
    for (case, token) in cases {
        assert_refused(&server, case, &token).await;
    }
}

/// Cookies as `sessions` writes them: one signed and one encrypted.
fn cookies_of_a_session(secret: &str, session: &Value) -> Vec<String> {
    let keys = CookieKeys::new(&secret.to_owned().into(), false);
    let (cookies, lifetime) = (Cookies::default(), Duration::from_hours(1));
    keys.sign(&cookies, "session", session, lifetime)
        .expect("a cookie");
    keys.encrypt(&cookies, "token", session, lifetime)
        .expect("a cookie");
    assert_eq!(keys.verify(&cookies, "session").as_ref(), Some(session));
    cookies
        .list()
        .iter()
        .map(|cookie| cookie.value().to_owned())
        .collect()
}

// check 138
#[tokio::test]
async fn a_session_cookie_is_no_access_token_though_its_secret_is_the_same() {
    let server = server().await;
    let session = json!({
        "id": common::random_token(),
        "user": { "provider": "demo", "subject": "alice", "name": "Alice" },
    });
    for secret in [
        SECRET,
        "a secret of the sessions that is long enough for them",
    ] {
        for content in [&session, &claims(&server)] {
            let cookies = cookies_of_a_session(secret, content);
            assert_eq!(cookies.len(), 2, "{cookies:?}");
            for cookie in cookies {
                assert_refused(&server, "a cookie", &cookie).await;
                // The signature of a cookie comes first: 44 characters of base64.
                let (signature, value) = cookie.split_at(44);
                let signature = signature.replace('+', "-").replace('/', "_");
                let signature = signature.trim_end_matches('=');
                let header = parts(&good(&server))[0].to_owned();
                let token = format!("{header}.{value}.{signature}");
                assert_refused(&server, "a cookie in three parts", &token).await;
            }
        }
    }
}

// check 137
#[test]
fn long_tokens_take_no_memory() {
    let program = Program::start(
        env!("CARGO_BIN_EXE_first_party"),
        &[("RUST_LOG", "warn,common::server=info")],
    );
    let send = |size: usize| {
        let token = "A".repeat(size);
        let request = format!(
            "GET /endpoint1 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        raw::exchange(program.addr(), request.as_bytes())
    };
    let send_each = |times: usize| {
        for _ in 0..times {
            for (size, status) in [(16_000, 401), (60_000, 431), (5_000_000, 431)] {
                let answer = send(size);
                assert_eq!(raw::status(&answer), status, "{size}: {answer}");
            }
        }
    };
    send_each(10);
    let before = program.memory();
    send_each(200);
    // Not every system reports its memory.
    if let (Some(before), Some(after)) = (before, program.memory()) {
        assert!(after < before + 20, "{before} MiB grew to {after} MiB");
    }
}

// check 137
#[tokio::test]
async fn a_token_of_any_size_is_refused() {
    let server = server().await;
    for size in [1, 4_000, 16_000] {
        assert_refused(&server, "garbage", &"A".repeat(size)).await;
        let long = with(claims(&server), "jti", json!("A".repeat(size))).to_string();
        let token = sign(HEADER, long);
        let [header, payload, _] = parts(&token);
        assert_refused(&server, "unsigned", &format!("{header}.{payload}.AAAA")).await;
    }
    for size in [60_000, 5_000_000] {
        let token = "A".repeat(size);
        let request = format!(
            "GET /endpoint1 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        let answer = raw::send(server.addr, request).await;
        assert_eq!(raw::status(&answer), 431, "{size}: {answer}");
        assert!(!answer.contains("AAAA"), "{answer}");
    }
    assert_eq!(get(&server, "/endpoint1", &good(&server)).await.status, 200);
}

// check 114
#[tokio::test]
async fn of_two_secrets_the_first_signs_and_both_are_accepted() {
    let new = "a new secret with which all tokens are signed from now on";
    let server = start(
        first_party::app,
        &[("JWT_SECRET", &format!("{new},{SECRET}"))],
    )
    .await;
    let issued = user::token_with(&server, "some.scope").await;
    let [header, payload, _] = parts(&issued);
    assert_eq!(seal(&format!("{header}.{payload}"), new), issued);

    let old = good(&server);
    let [header, payload, _] = parts(&old);
    for (case, token) in [("issued", &issued), ("old", &old)] {
        assert_eq!(
            get(&server, "/endpoint1", token).await.status,
            200,
            "{case}"
        );
    }
    let both = seal(&format!("{header}.{payload}"), &format!("{new},{SECRET}"));
    assert_refused(&server, "both as one", &both).await;
    assert_refused(
        &server,
        "neither",
        &seal(&format!("{header}.{payload}"), "neither"),
    )
    .await;
}

// check 114
#[tokio::test]
async fn a_secret_of_32_bytes_is_enough_and_of_31_is_not() {
    let secret = "0123456789abcdef0123456789abcdef";
    for (secret, starts) in [(secret, true), (&secret[1..], false)] {
        let vars = [("BIND_ADDR", "127.0.0.1:0"), ("JWT_SECRET", secret)];
        let server = Server::start(first_party::app, Settings::from_vars(vars)).await;
        assert_eq!(server.is_ok(), starts, "{server:?}");
    }
}
