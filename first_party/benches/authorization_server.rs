//! `cargo bench -p first_party --bench authorization_server`: logins and tokens of the example
//! `authorization_server`, beside the demo provider, which keeps all in memory and signs nothing.

use std::time::{Duration, Instant};

use axum::{Extension, Router};
use common::{oauth::OAuth, random_token};
use serde_json::Value;
use testing::{Answer, Browser, param_of, start};
use tokio::task::JoinSet;

#[path = "../examples/authorization_server/main.rs"]
#[expect(dead_code, unused_imports, reason = "its `main` and its tests")]
mod example;

use example::{app, settings::Server, store::hash};

const ROUNDS: usize = 5;
const BROWSERS: usize = 16;
const TIME: Duration = Duration::from_secs(2);

/// A server, as its client knows it.
#[derive(Clone)]
struct Issuer {
    authorize: String,
    token: String,
    id: String,
    secret: String,
    redirect_uri: String,
    scope: &'static str,
    /// What its forms ask for, one after the other.
    forms: &'static [&'static [(&'static str, &'static str)]],
}

/// What is done again and again.
#[derive(Clone, Copy)]
enum Work {
    /// The password where there is one, Allow, and the code for tokens.
    Login,
    /// The same in a browser that has done it before.
    NextLogin,
    /// A refresh token for the next one.
    Refresh,
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    runtime.block_on(measure());
}

async fn measure() {
    let mut demo = None;
    let client = |oauth: OAuth| {
        let (provider, redirect_uri) = (oauth.provider(), oauth.public_url().join("/auth"));
        demo = Some(Issuer {
            authorize: provider.auth_url.to_string(),
            token: provider.token_url.to_string(),
            id: provider.client_id.to_string(),
            secret: provider.client_secret.secret().clone(),
            redirect_uri,
            scope: "identify",
            forms: &[&[("username", "ada"), ("decision", "allow")]],
        });
        Router::new().layer(Extension(oauth)) // the demo provider lives as long as it
    };
    let _client = start(client, &[]).await;
    let demo = demo.expect("the app was made");

    let mut own = None;
    let server = |server: Server| {
        let client = server.clients.find("demo").expect("it is made here");
        own = Some(Issuer {
            authorize: server.public_url.join("/authorize"),
            token: server.public_url.join("/token"),
            id: client.id.clone(),
            secret: client.secret.clone().expect("a secret"),
            redirect_uri: client.redirect_uris[0].clone(),
            scope: "openid profile offline_access",
            forms: &[
                &[("username", "johndoe"), ("password", "secret123")],
                &[("decision", "allow")],
            ],
        });
        app(server)
    };
    let _server = start(server, &[]).await;
    let own = own.expect("the app was made");

    println!("| | a second | demo provider | ratio (worst..best) |\n|---|---|---|---|");
    for (name, work) in [
        ("complete logins", Work::Login),
        ("logins with a session", Work::NextLogin),
        ("refreshes", Work::Refresh),
    ] {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let (own, demo) = (per_second(&own, work).await, per_second(&demo, work).await);
            rounds.push((own / demo, own, demo));
        }
        rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (ratio, own, demo) = rounds[ROUNDS / 2];
        let (worst, best) = (rounds[0].0, rounds[ROUNDS - 1].0);
        println!("| {name} | {own:.0} | {demo:.0} | {ratio:.3} ({worst:.3}..{best:.3}) |");
    }
}

async fn per_second(issuer: &Issuer, work: Work) -> f64 {
    let mut browsers = JoinSet::new();
    for _ in 0..BROWSERS {
        let issuer = issuer.clone();
        browsers.spawn(async move {
            let mut browser = Browser::new();
            let mut tokens = issuer.log_in(&mut browser).await;
            let (started, mut done) = (Instant::now(), 0_u32);
            while started.elapsed() < TIME {
                tokens = match work {
                    Work::Login => issuer.log_in(&mut Browser::new()).await,
                    Work::NextLogin => issuer.log_in(&mut browser).await,
                    Work::Refresh => issuer.refresh(&mut browser, &tokens).await,
                };
                done += 1;
            }
            f64::from(done) / started.elapsed().as_secs_f64()
        });
    }
    browsers.join_all().await.into_iter().sum()
}

impl Issuer {
    async fn log_in(&self, browser: &mut Browser) -> Value {
        let verifier = random_token();
        let mut url = url::Url::parse(&self.authorize).expect("a URL");
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.id),
            ("redirect_uri", &self.redirect_uri),
            ("scope", self.scope),
            ("state", "state"),
            ("code_challenge", &hash(&verifier)),
            ("code_challenge_method", "S256"),
        ]);
        let mut answer = browser.get(url).await;
        let mut forms = self.forms.iter();
        while answer.status == 200 || !answer.location().starts_with(&self.redirect_uri) {
            answer = if answer.status == 200 {
                let fields = forms.next().expect("a form of it");
                submit(browser, &answer, fields).await
            } else {
                let next = answer.url.join(answer.location()).expect("a URL");
                browser.get(next).await
            };
        }
        let code = param_of(answer.location(), "code");
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", &verifier),
        ];
        self.tokens(browser, &form).await
    }

    async fn refresh(&self, browser: &mut Browser, tokens: &Value) -> Value {
        let token = tokens["refresh_token"].as_str().expect("a refresh token");
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.tokens(browser, &form).await
    }

    async fn tokens(&self, browser: &mut Browser, form: &[(&str, &str)]) -> Value {
        let request = browser.request(reqwest::Method::POST, &self.token);
        let request = request.form(form).basic_auth(&self.id, Some(&self.secret));
        browser.send(request).await.json()
    }
}

/// Submits the form of a page with these fields besides the hidden ones.
async fn submit(browser: &mut Browser, page: &Answer, fields: &[(&str, &str)]) -> Answer {
    let action = page
        .body
        .split_once("action=\"")
        .map_or("", |(_, rest)| rest);
    let action = action.split('"').next().unwrap_or_default();
    let hidden = page.hidden_fields();
    let hidden = hidden.iter().map(|(name, value)| (&**name, &**value));
    let form: Vec<_> = hidden.chain(fields.iter().copied()).collect();
    let action = page.url.join(action).expect("a URL");
    browser.post(action, &form).await
}
