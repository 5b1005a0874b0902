//! The example `authorization_server`, and the other servers of this workspace, which log in there
//! with the commands that it prints: all of them are the real programs.

use std::{
    fs::File,
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Bytes, to_bytes},
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use reqwest::{Method, header};
use serde_json::{Value, json};
use testing::{
    Answer, Browser, param_of,
    program::{Program, binary, default_ports, example},
    provider::{Provider, Reply},
};
use tokio::{
    net::TcpListener,
    task::{JoinSet, spawn_blocking},
};

/// The authorization server, and the wire in front of it.
struct AuthorizationServer {
    program: Program,
    public_url: String,
    wire: Wire,
    /// The client's secret, from the commands.
    secret: String,
    _wire: JoinSet<()>,
    /// The commands are for the ports that servers take when nothing is set.
    _ports: File,
}

/// Passes everything on, remembers the tokens, and makes clients believe that an access token
/// expires as soon as it arrives, so that no test has to wait ten minutes for a refresh.
#[derive(Clone, Default)]
struct Wire {
    target: Arc<Mutex<String>>,
    issued: Arc<Mutex<Vec<Value>>>,
}

impl Wire {
    async fn pass_on(State(wire): State<Self>, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, 100_000).await.expect("a small body");
        let target = wire.target.lock().expect("no panic before").clone();
        let sent = Browser::new()
            .request(parts.method, format!("{target}{}", parts.uri))
            .headers(parts.headers)
            .body(body);
        let answer = sent.send().await.expect("an answer");
        let (status, mut headers) = (answer.status(), answer.headers().clone());
        let mut body = answer.bytes().await.expect("a whole body");
        if parts.uri.path() == "/token" && status.is_success() {
            body = wire.shorten(&body);
            headers.remove(header::CONTENT_LENGTH);
        }
        (status, headers, body).into_response()
    }

    fn shorten(&self, body: &[u8]) -> Bytes {
        let mut tokens: Value = serde_json::from_slice(body).expect("JSON");
        assert_eq!(tokens["expires_in"], 600);
        tokens["expires_in"] = 0.into();
        let body = tokens.to_string().into();
        self.issued.lock().expect("no panic before").push(tokens);
        body
    }
}

impl AuthorizationServer {
    /// Starts it with no client set, so that it creates one and prints how to log in as this one.
    async fn start() -> Self {
        let ports = default_ports();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let wire = Wire::default();
        let app = Router::new().fallback(Wire::pass_on);
        let app = app.with_state(wire.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, app).await.expect("it serves") });

        let public_url = format!("http://localhost:{port}");
        let binary = example("first_party", "authorization_server");
        let program = Program::start(&binary, &[("PUBLIC_URL", &public_url)]);
        wire.target
            .lock()
            .expect("no panic before")
            .clone_from(&program.url);
        let (_, secret) = program
            .started()
            .split_once(" CLIENT_SECRET=")
            .expect("one");
        let secret = secret.split(' ').next().expect("a secret").to_owned();
        Self {
            program,
            public_url,
            wire,
            secret,
            _wire: serving,
            _ports: ports,
        }
    }

    /// Runs a command exactly as it was printed, except that `cargo run` becomes the built program.
    fn run(&self, cargo_run: &str, program: &str) -> Program {
        let printed = self.program.started().lines();
        let commands: Vec<_> = printed.filter(|line| line.ends_with(cargo_run)).collect();
        let [command] = commands[..] else {
            panic!("{commands:#?}")
        };
        let script = command.replace(cargo_run, "exec \"$0\"");
        let mut shell = Command::new("sh");
        shell
            .env_clear()
            .envs(["DEMO_ADDR", "DEMO_OPENID_ADDR"].map(|name| (name, "127.0.0.1:0")))
            .args(["-c", &script, program])
            .current_dir(Path::new(program).parent().expect("a file"));
        Program::run(&mut shell)
    }

    fn issued(&self) -> Vec<Value> {
        self.wire.issued.lock().expect("no panic before").clone()
    }

    /// Whether each token that was issued is still active, as the server tells the client.
    async fn active(&self) -> Vec<bool> {
        let mut active = Vec::new();
        for tokens in self.issued() {
            for name in ["access_token", "refresh_token"] {
                if let Some(token) = tokens[name].as_str() {
                    active.push(self.introspect(token).await["active"] == true);
                }
            }
        }
        active
    }

    async fn introspect(&self, token: &str) -> Value {
        let mut browser = Browser::new();
        let request = browser
            .request(Method::POST, self.program.join("/introspect"))
            .header("host", "localhost")
            .form(&[("token", token)])
            .basic_auth("demo", Some(&self.secret));
        browser.send(request).await.json()
    }
}

