//! Runs the tests of the examples with a database again, on Postgres, and tests what several
//! processes and a network add.

#![expect(
    clippy::duplicate_mod,
    reason = "each file of tests is whole, also by itself"
)]

#[path = "authorization_server/main.rs"]
mod authorization_server;
#[path = "users.rs"]
mod users;

use authorization_server::client::{OFFLINE, error, invalid_grant, server_with, text};
use sqlx::{AnyPool, any::install_default_drivers};
use testing::{Answer, Browser, postgres::Postgres};
use users::{get, log_in, server_with as users_with, token_of_johndoe};

fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert_ne!(answer.header("retry-after"), "");
}

// check 249
#[tokio::test]
async fn two_processes_that_start_at_once_create_the_users_once() {
    let url = Postgres::shared().database();
    let vars = [
        ("DATABASE_URL", &*url),
        ("JWT_SECRET", "one secret for both of the processes"),
    ];
    let ((one, users), (other, _)) = tokio::join!(users_with(&vars), users_with(&vars));
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM users");
    let count: i64 = count.fetch_one(&users.db).await.expect("a number");
    assert_eq!(count, 2);
    for server in [&one, &other] {
        let token = token_of_johndoe(server).await;
        assert_eq!(get(server, "/users/me/", &token).await.status, 200);
    }
    let gone = sqlx::query("UPDATE users SET disabled = 1 WHERE username = 'johndoe'");
    gone.execute(&users.db).await.expect("no johndoe");
    for server in [&one, &other] {
        let answer = log_in(server, "johndoe", "secret123", "some.scope").await;
        assert_eq!(answer.status, 400, "{}", answer.body);
    }
}

// check 248
#[tokio::test]
async fn all_programs_can_share_one_database() {
    install_default_drivers();
    let url = Postgres::shared().database();
    let db = AnyPool::connect(&url).await.expect("a database");
    let mut sessions = sqlx::migrate!("../sessions/migrations");
    sessions.dangerous_set_table_name("_accounts_migrations");
    let vars = [("DATABASE_URL", &*url)];
    for _ in 0..2 {
        sessions.run(&db).await.expect("the tables of sessions");
        let (users, _) = users_with(&vars).await;
        token_of_johndoe(&users).await;
        let server = server_with(&vars).await;
        let tokens = server.tokens(OFFLINE).await;
        server.assert_alive(&text(&tokens, "access_token")).await;
    }
    let lists = "SELECT COUNT(*) FROM pg_tables WHERE tablename LIKE '%\\_migrations'";
    let lists: i64 = sqlx::query_scalar(lists)
        .fetch_one(&db)
        .await
        .expect("a number");
    assert_eq!(lists, 3);
}

// check 250
#[tokio::test]
async fn users_go_on_after_a_postgres_outage_without_a_restart() {
    let mut postgres = Postgres::start();
    let (server, _) = users_with(&[("DATABASE_URL", &postgres.database())]).await;
    let token = token_of_johndoe(&server).await;
    postgres.cut_connections();
    assert_eq!(get(&server, "/users/me/", &token).await.status, 200);
    postgres.stop();
    assert_unavailable(&get(&server, "/users/me/", &token).await);
    assert_unavailable(&log_in(&server, "johndoe", "secret123", "some.scope").await);
    postgres.start_again();
    assert_eq!(get(&server, "/users/me/", &token).await.status, 200);
    token_of_johndoe(&server).await;
}

// check 250 for A
#[tokio::test]
async fn a_postgres_outage_consumes_neither_a_code_nor_a_refresh_token() {
    let mut postgres = Postgres::start();
    let server = server_with(&[("DATABASE_URL", &postgres.database())]).await;
    let login = server.login(OFFLINE);
    let code = server.code(&mut Browser::new(), &login).await;
    let tokens = server.tokens(OFFLINE).await;
    let (access_token, refresh_token) = (
        text(&tokens, "access_token"),
        text(&tokens, "refresh_token"),
    );
    postgres.cut_connections();
    server.assert_alive(&access_token).await;
    postgres.stop();
    for answer in [
        server.redeem(&login, &code).await,
        server.refresh(&refresh_token).await,
        server.get("/userinfo", &access_token).await,
    ] {
        assert_unavailable(&answer);
    }
    postgres.start_again();
    assert_eq!(server.redeem(&login, &code).await.status, 200);
    assert_eq!(server.refresh(&refresh_token).await.status, 200);
    assert_eq!(
        error(&server.refresh(&refresh_token).await),
        invalid_grant()
    );
}

/// Both lock the row of the grant and that of the token. If they took them in opposite orders,
/// they would deadlock, and Postgres would abort one of them.
#[tokio::test]
async fn a_refresh_and_a_revocation_at_once_do_not_block_each_other() {
    let server = server_with(&[("DATABASE_URL", &Postgres::shared().database())]).await;
    let mut browser = Browser::new();
    for _ in 0..30 {
        let tokens = server.tokens_in(&mut browser, OFFLINE).await;
        let token = text(&tokens, "refresh_token");
        let form = [("token", &*token)];
        let (refreshed, revoked) =
            tokio::join!(server.refresh(&token), server.post("/revoke", &form));
        assert!(matches!(refreshed.status, 200 | 400), "{}", refreshed.body);
        assert_eq!(revoked.status, 200, "{}", revoked.body);
        assert_eq!(
            server.introspect(&text(&tokens, "access_token")).await["active"],
            false
        );
    }
}

#[tokio::test]
async fn a_name_that_postgres_cannot_store_is_rejected_as_a_wrong_name() {
    let (server, _) = users_with(&[("DATABASE_URL", &Postgres::shared().database())]).await;
    let answer = log_in(&server, "john\0doe", "secret123", "some.scope").await;
    assert_eq!(answer.status, 400, "{}", answer.body);
}
