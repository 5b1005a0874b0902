//! What the program logs at `trace`, and how much memory it takes.

use reqwest::Method;
use testing::{
    Answer, Browser, param_of,
    program::{Program, Secrets, example},
};

use super::{
    client::{CALLBACK, OFFLINE, folder, server_with, text},
    example::{passwords, store::hash},
};

const SECRET: &str = "a secret of the shop that is long enough";

const PASSWORD: &str = "the-pass-word-of-john";

fn program(vars: &[(&str, &str)]) -> Program {
    let own = [
        ("AS_CLIENT_ID", "shop"),
        ("AS_CLIENT_SECRET", SECRET),
        ("AS_REDIRECT_URIS", CALLBACK),
    ];
    let binary = example("first_party", "authorization_server");
    Program::start(&binary, &[&own, vars].concat())
}

/// A browser, and every secret that it sees.
struct Person {
    url: String,
    browser: Browser,
    secrets: Secrets,
}

impl Person {
    async fn visit(&mut self, path: &str) -> Answer {
        let answer = self.browser.visit(format!("{}{path}", self.url)).await;
        self.secrets.see(&answer);
        answer
    }

    async fn submit(&mut self, page: &Answer, fields: &[(&str, &str)]) -> Answer {
        let (_, action) = page.body.split_once("action=\"").expect("a form");
        let (action, _) = action.split_once('"').expect("an action");
        let hidden = page.hidden_fields();
        let hidden = hidden.iter().map(|(name, value)| (&**name, &**value));
        let form: Vec<_> = hidden.chain(fields.iter().copied()).collect();
        let url = format!("{}{action}", self.url);
        let answer = self.browser.post(url, &form).await;
        self.secrets.see(&answer);
        answer
    }

    async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let url = format!("{}{path}", self.url);
        let request = self.browser.request(Method::POST, url).form(form);
        let answer = Browser::new()
            .send(request.basic_auth("shop", Some(SECRET)))
            .await;
        self.secrets.see(&answer);
        answer
    }
}

// check 226
#[tokio::test]
async fn no_secret_leaks_from_the_password_to_the_reuse_of_a_token() {
    // The password of the README stands in a comment of a migration, which sqlx logs.
    let database = format!("sqlite://{}", folder("leaks").join("users.db").display());
    let before = server_with(&[("DATABASE_URL", &database)]).await;
    let query = sqlx::query("UPDATE users SET password_hash = $1").bind(passwords::hash(PASSWORD));
    query
        .execute(&before.app.db)
        .await
        .expect("another password");
    before.app.db.close().await;
    let program = program(&[("RUST_LOG", "trace"), ("DATABASE_URL", &database)]);
    let mut secrets = Secrets::default();
    let verifier = common::random_token();
    for secret in [
        SECRET,
        PASSWORD,
        "wrong-password",
        &verifier,
        "the-state",
        "the-nonce",
    ] {
        secrets.add(secret);
    }
    let mut person = Person {
        url: program.url.replace("127.0.0.1", "localhost"),
        browser: Browser::new(),
        secrets,
    };
    let path = format!(
        "/authorize?response_type=code&client_id=shop&redirect_uri={CALLBACK}&state=the-state\
         &nonce=the-nonce&scope={}&code_challenge_method=S256&code_challenge={}",
        OFFLINE.replace(' ', "+"),
        hash(&verifier)
    );
    let form = person.visit(&path).await;
    person
        .submit(
            &form,
            &[("username", "johndoe"), ("password", "wrong-password")],
        )
        .await;
    let user = [("username", "johndoe"), ("password", PASSWORD)];
    let answer = person.submit(&form, &user).await;
    let consent = person.visit(answer.location()).await;
    let callback = person.submit(&consent, &[("decision", "allow")]).await;
    let code = param_of(callback.location(), "code");
    let redeem = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", &verifier),
    ];
    let tokens = person.post("/token", &redeem).await.json();
    let access_token = text(&tokens, "access_token");
    for part in access_token.split('.').skip(1) {
        person.secrets.add(part);
    }
    let refresh_token = text(&tokens, "refresh_token");
    let refresh = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &*refresh_token),
    ];
    for status in [200, 400] {
        assert_eq!(person.post("/token", &refresh).await.status, status);
    }
    assert_eq!(person.post("/token", &redeem).await.status, 400);
    for path in ["/introspect", "/revoke"] {
        for token in [&access_token, &refresh_token, "a.b.c"] {
            assert_eq!(person.post(path, &[("token", token)]).await.status, 200);
        }
    }
    let hint = text(&tokens, "id_token");
    let next = format!("/logout?id_token_hint={hint}&post_logout_redirect_uri={CALLBACK}");
    assert_eq!(person.visit(&next).await.status, 400);
    assert_eq!(
        person
            .visit(&format!("/userinfo?access_token={access_token}"))
            .await
            .status,
        401
    );
    let said = program.stop();
    for step in [
        "1/5",
        "2/5",
        "3/5",
        "4/5",
        "5/5",
        "its whole family is revoked",
    ] {
        assert!(said.contains(step), "{step} is missing: {said}");
    }
    person.secrets.assert_unsaid(&said, 12);
}

// check 221
#[tokio::test(flavor = "multi_thread")]
async fn requests_that_nobody_finishes_leave_nothing_behind() {
    let program = program(&[("RUST_LOG", "info,first_party=warn")]);
    let url = format!(
        "{}/authorize?response_type=code&client_id=shop&redirect_uri={CALLBACK}&scope=openid\
         &code_challenge_method=S256&code_challenge={}",
        program.url.replace("127.0.0.1", "localhost"),
        hash("a verifier")
    );
    let ask = async |count: usize| {
        let mut clients = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let url = url.clone();
            clients.spawn(async move {
                let mut browser = Browser::new();
                for n in 0..count / 8 {
                    let state = format!("{n}{}", "s".repeat(500));
                    let answer = browser.visit(format!("{url}&state={state}")).await;
                    assert_eq!(answer.status, 200);
                }
            });
        }
        clients.join_all().await;
    };
    ask(500).await;
    let before = program.memory();
    let count = testing::crowd::count("UNFINISHED", 5_000);
    ask(count).await;
    if let (Some(before), Some(after)) = (before, program.memory()) {
        println!("{count} unfinished authorizations: {before} MiB before, {after} MiB after");
        assert!(after < before + 20, "{before} MiB grew to {after} MiB");
    }
}