/// Logs in as a person does; returns the application's answer to the code.
async fn log_in(browser: &mut Browser, login: &str) -> Answer {
    let login = browser.visit(login).await;
    let callback = allow(browser, login.location()).await;
    browser.visit(callback).await
}

/// Enters the password and presses Allow at the authorization server; returns the URL that it
/// redirects the browser to.
async fn allow(browser: &mut Browser, authorize: &str) -> String {
    let mut next = authorize.to_owned();
    for fields in [
        &[("username", "johndoe"), ("password", "secret123")][..],
        &[("decision", "allow")],
    ] {
        let page = browser.visit(&next).await;
        let answer = submit(browser, &page, fields).await;
        let url = answer.url.join(answer.location()).expect("a URL");
        next = url.into();
    }
    next
}

async fn submit(browser: &mut Browser, page: &Answer, fields: &[(&str, &str)]) -> Answer {
    let (_, action) = page.body.split_once("action=\"").expect("a form");
    let (action, _) = action.split_once('"').expect("an action");
    let hidden = page.hidden_fields();
    let hidden = hidden.iter().map(|(name, value)| (&**name, &**value));
    let form: Vec<_> = hidden.chain(fields.iter().copied()).collect();
    let action = page.url.join(action).expect("a URL");
    let request = browser.request(Method::POST, action).form(&form);
    browser
        .send(request.header("sec-fetch-site", "same-origin"))
        .await
}

/// Logs out and stops the program, which first finishes its work in the background.
async fn log_out(browser: &mut Browser, app: Program) {
    let answer = browser.post(app.join("/logout"), &[]).await;
    assert_eq!(answer.location(), "/");
    app.terminate();
    let ended = spawn_blocking(move || app.wait()).await;
    let (code, said) = ended.expect("no panic");
    assert_eq!(code, 0, "{said}");
}

