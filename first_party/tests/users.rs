//! The example `users`: who gets a token and for what, and what a guesser learns.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Command, sync::atomic::Ordering};

use common::server::Server;
use first_party::scopes::Scopes;
use reqwest::{
    Method,
    header::{self, HeaderMap, HeaderValue},
};
use serde_json::json;
use sqlx::AnyPool;
use testing::{
    Answer, Browser, param_of,
    program::{self, Program},
};
use tokio::task::JoinSet;

#[path = "../examples/users/main.rs"]
#[expect(dead_code, reason = "`main` is the example's alone")]
mod example;
#[path = "../../common/testing/database.rs"]
mod own_database;
#[path = "support/user.rs"]
#[expect(dead_code, reason = "the user of the other tests is nobody here")]
mod user;

use example::{
    passwords::hash,
    users::{Users, guesses::MAX_FAILURES},
};
use user::ask;

const SCOPES: &str = "some.scope other.scope third.scope";
const SQL: [&str; 6] = [
    "' OR '1'='1",
    "johndoe'--",
    "johndoe' UNION SELECT username, password_hash, scopes, 0 FROM users--",
    "'; DROP TABLE users;--",
    "\" OR \"\"=\"",
    "%",
];

/// The example with these settings, and what its routes share.
pub async fn server_with(vars: &[(&str, &str)]) -> (Server, Users) {
    let mut shared = None;
    let app = |users: Users| {
        shared = Some(users.clone());
        example::app(users)
    };
    let server = own_database::start(app, vars).await;
    (server, shared.expect("the app was made"))
}

async fn server() -> (Server, Users) {
    server_with(&[]).await
}

pub async fn log_in(server: &Server, username: &str, password: &str, scope: &str) -> Answer {
    ask(
        server,
        &[
            ("username", username),
            ("password", password),
            ("scope", scope),
        ],
    )
    .await
}

pub async fn token_of_johndoe(server: &Server) -> String {
    let answer = log_in(server, "johndoe", "secret123", "some.scope").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["access_token"]
        .as_str()
        .expect("a token")
        .to_owned()
}

pub async fn get(server: &Server, path: &str, token: &str) -> Answer {
    let mut browser = Browser::new();
    let request = browser.request(Method::GET, server.public_url.join(path));
    browser.send(request.bearer_auth(token)).await
}

/// Adds another user, with `some.scope`.
async fn add(users: &Users, username: &str, password: &str) {
    const SQL: &str = "INSERT INTO users (username, email, full_name, password_hash, scopes)
        VALUES ($1, 'x@example.com', 'X', $2, 'some.scope')";
    let query = sqlx::query(SQL).bind(username).bind(hash(password));
    query.execute(&users.db).await.expect("a new user");
}

async fn run(db: &AnyPool, sql: &'static str) {
    assert_ne!(
        sqlx::query(sql)
            .execute(db)
            .await
            .expect(sql)
            .rows_affected(),
        0,
        "{sql}"
    );
}

fn checked(users: &Users) -> usize {
    users.passwords.checked.load(Ordering::Relaxed)
}

/// An error as `/token` has it: status, code and reason.
fn oauth_error(answer: &Answer) -> (u16, String, String) {
    assert_eq!(answer.header("cache-control"), "no-store");
    let body = answer.json();
    let text = |name: &str| body[name].as_str().expect("a text").to_owned();
    assert_eq!(body.as_object().expect("an object").len(), 2, "{body}");
    (answer.status, text("error"), text("error_description"))
}

fn invalid_grant(reason: &str) -> (u16, String, String) {
    (400, "invalid_grant".into(), reason.into())
}

