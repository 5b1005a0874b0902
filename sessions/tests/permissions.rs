//! The example `permissions`: who may do what, from one request to the next.

#[path = "../../common/testing/database.rs"]
mod database;
#[path = "../examples/permissions/main.rs"]
#[expect(dead_code, reason = "a test has no use for `main`")]
mod permissions;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use common::{
    cookies::CookieKeys,
    provider::Identity,
    server::Server,
    settings::{Settings, table},
    unix_now,
};
use database::{on_postgres, start};
pub use permissions::app;
use permissions::{Permissions, accounts::Accounts};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AnyPool;
use testing::{
    Answer, Browser,
    program::{self, Program},
    provider::{Provider, Reply, token},
    url,
};
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};
use tower_cookies::Cookies;

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// What attackers type where it could end up in a statement.
const SQL: [&str; 6] = [
    "'; DROP TABLE accounts; --",
    "' OR '1'='1",
    "\" OR 1=1 --",
    "x'), (1, 'Admin'); --",
    "1; DELETE FROM permissions",
    "\\'; SELECT * FROM sessions WHERE id LIKE '%",
];

pub async fn log_in(server: &Server, name: &str) -> Browser {
    log_in_with(Browser::new(), server, name).await
}

/// With a copy of a browser, which is much faster to create than a new one.
pub async fn log_in_with(mut browser: Browser, server: &Server, name: &str) -> Browser {
    let done = browser.log_in(server, name).await;
    assert_eq!(
        (done.status, done.location()),
        (303, "/users/me"),
        "{}",
        done.body
    );
    browser
}

pub async fn status(browser: &mut Browser, server: &Server, path: &str) -> u16 {
    browser.get(url(server, path)).await.status
}

/// `PUT` grants, `DELETE` revokes.
pub async fn change(
    browser: &mut Browser,
    server: &Server,
    method: &str,
    (id, permission): (i64, &str),
) -> Answer {
    let path = format!("/admin/users/{id}/permissions/{permission}");
    send(browser, method, &url(server, &path)).await
}

async fn send(browser: &mut Browser, method: &str, url: &str) -> Answer {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let request = browser.request(method, url);
    browser.send(request).await
}

/// What each account may do, by its id, as an admin sees it.
pub async fn users(admin: &mut Browser, origin: &str) -> BTreeMap<i64, (String, Value)> {
    let list = admin.get(format!("{origin}/admin/users")).await.json();
    let entry = |user: &Value| {
        let name = user["name"].as_str().unwrap().to_owned();
        (
            user["id"].as_i64().unwrap(),
            (name, user["permissions"].clone()),
        )
    };
    list.as_array().unwrap().iter().map(entry).collect()
}

/// A path for a database that does not exist yet.
fn new_file(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join("permissions")
        .join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("a directory for the test");
    directory.join("file.db")
}

/// A database that there is not yet.
fn new_database(name: &str) -> String {
    on_postgres().unwrap_or_else(|| format!("sqlite://{}", new_file(name).display()))
}

/// The server on a new database, and a way into that.
async fn on_database(name: &str) -> (Server, AnyPool) {
    let url = new_database(name);
    let server = start(app, &[("DATABASE_URL", &url)]).await;
    (server, AnyPool::connect(&url).await.expect("it is there"))
}

// checks 66, 75, 248
#[tokio::test]
async fn an_admin_grants_and_revokes_and_both_take_effect_at_once() {
    let server = start(app, &[]).await;
    let (mut ada, mut bob) = (log_in(&server, "ada").await, log_in(&server, "bob").await);
    assert_eq!(
        ada.get(url(&server, "/admin")).await.json(),
        "You are an admin!"
    );
    assert_eq!(status(&mut bob, &server, "/admin").await, 403);
    assert_eq!(status(&mut bob, &server, "/privileged").await, 403);
    assert_eq!(
        status(&mut ada, &server, "/privileged").await,
        403,
        "an admin does not have every permission"
    );

    let granted = change(&mut ada, &server, "PUT", (2, "Something")).await;
    assert_eq!(granted.status, 200);
    let bobs_entry = granted.json();
    assert_eq!(
        (&bobs_entry["id"], &bobs_entry["provider"]),
        (&json!(2), &json!("demo"))
    );
    assert_eq!(
        (&bobs_entry["name"], &bobs_entry["permissions"]),
        (&json!("bob"), &json!(["Something"]))
    );
    let privileged = bob.get(url(&server, "/privileged")).await;
    assert_eq!(
        (privileged.status, privileged.json()),
        (200, json!("You are truly privileged!"))
    );
    assert_eq!(
        change(&mut ada, &server, "PUT", (2, "Something"))
            .await
            .json(),
        bobs_entry,
        "again"
    );

    let list = ada.get(url(&server, "/admin/users")).await.json();
    assert_eq!((list.as_array().unwrap().len(), &list[1]), (2, &bobs_entry));
    assert_eq!(
        (&list[0]["name"], &list[0]["permissions"]),
        (&json!("ada"), &json!(["Admin"]))
    );
    let user = ada.get(url(&server, "/users/me")).await.json();
    assert_eq!(
        (&user["username"], &user["id"]),
        (&json!("ada"), &list[0]["subject"])
    );

    let revoked = change(&mut ada, &server, "DELETE", (2, "Something")).await;
    assert_eq!(
        (revoked.status, &revoked.json()["permissions"]),
        (200, &json!([]))
    );
    assert_eq!(status(&mut bob, &server, "/privileged").await, 403);
    let again = change(&mut ada, &server, "DELETE", (2, "Something")).await;
    assert_eq!((again.status, again.body), (200, revoked.body));

    change(&mut ada, &server, "PUT", (2, "Admin")).await;
    assert_eq!(
        change(&mut bob, &server, "DELETE", (1, "Admin"))
            .await
            .status,
        200
    );
    assert_eq!(status(&mut ada, &server, "/admin").await, 403);
    assert_eq!(
        change(&mut ada, &server, "PUT", (1, "Admin")).await.status,
        403
    );
    let mut ada = log_in(&server, "ada").await;
    assert_eq!(
        status(&mut ada, &server, "/admin").await,
        403,
        "logging in again does not grant it again"
    );
}

