//! What the program logs at `trace`: nothing secret, and nothing that others wrote.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use reqwest::Method;
use serde_json::json;
use testing::{
    Answer, Browser,
    fault::{Fault, Faulty, Then},
    param_of,
    program::{Program, Secrets},
    provider::{CLIENT_SECRET, Provider, Reply, token},
};

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A person with a browser, and every secret that they see.
struct Person {
    browser: Browser,
    secrets: Secrets,
}

impl Person {
    fn new() -> Self {
        let mut secrets = Secrets::default();
        secrets.add(SECRET);
        secrets.add(CLIENT_SECRET);
        Self {
            browser: Browser::new(),
            secrets,
        }
    }

    async fn get(&mut self, url: impl AsRef<str>) -> Answer {
        let answer = self.browser.get(url).await;
        self.secrets.see(&answer);
        answer
    }

    /// Comes back from the provider with this answer.
    async fn come_back(&mut self, program: &Program, answer: &str) -> Answer {
        let login = self.get(program.join("/login")).await;
        let state = param_of(login.location(), "state");
        self.get(program.join(&format!("/auth?{answer}&state={state}")))
            .await
    }
}

fn program(vars: &[(&str, &str)]) -> Program {
    let vars = [&[("RUST_LOG", "trace"), ("SESSION_SECRET", SECRET)], vars].concat();
    Program::start(env!("CARGO_BIN_EXE_basic"), &vars)
}

// checks 62, 145
#[tokio::test]
async fn a_login_and_every_way_it_can_fail_leak_no_secret() {
    let provider = Provider::start().await;
    let program = program(&provider.settings());
    let mut person = Person::new();
    let done = person.come_back(&program, "code=the-first-code").await;
    assert_eq!(done.status, 200);
    assert_eq!(person.get(&done.url).await.status, 400, "a second time");

    for answer in [
        "error=access_denied&error_description=described-in-words",
        "error=described-in-words",
        "error=server_error&code=the-other-code",
        "code=the-other-code&code=the-other-code",
        "code=the-other-code&iss=described-in-words",
        "code=the-other-code%0a2026-01-01T00:00:00.000000Z%20%20INFO%20forged",
        "access_token=the-injected-token",
        "",
    ] {
        person.come_back(&program, answer).await;
    }
    person
        .get(program.join("/auth?code=the-stray-code&state=the-stray-state"))
        .await;
    person
        .get(program.join("/auth?code=the-stray-code%zz&state=the-stray-state"))
        .await;

    let told = "described-in-words";
    let described =
        json!({ "error": "invalid_grant", "error_description": told, "error_uri": told });
    let away = format!("{}/the-trap?code=the-other-code", provider.origin);
    for reply in [
        Reply::json(400, &described),
        Reply::error(400, told),
        Reply::error(200, told),
        Reply::error(401, "invalid_client"),
        Reply::new(500, "text/html", told),
        Reply::new(200, "text/html", told),
        Reply::new(
            200,
            "application/json",
            format!("{{\"access_token\":\"the-broken-token\", {told}"),
        ),
        Reply::redirect(307, &away),
        token(&json!({ "token_type": told, "access_token": "the-unused-token" })),
        token(&json!({ "access_token": "the-broken\r\ntoken" })),
        token(&json!({ "expires_in": told, "access_token": "the-unused-token" })),
        token(&json!({ "scope": [told], "access_token": "the-unused-token" })),
        Reply::new(200, "application/json", "the-large-answer".repeat(10_000)),
    ] {
        provider.answer_next("/token", reply);
        let failed = person.come_back(&program, "code=the-other-code").await;
        assert_ne!(failed.status, 200);
    }
    for secret in [
        told,
        "the-injected-token",
        "the-broken",
        "the-unused-token",
        "the-large-answer",
        "the-stray-code",
        "the-stray-state",
        "/the-trap",
        "forged",
    ] {
        person.secrets.add(secret);
    }
    person.secrets.see_requests(&provider.seen());
    let said = program.stop();
    for step in [
        "1/4",
        "2/4",
        "3/4",
        "4/4",
        "rejected: ",
        "the provider failed: ",
    ] {
        assert!(said.contains(step), "{step} is missing: {said}");
    }
    person.secrets.assert_unsaid(&said, 60);
}