// check 248
#[tokio::test]
async fn a_user_sees_their_own_account_and_items() {
    let (server, users) = server().await;
    add(&users, "bob", "builder").await;
    run(
        &users.db,
        "INSERT INTO items (item_id, owner) VALUES ('Spade', 'bob')",
    )
    .await;
    let token = token_of_johndoe(&server).await;

    let me = get(&server, "/users/me/", &token).await;
    let expected = json!({
        "username": "johndoe",
        "email": "johndoe@example.com",
        "full_name": "John Doe",
        "disabled": false,
    });
    assert_eq!((me.status, me.json()), (200, expected));
    let items = get(&server, "/users/me/items/", &token).await;
    assert_eq!(
        (items.status, items.json()),
        (200, json!([{"item_id": "Foo", "owner": "johndoe"}]))
    );
    assert_eq!(
        get(&server, "/endpoint1", &token).await.json(),
        "Hello from endpoint 1"
    );
    assert_eq!(get(&server, "/endpoint2", &token).await.status, 403);
    assert_eq!(get(&server, "/", "").await.location(), "/docs/");

    for path in ["/users/me/", "/users/me/items/", "/endpoint1", "/endpoint2"] {
        let nobody = Browser::new().get(server.public_url.join(path)).await;
        assert_eq!(
            (nobody.status, nobody.json()),
            (401, json!({"detail": "Not authenticated"}))
        );
        assert!(
            nobody
                .header("www-authenticate")
                .starts_with("Bearer realm="),
            "{path}"
        );
        assert_eq!(get(&server, path, "x").await.status, 401, "{path}");
        let mut browser = Browser::new();
        let post = browser
            .request(Method::POST, server.public_url.join(path))
            .bearer_auth(&token);
        assert_eq!(browser.send(post).await.status, 405, "{path}");
    }
}

// check 90
#[tokio::test]
async fn a_wrong_password_gets_no_token_and_neither_does_a_disabled_user() {
    let (server, _) = server().await;
    let incorrect = invalid_grant("Incorrect username or password");
    for (username, password) in [
        ("johndoe", "secret124"),
        ("johndoe", "Secret123"),
        ("johndoe", "secret123 "),
        ("Johndoe", "secret123"),
        ("johndoe ", "secret123"),
        ("alice", "secret123"),
        ("nobody", "secret123"),
    ] {
        let answer = log_in(&server, username, password, "").await;
        assert_eq!(oauth_error(&answer), incorrect, "{username:?} {password:?}");
    }
    let alice = log_in(&server, "alice", "password456", "some.scope").await;
    assert_eq!(oauth_error(&alice), invalid_grant("Inactive user"));
}

// check 91
#[tokio::test]
async fn a_guesser_does_not_learn_which_users_exist() {
    let (server, users) = server().await;
    let mut seen = Vec::new();
    for username in ["johndoe", "alice", "nobody"] {
        let before = checked(&users);
        let mut answers = Vec::new();
        for _ in 0..30 {
            let answer = log_in(&server, username, "wrong", "some.scope").await;
            let headers = answer.headers.iter().filter(|(name, _)| *name != "date");
            let headers: BTreeMap<_, _> = headers
                .map(|(name, value)| (name.to_string(), value.clone()))
                .collect();
            answers.push((answer.status, headers, answer.body));
        }
        seen.push((checked(&users) - before, answers));
    }
    assert_eq!(
        seen[0].0, MAX_FAILURES as usize,
        "each guess costs a hash, until there are too many"
    );
    assert_eq!((&seen[0], &seen[0]), (&seen[1], &seen[2]));
}

// check 172
#[tokio::test]
async fn made_up_names_between_the_guesses_do_not_help() {
    let (server, _) = server().await;
    for guess in 0..MAX_FAILURES {
        log_in(&server, "johndoe", "wrong", "").await;
        for n in 0..40 {
            let name = format!("made-up-{guess}-{n}");
            log_in(&server, &name, "wrong", "").await;
        }
    }
    assert_eq!(
        log_in(&server, "johndoe", "secret123", "").await.status,
        429
    );
}