// checks 14, 36, 63
#[tokio::test]
async fn every_route_answers_nobody_a_user_and_an_admin_as_promised() {
    let one = "/admin/users/2/permissions/Something";
    let admins_own = "/admin/users/1/permissions/Admin";
    let table = [
        ("GET", "/", [200, 200, 200]),
        ("GET", "/login", [303, 303, 303]),
        ("HEAD", "/login", [405, 405, 405]),
        ("GET", "/auth", [400, 400, 400]),
        ("GET", "/auth?code=a&state=b", [400, 400, 400]),
        ("HEAD", "/auth", [405, 405, 405]),
        ("GET", "/users/me", [401, 200, 200]),
        ("POST", "/users/me", [405, 405, 405]),
        ("GET", "/admin", [401, 403, 200]),
        ("HEAD", "/admin", [405, 405, 405]),
        ("POST", "/admin", [405, 405, 405]),
        ("GET", "/admin/", [404, 404, 404]),
        ("GET", "//admin", [404, 404, 404]),
        ("GET", "/ADMIN", [404, 404, 404]),
        ("GET", "/privileged", [401, 403, 403]),
        ("GET", "/admin/users", [401, 403, 200]),
        ("HEAD", "/admin/users", [405, 405, 405]),
        ("GET", "/admin/users/2", [404, 404, 404]),
        ("GET", one, [405, 405, 405]),
        ("POST", one, [405, 405, 405]),
        ("PUT", one, [401, 403, 200]),
        ("DELETE", one, [401, 403, 200]),
        ("DELETE", admins_own, [401, 403, 409]),
        (
            "PUT",
            "/admin/users/3/permissions/Something",
            [401, 403, 404],
        ),
        (
            "DELETE",
            "/admin/users/3/permissions/Admin",
            [401, 403, 404],
        ),
        ("PUT", "/admin/users/-1/permissions/Admin", [401, 403, 404]),
        ("PUT", "/admin/users/2/permissions/Nothing", [401, 403, 404]),
        ("PUT", "/admin/users/2/permissions/admin", [401, 403, 404]),
        ("PUT", "/admin/users/2/permissions/%00", [401, 403, 404]),
        ("PUT", "/admin/users/2/permissions/%ff", [401, 403, 400]),
        ("PUT", "/admin/users/2/permissions/", [404, 404, 404]),
        ("PUT", "/admin/users/two/permissions/Admin", [401, 403, 400]),
        (
            "PUT",
            "/admin/users/9223372036854775808/permissions/Admin",
            [401, 403, 400],
        ),
        ("GET", "/logout", [405, 405, 405]),
        ("POST", "/logout", [303, 303, 303]),
    ];
    let server = start(app, &[]).await;
    let visitors = [
        Browser::new(),
        log_in(&server, "ada").await,
        log_in(&server, "bob").await,
    ];
    let [nobody, admin, user] = visitors;
    for (method, path, statuses) in table {
        for (status, visitor) in statuses.into_iter().zip([&nobody, &user, &admin]) {
            let answer = send(&mut visitor.clone(), method, &url(&server, path)).await;
            let row = format!("{method} {path}: {}", answer.body);
            assert_eq!(answer.status, status, "{row}");
            let challenge = if status == 401 {
                "Cookie realm=\"session\""
            } else {
                ""
            };
            assert_eq!(answer.header("www-authenticate"), challenge, "{row}");
            assert_eq!(answer.header("cache-control"), "no-store", "{row}");
            match status {
                401 => assert_eq!(answer.json(), json!({ "detail": "Not logged in" }), "{row}"),
                403 => {
                    let expected = json!({ "detail": "Insufficient permissions" });
                    assert_eq!(answer.json(), expected, "{row}");
                }
                404 | 409 => assert!(answer.json()["detail"].is_string(), "{row}"),
                _ => {}
            }
        }
    }
}

