//! A client of the server and the browser of its user.

use std::{fs, path::PathBuf};

use common::{random_token, server};
use reqwest::Method;
use serde_json::Value;
use testing::{Answer, Browser, param_of};

use super::{
    example::{
        app,
        clients::{Client, Clients},
        settings::Server,
        store::hash,
    },
    own_database,
};

/// A running server, what its routes share, and a client that is registered there.
pub struct Running {
    pub http: server::Server,
    pub app: Server,
    pub client: Client,
}

/// The URI to which `demo` is sent back, where nobody listens.
pub const CALLBACK: &str = "http://127.0.0.1:5000/auth";
pub const OFFLINE: &str = "openid profile email offline_access some.scope";

/// A login that is about to begin, as the client remembers it.
#[derive(Clone)]
pub struct Login {
    pub verifier: String,
    pub state: String,
    pub params: Vec<(&'static str, String)>,
}

/// With nothing set.
pub async fn server() -> Running {
    server_with(&[]).await
}

/// With these settings, as the client `demo`.
pub async fn server_with(vars: &[(&str, &str)]) -> Running {
    server_of(vars, Vec::new(), "demo").await
}

/// With more clients registered, as the client of this id.
pub async fn server_of(vars: &[(&str, &str)], more: Vec<Client>, id: &str) -> Running {
    let mut shared = None;
    let make = |mut server: Server| {
        let all = server.clients.0.iter().cloned().chain(more);
        server.clients = Clients(all.collect::<Vec<_>>().into());
        shared = Some(server.clone());
        app(server)
    };
    let http = own_database::start(make, vars).await;
    let app = shared.expect("the app was made");
    let client = app.clients.find(id).expect("such a client").clone();
    Running { http, app, client }
}

/// Another client, which may have every scope.
pub fn another(id: &str, secret: Option<&str>) -> Client {
    Client {
        id: id.into(),
        secret: secret.map(str::to_owned),
        redirect_uris: vec!["http://127.0.0.1/cb".into(), "http://[::1]/cb".into()],
        post_logout_redirect_uris: Vec::new(),
        scopes: "openid profile email offline_access some.scope other.scope third.scope".into(),
        resources: Vec::new(),
    }
}

impl Running {
    pub fn url(&self, path: &str) -> String {
        self.http.public_url.join(path)
    }

    /// The same server for another client.
    pub fn with_client(mut self, id: &str) -> Self {
        self.client = self.app.clients.find(id).expect("such a client").clone();
        self
    }

    /// A request without a mistake.
    pub fn login(&self, scope: &str) -> Login {
        let (verifier, state) = (random_token(), random_token());
        let params = vec![
            ("response_type", "code".into()),
            ("client_id", self.client.id.clone()),
            ("redirect_uri", self.client.redirect_uris[0].clone()),
            ("scope", scope.into()),
            ("state", state.clone()),
            ("nonce", random_token()),
            ("code_challenge", hash(&verifier)),
            ("code_challenge_method", "S256".into()),
        ];
        Login {
            verifier,
            state,
            params,
        }
    }

    /// Sends the browser to the authorization endpoint.
    pub async fn visit(&self, browser: &mut Browser, login: &Login) -> Answer {
        browser.visit(self.authorize_url(&login.params)).await
    }

    pub fn authorize_url(&self, params: &[(&str, String)]) -> String {
        let mut url = url::Url::parse(&self.url("/authorize")).expect("a URL");
        url.query_pairs_mut().extend_pairs(params);
        url.into()
    }

    /// Submits the form of a page with these fields besides the hidden ones.
    pub async fn submit(
        &self,
        browser: &mut Browser,
        page: &Answer,
        fields: &[(&str, &str)],
    ) -> Answer {
        assert_eq!(page.status, 200, "{}", page.body);
        self.submit_any(browser, page, fields).await
    }

    /// The same, also for the form of a page that says what was wrong.
    pub async fn submit_any(
        &self,
        browser: &mut Browser,
        page: &Answer,
        fields: &[(&str, &str)],
    ) -> Answer {
        let (_, action) = page.body.split_once("action=\"").expect("a form");
        let (action, _) = action.split_once('"').expect("an action");
        let hidden = page.hidden_fields();
        let hidden = hidden.iter().map(|(name, value)| (&**name, &**value));
        let form: Vec<_> = hidden.chain(fields.iter().copied()).collect();
        let request = browser.request(Method::POST, self.url(action)).form(&form);
        browser
            .send(request.header("sec-fetch-site", "same-origin"))
            .await
    }

    /// Gives the password of `johndoe` and follows the way back to the request.
    pub async fn log_in(&self, browser: &mut Browser, form: &Answer) -> Answer {
        let user = [("username", "johndoe"), ("password", "secret123")];
        let answer = self.submit(browser, form, &user).await;
        browser.visit(self.url(answer.location())).await
    }

    pub async fn allow(&self, browser: &mut Browser, consent: &Answer) -> Answer {
        self.submit(browser, consent, &[("decision", "allow")])
            .await
    }