// check 103
#[tokio::test]
async fn after_a_few_wrong_passwords_there_is_a_pause() {
    let (server, users) = server().await;
    add(&users, "bob", "builder").await;
    for attempt in 1..=20 {
        let answer = log_in(&server, "johndoe", "wrong", "").await;
        let expected = if attempt <= MAX_FAILURES { 400 } else { 429 };
        assert_eq!(answer.status, expected, "attempt {attempt}");
    }
    let before = checked(&users);
    let right = log_in(&server, "johndoe", "secret123", "").await;
    assert_eq!(
        oauth_error(&right).0,
        429,
        "otherwise an attacker could go on guessing"
    );
    let seconds: u64 = right.header("retry-after").parse().expect("seconds");
    assert!((1..=600).contains(&seconds), "{seconds}");
    assert_eq!(checked(&users), before, "a refusal costs no hash");

    assert_eq!(
        log_in(&server, "bob", "builder", "").await.status,
        200,
        "nobody else waits"
    );
    // A login resets the count of failures.
    for _ in 0..3 {
        for _ in 1..MAX_FAILURES {
            assert_eq!(log_in(&server, "bob", "wrong", "").await.status, 400);
        }
        assert_eq!(log_in(&server, "bob", "builder", "").await.status, 200);
    }
}

// check 103
#[tokio::test]
async fn parallel_guesses_do_not_get_around_the_limit() {
    let (server, users) = server().await;
    let turns = users.passwords.turns.available_permits();
    let url = server.public_url.join("/token");
    let mut guesses = JoinSet::new();
    for guess in 0..50 {
        let url = url.clone();
        guesses.spawn(async move {
            let form = [
                ("username", "johndoe"),
                ("password", &*format!("guess {guess}")),
            ];
            Browser::new().post(url, &form).await.status
        });
    }
    let answers = guesses.join_all().await;
    let tried = answers.iter().filter(|status| **status == 400).count();
    assert!(
        answers.iter().all(|status| matches!(status, 400 | 429)),
        "{answers:?}"
    );
    assert!(
        (MAX_FAILURES as usize..MAX_FAILURES as usize + turns).contains(&tried),
        "{tried}"
    );
    assert_eq!(checked(&users), tried);
}

// check 103
#[tokio::test]
async fn an_open_endpoint_answers_while_fifty_logins_wait_for_their_turn() {
    let (server, users) = server().await;
    let turns = users.passwords.turns.clone();
    let all = u32::try_from(turns.available_permits()).expect("not that many processors");
    let busy = turns.acquire_many_owned(all).await.expect("the turns");
    let url = server.public_url.join("/token");
    let mut logins = JoinSet::new();
    for _ in 0..50 {
        let url = url.clone();
        logins.spawn(async move {
            let form = [("username", "johndoe"), ("password", "secret123")];
            Browser::new().post(url, &form).await.status
        });
    }
    for _ in 0..20 {
        let open = Browser::new()
            .get(server.public_url.join("/endpoint3"))
            .await;
        assert_eq!(open.json(), "Hello from the unprotected endpoint 3");
    }
    assert!(
        logins.try_join_next().is_none() && checked(&users) == 0,
        "nobody has had a turn"
    );
    drop(busy);
    assert_eq!(logins.join_all().await, [200; 50]);
    assert_eq!(checked(&users), 50);
}

// check 94
#[tokio::test]
async fn a_user_gets_their_own_scopes_and_no_others() {
    let (server, users) = server().await;
    add(&users, "bob", "builder").await;
    for (username, password, asked, given) in [
        ("johndoe", "secret123", "some.scope", "some.scope"),
        (
            "johndoe",
            "secret123",
            "some.scope other.scope",
            "some.scope",
        ),
        ("johndoe", "secret123", SCOPES, "some.scope third.scope"),
        ("johndoe", "secret123", "other.scope", ""),
        ("johndoe", "secret123", "", ""),
        ("bob", "builder", SCOPES, "some.scope"),
    ] {
        let answer = log_in(&server, username, password, asked).await;
        assert_eq!(
            (answer.status, &answer.json()["scope"]),
            (200, &json!(given)),
            "{asked:?}"
        );
        let token = answer.json()["access_token"]
            .as_str()
            .expect("a token")
            .to_owned();
        assert_eq!(
            users.tokens.verify(&token).expect("ours").scope.to_string(),
            given,
            "{asked:?}"
        );
    }
    let unknown = log_in(&server, "johndoe", "secret123", "admin").await;
    assert_eq!(oauth_error(&unknown).1, "invalid_scope");
}