// check 79
#[tokio::test]
async fn the_start_page_shows_the_account_and_its_permissions() {
    let server = start(app, &[]).await;
    let page = Browser::new().visit(url(&server, "/")).await;
    assert!(page.body.contains("Nobody is logged in"), "{}", page.body);
    let mut ada = log_in(&server, "<script>ada").await;
    change(&mut ada, &server, "PUT", (1, "Something")).await;
    let page = ada.visit(url(&server, "/")).await.body;
    assert!(
        page.contains("<strong>&#60;script&#62;ada</strong>, account 1,"),
        "{page}"
    );
    assert!(page.contains("<strong>Admin, Something</strong>"), "{page}");
    let bob = log_in(&server, "bob")
        .await
        .visit(url(&server, "/"))
        .await
        .body;
    assert!(bob.contains("no permission"), "{bob}");
}

// check 75
#[tokio::test]
async fn a_logout_revokes_the_token_at_the_provider_too() {
    let provider = Provider::start().await;
    let server = start(app, &provider.settings()).await;
    let mut ada = Browser::new();
    ada.log_in_with_code(&server).await;
    let mut copy = ada.clone();
    let out = ada.post(url(&server, "/logout"), &[]).await;
    assert_eq!((out.status, ada.cookie_names()), (303, vec![]));
    assert_eq!(status(&mut copy, &server, "/users/me").await, 401);
    server.stop().await;
    assert_eq!(provider.seen_at("/revoke").len(), 2);
}

// check 75
#[tokio::test]
async fn after_a_logout_a_copy_of_the_cookies_grants_no_access() {
    let server = start(app, &[]).await;
    let mut ada = log_in(&server, "ada").await;
    let (mut copy, mut elsewhere) = (ada.clone(), log_in(&server, "ada").await);
    let out = ada.post(url(&server, "/logout"), &[]).await;
    assert_eq!(
        (out.status, out.location(), ada.cookie_names()),
        (303, "/", vec![])
    );

    for path in ["/users/me", "/admin", "/privileged", "/admin/users"] {
        assert_eq!(status(&mut copy, &server, path).await, 401, "{path}");
    }
    assert_eq!(
        change(&mut copy, &server, "PUT", (1, "Something"))
            .await
            .status,
        401
    );
    assert!(
        copy.visit(url(&server, "/"))
            .await
            .body
            .contains("Nobody is logged in")
    );
    assert_eq!(
        status(&mut elsewhere, &server, "/admin").await,
        200,
        "another session goes on"
    );
}

// checks 72, 74
#[tokio::test]
async fn logging_in_again_leaves_no_session_behind() {
    let server = start(app, &[]).await;
    let mut browser = log_in(&server, "ada").await;
    let mut before = browser.clone();
    browser.log_in(&server, "bob").await;
    assert_eq!(status(&mut before, &server, "/users/me").await, 401);
    assert_eq!(
        browser.get(url(&server, "/users/me")).await.json()["username"],
        "bob"
    );
    assert_eq!(status(&mut browser, &server, "/admin").await, 403);
}

// check 77
#[tokio::test]
async fn a_session_that_the_provider_ends_ends_here_too() {
    let provider = Provider::start().await;
    let server = start(app, &provider.settings()).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    let mut copy = browser.clone();
    provider.answer_next("/user", Reply::new(500, "text/plain", ""));
    assert_eq!(status(&mut browser, &server, "/users/me").await, 502);
    assert_eq!(
        status(&mut browser, &server, "/admin").await,
        200,
        "a failure ends nothing"
    );
    provider.answer_next("/user", Reply::new(401, "text/plain", ""));
    assert_eq!(status(&mut browser, &server, "/users/me").await, 401);
    assert_eq!(browser.cookie_names(), [""; 0]);
    assert_eq!(status(&mut copy, &server, "/admin").await, 401);
}

// check 73
#[tokio::test]
async fn an_expired_session_is_rejected_and_deleted() {
    let (server, database) = on_database("expired").await;
    let mut ada = log_in(&server, "ada").await;
    let expires: i64 = sqlx::query_scalar("SELECT expires FROM sessions")
        .fetch_one(&database)
        .await
        .unwrap();
    let now = unix_now().cast_signed();
    let lifetime = expires - now;
    assert!(
        (604_790..=604_800).contains(&lifetime),
        "a week, not {lifetime} s"
    );

    let end = sqlx::query("UPDATE sessions SET expires = $1").bind(now);
    end.execute(&database).await.unwrap();
    assert_eq!(status(&mut ada, &server, "/admin").await, 401);
    log_in(&server, "bob").await;
    let accounts: Vec<i64> = sqlx::query_scalar("SELECT account FROM sessions")
        .fetch_all(&database)
        .await
        .unwrap();
    assert_eq!(accounts, [2]);
}

