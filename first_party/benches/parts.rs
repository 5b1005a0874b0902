//! `cargo bench -p first_party --bench parts`: what a token costs, without a server around it.

use divan::{Bencher, black_box};
use first_party::{scopes::Scopes, token::Tokens};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

const ORIGIN: &str = "http://127.0.0.1:5000";
const SECRET: &str = "a secret of this benchmark, and of nobody else";

fn main() {
    divan::main();
}

fn tokens() -> Tokens {
    let public_url = ORIGIN.parse().expect("an origin");
    Tokens::new(
        &SECRET.to_owned().into(),
        public_url,
        common::flow::Flows::default(),
    )
}

#[divan::bench]
fn issue_a_token(bencher: Bencher) {
    let tokens = tokens();
    bencher.bench(|| {
        tokens.issue(
            black_box("ada"),
            "first_party",
            Scopes::known_in("some.scope"),
        )
    });
}

#[divan::bench]
fn verify_a_token(bencher: Bencher) {
    let tokens = tokens();
    let token = tokens
        .issue("ada", "first_party", Scopes::known_in("some.scope"))
        .access_token;
    assert!(tokens.verify(&token).is_some());
    bencher.bench(|| tokens.verify(black_box(&token)));
}

/// What of it is the library's part: the same token and the same checks, without our claims and our
/// look at the header.
#[divan::bench]
fn verify_a_token_with_the_library_alone(bencher: Bencher) {
    #[derive(Deserialize)]
    struct Nothing {}

    let token = tokens()
        .issue("ada", "first_party", Scopes::known_in("some.scope"))
        .access_token;
    let key = DecodingKey::from_secret(SECRET.as_bytes());
    let mut validation = Validation::default();
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.set_issuer(&[ORIGIN]);
    validation.set_audience(&[ORIGIN]);
    validation.validate_nbf = true;
    assert!(decode::<Nothing>(&token, &key, &validation).is_ok());
    bencher.bench(|| decode::<Nothing>(black_box(&token), &key, &validation).is_ok());
}

/// What axum's example `jwt` does: three claims, of which one is checked.
#[divan::bench]
fn verify_a_token_of_axums_example(bencher: Bencher) {
    #[derive(Serialize, Deserialize)]
    struct Claims {
        sub: String,
        company: String,
        exp: u64,
    }

    let claims = Claims {
        sub: "b@b.com".into(),
        company: "ACME".into(),
        exp: 2_000_000_000,
    };
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let token = encode(&Header::default(), &claims, &key).expect("a token");
    bencher.bench(|| {
        let key = DecodingKey::from_secret(SECRET.as_bytes());
        decode::<Claims>(black_box(&token), &key, &Validation::default()).is_ok()
    });
}

#[divan::bench]
fn match_scopes() -> bool {
    Scopes::known_in(black_box("other.scope third.scope")).intersects(Scopes::ALL)
}
