//! The demo provider, attacked as a real one would be: it must not teach anyone to be careless.

use common::server::Server;
use oauth2::{PkceCodeChallenge, PkceCodeVerifier};
use reqwest::{Method, Url};
use serde_json::{Value, json};
use testing::{
    Answer, Browser,
    crowd::{count, submit},
    param_of,
    program::Program,
    query_of, start, url,
};

const CLIENT_ID: &str = "the-application";
const CLIENT_SECRET: &str = "the-password-of-it";
const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more";

/// A server with the demo provider, its address, and an attacker.
struct Demo {
    _server: Server,
    origin: Url,
    redirect_uri: String,
    browser: Browser,
}

type Form<'a> = Vec<(&'a str, &'a str)>;

/// The fields, with one changed, or removed with `None`.
fn with<'a>(mut form: Form<'a>, name: &'a str, value: Option<&'a str>) -> Form<'a> {
    form.retain(|(known, _)| *known != name);
    form.extend(value.map(|value| (name, value)));
    form
}

fn challenge() -> String {
    let verifier = PkceCodeVerifier::new(VERIFIER.to_owned());
    PkceCodeChallenge::from_code_verifier_sha256(&verifier)
        .as_str()
        .to_owned()
}

impl Demo {
    async fn start() -> Self {
        let vars = [
            ("PROVIDER", "demo"),
            ("CLIENT_ID", CLIENT_ID),
            ("CLIENT_SECRET", CLIENT_SECRET),
        ];
        let server = start(basic::app, &vars).await;
        let mut browser = Browser::new();
        let login = browser.get(url(&server, "/login")).await;
        let origin = Url::parse(login.location()).expect("a URL");
        Self {
            redirect_uri: server.public_url.join("/auth"),
            _server: server,
            origin,
            browser,
        }
    }

    /// A request that the demo provider accepts if `challenge` is [`challenge`].
    fn request<'a>(&'a self, challenge: &'a str) -> Form<'a> {
        vec![
            ("response_type", "code"),
            ("client_id", CLIENT_ID),
            ("redirect_uri", &self.redirect_uri),
            ("scope", "identify"),
            ("state", "the-state"),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ]
    }

    async fn ask(&self, form: &[(&str, &str)]) -> Answer {
        let mut url = self.origin.join("/oauth2/authorize").expect("a URL");
        url.query_pairs_mut().extend_pairs(form);
        self.browser.clone().get(url).await
    }

    async fn allow(&self, form: &[(&str, &str)]) -> Answer {
        let url = self.origin.join("/oauth2/authorize").expect("a URL");
        let decision = [("username", "ada"), ("decision", "allow")];
        self.browser
            .clone()
            .post(url, &[form, &decision].concat())
            .await
    }

    async fn code(&self) -> String {
        let allowed = self.allow(&self.request(&challenge())).await;
        param_of(allowed.location(), "code")
    }

