//! What the program logs at `trace`: nothing secret, and nothing that others wrote.

use reqwest::Method;
use serde_json::json;
use testing::{
    Answer, Browser, param_of,
    program::{Program, Secrets},
    provider::{CLIENT_SECRET, Provider, Reply, token},
};

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The program, a person who uses it, and every secret that they see.
struct Person {
    program: Program,
    browser: Browser,
    secrets: Secrets,
}

impl Person {
    fn at(vars: &[(&str, &str)]) -> Self {
        let mut secrets = Secrets::default();
        secrets.add(SECRET);
        secrets.add(CLIENT_SECRET);
        let vars = [&[("RUST_LOG", "trace"), ("SESSION_SECRET", SECRET)], vars].concat();
        let program = Program::start(env!("CARGO_BIN_EXE_sessions"), &vars);
        Self {
            program,
            browser: Browser::new(),
            secrets,
        }
    }

    async fn get(&mut self, path: &str) -> Answer {
        let url = if path.starts_with('/') {
            self.program.join(path)
        } else {
            path.to_owned()
        };
        let answer = self.browser.get(url).await;
        self.secrets.see(&answer);
        answer
    }

    async fn log_out(&mut self) -> Answer {
        let answer = self.browser.post(self.program.join("/logout"), &[]).await;
        self.secrets.see(&answer);
        answer
    }

    /// Comes back from the provider with this answer.
    async fn come_back(&mut self, answer: &str) -> Answer {
        let login = self.get("/login?next=/privileged").await;
        let state = param_of(login.location(), "state");
        self.get(&format!("/auth?{answer}&state={state}")).await
    }

    /// Stops the program; returns its log and the secrets.
    fn stop(self) -> (String, Secrets) {
        self.program.terminate(); // what goes on in the background is finished first
        let (_, said) = self.program.wait();
        (said, self.secrets)
    }
}

// check 145
#[tokio::test(flavor = "multi_thread")]
async fn a_session_from_the_login_to_the_logout_leaks_no_secret() {
    let provider = Provider::start().await;
    let mut person = Person::at(&provider.settings());
    provider.answer_next(
        "/token",
        token(&json!({ "access_token": "the-short-lived", "refresh_token": "the-long-lived", "expires_in": 0 })),
    );
    assert_eq!(person.come_back("code=the-good-code").await.status, 303);
    assert_eq!(person.get("/users/me").await.status, 200, "after a refresh");
    assert_eq!(person.get("/privileged").await.status, 200);
    assert_eq!(person.get("/").await.status, 200);
    assert_eq!(person.log_out().await.status, 303);
    assert_eq!(provider.seen_reach("/revoke", 2).await.len(), 2);

    person.secrets.add("the-short-lived");
    person.secrets.see_requests(&provider.seen());
    let (said, secrets) = person.stop();
    for step in [
        "1/4",
        "2/4",
        "3/4",
        "4/4",
        "the token had expired",
        "has revoked the token",
    ] {
        assert!(said.contains(step), "{step} is missing: {said}");
    }
    secrets.assert_unsaid(&said, 13);
}

// check 145
#[tokio::test(flavor = "multi_thread")]
async fn a_session_at_the_demo_provider_leaks_no_secret_on_either_side() {
    let mut person = Person::at(&[]);
    let login = person.get("/login").await;
    let callback = person.browser.allow(&login, "the-user-name").await;
    assert_eq!(person.get(&callback).await.status, 303);
    assert_eq!(person.get("/users/me").await.status, 200);
    assert_eq!(person.log_out().await.status, 303);
    assert_eq!(person.get(&callback).await.status, 400);
    person.secrets.add("the-user-name");
    let (said, secrets) = person.stop();
    secrets.assert_unsaid(&said, 8);
}

// checks 145, 146
#[tokio::test(flavor = "multi_thread")]
async fn every_way_a_session_can_fail_leaks_no_secret_and_forges_no_line() {
    let provider = Provider::start().await;
    let mut person = Person::at(&provider.settings());
    let forged =
        "described-in-words\n2026-01-01T00:00:00.000000Z  INFO \u{1b}[31mforged\u{9b}m\r\n";
    let user =
        json!({ "id": "the-user-id", "name": format!("the-user-name{forged}"), "login": forged });
    let html = |status| Reply::new(status, "text/html", forged);
    let bad_users = [
        html(200),
        html(401),
        html(403),
        html(500),
        Reply::json(200, &json!([forged])),
        Reply::json(200, &json!({ "id": [forged] })),
    ];
    for reply in &bad_users {
        provider.answer_next("/user", reply.clone());
        assert_ne!(person.come_back("code=the-good-code").await.status, 303);
    }
    provider.answer_next("/user", Reply::json(200, &user));
    provider.answer_next("/token", token(&json!({ "expires_in": 0 })));
    assert_eq!(person.come_back("code=the-good-code").await.status, 303);
    assert_eq!(person.get("/").await.status, 200, "the name is on the page");

    for reply in [
        html(503),
        Reply::error(400, forged),
        Reply::error(429, "slow_down"),
    ] {
        provider.answer_next("/token", reply);
        assert_eq!(person.get("/users/me").await.status, 502);
    }
    for reply in bad_users
        .into_iter()
        .filter(|reply| !format!("{reply:?}").contains("status: 401"))
    {
        provider.answer_next("/user", reply.clone());
        let status = person.get("/users/me").await.status;
        assert!(matches!(status, 200 | 502), "{status} {reply:?}");
    }
    let mut other = person.browser.clone();
    let cross_site = other.request(Method::POST, person.program.join("/logout"));
    let cross_site = cross_site
        .header("origin", "https://forged.example\t")
        .header("user-agent", "forged\t\u{9b}");
    assert_eq!(other.send(cross_site).await.status, 403);
    for session in ["forged-session", "%0aforged"] {
        other.set_cookie("session", session);
        other.get(person.program.join("/users/me")).await;
        other.post(person.program.join("/logout"), &[]).await;
        other = person.browser.clone();
    }
    for path in [
        "/users/me%0aforged",
        "/privileged?%1b[31mforged",
        "/login?next=/%0d%0aforged",
        "/login?next=//forged",
    ] {
        person.get(path).await;
    }
    for reply in [html(500), Reply::error(400, forged)] {
        provider.answer_next("/revoke", reply);
    }
    assert_eq!(person.log_out().await.status, 303);
    provider.seen_reach("/revoke", 2).await;
    provider.answer_next("/token", Reply::error(400, "invalid_grant"));
    assert_eq!(person.come_back("code=the-good-code").await.status, 400);

    for secret in [
        "forged",
        "described-in-words",
        "the-user-name",
        "the-user-id",
    ] {
        person.secrets.add(secret);
    }
    person.secrets.see_requests(&provider.seen());
    let (said, secrets) = person.stop();
    assert!(
        said.contains("the provider did not revoke the token"),
        "{said}"
    );
    secrets.assert_unsaid(&said, 30);
}
