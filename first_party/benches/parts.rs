//! `cargo bench -p first_party --bench parts`: what a token costs, without a server around it.

use divan::{Bencher, black_box};
use first_party::{scopes::Scopes, token::Tokens};

fn main() {
    divan::main();
}

fn tokens() -> Tokens {
    let public_url = "http://127.0.0.1:5000".parse().expect("an origin");
    Tokens::new(
        &"a secret of this benchmark, and of nobody else"
            .to_owned()
            .into(),
        public_url,
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

#[divan::bench]
fn match_scopes() -> bool {
    Scopes::known_in(black_box("other.scope third.scope")).intersects(Scopes::ALL)
}