    fn exchange<'a>(&'a self, code: &'a str) -> Form<'a> {
        vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", VERIFIER),
        ]
    }

    /// `POST` with these `Authorization` headers.
    async fn post(&self, path: &str, form: &[(&str, &str)], headers: &[&str]) -> Answer {
        let url = self.origin.join(path).expect("a URL");
        let mut request = self.browser.request(Method::POST, url).form(form);
        for header in headers {
            request = request.header("authorization", *header);
        }
        self.browser.clone().send(request).await
    }

    /// The client asks for a token.
    async fn token(&self, form: &[(&str, &str)]) -> Answer {
        let client = [("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
        self.post("/api/oauth2/token", &[form, &client].concat(), &[])
            .await
    }

    async fn user(&self, token: &Value) -> u16 {
        let url = self.origin.join("/api/users/@me").expect("a URL");
        let request = self.browser.request(Method::GET, url);
        let request = request.bearer_auth(token["access_token"].as_str().expect("a token"));
        self.browser.clone().send(request).await.status
    }
}

fn assert_refused(answer: &Answer, status: u16, error: &str, case: &str) {
    assert_eq!(
        (answer.status, &answer.json()["error"]),
        (status, &json!(error)),
        "{case}"
    );
    assert!(answer.json()["access_token"].is_null(), "{case}");
    assert_eq!(answer.header("cache-control"), "no-store", "{case}");
}

#[tokio::test]
async fn the_second_use_of_a_code_revokes_the_tokens_of_the_first() {
    let demo = Demo::start().await;
    let code = demo.code().await;
    let first = demo.token(&demo.exchange(&code)).await;
    assert_eq!((first.status, demo.user(&first.json()).await), (200, 200));
    assert_refused(
        &demo.token(&demo.exchange(&code)).await,
        400,
        "invalid_grant",
        "again",
    );
    assert_eq!(demo.user(&first.json()).await, 401);
    let refresh = first.json()["refresh_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let refresh = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &*refresh),
    ];
    assert_refused(
        &demo.token(&refresh).await,
        400,
        "invalid_grant",
        "its refresh token",
    );
}

#[tokio::test]
async fn a_code_cannot_be_redeemed_without_its_verifier_and_redirect_uri() {
    let demo = Demo::start().await;
    let (challenge, long) = (challenge(), "v".repeat(129));
    for (name, value) in [
        ("code_verifier", None),
        ("code_verifier", Some("")),
        ("code_verifier", Some(&*challenge)),
        ("code_verifier", Some(&VERIFIER[1..])),
        ("code_verifier", Some(&*long)),
        ("redirect_uri", None),
        ("redirect_uri", Some("http://127.0.0.1:9/auth")),
        ("code", Some("another-code")),
    ] {
        let code = demo.code().await;
        let form = with(demo.exchange(&code), name, value);
        let case = format!("{name} {value:?}");
        assert_refused(&demo.token(&form).await, 400, "invalid_grant", &case);
        if name != "code" {
            let again = demo.token(&demo.exchange(&code)).await;
            assert_refused(
                &again,
                400,
                "invalid_grant",
                &format!("{case}: tried is spent"),
            );
        }
    }
}

#[tokio::test]
async fn nobody_gets_a_code_without_pkce() {
    let demo = Demo::start().await;
    let challenge = challenge();
    let verifier = &VERIFIER[..43];
    for (name, value) in [
        ("code_challenge", None),
        ("code_challenge", Some("")),
        ("code_challenge", Some("short")),
        ("code_challenge_method", None),
        ("code_challenge_method", Some("plain")),
        ("code_challenge_method", Some("s256")),
    ] {
        let mut form = with(demo.request(&challenge), name, value);
        if value == Some("plain") {
            form = with(form, "code_challenge", Some(verifier));
        }
        for answer in [demo.ask(&form).await, demo.allow(&form).await] {
            let case = format!("{name} {value:?}");
            assert_eq!(
                param_of(answer.location(), "error"),
                "invalid_request",
                "{case}"
            );
            assert_eq!(param_of(answer.location(), "state"), "the-state", "{case}");
            assert_eq!(param_of(answer.location(), "code"), "", "{case}");
        }
    }
}

#[tokio::test]
async fn an_unregistered_client_or_redirect_uri_gets_no_redirect() {
    let demo = Demo::start().await;
    let (challenge, own) = (challenge(), demo.redirect_uri.clone());
    let near = [
        format!("{own}/"),
        format!("{own}?"),
        format!("{own}#"),
        format!("{own}/../auth"),
        own.replace("/auth", "/AUTH"),
        own.replace("http://", "http://evil.example@"),
        own.replace("http://", "HTTP://"),
        own.replace("127.0.0.1", "localhost"),
        own.replace("/auth", ".evil.example/auth"),
        "https://evil.example".to_owned(),
        "javascript:alert(1)".to_owned(),
    ];
    let near = near.iter().map(|uri| ("redirect_uri", Some(&**uri)));
    let others = [
        ("redirect_uri", None),
        ("client_id", None),
        ("client_id", Some("another")),
    ];
    for (name, value) in near.chain(others) {
        let form = with(demo.request(&challenge), name, value);
        for answer in [demo.ask(&form).await, demo.allow(&form).await] {
            let case = format!("{name} {value:?}");
            assert_eq!(
                (answer.status, answer.header("location")),
                (400, ""),
                "{case}"
            );
            assert!(!answer.body.contains("evil"), "{case}: {}", answer.body);
        }
    }
}

// checks 109, 139: the endpoints of the demo provider are for its client alone.
#[tokio::test]
async fn every_failed_client_authentication_gets_the_same_answer() {
    let demo = Demo::start().await;
    let basic = |id: &str, secret: &str| {
        let request = demo.browser.request(Method::GET, &demo.redirect_uri);
        let request = request
            .basic_auth(id, Some(secret))
            .build()
            .expect("a request");
        request.headers()["authorization"]
            .to_str()
            .expect("text")
            .to_owned()
    };
    let good = basic(CLIENT_ID, CLIENT_SECRET);
    let wrong = basic(CLIENT_ID, "another-password");
    let unknown = basic("another", CLIENT_SECRET);
    let empty = basic("", "");
    let secret_in_body = [("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
    for path in ["/api/oauth2/token", "/api/oauth2/token/revoke"] {
        for (headers, body, status) in [
            (&[][..], &[][..], 401),
            (&[&*wrong], &[], 401),
            (&[&*unknown], &[], 401),
            (&[&*empty], &[], 401),
            (&["Bearer x"], &[], 401),
            (&["Basic"], &[], 401),
            (&["Basic %%%"], &[], 401),
            (&[], &secret_in_body[..1], 401),
            (&[], &secret_in_body[1..], 401),
            (
                &[],
                &[
                    ("client_id", CLIENT_ID),
                    ("client_secret", "another-password"),
                ],
                401,
            ),
            (&[&*good], &secret_in_body, 400),
            (&[&*good], &[("client_id", "another")], 400),
            (&[&*good, &*wrong], &[], 400),
            (&[&*wrong, &*good], &[], 400),
            (&[&*good, &*good], &[], 400),
        ] {
            let form = [&[("token", "x"), ("grant_type", "refresh_token")], body].concat();
            let answer = demo.post(path, &form, headers).await;
            let (error, challenge) = match status {
                401 => ("invalid_client", "Basic realm=\"client\""),
                _ => ("invalid_request", ""),
            };
            let case = format!("{path} {headers:?} {body:?}");
            assert_refused(&answer, status, error, &case);
            assert_eq!(answer.header("www-authenticate"), challenge, "{case}");
            if status == 401 {
                let description = "unknown client or wrong secret";
                assert_eq!(answer.json()["error_description"], description, "{case}");
            }
        }
    }
    let revoked = demo
        .post(
            "/api/oauth2/token/revoke",
            &[("token", "unknown")],
            &[&good],
        )
        .await;
    assert_eq!(
        revoked.status, 200,
        "an unknown token counts as already revoked"
    );
    let none = demo.post("/api/oauth2/token/revoke", &[], &[&good]).await;
    assert_refused(&none, 400, "invalid_request", "no token to revoke");
}

#[tokio::test]
async fn the_second_use_of_a_refresh_token_revokes_every_token_of_the_login() {
    let demo = Demo::start().await;
    let code = demo.code().await;
    let first = demo.token(&demo.exchange(&code)).await.json();
    let stolen = first["refresh_token"].as_str().expect("a token");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", stolen)];
    let second = demo.token(&refresh).await.json();
    assert_eq!(demo.user(&second).await, 200);
    assert_refused(
        &demo.token(&refresh).await,
        400,
        "invalid_grant",
        "the second use",
    );
    assert_eq!(
        [demo.user(&first).await, demo.user(&second).await],
        [401, 401]
    );
    let next = second["refresh_token"].as_str().expect("a token");
    let next = [("grant_type", "refresh_token"), ("refresh_token", next)];
    assert_refused(
        &demo.token(&next).await,
        400,
        "invalid_grant",
        "the thief's next",
    );
}

#[tokio::test]
async fn nobody_gets_more_than_the_person_allowed() {
    let demo = Demo::start().await;
    let challenge = challenge();
    for scope in ["admin", "identify admin", "identify  email", "IDENTIFY"] {
        let form = with(demo.request(&challenge), "scope", Some(scope));
        let answer = demo.allow(&form).await;
        assert_eq!(
            param_of(answer.location(), "error"),
            "invalid_scope",
            "{scope}"
        );
    }
    for scope in ["email", "identify email"] {
        let code = demo.code().await;
        let token = demo.token(&demo.exchange(&code)).await.json();
        let refresh = token["refresh_token"].as_str().expect("a token");
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh),
            ("scope", scope),
        ];
        assert_refused(&demo.token(&form).await, 400, "invalid_scope", scope);
    }
}

#[tokio::test]
async fn a_refresh_with_a_narrower_scope_does_not_narrow_the_next_one() {
    let demo = Demo::start().await;
    let challenge = challenge();
    let form = with(demo.request(&challenge), "scope", Some("identify email"));
    let code = param_of(demo.allow(&form).await.location(), "code");
    let mut token = demo.token(&demo.exchange(&code)).await.json();
    for (asked, granted) in [(Some("email"), "email"), (None, "identify email")] {
        let refresh_token = token["refresh_token"].as_str().expect("a token");
        let form = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
        ];
        token = demo.token(&with(form, "scope", asked)).await.json();
        assert_eq!(token["scope"], granted);
    }
}