// check 75
#[tokio::test]
async fn another_site_cannot_change_a_users_permissions() {
    let server = start(app, &[]).await;
    let mut ada = log_in(&server, "ada").await;
    for method in ["PUT", "DELETE"] {
        for (header, value) in [
            ("sec-fetch-site", "cross-site"),
            ("origin", "https://evil.example"),
        ] {
            let url = url(&server, "/admin/users/1/permissions/Something");
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let answer = ada.request(method, url).header(header, value);
            let answer = ada.send(answer).await;
            assert_eq!(answer.status, 403);
            assert!(answer.body.contains("another site"), "{}", answer.body);
        }
    }
    let logout = ada.request(Method::POST, url(&server, "/logout"));
    assert_eq!(
        ada.send(logout.header("sec-fetch-site", "same-site"))
            .await
            .status,
        403
    );
    assert_eq!(status(&mut ada, &server, "/admin").await, 200);
    assert_eq!(
        users(&mut ada, &url(&server, "")).await[&1].1,
        json!(["Admin"])
    );
}

#[tokio::test]
async fn the_setting_names_the_admin_instead_of_the_first_account() {
    let server = start(app, &[]).await;
    let mut ada = log_in(&server, "ada").await;
    let user = ada.get(url(&server, "/users/me")).await.json();
    let named = format!("demo:{}", user["id"].as_str().unwrap());

    let server = start(app, &[("ADMIN", &named)]).await;
    let mut first = log_in(&server, "bob").await;
    assert_eq!(status(&mut first, &server, "/admin").await, 403);
    let mut ada = log_in(&server, "ada").await;
    assert_eq!(status(&mut ada, &server, "/admin").await, 200);
    assert_eq!(status(&mut first, &server, "/admin").await, 403);
}

// check 144
#[tokio::test]
async fn a_wrong_setting_is_reported_in_a_line_without_its_value() {
    let file = new_file("wrong-setting");
    fs::write(&file, "this is no database, whatever its name says").unwrap();
    let no_database = format!("sqlite://{}", file.display());
    let no_directory = format!("sqlite://{}/none/file.db", file.parent().unwrap().display());
    for (name, value) in [
        ("ADMIN", "ada"),
        ("ADMIN", ":1234567"),
        ("ADMIN", "github:1234"),
        ("ADMIN", "demo1234"),
        ("DATABASE_URL", "my.db"),
        (
            "DATABASE_URL",
            "postgres://user:password@host.invalid/database",
        ),
        (
            "DATABASE_URL",
            "postgres://user:password@localhost:99999/database",
        ),
        (
            "DATABASE_URL",
            "postgres://localhost/database?pasword=password",
        ),
        (
            "DATABASE_URL",
            "postgres://localhost/database?sslmode=verify",
        ),
        ("DATABASE_URL", "mysql://user:password@localhost/database"),
        ("DATABASE_URL", "sqlite::memory:"),
        ("DATABASE_URL", "sqlite://:memory:"),
        ("DATABASE_URL", "sqlite://file::memory:"),
        ("DATABASE_URL", "sqlite://my.db?mode=memory"),
        ("DATABASE_URL", "sqlite://?"),
        ("DATABASE_URL", &no_database),
        ("DATABASE_URL", &no_directory),
    ] {
        let vars = [
            ("BIND_ADDR", "127.0.0.1:0"),
            ("DEMO_ADDR", "127.0.0.1:0"),
            (name, value),
        ];
        let problems = Server::start(app, Settings::from_vars(vars))
            .await
            .expect_err(value);
        let [line] = &problems[..] else {
            panic!("{value}: {problems:#?}")
        };
        assert!(
            line.starts_with(&format!("{name} ")) && !line.contains(value),
            "{value}: {line}"
        );
    }
    let names: Vec<_> = table::<Permissions>().map(|setting| setting.name).collect();
    assert!(
        names.contains(&"PUBLIC_URL") && names.contains(&"CLIENT_ID"),
        "{names:?}"
    );
    assert_eq!(names[names.len() - 2..], ["DATABASE_URL", "ADMIN"]);
}

// check 248: what is not of this version is refused, and left as it is.
#[tokio::test]
async fn a_file_of_an_older_version_is_refused() {
    let file = new_file("older");
    let url = format!("sqlite://{}", file.display());
    let server = start(app, &[("DATABASE_URL", &url)]).await;
    log_in(&server, "ada").await;
    server.stop().await;
    let database = AnyPool::connect(&url).await.unwrap();
    let rename = "ALTER TABLE _accounts_migrations RENAME TO _sqlx_migrations";
    sqlx::query(rename).execute(&database).await.unwrap();

    let vars = [("DEMO_ADDR", "127.0.0.1:0"), ("DATABASE_URL", &*url)];
    let problems = Server::start(app, Settings::from_vars(vars)).await;
    let problems = problems.expect_err("it has the tables already");
    let [line] = &problems[..] else {
        panic!("{problems:#?}")
    };
    assert!(line.starts_with("DATABASE_URL cannot be used: "), "{line}");
    assert!(line.contains("table accounts already exists"), "{line}");
    let accounts = sqlx::query_scalar("SELECT COUNT(*) FROM accounts");
    let accounts: i64 = accounts.fetch_one(&database).await.unwrap();
    assert_eq!(accounts, 1);
}