// check 230 for A B
#[tokio::test]
async fn basic_shows_the_tokens_of_the_authorization_server() {
    let server = AuthorizationServer::start().await;
    let app = server.run("cargo run -p basic", &binary("basic"));
    let answer = log_in(&mut Browser::new(), &app.join("/login")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let tokens = answer.json();
    assert_eq!(tokens["scope"], "openid profile some.scope");
    let token = tokens["access_token"].as_str().expect("a token");
    assert_eq!(server.introspect(token).await["sub"], "johndoe");
    let mut browser = Browser::new();
    let endpoint = server.program.join("/endpoint1");
    let request = browser.request(Method::GET, endpoint).bearer_auth(token);
    let answer = browser.send(request.header("host", "localhost")).await;
    assert_eq!(answer.body, "\"Hello from endpoint 1\"");
}

// check 230 for A S
#[tokio::test]
async fn sessions_refreshes_and_revokes_at_the_authorization_server() {
    let server = AuthorizationServer::start().await;
    let app = server.run("cargo run -p sessions", &binary("sessions"));
    let mut browser = Browser::new();
    let answer = log_in(&mut browser, &app.join("/login")).await;
    assert_eq!(answer.location(), "/users/me");
    assert_eq!(server.issued().len(), 1);
    assert_eq!(server.active().await, [true; 2]);

    // The wire has made the token expire.
    let user = browser.get(app.join("/users/me")).await;
    assert_eq!(user.json()["sub"], "johndoe", "{}", user.body);
    assert_eq!(server.issued().len(), 2);
    let rotated = [true, false, true, true];
    assert_eq!(server.active().await, rotated, "the refresh token rotated");

    log_out(&mut browser, app).await;
    assert_eq!(server.active().await, [false; 4]);
}

// check 230 for A S
#[tokio::test]
async fn providers_discovers_the_authorization_server_and_revokes_there() {
    let server = AuthorizationServer::start().await;
    let cargo_run = "cargo run -p sessions --example providers";
    let app = server.run(cargo_run, &example("sessions", "providers"));
    let mut browser = Browser::new();
    let answer = log_in(&mut browser, &app.join("/login/oidc")).await;
    assert_eq!(answer.location(), "/users/me");
    let account = browser.get(app.join("/users/me")).await.json();
    assert_eq!(
        (&account["provider"], &account["subject"]),
        (&json!("oidc"), &json!("johndoe"))
    );
    assert!(server.active().await.contains(&true));

    log_out(&mut browser, app).await;
    assert!(!server.active().await.contains(&true));
}

/// Begins a login at an attacker's provider, which sends the browser on to the honest server as if
/// the client had: with the state and the challenge of this login. Returns the client's answer to
/// the honest server's callback.
async fn mix_up(
    server: &AuthorizationServer,
    attacker: &Provider,
    (binary, path, vars): (&str, &str, &[(&str, &str)]),
) -> Answer {
    let at = [("BIND_ADDR", "127.0.0.1:5000")];
    let app = Program::start(binary, &[vars, &at].concat());
    let mut browser = Browser::new();
    let login = browser.visit(app.join(path)).await;
    let lured = login
        .location()
        .replace(&attacker.origin, &server.public_url);
    assert_ne!(lured, login.location());
    let callback = allow(&mut browser, &lured).await;
    assert_eq!(param_of(&callback, "iss"), server.public_url);
    assert_ne!(param_of(&callback, "code"), "");
    browser.get(callback).await
}

fn assert_refused(answer: &Answer, attacker: &Provider) {
    assert_eq!(answer.status, 400, "{}", answer.body);
    let detail = answer.json()["detail"].to_string();
    assert!(detail.contains("from another provider"), "{detail}");
    assert_eq!(attacker.token_requests(), 0, "the attacker got the code");
}

// check 228 for A S
#[tokio::test]
async fn a_code_of_the_authorization_server_is_not_given_to_another_provider() {
    let server = AuthorizationServer::start().await;
    let attacker = Provider::start().await;
    let own = [
        ("ISSUER", &*attacker.origin),
        ("CLIENT_ID", "demo"),
        ("SCOPES", "openid"),
    ];
    let vars = attacker.settings_and(&own);
    let sessions = (&*binary("sessions"), "/login", &*vars);
    let answer = mix_up(&server, &attacker, sessions).await;
    assert_refused(&answer, &attacker);
}

// check 228 for A S
#[tokio::test]
async fn a_code_of_the_authorization_server_is_not_given_to_another_openid_provider() {
    let server = AuthorizationServer::start().await;
    let attacker = Provider::scripted(|seen| {
        let origin = format!("http://{}", seen.header("host"));
        let metadata = json!({
            "issuer": origin,
            "authorization_endpoint": format!("{origin}/authorize"),
            "token_endpoint": format!("{origin}/token"),
            "jwks_uri": format!("{origin}/keys"),
        });
        (seen.path == "/.well-known/openid-configuration").then(|| Reply::json(200, &metadata))
    })
    .await;
    let vars = [
        ("OIDC_ISSUER", &*attacker.origin),
        ("OIDC_CLIENT_ID", "demo"),
        ("OIDC_CLIENT_SECRET", "client-password"),
    ];
    let providers = (&*example("sessions", "providers"), "/login/oidc", &vars[..]);
    let answer = mix_up(&server, &attacker, providers).await;
    assert_refused(&answer, &attacker);
}