#[tokio::test]
async fn a_parameter_sent_twice_is_an_error() {
    let demo = Demo::start().await;
    let challenge = challenge();
    for (name, value) in demo.request(&challenge) {
        let mut form = demo.request(&challenge);
        form.push((name, value));
        for answer in [demo.ask(&form).await, demo.allow(&form).await] {
            if matches!(name, "client_id" | "redirect_uri") {
                let redirect = answer.header("location");
                assert_eq!((answer.status, redirect), (400, ""), "{name}");
            } else {
                let error = param_of(answer.location(), "error");
                assert_eq!(error, "invalid_request", "{name}");
            }
        }
    }
}

// check 173 for B S
#[tokio::test]
async fn another_site_cannot_press_allow() {
    let demo = Demo::start().await;
    let own = demo.origin.origin().ascii_serialization();
    for (header, value, is_own) in [
        ("sec-fetch-site", "cross-site", false),
        ("sec-fetch-site", "same-site", false),
        ("sec-fetch-site", "none", false),
        ("origin", "https://evil.example", false),
        ("origin", "null", false),
        ("origin", demo.redirect_uri.trim_end_matches("/auth"), false),
        ("sec-fetch-site", "same-origin", true),
        ("origin", &own, true),
    ] {
        let url = demo.origin.join("/oauth2/authorize").expect("a URL");
        let challenge = challenge();
        let decision = [("username", "ada"), ("decision", "allow")];
        let form = [demo.request(&challenge), decision.to_vec()].concat();
        let request = demo.browser.request(Method::POST, url).form(&form);
        let request = request.header(header, value);
        let answer = demo.browser.clone().send(request).await;
        let status = if is_own { 303 } else { 403 };
        let case = format!("{header}: {value}");
        assert_eq!(answer.status, status, "{case}");
        assert_eq!(answer.header("location").is_empty(), !is_own, "{case}");
    }
}