// check 101
#[tokio::test]
async fn every_character_of_a_password_counts() {
    let (server, users) = server().await;
    let emoji = "🦀".repeat(18);
    let passwords = [
        "x".repeat(64),
        "x".repeat(72),
        "x".repeat(128),
        "x".repeat(1024),
        format!("{emoji}é"),
        " spaces around ".to_owned(),
        "e\u{301}".to_owned(),
    ];
    for (number, password) in passwords.iter().enumerate() {
        let username = format!("user{number}");
        add(&users, &username, password).await;
        let right = log_in(&server, &username, password, "").await;
        assert_eq!(right.status, 200, "{password:?}: {}", right.body);

        let mut other = password.clone();
        let last = other.pop().expect("a character");
        let shorter = log_in(&server, &username, &other, "").await;
        other.push(if last == 'y' { 'z' } else { 'y' });
        let changed = log_in(&server, &username, &other, "").await;
        let trimmed = log_in(&server, &username, password.trim(), "").await;
        let is_trimmed = password.trim() != password;
        assert_eq!((shorter.status, changed.status), (400, 400), "{password:?}");
        assert_eq!(
            trimmed.status,
            if is_trimmed { 400 } else { 200 },
            "{password:?}"
        );
    }
    // Characters that only look alike are different passwords.
    assert_eq!(log_in(&server, "user6", "é", "").await.status, 400);
}

// check 102
#[tokio::test]
async fn a_password_that_is_too_long_is_not_even_hashed() {
    let (server, users) = server().await;
    for username in ["johndoe", "nobody"] {
        for (length, status) in [
            (1025, 400),
            (60_000, 400),
            (1_000_000, 413),
            (3_000_000, 413),
        ] {
            let answer = log_in(&server, username, &"x".repeat(length), "").await;
            let (answered, error, _) = oauth_error(&answer);
            assert_eq!((answered, &*error), (status, "invalid_request"), "{length}");
        }
    }
    assert_eq!(checked(&users), 0);
}

