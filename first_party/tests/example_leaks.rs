//! What the examples log at `trace`: nothing secret.

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::Method;
use testing::{
    Answer, Browser,
    program::{Program, Secrets, example},
};

const KEY: &str = "0123456789abcdef0123456789abcdef";
const SECRET: &str = "the-secret-of-the-client-0123456789";

/// An example and every secret that its clients see.
struct Running {
    program: Program,
    secrets: Secrets,
}

impl Running {
    fn start(name: &str, vars: &[(&str, &str)], secrets: &[&str]) -> Self {
        let vars = [&[("RUST_LOG", "trace"), ("JWT_SECRET", KEY)], vars].concat();
        let program = Program::start(&example("first_party", name), &vars);
        let mut known = Secrets::default();
        for secret in [&[KEY], secrets].concat() {
            known.add(secret);
        }
        Self {
            program,
            secrets: known,
        }
    }

    async fn token(&mut self, authorization: &str, form: &[(&str, &str)]) -> Answer {
        let mut browser = Browser::new();
        let mut request = browser.request(Method::POST, self.program.join("/token"));
        if !authorization.is_empty() {
            request = request.header("authorization", authorization);
        }
        let answer = browser.send(request.form(form)).await;
        self.secrets.see(&answer);
        answer
    }

    /// The status for a token; also sends a part of it, and the token where it does not belong.
    async fn use_token(&mut self, path: &str, answer: &Answer) -> u16 {
        let token = answer.json()["access_token"].clone();
        let token = token.as_str().expect("a token");
        for part in token.split('.') {
            self.secrets.add(part);
        }
        let mut browser = Browser::new();
        let mut get = async |path: &str, token: &str| {
            let request = browser.request(Method::GET, self.program.join(path));
            browser.send(request.bearer_auth(token)).await.status
        };
        assert_eq!(get(path, &token[..token.len() - 2]).await, 401);
        assert_eq!(get(&format!("{path}?access_token={token}"), "x").await, 401);
        get(path, token).await
    }

    fn assert_silent(self, step: &str, at_least: usize) {
        let said = self.program.stop();
        assert!(said.contains(step), "it logs its steps: {said}");
        self.secrets.assert_unsaid(&said, at_least);
    }
}

// checks 145, 171
#[tokio::test]
async fn the_example_users_leaks_no_secret() {
    let wrong = "the-wrong-password";
    let secrets = [
        "secret123",
        "password456",
        wrong,
        "the-unknown-name",
        "$argon2id$",
    ];
    let mut users = Running::start("users", &[], &secrets);
    let good = [
        ("username", "johndoe"),
        ("password", "secret123"),
        ("scope", "some.scope"),
    ];
    let token = users.token("", &good).await;
    assert_eq!(users.use_token("/endpoint1", &token).await, 200);
    assert_eq!(users.use_token("/users/me/", &token).await, 200);
    assert_eq!(users.use_token("/users/me/items/", &token).await, 200);
    for (username, password) in [
        ("alice", "password456"),
        ("the-unknown-name", wrong),
        ("johndoe", wrong),
        ("johndoe", wrong),
        ("johndoe", wrong),
        ("johndoe", wrong),
        ("johndoe", wrong),
        ("johndoe", wrong),
    ] {
        let form = [("username", username), ("password", password)];
        let status = users.token("", &form).await.status;
        assert!(matches!(status, 400 | 429), "{status}");
    }
    users.assert_silent("2/2 we sign a token", 9);
}

// checks 145, 171
#[tokio::test]
async fn the_example_client_credentials_leaks_no_secret() {
    let client = [
        ("MACHINE_CLIENT_ID", "id"),
        ("MACHINE_CLIENT_SECRET", SECRET),
    ];
    let wrong = "the-wrong-secret";
    let basic = |secret: &str| BASE64_STANDARD.encode(format!("id:{secret}"));
    let encoded = [basic(SECRET), basic(wrong)];
    let secrets = [SECRET, wrong, &encoded[0], &encoded[1]];
    let mut server = Running::start("client_credentials", &client, &secrets);
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "some.scope"),
    ];
    let good = format!("Basic {}", encoded[0]);
    let token = server.token(&good, &form).await;
    assert_eq!(server.use_token("/endpoint1", &token).await, 200);
    let body = [("client_id", "id"), ("client_secret", SECRET)];
    let token = server.token("", &[form, body].concat()).await;
    assert_eq!(server.use_token("/endpoint1", &token).await, 200);

    let bad = format!("Basic {}", encoded[1]);
    assert_eq!(server.token(&bad, &form).await.status, 401);
    let body = [("client_id", "id"), ("client_secret", wrong)];
    assert_eq!(server.token("", &[form, body].concat()).await.status, 401);
    assert_eq!(
        server.token(&good, &[form, body].concat()).await.status,
        400
    );
    server.assert_silent("a client authenticated and got a token for itself", 9);
}
