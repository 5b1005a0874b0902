//! Runs the tests of the examples with a database again, on Postgres, and tests what several
//! processes and a network add.

#![expect(
    clippy::duplicate_mod,
    clippy::module_inception,
    reason = "each file of tests is whole, also by itself"
)]

#[path = "permissions.rs"]
mod permissions;
#[path = "providers.rs"]
mod providers;

use std::{collections::BTreeMap, sync::Arc};

use common::{server::Server, settings::Settings};
use permissions::{app, change, log_in, log_in_with, status, users};
use serde_json::json;
use sqlx::AnyPool;
use testing::{
    Browser,
    postgres::Postgres,
    program::{Program, example, problems},
    redis::free_port,
    start, url,
};
use tokio::task::JoinSet;

/// An address of this machine that does not look like one.
const OTHER: &str = "hostaddr=::ffff:127.0.0.1";

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Two servers that share a database and a secret, as two processes would.
async fn two_servers() -> [Arc<Server>; 2] {
    let database = Postgres::shared().database();
    let vars = [("DATABASE_URL", &*database), ("SESSION_SECRET", SECRET)];
    // Both start at the same time, and only one of them may create the tables.
    let (one, other) = tokio::join!(start(app, &vars), start(app, &vars));
    [Arc::new(one), Arc::new(other)]
}

/// Logs in 32 times at once, alternating between the servers.
async fn first_logins(servers: &[Arc<Server>; 2], name: fn(usize) -> String) -> Vec<Browser> {
    let (new, mut logins) = (Browser::new(), JoinSet::new());
    for number in 0..32 {
        let (server, browser) = (servers[number % 2].clone(), new.clone());
        logins.spawn(async move { log_in_with(browser, &server, &name(number)).await });
    }
    logins.join_all().await
}

// check 249
#[tokio::test]
async fn thirty_two_first_logins_at_two_processes_create_one_account() {
    let servers = two_servers().await;
    for mut browser in first_logins(&servers, |_| "ada".into()).await {
        let users = users(&mut browser, &url(&servers[0], "")).await;
        let ada = ("ada".to_owned(), json!(["Admin"]));
        assert_eq!(users, BTreeMap::from([(1, ada)]));
    }
}

// check 249
#[tokio::test]
async fn only_one_of_32_first_users_at_two_processes_becomes_admin() {
    let servers = two_servers().await;
    let mut admins = Vec::new();
    for mut browser in first_logins(&servers, |number| format!("user{number}")).await {
        if status(&mut browser, &servers[1], "/admin").await == 200 {
            admins.push(browser);
        }
    }
    assert_eq!(admins.len(), 1);
    let users = users(&mut admins[0], &url(&servers[0], "")).await;
    assert_eq!((users.len(), &users[&1].1), (32, &json!(["Admin"])));
}

// check 249
#[tokio::test]
async fn two_admins_who_revoke_each_other_at_two_processes_leave_one() {
    let [one, other] = two_servers().await;
    let (mut ada, mut bob) = (log_in(&one, "ada").await, log_in(&other, "bob").await);
    for _ in 0..40 {
        // The remaining admin makes the other one an admin again; the other's request gets 403.
        change(&mut ada, &one, "PUT", (2, "Admin")).await;
        change(&mut bob, &other, "PUT", (1, "Admin")).await;
        tokio::join!(
            change(&mut ada, &one, "DELETE", (2, "Admin")),
            change(&mut bob, &other, "DELETE", (1, "Admin")),
        );
        let left = [
            status(&mut ada, &one, "/admin").await,
            status(&mut bob, &other, "/admin").await,
        ];
        assert!(left == [200, 403] || left == [403, 200], "{left:?}");
    }
}

// check 250
#[tokio::test]
async fn postgres_is_used_again_after_an_outage_without_a_restart() {
    let mut postgres = Postgres::start();
    let server = start(app, &[("DATABASE_URL", &postgres.database())]).await;
    let mut ada = log_in(&server, "ada").await;
    for _ in 0..3 {
        postgres.cut_connections();
        assert_eq!(status(&mut ada, &server, "/admin").await, 200);
    }
    postgres.stop();
    for path in ["/", "/users/me", "/admin"] {
        let answer = ada.get(url(&server, path)).await;
        assert_eq!(answer.status, 503, "{path}: {}", answer.body);
        assert_ne!(answer.header("retry-after"), "", "{path}");
    }
    let start_page = Browser::new().get(url(&server, "/")).await;
    assert_eq!(start_page.status, 200, "the start page needs no database");
    postgres.start_again();
    assert_eq!(status(&mut ada, &server, "/admin").await, 200);
    log_in(&server, "bob").await;
}