#[tokio::test]
async fn a_user_who_is_disabled_or_deleted_loses_access_at_once() {
    let (server, users) = server().await;
    let token = token_of_johndoe(&server).await;
    let guarded = ["/users/me/", "/users/me/items/", "/endpoint1", "/endpoint2"];

    run(
        &users.db,
        "UPDATE users SET disabled = 1 WHERE username = 'johndoe'",
    )
    .await;
    for path in guarded {
        let answer = get(&server, path, &token).await;
        let inactive = json!({"detail": "Inactive user"});
        assert_eq!((answer.status, answer.json()), (400, inactive), "{path}");
    }
    assert_eq!(get(&server, "/endpoint3", &token).await.status, 200);
    let login = log_in(&server, "johndoe", "secret123", "").await;
    assert_eq!(oauth_error(&login), invalid_grant("Inactive user"));

    run(
        &users.db,
        "UPDATE users SET disabled = 0 WHERE username = 'johndoe'",
    )
    .await;
    assert_eq!(get(&server, "/users/me/", &token).await.status, 200);

    run(&users.db, "DELETE FROM users WHERE username = 'johndoe'").await;
    for path in guarded {
        let answer = get(&server, path, &token).await;
        let invalid = json!({"detail": "Could not validate credentials"});
        assert_eq!((answer.status, answer.json()), (401, invalid), "{path}");
        assert!(
            answer
                .header("www-authenticate")
                .contains(r#"error="invalid_token""#),
            "{path}"
        );
    }
    let login = log_in(&server, "johndoe", "secret123", "").await;
    assert_eq!(
        oauth_error(&login),
        invalid_grant("Incorrect username or password")
    );
}

// check 110
#[tokio::test]
async fn a_client_is_not_taken_for_a_user() {
    let (server, users) = server().await;
    for subject in ["client:johndoe", "client:", "Client:johndoe"] {
        let scope = Scopes::known_in("some.scope third.scope");
        let token = users.tokens.issue(subject, "johndoe", scope).access_token;
        for path in ["/users/me/", "/users/me/items/", "/endpoint1"] {
            assert_eq!(
                get(&server, path, &token).await.status,
                401,
                "{subject} {path}"
            );
        }
    }
    // And no user can have the name of one.
    let answer = log_in(&server, "client:johndoe", "secret123", "").await;
    assert_eq!(oauth_error(&answer).1, "invalid_request");
    let rename = "UPDATE users SET username = 'client:johndoe' WHERE username = 'johndoe'";
    assert!(sqlx::query(rename).execute(&users.db).await.is_err());
}

#[tokio::test]
async fn sql_in_a_text_field_is_only_text() {
    let (server, users) = server().await;
    for sql in SQL {
        for form in [
            [
                ("username", sql),
                ("password", "secret123"),
                ("client_id", "x"),
                ("scope", ""),
            ],
            [
                ("username", sql),
                ("password", sql),
                ("client_id", "x"),
                ("scope", ""),
            ],
            [
                ("username", "bob"),
                ("password", "builder"),
                ("client_id", "x"),
                ("scope", sql),
            ],
        ] {
            let answer = ask(&server, &form).await;
            assert_eq!(answer.status, 400, "{form:?}: {}", answer.body);
        }
        let token = users
            .tokens
            .issue(sql, sql, Scopes::known_in("some.scope"))
            .access_token;
        for path in ["/users/me/", "/users/me/items/", "/endpoint1"] {
            assert_eq!(get(&server, path, &token).await.status, 401, "{sql} {path}");
        }
    }
    // As the password of an existing user; few enough attempts to stay below the limit.
    for sql in &SQL[..3] {
        assert_eq!(
            log_in(&server, "johndoe", sql, "").await.status,
            400,
            "{sql}"
        );
    }
    // As the name of a client, and as the name and the password of a user.
    for sql in SQL {
        let form = [
            ("username", "johndoe"),
            ("password", "secret123"),
            ("client_id", sql),
        ];
        assert_eq!(ask(&server, &form).await.status, 200, "{sql}");
        add(&users, sql, sql).await;
        let token = log_in(&server, sql, sql, "").await.json()["access_token"].clone();
        let me = get(&server, "/users/me/", token.as_str().expect("a token")).await;
        assert_eq!(me.json()["username"], sql);
    }
    let (count,): (i64,) = sqlx::query_as("SELECT count(*) FROM users")
        .fetch_one(&users.db)
        .await
        .expect("a count");
    assert_eq!(count, 2 + 6);
}

#[tokio::test]
async fn the_implicit_form_accepts_the_same_users() {
    let (server, _) = server().await;
    let redirect_uri = server.public_url.join("/docs/oauth2-redirect.html");
    let submit = async |username, password| {
        let form = [
            ("response_type", "token"),
            ("client_id", "swagger"),
            ("redirect_uri", &*redirect_uri),
            ("scope", "some.scope other.scope"),
            ("username", username),
            ("password", password),
        ];
        Browser::new()
            .post(server.public_url.join("/login"), &form)
            .await
    };
    let answer = submit("johndoe", "secret123").await;
    let fragment = answer.location().replace('#', "?");
    assert_eq!(param_of(&fragment, "scope"), "some.scope");
    let token = param_of(&fragment, "access_token");
    assert_eq!(
        get(&server, "/users/me/", &token).await.json()["username"],
        "johndoe"
    );

    for (username, password, reason) in [
        ("johndoe", "wrong", "Incorrect username or password"),
        ("alice", "password456", "Inactive user"),
        ("client:x", "x", "user names must not begin with client:"),
    ] {
        let answer = submit(username, password).await;
        assert_eq!(
            (answer.status, answer.json()),
            (400, json!({ "detail": reason }))
        );
        assert_eq!(answer.header("location"), "");
    }
    for _ in 1..MAX_FAILURES {
        submit("johndoe", "wrong").await;
    }
    let pause = submit("johndoe", "secret123").await;
    assert_eq!((pause.status, pause.header("location")), (429, ""));
    assert_ne!(pause.header("retry-after"), "");
}

#[tokio::test]
async fn each_hash_has_the_parameters_of_owasp_and_its_own_salt() {
    let (_, users) = server().await;
    let select = "SELECT password_hash FROM users";
    let stored: Vec<(String,)> = sqlx::query_as(select)
        .fetch_all(&users.db)
        .await
        .expect("rows");
    let fresh = [hash("secret123"), hash("secret123")];
    assert_ne!(fresh[0], fresh[1]);
    for hash in stored.iter().map(|(hash,)| hash).chain(&fresh) {
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
    }
}

/// A path where there is no file yet, and its URL.
fn database(name: &str) -> (PathBuf, String) {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join("users")
        .join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("a directory");
    let file = directory.join("file.db");
    let url = format!("sqlite://{}", file.display());
    (file, url)
}

#[tokio::test]
async fn a_database_file_is_written_durably() {
    let (file, url) = database("durable");
    let (_server, users) = server_with(&[("DATABASE_URL", &url)]).await;
    let pragma = async |sql: &'static str| {
        sqlx::query_scalar::<_, String>(sql)
            .fetch_one(&users.db)
            .await
            .expect(sql)
    };
    assert_eq!(pragma("PRAGMA journal_mode").await, "wal");
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
        .fetch_one(&users.db)
        .await
        .expect("a number");
    assert_eq!(synchronous, 2, "FULL");
    assert!(file.is_file());
}