/// A program that ends instead of starting: its exit code, and its errors.
fn ends(binary: &str, vars: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut process = Command::new(binary)
        .env_clear()
        .envs(vars.iter().copied())
        .current_dir(env!("CARGO_TARGET_TMPDIR"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut log = BufReader::new(process.stdout.take().expect("a pipe")).lines();
    if log.any(|line| line.expect("UTF-8").contains("listening on")) {
        process.kill().expect("it runs");
        panic!("it has started with {vars:?}");
    }
    let output = process.wait_with_output().expect("it has ended");
    let errors = String::from_utf8(output.stderr).expect("UTF-8");
    (output.status.code(), errors)
}

// check 165
#[test]
fn where_others_can_log_in_the_admin_and_the_database_must_be_named() {
    const ADMIN: (&str, &str) = ("ADMIN", "github:1234");
    let file = format!("sqlite://{}", new_file("in-public").display());
    let database = ("DATABASE_URL", &*file);
    let no_admin = "error: ADMIN is missing; others can log in here, so name the account that \
                    becomes Admin, as provider:subject";
    let no_database = "error: DATABASE_URL is missing; others can log in here, so name a database \
                       for the permissions, such as sqlite://permissions.db";
    let binary = program::example("sessions", "permissions");
    for bind_addr in ["0.0.0.0:0", "127.0.0.1:0"] {
        let vars = [
            ("BIND_ADDR", bind_addr),
            ("PUBLIC_URL", "https://app.example.com"),
            ("SESSION_SECRET", SECRET),
            ("PROVIDER", "github"),
            ("CLIENT_ID", "client"),
            ("CLIENT_SECRET", "client-secret"),
        ];
        for (more, problems) in [
            (&[][..], &[no_admin, no_database][..]),
            (&[ADMIN], &[no_database]),
            (&[database], &[no_admin]),
            (
                &[("ADMIN", ""), ("DATABASE_URL", "")],
                &[no_admin, no_database],
            ),
        ] {
            let vars: Vec<_> = vars.into_iter().chain(more.iter().copied()).collect();
            let (code, said) = ends(&binary, &vars);
            assert_eq!(said.lines().collect::<Vec<_>>(), problems, "{more:?}");
            assert_eq!(code, Some(2), "{more:?}");
        }
        // With both it starts.
        Program::start(&binary, &[&vars[..], &[ADMIN, database]].concat());
    }
}

#[tokio::test]
async fn two_hundred_parallel_first_logins_create_one_account_and_one_admin() {
    let new = Browser::new();
    for vars in [None, Some(new_database("parallel"))] {
        let vars = vars.as_ref().map(|file| ("DATABASE_URL", file.as_str()));
        let server = Arc::new(start(app, vars.as_slice()).await);
        let mut logins = JoinSet::new();
        for _ in 0..200 {
            let (server, browser) = (server.clone(), new.clone());
            logins.spawn(async move { log_in_with(browser, &server, "ada").await });
        }
        let browsers = logins.join_all().await;
        for mut browser in browsers {
            let users = users(&mut browser, &url(&server, "")).await;
            assert_eq!(
                users,
                BTreeMap::from([(1, ("ada".to_owned(), json!(["Admin"])))])
            );
        }
    }
}

#[tokio::test]
async fn only_one_of_many_parallel_first_users_becomes_admin() {
    let server = Arc::new(start(app, &[]).await);
    let (new, mut logins) = (Browser::new(), JoinSet::new());
    for number in 0..50 {
        let (server, browser, name) = (server.clone(), new.clone(), format!("user{number}"));
        logins.spawn(async move { log_in_with(browser, &server, &name).await });
    }
    let mut admins = Vec::new();
    for mut browser in logins.join_all().await {
        if status(&mut browser, &server, "/admin").await == 200 {
            admins.push(browser);
        }
    }
    let [admin] = &mut admins[..] else {
        panic!("{} admins", admins.len())
    };
    let users = users(admin, &url(&server, "")).await;
    assert_eq!((users.len(), &users[&1].1), (50, &json!(["Admin"])));
    assert!(
        users
            .iter()
            .all(|(id, (_, permissions))| *id == 1 || *permissions == json!([]))
    );
}

#[tokio::test]
async fn two_admins_who_demote_each_other_leave_one() {
    let file = new_database("dismissed");
    let server = start(app, &[("DATABASE_URL", &file)]).await;
    let (mut ada, mut bob) = (log_in(&server, "ada").await, log_in(&server, "bob").await);
    for _ in 0..20 {
        // The remaining admin makes the other one an admin again.
        for (admin, other) in [(&mut ada, 2), (&mut bob, 1)] {
            change(admin, &server, "PUT", (other, "Admin")).await;
        }
        let (first, second) = tokio::join!(
            change(&mut ada, &server, "DELETE", (2, "Admin")),
            change(&mut bob, &server, "DELETE", (1, "Admin")),
        );
        // The later request comes from a user who is no admin any more, or would remove the last.
        let answers = BTreeSet::from([first.status, second.status]);
        assert!(
            answers == [200, 403].into() || answers == [200, 409].into(),
            "{answers:?}"
        );
    }
}

#[tokio::test]
async fn users_of_two_providers_with_the_same_name_and_id_are_two_accounts() {
    let accounts = Accounts::from_settings(&mut Settings::from_vars([]))
        .await
        .unwrap();
    let identity = |provider: &str, subject: &str, name: &str| Identity {
        provider: provider.into(),
        subject: subject.into(),
        name: name.into(),
    };
    let mut ids = BTreeSet::new();
    for user in [
        identity("discord", "7", "ada"),
        identity("github", "7", "ada"),
        identity("github", "8", "ada"),
        identity("github", "ADA", "ada"),
        identity("github", "ada", "ada"),
        identity("github", "7 ", "ada"),
    ] {
        let account = accounts.find_or_create(&user).await.unwrap();
        assert!(ids.insert(account.id), "{user:?} got another's account");
        let renamed = Identity {
            name: "lovelace".into(),
            ..user
        };
        let again = accounts.find_or_create(&renamed).await.unwrap();
        assert_eq!(
            (again.id, &*again.name),
            (account.id, "lovelace"),
            "names change"
        );
    }
}

#[tokio::test]
async fn sql_in_a_user_name_is_a_name() {
    let server = start(app, &[]).await;
    let mut ada = log_in(&server, "ada").await;
    for (name, id) in SQL.into_iter().zip(2..) {
        let mut browser = log_in(&server, name).await;
        assert_eq!(status(&mut browser, &server, "/admin").await, 403, "{name}");
        let users = users(&mut ada, &url(&server, "")).await;
        assert_eq!(users[&id], (name.to_owned(), json!([])));
        assert_eq!(
            (users.len(), &users[&1].1),
            (usize::try_from(id).unwrap(), &json!(["Admin"]))
        );
    }
}

#[tokio::test]
async fn sql_in_a_subject_is_a_subject() {
    let provider = Provider::scripted(|seen| match &*seen.path {
        "/token" => Some(token(&json!({ "access_token": seen.field("code") }))),
        "/user" => {
            let place = seen.header("authorization").strip_prefix("Bearer ")?;
            Some(Reply::json(
                200,
                &json!({ "id": SQL[place.parse::<usize>().ok()?] }),
            ))
        }
        _ => None,
    })
    .await;
    let server = start(app, &provider.settings()).await;
    let mut browsers = Vec::new();
    for (place, subject) in SQL.into_iter().enumerate() {
        let mut browser = Browser::new();
        let login = browser.get(url(&server, "/login")).await;
        browser
            .come_back(&server, &login, &format!("code={place}"))
            .await;
        assert_eq!(
            browser.get(url(&server, "/users/me")).await.json()["id"],
            subject
        );
        browsers.push(browser);
    }
    let list = browsers[0].get(url(&server, "/admin/users")).await.json();
    let subjects: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|user| &user["subject"])
        .collect();
    assert_eq!(subjects, SQL);
}

#[tokio::test]
async fn sql_in_a_path_a_session_or_a_setting_grants_no_access() {
    let keys = CookieKeys::new(&SECRET.to_owned().into(), false);
    for sql in SQL {
        let admin = format!("demo:{sql}");
        let server = start(app, &[("ADMIN", &admin), ("SESSION_SECRET", SECRET)]).await;
        let mut ada = log_in(&server, "ada").await;
        assert_eq!(status(&mut ada, &server, "/admin").await, 403, "{sql}");

        // Not even for an attacker who could sign a session of their choice.
        let cookies = Cookies::default();
        let user = json!({ "provider": "demo", "subject": sql, "name": sql });
        let session = json!({ "id": sql, "user": user });
        keys.sign(&cookies, "session", &session, Duration::from_mins(1))
            .unwrap();
        ada.set_cookie("session", cookies.get("session").unwrap().value());
        assert_eq!(status(&mut ada, &server, "/users/me").await, 401, "{sql}");

        let server = start(app, &[]).await;
        let mut admin = log_in(&server, "ada").await;
        let mut path = reqwest::Url::parse(&url(&server, "/")).unwrap();
        for (segments, expected) in [([sql, "Admin"], 400), (["1", sql], 404)] {
            path.path_segments_mut().unwrap().clear().extend([
                "admin",
                "users",
                segments[0],
                "permissions",
                segments[1],
            ]);
            for method in ["PUT", "DELETE"] {
                let answer = send(&mut admin, method, path.as_str()).await;
                assert_eq!(answer.status, expected, "{path}: {}", answer.body);
            }
        }
        let users = users(&mut admin, &url(&server, "")).await;
        assert_eq!(users[&1].1, json!(["Admin"]), "{sql}");
    }
}

#[tokio::test]
async fn a_database_that_fails_is_a_503_that_does_not_say_why() {
    let (server, database) = on_database("failing").await;
    let mut ada = log_in(&server, "ada").await;
    sqlx::query("DROP TABLE sessions")
        .execute(&database)
        .await
        .unwrap();
    for path in ["/users/me", "/admin", "/privileged", "/admin/users"] {
        let answer = ada.get(url(&server, path)).await;
        let detail = "the database cannot be used at the moment; please try again";
        assert_eq!(
            (answer.status, answer.json()),
            (503, json!({ "detail": detail })),
            "{path}"
        );
    }
    let out = ada.post(url(&server, "/logout"), &[]).await;
    assert_eq!(out.status, 503, "only a user who is logged out is told so");
    assert_eq!(ada.cookie_names(), ["session", "token"]);
    assert_eq!(Browser::new().log_in(&server, "ada").await.status, 503);
}

#[tokio::test]
async fn a_database_that_was_down_is_used_again_without_a_restart() {
    let (server, database) = on_database("gone").await;
    let mut ada = log_in(&server, "ada").await;
    for _ in 0..2 {
        assert_eq!(status(&mut ada, &server, "/admin").await, 200);
        sqlx::query("ALTER TABLE sessions RENAME TO gone")
            .execute(&database)
            .await
            .unwrap();
        assert_eq!(status(&mut ada, &server, "/admin").await, 503);
        sqlx::query("ALTER TABLE gone RENAME TO sessions")
            .execute(&database)
            .await
            .unwrap();
        assert_eq!(status(&mut ada, &server, "/admin").await, 200);
    }
    // Another program holds a write transaction open.
    let mut lock = database.begin().await.unwrap();
    sqlx::query("UPDATE last_account SET id = id")
        .execute(&mut *lock)
        .await
        .unwrap();
    let waited = Browser::new().log_in(&server, "bob").await;
    assert_eq!(waited.status, 503);
    assert!(waited.body.contains("database"), "{}", waited.body);
    assert_eq!(
        status(&mut ada, &server, "/admin").await,
        200,
        "requests that only read are served"
    );
    lock.rollback().await.unwrap();
    log_in(&server, "bob").await;
}

#[tokio::test]
async fn browsers_that_hang_up_do_not_take_the_database_with_them() {
    let server = start(app, &[]).await;
    let mut ada = log_in(&server, "ada").await;
    for step in 0..200 {
        let mut browser = ada.clone();
        let path = url(&server, "/admin/users/1/permissions/Something");
        let patience = Duration::from_micros(step * 50);
        let _ = timeout(patience, send(&mut browser, "PUT", &path)).await;
        let _ = timeout(patience, send(&mut browser, "DELETE", &path)).await;
    }
    assert_eq!(status(&mut ada, &server, "/admin").await, 200);
}

#[tokio::test]
async fn a_file_keeps_accounts_permissions_and_sessions_over_a_restart() {
    let file = new_database("restart");
    let vars = [("DATABASE_URL", &*file), ("SESSION_SECRET", SECRET)];
    let server = start(app, &vars).await;
    let (mut ada, mut bob) = (log_in(&server, "ada").await, log_in(&server, "bob").await);
    change(&mut ada, &server, "PUT", (2, "Something")).await;
    let mut copy = log_in(&server, "bob").await;
    let before = users(&mut ada, &url(&server, "")).await;
    copy.clone().post(url(&server, "/logout"), &[]).await;
    server.stop().await;

    let server = start(app, &vars).await;
    assert_eq!(users(&mut ada, &url(&server, "")).await, before);
    assert_eq!(status(&mut bob, &server, "/privileged").await, 200);
    assert_eq!(
        status(&mut copy, &server, "/privileged").await,
        401,
        "still logged out"
    );
    let mut eve = log_in(&server, "eve").await;
    assert_eq!(
        status(&mut eve, &server, "/admin").await,
        403,
        "there was a first account"
    );
}

/// The program itself.
struct Running {
    process: Child,
    origin: String,
    /// What it warned of before it was up.
    warnings: Vec<String>,
}

impl Running {
    fn start(database: &str) -> Self {
        let tests = std::env::current_exe().expect("the path of this test");
        let target = tests
            .parent()
            .and_then(|deps| deps.parent())
            .expect("target/debug");
        let binary = target.join("examples/permissions");
        let mut process = Command::new("sh")
            // A careless umask: it leaves new files readable and writable by everyone.
            .args(["-c", "umask 000; exec \"$0\""])
            .arg(binary)
            .env_clear()
            .envs([("BIND_ADDR", "127.0.0.1:0"), ("DEMO_ADDR", "127.0.0.1:0")])
            .envs([("DATABASE_URL", database), ("SESSION_SECRET", SECRET)])
            .current_dir(env!("CARGO_TARGET_TMPDIR"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("cargo build -p sessions --example permissions");
        let mut log = BufReader::new(process.stdout.take().expect("its log")).lines();
        let mut warnings = Vec::new();
        let origin = log.find_map(|line| {
            let line = line.expect("a line");
            let origin = line.split_once("listening on ");
            let origin = origin.map(|(_, origin)| origin.to_owned());
            warnings.extend(line.contains("WARN").then_some(line));
            origin
        });
        // The rest of the log has to be read, or the program would block on a full pipe.
        std::thread::spawn(|| log.for_each(drop));
        Self {
            process,
            origin: origin.expect("it listens"),
            warnings,
        }
    }

    /// Like `kill -9`.
    fn kill(mut self) {
        self.process.kill().expect("it runs until now");
        self.process.wait().expect("it ends");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_can_read_the_database() {
    use std::os::unix::fs::PermissionsExt;

    let file = new_file("private");
    let database = format!("sqlite://{}", file.display());
    let modes = || -> BTreeMap<String, u32> {
        let files = fs::read_dir(file.parent().unwrap()).unwrap();
        let mode = |file: fs::DirEntry| file.metadata().unwrap().permissions().mode() & 0o777;
        files
            .map(|file| file.unwrap())
            .map(|file| (file.file_name().into_string().unwrap(), mode(file)))
            .collect()
    };
    let running = Running::start(&database);
    let mut ada = Browser::new();
    let login = ada.get(format!("{}/login", running.origin)).await;
    let callback = ada.allow(&login, "ada").await;
    assert_eq!(ada.get(callback).await.status, 303);
    let files = ["file.db", "file.db-shm", "file.db-wal"];
    let private = BTreeMap::from(files.map(|file| (file.to_owned(), 0o600)));
    assert_eq!(modes(), private);
    assert_eq!(running.warnings, [""; 0]);
    running.kill();

    // A mode that the operator has chosen stays, with a warning.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let running = Running::start(&database);
    assert_eq!(modes()["file.db"], 0o640);
    let [warning] = &running.warnings[..] else {
        panic!("{:?}", running.warnings)
    };
    assert!(warning.contains("chmod 600"), "{warning}");
}

/// What the server has answered about one user.
struct Answered {
    browser: Browser,
    granted: bool,
    logged_out: bool,
}

/// What was answered, by user name, and a permit for each login.
#[derive(Clone)]
struct Log(Arc<Mutex<BTreeMap<String, Answered>>>, Arc<Semaphore>);

/// Logs in one user after another, grants each something and logs out every third, until the server
/// is gone.
async fn keep_writing(origin: String, mut admin: Browser, writer: usize, log: Log) {
    let new = Browser::new();
    for number in 0.. {
        let name = format!("user{writer}.{number}");
        let mut browser = new.clone();
        let login = browser.get(format!("{origin}/login")).await;
        let callback = browser.allow(&login, &name).await;
        assert_eq!(browser.get(callback).await.status, 303);
        let answered = Answered {
            browser: browser.clone(),
            granted: false,
            logged_out: false,
        };
        log.0.lock().unwrap().insert(name.clone(), answered);
        log.1.add_permits(1);

        let users = users(&mut admin, &origin).await;
        let id = users
            .iter()
            .find(|(_, user)| user.0 == name)
            .expect("the new account")
            .0;
        let path = format!("{origin}/admin/users/{id}/permissions/Something");
        assert_eq!(send(&mut admin, "PUT", &path).await.status, 200);
        log.0.lock().unwrap().get_mut(&name).unwrap().granted = true;

        if number % 3 == 0 {
            assert_eq!(
                browser.post(format!("{origin}/logout"), &[]).await.status,
                303
            );
            log.0.lock().unwrap().get_mut(&name).unwrap().logged_out = true;
        }
    }
}

#[tokio::test]
async fn what_was_answered_before_a_kill_is_there_after_the_restart() {
    let database = new_database("killed");
    let program = Running::start(&database);
    let mut admin = Browser::new();
    let login = admin.get(format!("{}/login", program.origin)).await;
    let callback = admin.allow(&login, "admin").await;
    admin.get(callback).await;

    let log = Log(Arc::default(), Arc::new(Semaphore::new(0)));
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        writers.spawn(keep_writing(
            program.origin.clone(),
            admin.clone(),
            writer,
            log.clone(),
        ));
    }
    let forty_logins = timeout(Duration::from_mins(1), log.1.acquire_many(40)).await;
    forty_logins.expect("within a minute").unwrap().forget();
    program.kill();
    while let Some(writer) = writers.join_next().await {
        assert!(writer.expect_err("no answer any more").is_panic());
    }

    let program = Running::start(&database);
    let users = users(&mut admin, &program.origin).await;
    let answered = std::mem::take(&mut *log.0.lock().unwrap());
    for (
        name,
        Answered {
            mut browser,
            granted,
            logged_out,
        },
    ) in answered
    {
        let (_, permissions) = &users.values().find(|user| user.0 == name).expect(&name);
        assert!(
            !granted || *permissions == json!(["Something"]),
            "{name} has lost a permission"
        );
        let status = browser
            .get(format!("{}/privileged", program.origin))
            .await
            .status;
        let expected: &[u16] = match (granted, logged_out) {
            (true, true) => &[401],
            // The last request may have been carried out but not answered.
            (true, false) => &[200, 401],
            (false, _) => &[200, 403],
        };
        assert!(expected.contains(&status), "{name}: {status}");
    }
    program.kill();
}