    /// Logs in and consents as far as the server asks; returns the redirect to the client.
    pub async fn callback(&self, browser: &mut Browser, login: &Login) -> Answer {
        let mut answer = self.visit(browser, login).await;
        while answer.status == 200 {
            answer = if answer.body.contains("name=\"password\"") {
                self.log_in(browser, &answer).await
            } else {
                self.allow(browser, &answer).await
            };
        }
        answer
    }

    /// A code for this login.
    pub async fn code(&self, browser: &mut Browser, login: &Login) -> String {
        let callback = self.callback(browser, login).await;
        let code = param_of(callback.location(), "code");
        assert_eq!(code.len(), 43, "{callback:?}");
        code
    }

    /// `POST` of a form as this client.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.post_as(&self.client.id, path, form).await
    }

    /// `POST` of a form as the client of this id.
    pub async fn post_as(&self, id: &str, path: &str, form: &[(&str, &str)]) -> Answer {
        let client = self.app.clients.find(id).expect("such a client");
        let mut browser = Browser::new();
        let request = browser.request(Method::POST, self.url(path));
        let request = match &client.secret {
            Some(secret) => request.form(form).basic_auth(id, Some(secret)),
            None => request.form(&[form, &[("client_id", id)]].concat()),
        };
        browser.send(request).await
    }

    pub async fn redeem(&self, login: &Login, code: &str) -> Answer {
        self.redeem_with(login, code, &[]).await
    }

    /// The same, with parameters added or replaced; an empty one is left out.
    pub async fn redeem_with(&self, login: &Login, code: &str, changes: &[(&str, &str)]) -> Answer {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.client.redirect_uris[0]),
            ("code_verifier", &login.verifier),
        ];
        form.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        form.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
        self.post("/token", &form).await
    }

    pub async fn refresh(&self, token: &str) -> Answer {
        self.post(
            "/token",
            &[("grant_type", "refresh_token"), ("refresh_token", token)],
        )
        .await
    }

    /// A whole login; what the token endpoint answers.
    pub async fn tokens(&self, scope: &str) -> Value {
        self.tokens_in(&mut Browser::new(), scope).await
    }

    pub async fn tokens_in(&self, browser: &mut Browser, scope: &str) -> Value {
        let login = self.login(scope);
        let code = self.code(browser, &login).await;
        let answer = self.redeem(&login, &code).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// `GET` with an access token.
    pub async fn get(&self, path: &str, token: &str) -> Answer {
        let mut browser = Browser::new();
        let request = browser
            .request(Method::GET, self.url(path))
            .bearer_auth(token);
        browser.send(request).await
    }

    pub async fn introspect(&self, token: &str) -> Value {
        let answer = self.post("/introspect", &[("token", token)]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// Asserts that this server accepts the token nowhere.
    pub async fn assert_dead(&self, access_token: &str) {
        assert_eq!(self.get("/userinfo", access_token).await.status, 401);
        if self.client.secret.is_some() {
            assert_eq!(
                self.introspect(access_token).await,
                serde_json::json!({"active": false})
            );
        }
    }

    pub async fn assert_alive(&self, access_token: &str) {
        let answer = self.get("/userinfo", access_token).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    /// Changes the database behind the server's back.
    pub async fn sql(&self, sql: &'static str) {
        let done = sqlx::query(sql).execute(&self.app.db).await.expect(sql);
        assert_ne!(done.rows_affected(), 0, "{sql}");
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql)
            .fetch_one(&self.app.db)
            .await
            .expect(sql)
    }
}

/// A token or another string of an answer.
pub fn text(json: &Value, name: &str) -> String {
    json[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name}: {json}"))
        .to_owned()
}

/// The claims of a token, whoever signed it.
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

pub fn part(token: &str, index: usize) -> Value {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    let part = token.split('.').nth(index).expect("a JWT");
    let json = BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&json).expect("JSON")
}

/// An error of the token endpoint: its status and its code.
pub fn error(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.header("cache-control"), "no-store");
    (answer.status, text(&answer.json(), "error"))
}

pub fn invalid_grant() -> (u16, String) {
    (400, "invalid_grant".into())
}

/// An empty folder for one test.
pub fn folder(name: &str) -> PathBuf {
    let folder =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("authorization_server_{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The settings of a server that keeps everything in a folder.
pub fn kept_in(folder: &std::path::Path) -> Vec<(&'static str, String)> {
    let database = format!("sqlite://{}", folder.join("users.db").display());
    let key = folder.join("key.pem");
    if !key.exists() {
        fs::write(&key, super::keys::p256()).expect("a key file");
    }
    vec![
        ("DATABASE_URL", database),
        ("SIGNING_KEY_FILE", key.display().to_string()),
        ("AS_CLIENT_ID", "shop".into()),
        (
            "AS_CLIENT_SECRET",
            "a secret of the shop that is long enough".into(),
        ),
        ("AS_REDIRECT_URIS", CALLBACK.into()),
    ]
}

pub fn vars<'a>(own: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    own.iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}
