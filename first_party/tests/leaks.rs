//! What the program logs at `trace`: nothing secret, and nothing that others wrote.

use reqwest::Method;
use testing::{
    Answer, Browser, param_of,
    program::{Program, Secrets},
};

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const NAME: &str = "the-user-name";
const PASSWORD: &str = "the-pass-word";
const FORGED: &str = "\n2026-01-01T00:00:00.000000Z  INFO \u{1b}[31mforged\u{9b}m\r\n";

/// The program, a person who uses it, and every secret that they see.
struct Person {
    program: Program,
    browser: Browser,
    secrets: Secrets,
}

impl Person {
    fn new() -> Self {
        let vars = [("RUST_LOG", "trace"), ("JWT_SECRET", SECRET)];
        let program = Program::start(env!("CARGO_BIN_EXE_first_party"), &vars);
        let mut secrets = Secrets::default();
        for secret in [SECRET, NAME, PASSWORD, "forged"] {
            secrets.add(secret);
        }
        Self {
            program,
            browser: Browser::new(),
            secrets,
        }
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        form: &[(&str, &str)],
    ) -> Answer {
        let mut request = self.browser.request(method, self.program.join(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = if form.is_empty() {
            request
        } else {
            request.form(form)
        };
        let answer = self.browser.send(request).await;
        self.secrets.see(&answer);
        answer
    }

    async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.send(Method::POST, path, &[], form).await
    }

    async fn endpoint(&mut self, path: &str, authorization: &str) -> u16 {
        self.send(Method::GET, path, &[("authorization", authorization)], &[])
            .await
            .status
    }
}

// check 145
#[tokio::test]
async fn no_secret_leaks_from_the_password_to_the_endpoint() {
    let mut person = Person::new();
    let credentials = [
        ("username", NAME),
        ("password", PASSWORD),
        ("scope", "some.scope"),
    ];
    let answer = person.post("/token", &credentials).await;
    let token = answer.json()["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let bearer = format!("Bearer {token}");
    assert_eq!(person.endpoint("/endpoint1", &bearer).await, 200);
    assert_eq!(person.endpoint("/endpoint2", &bearer).await, 403);
    assert_eq!(
        person
            .endpoint("/endpoint1", &bearer[..bearer.len() - 2])
            .await,
        401
    );
    assert_eq!(
        person
            .endpoint("/endpoint1", &format!("Basic {token}"))
            .await,
        401
    );
    assert_eq!(
        person
            .endpoint(&format!("/endpoint1?access_token={token}"), "")
            .await,
        401
    );

    let redirect_uri = person.program.join("/docs/oauth2-redirect.html");
    let request = [
        ("response_type", "token"),
        ("client_id", "swagger"),
        ("redirect_uri", &*redirect_uri),
        ("state", "the-own-state"),
    ];
    let authorization_request =
        format!("/login?response_type=token&client_id=swagger&redirect_uri={redirect_uri}");
    assert_eq!(person.endpoint(&authorization_request, "").await, 200);
    let submitted = person
        .post("/login", &[&request[..], &credentials].concat())
        .await;
    let fragment = submitted.location().replacen('#', "?", 1);
    assert_eq!(param_of(&fragment, "state"), "the-own-state");
    let token = param_of(&fragment, "access_token");
    assert_eq!(
        person
            .endpoint("/endpoint1", &format!("Bearer {token}"))
            .await,
        200
    );
    for part in token.split('.') {
        person.secrets.add(part);
    }
    person.secrets.add("the-own-state");

    let Person {
        program, secrets, ..
    } = person;
    let said = program.stop();
    for step in [
        "1/2",
        "2/2 we sign a token for [some.scope]",
        "1/3",
        "2/3",
        "3/3",
    ] {
        assert!(said.contains(step), "{step} is missing: {said}");
    }
    secrets.assert_unsaid(&said, 9);
}

// checks 97, 145, 146
#[tokio::test]
async fn every_way_it_can_fail_leaks_no_secret_and_forges_no_line() {
    let mut person = Person::new();
    let own = [("username", NAME), ("password", PASSWORD)];
    let forged_name = format!("{NAME}{FORGED}");
    for form in [
        &[("grant_type", FORGED)][..],
        &[("scope", FORGED)],
        &[("scope", "forged")],
        &[("grant_type", "forged")],
        &[("client_id", FORGED)],
        &[("username", "forged")],
        &[("password", FORGED)],
        &[(FORGED, "a")],
    ] {
        let answer = person.post("/token", &[&own[..], form].concat()).await;
        assert_eq!(answer.status, 400, "{form:?}");
        person.post("/login", &[&own[..], form].concat()).await;
    }
    person
        .post(
            "/token",
            &[("username", &*forged_name), ("password", PASSWORD)],
        )
        .await;
    person
        .post(
            "/token",
            &[("username", "client:forged"), ("password", PASSWORD)],
        )
        .await;
    person
        .post(
            "/token",
            &[("username", NAME), ("password", &PASSWORD.repeat(9000))],
        )
        .await;
    let query = format!("username={NAME}&password={PASSWORD}&x=%0aforged%1b%c2%9b");
    let redirect_uri = person.program.join("/docs/oauth2-redirect.html");
    for path in [
        format!("/token?{query}"),
        format!("/login?{query}"),
        format!("/login?client_id=%0aforged&redirect_uri=%0aforged&{query}"),
        format!("/login?client_id=swagger&redirect_uri={redirect_uri}&response_type=%0aforged"),
        format!("/endpoint1/{NAME}%0aforged?{query}"),
        format!("/docs/..%2f..%2fforged%0a{NAME}"),
        format!("/forged?{}", "forged".repeat(1700)),
    ] {
        let headers = [
            ("user-agent", "forged\t\u{9b}31m"),
            ("x-forwarded-for", "forged"),
        ];
        person.send(Method::GET, &path, &headers, &[]).await;
        person
            .send(
                Method::POST,
                &path,
                &[("content-type", "forged/\u{9b}")],
                &[],
            )
            .await;
        person
            .send(
                Method::POST,
                &path,
                &[("origin", "https://forged.example")],
                &own,
            )
            .await;
    }
    for token in [
        "forged",
        "e30.e30.forged",
        "Zm9yZ2Vk.\u{9b}.forged",
        &"forged.".repeat(1000),
    ] {
        assert_eq!(
            person
                .endpoint("/endpoint1", &format!("Bearer {token}"))
                .await,
            401,
            "{token}"
        );
    }
    assert_eq!(
        person
            .send(Method::GET, "/endpoint3", &[], &[])
            .await
            .status,
        200,
        "it lives"
    );

    let Person {
        program, secrets, ..
    } = person;
    let said = program.stop();
    secrets.assert_unsaid(&said, 4);
    assert!(
        said.len() < 100_000,
        "nothing long is repeated: {} bytes",
        said.len()
    );
}
