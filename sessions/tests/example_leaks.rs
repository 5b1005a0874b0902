//! What the examples log at `trace`: nothing secret.

use reqwest::Method;
use serde_json::json;
use testing::{
    Answer, Browser, param_of,
    program::{Program, Secrets, example},
    provider::{CLIENT_SECRET, Provider, Reply, token},
};

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// An example, a person who uses it, and every secret that they see.
struct Person {
    program: Program,
    browser: Browser,
    secrets: Secrets,
}

impl Person {
    fn at(name: &str, vars: &[(&str, &str)]) -> Self {
        let mut secrets = Secrets::default();
        secrets.add(SECRET);
        let vars = [&[("RUST_LOG", "trace"), ("SESSION_SECRET", SECRET)], vars].concat();
        Self {
            program: Program::start(&example("sessions", name), &vars),
            browser: Browser::new(),
            secrets,
        }
    }

    async fn send(&mut self, method: Method, path: &str) -> Answer {
        let url = if path.starts_with('/') {
            self.program.join(path)
        } else {
            path.to_owned()
        };
        let answer = self.browser.send(self.browser.request(method, url)).await;
        self.secrets.see(&answer);
        answer
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path).await
    }

    /// Everything that a logged-in user does, with good cookies and with bad ones.
    async fn look_around(&mut self, paths: &[&str]) {
        for path in paths {
            self.get(path).await;
        }
        let good = self.browser.clone();
        for name in good.cookie_names() {
            self.browser.set_cookie(name, "the-forged-cookie");
            self.get(paths[0]).await;
            self.browser = good.clone();
        }
        self.secrets.add("the-forged-cookie");
        assert_eq!(self.send(Method::POST, "/logout").await.status, 303);
    }

    fn assert_silent(self, at_least: usize) {
        let said = self.program.stop();
        assert!(said.contains("4/4"), "{said}");
        self.secrets.assert_unsaid(&said, at_least);
    }
}

// checks 145, 171
#[tokio::test]
async fn the_example_permissions_leaks_no_secret() {
    let provider = Provider::start().await;
    let tokens = json!({
        "access_token": "the-short-lived", "refresh_token": "the-long-lived", "expires_in": 0,
    });
    provider.answer_next("/token", token(&tokens));
    let mut person = Person::at("permissions", &provider.settings());
    let login = person.get("/login").await;
    let state = param_of(login.location(), "state");
    let callback = format!("/auth?code=the-good-code&state={state}");
    assert_eq!(person.get(&callback).await.status, 303);
    assert_eq!(person.get(&callback).await.status, 400);
    assert_eq!(person.get("/admin").await.status, 200);
    let grant = "/admin/users/1/permissions/Something";
    assert_eq!(person.send(Method::PUT, grant).await.status, 200);
    person
        .look_around(&["/users/me", "/", "/privileged", "/admin/users"])
        .await;

    let login = person.get("/login").await;
    let state = param_of(login.location(), "state");
    provider.answer_next("/token", Reply::error(400, "invalid_grant"));
    let callback = format!("/auth?code=the-wrong-code&state={state}");
    assert_eq!(person.get(&callback).await.status, 400);

    person.secrets.add(CLIENT_SECRET);
    person.secrets.see_requests(&provider.seen());
    person.assert_silent(12);
}

// checks 145, 171
#[tokio::test]
async fn the_example_providers_leaks_no_secret_on_either_side() {
    for id in ["demo", "openid"] {
        let mut person = Person::at("providers", &[]);
        let login = person.get(&format!("/login/{id}")).await;
        let callback = person.browser.allow(&login, "the-user-name").await;
        person.secrets.add("the-user-name");
        assert_eq!(person.get(&callback).await.status, 303);
        assert_eq!(person.get(&callback).await.status, 400);
        person.look_around(&["/users/me", "/", "/privileged"]).await;

        let login = person.get(&format!("/login/{id}")).await;
        let denied = person.browser.deny(&login).await;
        assert_eq!(person.get(&denied).await.status, 403);
        person.assert_silent(8);
    }
}
