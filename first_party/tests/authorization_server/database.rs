//! The database: what is in it, and what happens without it.

use std::{fs, path::Path};

use common::unix_now;
use reqwest::Method;
use serde_json::Value;
use sqlx::{Connection, SqliteConnection};
use testing::{
    Answer, Browser, param_of,
    program::{Program, example},
};
use tokio::task::JoinSet;

use super::{
    client::{
        CALLBACK, Login, OFFLINE, Running, error, folder, invalid_grant, kept_in, server,
        server_of, text, vars,
    },
    example::store,
    own_database::on_postgres,
};

async fn shop(own: &[(&'static str, String)]) -> Running {
    server_of(&vars(own), Vec::new(), "shop").await
}

// check 199
#[tokio::test]
async fn a_copy_of_the_database_grants_no_access() {
    let folder = folder("copy");
    let server = shop(&kept_in(&folder)).await;
    let mut browser = Browser::new();
    let tokens = server.tokens_in(&mut browser, OFFLINE).await;
    let login = server.login(OFFLINE);
    let answer = server.visit(&mut browser, &login).await;
    let code = param_of(answer.location(), "code");
    let session = browser
        .cookie("authorization_session")
        .expect("a session")
        .to_owned();
    let refresh_token = text(&tokens, "refresh_token");
    let mut kept = Vec::new();
    for file in fs::read_dir(&folder).expect("a folder").flatten() {
        if !file.path().ends_with("key.pem") {
            kept.extend(fs::read(file.path()).expect("a file"));
        }
    }
    let kept = String::from_utf8_lossy(&kept);
    for secret in [&session, &code, &refresh_token] {
        assert_eq!(secret.len(), 43, "256 bits as base64url");
        assert!(kept.contains(&store::hash(secret)));
        assert!(!kept.contains(secret.as_str()));
        let hash = store::hash(secret);
        assert_eq!(error(&server.refresh(&hash).await), invalid_grant());
        assert_eq!(error(&server.redeem(&login, &hash).await), invalid_grant());
    }
    for secret in [text(&tokens, "access_token"), login.verifier] {
        assert!(!kept.contains(&secret));
    }
}

// checks 218, 248
#[tokio::test]
async fn a_login_goes_on_after_a_restart_at_any_point() {
    let folder = folder("restart");
    let mut own = kept_in(&folder);
    own.extend(on_postgres().map(|url| ("DATABASE_URL", url)));
    own.push(("BIND_ADDR", "127.0.0.1:0".into()));
    let mut server = shop(&own).await;
    own.last_mut().expect("it").1 = server.http.addr.to_string();
    let again = async |server: Running| {
        server.http.stop().await;
        server.app.db.close().await;
        shop(&own).await
    };
    let mut browser = Browser::new();
    let login = server.login(OFFLINE);
    let form = server.visit(&mut browser, &login).await;
    server = again(server).await;
    let consent = server.log_in(&mut browser, &form).await;
    server = again(server).await;
    let callback = server.allow(&mut browser, &consent).await;
    server = again(server).await;
    let tokens = server
        .redeem(&login, &param_of(callback.location(), "code"))
        .await
        .json();
    server = again(server).await;
    server.assert_alive(&text(&tokens, "access_token")).await;
    assert_eq!(
        server
            .get("/endpoint1", &text(&tokens, "access_token"))
            .await
            .status,
        200
    );
    let answer = server.refresh(&text(&tokens, "refresh_token")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    server = again(server).await;
    let answer = server.visit(&mut browser, &server.login(OFFLINE)).await;
    assert_eq!(
        answer.status, 303,
        "session and consent are kept: {}",
        answer.body
    );
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert_ne!(answer.header("retry-after"), "");
}

// check 219
#[tokio::test]
async fn a_locked_database_consumes_nothing() {
    let folder = folder("locked");
    let server = shop(&kept_in(&folder)).await;
    let mut browser = Browser::new();
    let login = server.login(OFFLINE);
    let code = server.code(&mut browser, &login).await;
    let tokens = server.tokens(OFFLINE).await;
    let refresh_token = text(&tokens, "refresh_token");

    let mut other = SqliteConnection::connect(&own_url(&folder))
        .await
        .expect("a connection");
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .expect("the lock");
    let (redeemed, refreshed, asked) = tokio::join!(
        server.redeem(&login, &code),
        server.refresh(&refresh_token),
        async {
            server
                .visit(&mut browser.clone(), &server.login(OFFLINE))
                .await
        },
    );
    for answer in [&redeemed, &refreshed] {
        assert_unavailable(answer);
        assert_eq!(error(answer), (503, "server_error".into()));
    }
    let location = asked.location();
    assert!(location.starts_with(CALLBACK), "{location}");
    assert_eq!(param_of(location, "error"), "temporarily_unavailable");
    assert_ne!(param_of(location, "state"), "");
    sqlx::query("ROLLBACK")
        .execute(&mut other)
        .await
        .expect("no lock");

    let answer = server.redeem(&login, &code).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(server.refresh(&refresh_token).await.status, 200);
}

// check 219
#[tokio::test]
async fn a_request_waits_for_a_short_lock() {
    let folder = folder("short_lock");
    let server = shop(&kept_in(&folder)).await;
    let login = server.login(OFFLINE);
    let code = server.code(&mut Browser::new(), &login).await;
    let mut other = SqliteConnection::connect(&own_url(&folder))
        .await
        .expect("a connection");
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .expect("the lock");
    let release = async {
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        sqlx::query("ROLLBACK")
            .execute(&mut other)
            .await
            .expect("no lock");
    };
    let (answer, ()) = tokio::join!(server.redeem(&login, &code), release);
    assert_eq!(answer.status, 200, "{}", answer.body);
}

// check 219
#[tokio::test]
async fn a_full_database_spends_nothing() {
    let folder = folder("full");
    let server = shop(&kept_in(&folder)).await;
    let mut browser = Browser::new();
    let login = server.login(OFFLINE);
    let form = server.visit(&mut browser, &login).await;
    let consent = server.log_in(&mut browser, &form).await;
    let callback = server.allow(&mut browser, &consent).await;
    let code = param_of(callback.location(), "code");
    let tokens = server.tokens(OFFLINE).await;
    // As if the disk were full: not one more row can be written.
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON authorization_refresh_tokens
        BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END";
    sqlx::query(refuse)
        .execute(&server.app.db)
        .await
        .expect("a trigger");
    let refresh_token = text(&tokens, "refresh_token");
    for answer in [
        server.redeem(&login, &code).await,
        server.refresh(&refresh_token).await,
    ] {
        assert_unavailable(&answer);
    }
    sqlx::query("DROP TRIGGER refuse")
        .execute(&server.app.db)
        .await
        .expect("no trigger");
    assert_eq!(server.redeem(&login, &code).await.status, 200);
    assert_eq!(server.refresh(&refresh_token).await.status, 200);
}

/// What somebody has in hand when the database fails.
struct InHand {
    browser: Browser,
    login: Login,
    code: String,
    refresh_token: String,
}

impl InHand {
    async fn of(server: &Running) -> Self {
        let mut browser = Browser::new();
        let tokens = server.tokens_in(&mut browser, OFFLINE).await;
        let login = server.login(OFFLINE);
        let code = server.code(&mut browser, &login).await;
        Self {
            browser,
            login,
            code,
            refresh_token: text(&tokens, "refresh_token"),
        }
    }

    async fn assert_nothing_works(&mut self, server: &Running) {
        for answer in [
            server.redeem(&self.login, &self.code).await,
            server.refresh(&self.refresh_token).await,
        ] {
            assert_unavailable(&answer);
            assert_eq!(error(&answer), (503, "server_error".into()));
        }
        let asked = server
            .visit(&mut self.browser, &server.login(OFFLINE))
            .await;
        let location = asked.location();
        assert!(location.starts_with(CALLBACK), "{location}");
        assert_eq!(param_of(location, "error"), "temporarily_unavailable");
        let mut other = Browser::new();
        let form = server.visit(&mut other, &server.login(OFFLINE)).await;
        let user = [("username", "johndoe"), ("password", "secret123")];
        let answer = server.submit(&mut other, &form, &user).await;
        assert_unavailable(&answer);
        assert!(other.cookies.is_empty());
    }

    async fn assert_all_works(mut self, server: &Running) {
        let answer = server.redeem(&self.login, &self.code).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let answer = server.refresh(&self.refresh_token).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        server.code(&mut self.browser, &server.login(OFFLINE)).await;
    }
}

// check 219
#[tokio::test]
async fn a_database_that_can_only_be_read_spends_nothing() {
    let server = shop(&kept_in(&folder("read_only"))).await;
    let mut in_hand = InHand::of(&server).await;
    let set = async |sql: &'static str| {
        let mut all = Vec::new();
        while all.len() < 4 {
            all.push(server.app.db.acquire().await.expect("a connection"));
        }
        for connection in &mut all {
            sqlx::query(sql)
                .execute(&mut **connection)
                .await
                .expect(sql);
        }
    };
    set("PRAGMA query_only = 1").await;
    in_hand.assert_nothing_works(&server).await;
    set("PRAGMA query_only = 0").await;
    in_hand.assert_all_works(&server).await;
}

// check 219
#[tokio::test]
async fn a_database_that_is_gone_or_broken_for_a_while_spends_nothing() {
    let folder = folder("gone");
    let server = shop(&kept_in(&folder)).await;
    let (file, away) = (folder.join("users.db"), folder.join("away.db"));
    // Connections do not see what becomes of the name of their file: new ones do. One that was used
    // is back in the pool a moment later.
    let hang_up = async || {
        while server.app.db.size() > 0 {
            if let Ok(connection) = server.app.db.acquire().await {
                connection.close().await.expect("it is closed");
            }
        }
    };
    let gone: fn(&Path) = |_| {};
    let replaced: fn(&Path) = |file| fs::create_dir(file).expect("a folder");
    let broken: fn(&Path) = |file| fs::write(file, "no database at all").expect("a file");
    for break_it in [gone, replaced, broken] {
        let mut in_hand = InHand::of(&server).await;
        hang_up().await;
        fs::rename(&file, &away).expect("it is moved");
        break_it(&file);
        in_hand.assert_nothing_works(&server).await;
        hang_up().await;
        let _ = fs::remove_dir(&file);
        fs::rename(&away, &file).expect("it is back");
        in_hand.assert_all_works(&server).await;
    }
}

// check 219
#[tokio::test]
async fn without_a_database_every_page_says_so() {
    let server = server().await;
    let mut browser = Browser::new();
    let tokens = server.tokens_in(&mut browser, OFFLINE).await;
    let login = server.login(OFFLINE);
    let form = Browser::new()
        .visit(server.authorize_url(&login.params))
        .await;
    let mut consent = server.login("openid");
    consent.params.push(("prompt", "consent".into()));
    let consent = server.visit(&mut browser, &consent).await;
    server.app.db.close().await;
    let user = [("username", "johndoe"), ("password", "secret123")];
    let access_token = text(&tokens, "access_token");
    for answer in [
        server.submit(&mut Browser::new(), &form, &user).await,
        browser.visit(server.url("/consents")).await,
        browser.visit(server.url("/logout")).await,
        server.get("/userinfo", &access_token).await,
        server.refresh(&text(&tokens, "refresh_token")).await,
        server
            .post("/introspect", &[("token", &access_token)])
            .await,
        server.post("/revoke", &[("token", &access_token)]).await,
    ] {
        assert_unavailable(&answer);
        assert!(answer.set_cookies().is_empty());
    }
    for answer in [
        server.visit(&mut browser, &login).await,
        server.allow(&mut browser, &consent).await,
    ] {
        assert_eq!(
            param_of(answer.location(), "error"),
            "temporarily_unavailable"
        );
    }
    // Endpoints that need no database keep working.
    assert_eq!(server.get("/endpoint1", &access_token).await.status, 200);
    assert_eq!(
        Browser::new().get(server.url("/jwks.json")).await.status,
        200
    );
    assert_eq!(server.visit(&mut Browser::new(), &login).await.status, 200);
}

fn own_url(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("users.db").display())
}

// check 220
#[tokio::test]
async fn two_processes_on_one_database_act_as_one() {
    let folder = folder("two");
    let mut own = kept_in(&folder);
    own.extend(on_postgres().map(|url| ("DATABASE_URL", url)));
    own.push(("PUBLIC_URL", "http://localhost:5003".into()));
    let server = shop(&own).await;
    let other = Program::start(&example("first_party", "authorization_server"), &vars(&own));
    let urls = [testing::url(&server.http, ""), other.url.clone()];
    let mut browser = Browser::new();

    let login = server.login(OFFLINE);
    let code = code_at(&server, &mut browser, &login).await;
    assert_eq!(
        tokens_of_32_uses(&urls, &redemption(&code, &login))
            .await
            .len(),
        1
    );

    let login = server.login(OFFLINE);
    let code = code_at(&server, &mut browser, &login).await;
    let tokens = post_at(&urls[0], &redemption(&code, &login)).await.json();
    let refresh = [
        ("grant_type", "refresh_token".to_owned()),
        ("refresh_token", text(&tokens, "refresh_token")),
    ];
    let got = tokens_of_32_uses(&urls, &refresh).await;
    assert_eq!(got.len(), 1);
    for tokens in [&tokens, &got[0]] {
        let token = text(tokens, "access_token");
        for url in &urls {
            let mut browser = Browser::new();
            let request = browser.request(Method::GET, format!("{url}/userinfo"));
            assert_eq!(browser.send(request.bearer_auth(&token)).await.status, 401);
        }
    }
}

fn redemption(code: &str, login: &Login) -> [(&'static str, String); 4] {
    [
        ("grant_type", "authorization_code".to_owned()),
        ("code", code.to_owned()),
        ("redirect_uri", CALLBACK.to_owned()),
        ("code_verifier", login.verifier.clone()),
    ]
}

/// Sends a token request 32 times at once, to both in turn; those that got a token.
async fn tokens_of_32_uses(urls: &[String; 2], form: &[(&'static str, String)]) -> Vec<Value> {
    let mut uses = JoinSet::new();
    for n in 0..32 {
        let (url, form) = (urls[n % 2].clone(), form.to_vec());
        uses.spawn(async move { post_at(&url, &form).await });
    }
    let answers = uses.join_all().await;
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer.status, 200 | 400))
    );
    let good = answers.iter().filter(|answer| answer.status == 200);
    good.map(Answer::json).collect()
}

async fn post_at(url: &str, form: &[(&str, String)]) -> Answer {
    let mut browser = Browser::new();
    let request = browser
        .request(Method::POST, format!("{url}/token"))
        .form(form);
    let secret = "a secret of the shop that is long enough";
    browser.send(request.basic_auth("shop", Some(secret))).await
}

/// A code, with every page requested from the address where this server listens.
async fn code_at(server: &Running, browser: &mut Browser, login: &Login) -> String {
    let page = |path: &str| {
        let url = testing::url(&server.http, path);
        let accept = "text/html,*/*;q=0.8";
        Browser::new()
            .request(Method::GET, url)
            .header("host", "localhost:5003")
            .header("accept", accept)
    };
    let url = server.authorize_url(&login.params);
    let path = url.trim_start_matches("http://localhost:5003");
    let mut answer = browser.send(page(path)).await;
    while answer.status == 200 {
        let (_, action) = answer.body.split_once("action=\"").expect("a form");
        let (action, _) = action.split_once('"').expect("an action");
        let mut form = answer.hidden_fields();
        for (name, value) in [
            ("username", "johndoe"),
            ("password", "secret123"),
            ("decision", "allow"),
        ] {
            form.push((name.into(), value.into()));
        }
        let request = browser
            .request(Method::POST, testing::url(&server.http, action))
            .form(&form);
        let next = browser.send(request.header("host", "localhost:5003")).await;
        answer = if next.location().starts_with('/') {
            browser.send(page(next.location())).await
        } else {
            next
        };
    }
    param_of(answer.location(), "code")
}

// check 221
#[tokio::test]
async fn nothing_is_stored_before_a_login_and_what_expires_is_swept() {
    let server = server().await;
    let mut browser = Browser::new();
    for _ in 0..50 {
        let form = server
            .visit(&mut Browser::new(), &server.login(OFFLINE))
            .await;
        assert!(form.set_cookies().is_empty());
    }
    let form = server.visit(&mut browser, &server.login(OFFLINE)).await;
    server
        .submit_any(
            &mut browser,
            &form,
            &[("username", "nobody"), ("password", "x")],
        )
        .await;
    let all = "SELECT (SELECT COUNT(*) FROM authorization_sessions)
        + (SELECT COUNT(*) FROM authorization_consents) + (SELECT COUNT(*) FROM authorization_grants)
        + (SELECT COUNT(*) FROM authorization_refresh_tokens)
        + (SELECT COUNT(*) FROM authorization_revoked_tokens)";
    assert_eq!(server.count(all).await, 0);
    let consent = server.log_in(&mut browser, &form).await;
    for _ in 0..50 {
        server.visit(&mut browser, &server.login(OFFLINE)).await;
    }
    assert_eq!(server.count(all).await, 1, "the session");
    server.allow(&mut browser, &consent).await;
    let tokens = server.tokens(OFFLINE).await;
    server
        .post("/revoke", &[("token", &text(&tokens, "access_token"))])
        .await;
    server.tokens("openid").await;

    let now = i64::try_from(unix_now()).expect("a time");
    let before = server.count(all).await;
    store::sweep(&server.app.db, now - 10)
        .await
        .expect("it sweeps");
    assert_eq!(server.count(all).await, before);
    store::sweep(&server.app.db, now + 700)
        .await
        .expect("it sweeps");
    assert_eq!(
        server
            .count("SELECT COUNT(*) FROM authorization_revoked_tokens")
            .await,
        0
    );
    assert_eq!(
        server
            .count("SELECT COUNT(*) FROM authorization_grants")
            .await,
        1,
        "the grant with a refresh token; nobody redeemed the code of the first"
    );
    store::sweep(&server.app.db, now + 91 * 24 * 60 * 60)
        .await
        .expect("it sweeps");
    assert_eq!(server.count(all).await, 0);
}

// check 222
#[tokio::test]
async fn a_wrong_clock_does_not_extend_the_lifetime_of_a_token() {
    let server = server().await;
    let mut browser = Browser::new();
    let tokens = server.tokens_in(&mut browser, OFFLINE).await;
    // What was written while the clock was five minutes ahead, and behind.
    for sql in [
        "UPDATE authorization_sessions SET auth_time = auth_time + 300, expires = expires + 300",
        "UPDATE authorization_grants SET auth_time = auth_time + 300, expires = expires + 300",
        "UPDATE authorization_sessions SET auth_time = auth_time - 600, expires = expires - 600",
        "UPDATE authorization_grants SET auth_time = auth_time - 600, expires = expires - 600",
    ] {
        server.sql(sql).await;
        let mut login = server.login(OFFLINE);
        login.params.push(("max_age", "10000".into()));
        let answer = server.visit(&mut browser, &login).await;
        let answer = server
            .redeem(&login, &param_of(answer.location(), "code"))
            .await
            .json();
        assert_eq!(answer["expires_in"], 600);
        let exp = super::client::claims(&text(&answer, "access_token"))["exp"].as_u64();
        assert!(exp.expect("a time") <= unix_now() + 600);
    }
    assert_eq!(
        server.refresh(&text(&tokens, "refresh_token")).await.status,
        200
    );
}