// check 250
#[tokio::test]
async fn a_database_that_cannot_be_used_is_reported_in_one_line_without_its_password() {
    let good = Postgres::shared()
        .database()
        .replacen("//postgres", "//guarded", 1);
    let nowhere = format!("postgres://guarded:hunter2@127.0.0.1:{}/x", free_port());
    let unknown = good.replace("=disable", "=verify-full");
    for (url, reason) in [
        (
            good.replace("hunter2", "hunter3"),
            "password authentication failed",
        ),
        (good.replace("/test_", "/none_"), "does not exist"),
        (
            good.replace("hunter2", "hunter3")
                .replace("sslmode", "sslmod"),
            "a parameter",
        ),
        (nowhere, "no answer within 5 s"),
        (unknown, "certificate"),
    ] {
        let problems = problems(
            &example("sessions", "permissions"),
            &[("DATABASE_URL", &url)],
        );
        let [line] = &problems[..] else {
            panic!("{problems:?}")
        };
        assert!(line.starts_with("DATABASE_URL cannot be used: "), "{line}");
        assert!(line.contains(reason), "{line}");
        assert!(!line.contains("hunter"), "{line}");
    }
}

/// The URL of a database for this host and with these parameters.
fn with_tls(host: &str, parameters: &str) -> String {
    let url = Postgres::shared().database();
    let (url, _) = url.split_once('?').expect("sslmode");
    format!("{}?{parameters}", url.replace("127.0.0.1", host))
}

// check 250: nobody between the server and the database can impersonate the database.
#[tokio::test]
async fn verify_full_requires_a_certificate_for_this_host_from_this_authority() {
    let root = format!("sslrootcert={}", Postgres::shared().certificate());
    let good = with_tls("localhost", &format!("sslmode=verify-full&{root}"));
    let server = start(app, &[("DATABASE_URL", &good)]).await;
    log_in(&server, "ada").await;
    let db = AnyPool::connect(&good).await.expect("the same database");
    let sql = "SELECT COUNT(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE datname = current_database() AND ssl = $1";
    let count = async |ssl: bool| -> i64 {
        let query = sqlx::query_scalar(sql).bind(ssl);
        query.fetch_one(&db).await.expect("a number")
    };
    assert_eq!(count(false).await, 0);
    assert!(count(true).await > 1);

    for bad in [
        with_tls("127.0.0.1", &format!("sslmode=verify-full&{root}")),
        with_tls("localhost", "sslmode=verify-full"),
        with_tls("localhost", "sslmode=verify-ca"),
        with_tls("localhost", "sslmode=verify-full&sslrootcert=/none.pem"),
    ] {
        let vars = [("DEMO_ADDR", "127.0.0.1:0"), ("DATABASE_URL", &*bad)];
        let problems = Server::start(app, Settings::from_vars(vars)).await;
        let problems = problems.expect_err(&bad);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with("DATABASE_URL "), "{problems:?}");
    }
}

#[tokio::test]
async fn an_unverified_database_on_another_machine_is_warned_about() {
    let root = format!("sslrootcert={}", Postgres::shared().certificate());
    let verified = format!("sslmode=verify-ca&{root}");
    for (address, parameters, warns) in [
        (OTHER, "", true),
        (OTHER, "sslmode=disable", true),
        (OTHER, "sslmode=prefer", true),
        (OTHER, "sslmode=require", true),
        (OTHER, &verified, false),
        ("host=127.0.0.1", "", false),
        ("host=localhost", "sslmode=disable", false),
    ] {
        let url = with_tls("x", &format!("{address}&{parameters}"));
        let program = Program::start(&example("sessions", "providers"), &[("DATABASE_URL", &url)]);
        let log = program.stop();
        let is_warned = log.contains("WARN") && log.contains("add sslmode=verify-full");
        assert_eq!(is_warned, warns, "{address} {parameters}: {log}");
        assert!(!log.contains("hunter2"), "{log}");
    }
}

#[tokio::test]
async fn neither_the_password_nor_a_statement_is_in_the_log() {
    let url = Postgres::shared()
        .database()
        .replacen("//postgres", "//guarded", 1);
    let vars = [("DATABASE_URL", &*url), ("RUST_LOG", "trace")];
    let program = Program::start(&example("sessions", "permissions"), &vars);
    let mut ada = Browser::new();
    let login = ada.get(program.join("/login")).await;
    let callback = ada.allow(&login, "ada").await;
    assert_eq!(ada.get(callback).await.status, 303);
    assert_eq!(ada.get(program.join("/admin")).await.status, 200);
    let log = program.stop();
    for private in ["hunter2", "INSERT INTO", "CREATE TABLE", "SELECT "] {
        assert!(!log.contains(private), "{private}: {log}");
    }
}