#[tokio::test]
async fn what_is_in_the_file_survives_a_kill_in_the_middle_of_logins() {
    let (_, url) = database("kill");
    let secret = "one secret for all starts of the server";
    let vars = [("DATABASE_URL", &*url), ("JWT_SECRET", secret)];
    let binary = program::example("first_party", "users");
    let server = Program::start(&binary, &vars);
    let form = [
        ("username", "johndoe"),
        ("password", "secret123"),
        ("scope", "some.scope"),
    ];
    let answer = Browser::new().post(server.join("/token"), &form).await;
    let db = AnyPool::connect(&url).await.expect("the file");
    run(
        &db,
        "UPDATE users SET full_name = 'Johnny' WHERE username = 'johndoe'",
    )
    .await;
    run(&db, "DELETE FROM users WHERE username = 'alice'").await;
    drop(db);

    let mut logins = JoinSet::new();
    for _ in 0..20 {
        let url = server.join("/token");
        logins.spawn(async move { Browser::new().post(url, &form).await.status });
    }
    assert_eq!(logins.join_next().await.map(Result::ok), Some(Some(200)));
    let log = server.stop();
    logins.abort_all();

    // Its issuer has another port now; the users are the same.
    let server = Program::start(&binary, &vars);
    let login = Browser::new().post(server.join("/token"), &form).await;
    let token = login.json()["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let mut browser = Browser::new();
    let request = browser
        .request(Method::GET, server.join("/users/me/"))
        .bearer_auth(&token);
    assert_eq!(browser.send(request).await.json()["full_name"], "Johnny");
    let alice = [("username", "alice"), ("password", "password456")];
    let alice = Browser::new().post(server.join("/token"), &alice).await;
    assert_eq!(
        alice.json()["error_description"],
        "Incorrect username or password"
    );

    // And none of the secrets is in the log.
    let log = log + server.stop().as_str();
    let first = answer.json()["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    for private in [
        "secret123",
        "password456",
        "$argon2",
        secret,
        &first,
        &token,
    ] {
        assert!(!log.contains(private), "{private}: {log}");
    }
}

#[tokio::test]
async fn passwords_that_everybody_knows_are_for_this_machine_alone() {
    let (_, url) = database("published");
    let public = [
        ("BIND_ADDR", "127.0.0.1:0"),
        ("PUBLIC_URL", "https://app.example.com"),
        ("JWT_SECRET", "a secret that a person could have made"),
        ("DATABASE_URL", &*url),
    ];
    let binary = program::example("first_party", "users");
    let problems = |vars: &[(&str, &str)]| {
        let output = Command::new(&binary)
            .env_clear()
            .envs(vars.iter().copied())
            .output();
        let output = output.expect("it runs");
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    for vars in [&public[..], &public[..3]] {
        let problems = problems(vars);
        assert!(
            problems.starts_with("error: DATABASE_URL has users with"),
            "{problems}"
        );
        assert_eq!(problems.lines().count(), 1, "{problems}");
    }
    let db = AnyPool::connect(&url).await.expect("the file");
    run(&db, "DELETE FROM users WHERE username = 'alice'").await;
    sqlx::query("UPDATE users SET password_hash = $1")
        .bind(hash("another"))
        .execute(&db)
        .await
        .expect("johndoe");
    let server = Program::start(&binary, &public);
    let form = [("username", "johndoe"), ("password", "another")];
    assert_eq!(
        Browser::new()
            .post(server.join("/token"), &form)
            .await
            .status,
        200
    );
    server.stop();

    for url in [
        "postgres://user:hunter2@host.invalid/db",
        "sqlite::memory:",
        "sqlite://",
        "sqlite:///no/x",
    ] {
        let problems = problems(&[("BIND_ADDR", "127.0.0.1:0"), ("DATABASE_URL", url)]);
        assert!(problems.starts_with("error: DATABASE_URL "), "{problems}");
        assert!(!problems.contains("hunter2"), "{problems}");
    }
}

// check 258
#[tokio::test]
async fn a_wrong_password_is_where_the_grant_stopped() {
    let (server, _) = server().await;
    for _ in 0..=MAX_FAILURES {
        log_in(&server, "johndoe", "a-wrong-password", "some.scope").await;
    }
    let page = Browser::new().visit(server.public_url.join("/flow")).await;
    for part in [
        "It stopped here: Incorrect username or password",
        "<dd>invalid_grant</dd>",
        "It stopped here: Too Many Requests",
        "429, as JSON",
    ] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    assert!(!page.body.contains("johndoe") && !page.body.contains("a-wrong-password"));
}

#[tokio::test]
async fn a_wrong_password_in_the_form_leads_to_where_the_grant_stopped() {
    let (server, _) = server().await;
    let redirect_uri = server.public_url.join("/docs/oauth2-redirect.html");
    let form = [
        ("response_type", "token"),
        ("client_id", "swagger"),
        ("redirect_uri", &redirect_uri),
        ("username", "johndoe"),
        ("password", "a-wrong-password"),
    ];
    let mut browser = Browser::new();
    let request = browser.request(Method::POST, server.public_url.join("/login"));
    let html = (header::ACCEPT, HeaderValue::from_static("text/html"));
    let request = request.headers(HeaderMap::from_iter([html])).form(&form);
    let answer = browser.send(request).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("href=\"/flow\""), "{}", answer.body);
    let page = browser.visit(server.public_url.join("/flow")).await;
    let stopped = "It stopped here: Incorrect username or password";
    assert!(page.body.contains(stopped), "{}", page.body);
}