// check 173 for B S
#[tokio::test]
async fn what_the_provider_keeps_of_a_request_is_bounded() {
    let demo = Demo::start().await;
    let (challenge, long) = (challenge(), "n".repeat(129));
    let error = |answer: &Answer| param_of(answer.location(), "error");
    for (nonce, expected) in [(&long[1..], ""), (&long, "invalid_request")] {
        let form = with(demo.request(&challenge), "nonce", Some(nonce));
        assert_eq!(error(&demo.allow(&form).await), expected);
    }
    let scope = "email identify ".repeat(1000);
    let form = with(demo.request(&challenge), "scope", Some(scope.trim()));
    let code = param_of(demo.allow(&form).await.location(), "code");
    let token = demo.token(&demo.exchange(&code)).await.json();
    assert_eq!(token["scope"], "email identify", "each once");
    let name = ("username", &*"a".repeat(101));
    let form = [demo.request(&challenge), vec![name, ("decision", "allow")]].concat();
    let url = demo.origin.join("/oauth2/authorize").expect("a URL");
    assert_eq!(demo.browser.clone().post(url, &form).await.status, 400);
}

// check 173 for B S
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn codes_that_nobody_redeems_take_no_memory() {
    let program = Program::start(
        env!("CARGO_BIN_EXE_basic"),
        &[("RUST_LOG", "warn,common::server=info")],
    );
    let login = Browser::new().get(program.join("/login")).await;
    let mut consent = Url::parse(login.location()).expect("a URL");
    let demo = consent.socket_addrs(|| None).expect("an address")[0];
    let (scope, long) = ("identify email ".repeat(20), "n".repeat(200));
    let mut request = query_of(login.location());
    request.retain(|(name, _)| !matches!(&**name, "scope" | "state"));
    let longest = [
        ("scope", scope.trim()),
        ("state", &long),
        ("nonce", &long[..128]),
        ("username", &long[..100]),
        ("decision", "allow"),
    ];
    let mut form = consent.query_pairs_mut();
    let form = form.clear().extend_pairs(request).extend_pairs(longest);
    let form = form.finish().query().expect("a form");

    submit(demo, "/oauth2/authorize", form, 303, 400).await;
    let before = program.memory().expect("Linux says it");
    let count = count("AUTHORIZATIONS", 20_000);
    submit(demo, "/oauth2/authorize", form, 303, count).await;
    let after = program.memory().expect("Linux says it");
    println!("{count} authorizations: {before} MiB before, {after} MiB after them");
    assert!(after < before + 20, "{before} MiB, {after} MiB");
}

#[tokio::test]
async fn markup_in_a_request_is_escaped_on_the_page() {
    let demo = Demo::start().await;
    let challenge = challenge();
    let markup = "\"><script>alert(1)</script><b a='";
    let form = with(demo.request(&challenge), "state", Some(markup));
    let page = demo.ask(&form).await;
    assert!(
        !page.body.contains("<script") && !page.body.contains("<b "),
        "{}",
        page.body
    );
    assert!(
        page.hidden_fields()
            .contains(&("state".to_owned(), markup.to_owned()))
    );
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("script-src"),
        "{policy}"
    );
    assert_eq!(
        page.header("x-frame-options"),
        "DENY",
        "nobody can trick the user into clicking Allow"
    );
    let back = demo.allow(&form).await;
    assert_eq!(param_of(back.location(), "state"), markup);
}
