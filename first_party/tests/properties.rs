//! Whatever comes in: the `Authorization` header, the token form, and bytes that are not a request.

use axum::{
    extract::{FromRef, FromRequestParts, State},
    http::{HeaderValue, Request, header},
};
use common::{
    Params,
    params::Strict,
    settings::{FromSettings, PublicUrl, Settings},
};
use first_party::{
    bearer::BearerError,
    password::{self, AcceptsEveryone},
    scopes::Scopes,
    token::{Claims, Tokens},
};
use proptest::{prelude::*, sample::select};
use testing::{
    program::Program,
    rubbish::{answer_to, changed, config, header_value, is_answered, status, text},
};
use tokio::runtime::{Builder, Runtime};

fn tokens() -> (Tokens, Runtime) {
    let public_url: PublicUrl = "http://localhost:5000".parse().expect("an origin");
    let secret = "a secret that only this server and these tests know".to_owned();
    (
        Tokens::new(&secret.into(), public_url, common::flow::Flows::default()),
        Builder::new_current_thread().build().expect("a runtime"),
    )
}

/// What the guard says to this header.
fn guard(tokens: &Tokens, runtime: &Runtime, value: HeaderValue) -> Result<Claims, BearerError> {
    let request = Request::builder().header(header::AUTHORIZATION, value);
    let (mut parts, ()) = request.body(()).expect("a request").into_parts();
    runtime.block_on(Claims::from_request_parts(&mut parts, tokens))
}

const IN_A_BEARER: &[&str] = &[
    "Bearer ",
    "bearer ",
    "Bearer",
    "Basic ",
    "Og==",
    " ",
    "\t",
    ",",
    ".",
    "..",
    "=",
    "-",
    "_",
    "+",
    "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiJ9",
    "eyJhbGciOiJub25lIn0",
    "e30",
    "W10",
    "bnVsbA",
    "eyJleHAiOjFlMzAwfQ",
];

// checks 116, 121, 127
#[test]
fn a_header_without_a_token_of_this_server_grants_no_access() {
    let (tokens, runtime) = tokens();
    proptest!(config(), |(value in header_value(IN_A_BEARER))| {
        let Ok(value) = HeaderValue::from_bytes(&value) else { return Ok(()) };
        let refused = guard(&tokens, &runtime, value);
        prop_assert!(matches!(refused, Err(BearerError::NotAuthenticated | BearerError::InvalidToken)));
    });
}

// checks 116, 127, 136
#[test]
fn a_token_grants_access_only_as_it_was_issued() {
    let (tokens, runtime) = tokens();
    let original = tokens.issue("ada", "first_party", Scopes::ALL).access_token;
    let good = HeaderValue::try_from(format!("Bearer {original}")).expect("a header");
    assert!(guard(&tokens, &runtime, good).is_ok());
    proptest!(config(), |(token in changed(original.clone()))| {
        let Ok(value) = HeaderValue::try_from(format!("Bearer {token}")) else { return Ok(()) };
        let is_good = guard(&tokens, &runtime, value).is_ok();
        prop_assert_eq!(is_good, token == original);
    });
}

const IN_A_FORM: &[&str] = &[
    "username=",
    "username=ada",
    "password=",
    "password=secret",
    "scope=",
    "some.scope",
    "other.scope",
    "third.scope",
    "scope=some.scope",
    "grant_type=password",
    "client_id=",
    "&",
    "&",
    "&",
    "=",
    "+",
    "%20",
    "%",
    "%ff",
    "%00",
    "%0a",
    "client:",
    "é",
];

// checks 85, 89, 92, 95, 100
#[test]
fn a_form_gets_a_token_for_what_it_says_or_a_400() {
    let (_, runtime) = tokens();
    let mut settings = Settings::from_vars([]);
    let everyone = runtime.block_on(AcceptsEveryone::from_settings(&mut settings));
    let everyone = everyone.expect("it needs no settings");
    let tokens = Tokens::from_ref(&everyone);
    proptest!(config(), |(form in text(IN_A_FORM))| {
        let Ok(params) = Params::parse(&form) else { return Ok(()) };
        let [name, password, asked] =
            ["username", "password", "scope"].map(|name| params.get(name).map(str::to_owned));
        let request = params.read().expect("a form");
        let answer = password::token(State(everyone.clone()), Strict(request));
        match runtime.block_on(answer) {
            Ok((_, token)) => {
                prop_assert!(password.is_some());
                let claims = tokens.verify(&token.access_token).expect("our own token");
                prop_assert_eq!(Some(claims.sub), name);
                let asked = asked.unwrap_or_default();
                for (scope, _) in claims.scope.iter() {
                    prop_assert!(asked.split(' ').any(|asked| asked == scope), "{} unasked", scope);
                }
            }
            Err(refused) => prop_assert_eq!(refused.status(), 400),
        }
    });
}

const PATHS: &[&str] = &[
    "/",
    "/login",
    "/token",
    "/endpoint1",
    "/endpoint2",
    "/endpoint3",
    "/docs",
    "/docs/",
    "/docs/index.html",
    "/docs/oauth2-redirect.html",
    "/openapi.json",
    "/style.css",
    "/nowhere",
];

// check 147
#[test]
fn whatever_is_sent_is_answered_and_nothing_breaks() {
    let program = Program::start(env!("CARGO_BIN_EXE_first_party"), &[]);
    let addr = program.addr();
    is_answered(program, addr, PATHS);
}

// check 147
#[test]
fn a_client_that_accepts_no_page_gets_none() {
    let program = Program::start(env!("CARGO_BIN_EXE_first_party"), &[]);
    let addr = program.addr();
    let accept = select(&["text/html", "application/xhtml+xml", "text/html;q=1.000"][..]);
    let quality = 0.0..2.0_f32;
    let inputs = (header_value(IN_ACCEPT), accept, quality);
    proptest!(config(), |((range, accept, quality) in inputs)| {
        let ask = |accept: &[u8]| {
            let start = b"GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: ";
            answer_to(addr, &[start, accept, b"\r\n\r\n"].concat())
        };
        // This is not a media type, so it is ignored.
        let head = ask(&[b"x", &*range].concat());
        prop_assert_eq!(status(&head), 404);
        prop_assert!(head.contains("content-type: application/json"), "{}", head);
        let head = ask(format!("{accept}, application/json;q={quality}").as_bytes());
        prop_assert_eq!(head.contains("content-type: text/html"), quality < 1.0, "{}", head);
    });
}

const IN_ACCEPT: &[&str] = &[
    "*/*",
    "application/json",
    "text/plain",
    ";q=",
    "0.5",
    "1e9",
    "-1",
    "NaN",
    "inf",
    ";",
    " ",
];