// check 145
#[tokio::test]
async fn what_a_broken_connection_carried_is_not_logged() {
    let told = "described-in-words";
    for fault in [
        Fault(told.into(), Then::Close),
        Fault(
            format!("HTTP/1.1 200 {told}\r\n{told}\r\n\r\n").into(),
            Then::Close,
        ),
        Fault(
            format!("HTTP/1.1 200 OK\r\nContent-Length: {told}\r\n\r\n").into(),
            Then::Close,
        ),
        Fault(
            format!("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{told}").into(),
            Then::Reset,
        ),
    ] {
        let faulty = Faulty::start(vec![fault]).await;
        let provider = Provider::start().await;
        let token_url = format!("{}/token", faulty.origin);
        let program = program(&provider.settings_and(&[("TOKEN_URL", &token_url)]));
        let mut person = Person::new();
        assert_eq!(
            person
                .come_back(&program, "code=the-only-code")
                .await
                .status,
            502
        );
        person.secrets.add(told);
        person.secrets.assert_unsaid(&program.stop(), 6);
    }
}

// check 145
#[tokio::test]
async fn a_login_at_the_demo_provider_leaks_no_secret_on_either_side() {
    let program = program(&[]);
    let mut person = Person::new();
    for name in ["the-user-name", "the%20user\u{1b}[31mname"] {
        let login = person.get(program.join("/login")).await;
        let consent = person.get(login.location()).await;
        let mut form = consent.hidden_fields();
        form.extend([
            ("username".into(), name.into()),
            ("decision".into(), "allow".into()),
        ]);
        let form: Vec<_> = form
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        let url = consent.url.join("/oauth2/authorize").expect("a URL");
        let allowed = person.browser.post(url, &form).await;
        person.secrets.see(&allowed);
        if name == "the-user-name" {
            let callback = allowed.location().to_owned();
            assert_eq!(person.get(&callback).await.status, 200);
            person.get(&callback).await;
        } else {
            assert_eq!(allowed.status, 400, "no control characters in a name");
        }
    }
    person.secrets.add("the-user-name");
    person.secrets.assert_unsaid(&program.stop(), 8);
}

/// Sends this and waits for the connection to end.
fn send(program: &Program, bytes: &[u8]) {
    let addr = program.url.strip_prefix("http://").expect("a URL");
    let mut stream = TcpStream::connect(addr).expect("a connection");
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.read_to_end(&mut Vec::new());
}

// check 146
#[tokio::test]
async fn nobody_can_forge_a_log_line() {
    let provider = Provider::start().await;
    let program = program(&provider.settings());
    let forged = "2026-01-01T00:00:00.000000Z  INFO forged";
    let mut person = Person::new();
    person.secrets.add("forged");
    let encoded = format!(
        "%0a{}%0d%0a%1b%5b31m%c2%9b%e2%80%ae",
        forged.replace(' ', "%20")
    );
    for path in ["/", "/login", "/auth", "/forged", "/style.css"] {
        let long = "forged".repeat(1700);
        for url in [
            format!("{path}{encoded}"),
            format!("{path}?{encoded}"),
            format!("{path}?x={encoded}&state={encoded}&error={encoded}"),
            format!("{path}?{long}"),
        ] {
            person.get(program.join(&url)).await;
            let request = person.browser.request(Method::GET, program.join(&url));
            let request = request.header("user-agent", format!("forged\t\u{9b}31m{long}"));
            person
                .browser
                .send(request.header("accept", "text/html, forged"))
                .await;
        }
    }
    for answer in ["error", "code", "error_description", "iss"] {
        person
            .come_back(&program, &format!("{answer}={encoded}"))
            .await;
    }
    for described in ["\n", "\r\n", "\u{1b}[31m", "\u{9b}31m", "\u{2028}", "\0"] {
        let described = format!("{described}{forged}");
        let reply = json!({ "error": described, "error_description": described });
        provider.answer_next("/token", Reply::json(400, &reply));
        person.come_back(&program, "code=a-good-code").await;
    }
    let last = format!("GET / HTTP/1.1\r\nHost: a\r\nX: \n{forged}\r\n\r\n");
    for bytes in [
        format!("{forged}\n\n"),
        format!("GET /\n{forged} HTTP/1.1\r\n\r\n"),
        format!("GET /\u{1b}[31m{forged} HTTP/1.1\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {forged}\u{1b}\r\n\r\n"),
        format!(
            "GET /login HTTP/1.1\r\nHost: localhost\r\nUser-Agent: \u{1b}]0;{forged}\u{7}\r\n\r\n"
        ),
        format!("{} / HTTP/1.1\r\n\r\n", "forged".repeat(10_000)),
        last,
    ] {
        send(&program, bytes.as_bytes());
    }
    assert_eq!(person.get(program.join("/")).await.status, 200, "it serves");
    let said = program.stop();
    person.secrets.assert_unsaid(&said, 6);
    assert!(
        said.len() < 200_000,
        "nothing long is repeated: {} bytes",
        said.len()
    );
}
