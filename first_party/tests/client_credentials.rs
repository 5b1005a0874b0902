//! The example `client_credentials`: which program gets a token, and for what.

use std::process::Command;

use base64::{Engine, prelude::BASE64_STANDARD};
use common::server::Server;
use reqwest::Method;
use testing::{
    Answer, Browser,
    program::{self, Program},
    start,
};

#[path = "../examples/client_credentials.rs"]
#[expect(
    dead_code,
    reason = "`main` and what it prints are the example's alone"
)]
mod example;

const SECRET: &str = "s3cret+of/a machine: 100% = é";
const GRANT: (&str, &str) = ("grant_type", "client_credentials");
const SCOPE: (&str, &str) = ("scope", "some.scope");

/// The example with a client that may have two of three scopes.
async fn server() -> Server {
    let vars = [
        ("MACHINE_CLIENT_ID", "demo-client"),
        ("MACHINE_CLIENT_SECRET", SECRET),
        ("MACHINE_CLIENT_SCOPES", "some.scope other.scope"),
    ];
    start(example::app, &vars).await
}

/// `POST /token` with these fields, and with these `Authorization` headers.
async fn ask(server: &Server, headers: &[&str], form: &[(&str, &str)]) -> Answer {
    let mut browser = Browser::new();
    let mut request = browser
        .request(Method::POST, server.public_url.join("/token"))
        .form(form);
    for header in headers {
        request = request.header("authorization", *header);
    }
    browser.send(request).await
}

/// The header of a client, with nothing form-encoded.
fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")))
}

/// The secret as RFC 6749, appendix B, wants it in the header.
fn encoded() -> String {
    reqwest::Url::parse_with_params("http://x/", [("", SECRET)])
        .expect("a URL")
        .query()
        .expect("a query")[1..]
        .to_owned()
}

async fn get(server: &Server, path: &str, token: &str) -> Answer {
    let mut browser = Browser::new();
    let request = browser.request(Method::GET, server.public_url.join(path));
    browser.send(request.bearer_auth(token)).await
}

fn assert_error(answer: &Answer, status: u16, error: &str, case: &str) {
    assert_eq!(
        (answer.status, answer.json()["error"].as_str()),
        (status, Some(error)),
        "{case}"
    );
    assert!(answer.json()["error_description"].is_string(), "{case}");
    assert_eq!(answer.header("cache-control"), "no-store", "{case}");
    let challenge = answer.header("www-authenticate");
    assert_eq!(
        challenge.starts_with("Basic "),
        status == 401,
        "{case}: {challenge}"
    );
}

// checks 107, 108
#[tokio::test]
async fn a_client_authenticates_in_the_header_or_in_the_body() {
    let server = server().await;
    let in_body = [
        GRANT,
        SCOPE,
        ("client_id", "demo-client"),
        ("client_secret", SECRET),
    ];
    let header = basic("demo-client", &encoded());
    // Some clients encode more than they must.
    let more = basic("demo%2Dclient", &encoded().replace('s', "%73"));
    for answer in [
        ask(&server, &[], &in_body).await,
        ask(&server, &[&header], &[GRANT, SCOPE]).await,
        ask(&server, &[&more], &[GRANT, SCOPE]).await,
        ask(
            &server,
            &[&header],
            &[GRANT, SCOPE, ("client_id", "demo-client")],
        )
        .await,
    ] {
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(
            (answer.header("cache-control"), answer.header("pragma")),
            ("no-store", "no-cache")
        );
        let mut names: Vec<_> = answer
            .json()
            .as_object()
            .expect("members")
            .keys()
            .cloned()
            .collect();
        names.sort();
        // No refresh token: the client can use its secret again (RFC 6749, section 4.4.3).
        assert_eq!(names, ["access_token", "expires_in", "scope", "token_type"]);
        let token = answer.json()["access_token"]
            .as_str()
            .expect("a token")
            .to_owned();
        assert_eq!(
            get(&server, "/endpoint1", &token).await.json(),
            "Hello from endpoint 1"
        );
        assert_eq!(get(&server, "/endpoint2", &token).await.status, 403);
    }
}

// check 107
#[tokio::test]
async fn two_authentication_methods_are_one_too_many() {
    let server = server().await;
    let header = &*basic("demo-client", &encoded());
    let id = ("client_id", "demo-client");
    let secret = ("client_secret", SECRET);
    for (headers, form) in [
        (&[header][..], &[GRANT, SCOPE, id, secret][..]),
        (&[header], &[GRANT, SCOPE, secret]),
        (&[header], &[GRANT, SCOPE, ("client_id", "other")]),
        (&[header, header], &[GRANT, SCOPE]),
        (&[], &[GRANT, SCOPE, id, id, secret]),
        (&[], &[GRANT, SCOPE, id, secret, secret]),
    ] {
        let answer = ask(&server, headers, form).await;
        assert_error(
            &answer,
            400,
            "invalid_request",
            &format!("{headers:?} {form:?}"),
        );
    }
}

// check 109
#[tokio::test]
async fn an_unknown_client_and_a_wrong_secret_get_the_same_answer() {
    let server = server().await;
    let mut bodies = Vec::new();
    for (id, secret) in [
        ("demo-client", "wrong"),
        ("demo-client", &SECRET[1..]),
        ("demo-client", ""),
        ("other", SECRET),
        ("Demo-client", SECRET),
        ("", ""),
        ("' OR '1'='1", "' OR '1'='1"),
    ] {
        let form = [GRANT, SCOPE, ("client_id", id), ("client_secret", secret)];
        let encode = |text: &str| text.replace('%', "%25").replace(':', "%3A");
        let header = basic(&encode(id), &encode(secret));
        for answer in [
            ask(&server, &[], &form).await,
            ask(&server, &[&header], &[GRANT, SCOPE]).await,
        ] {
            assert_error(
                &answer,
                401,
                "invalid_client",
                &format!("{id:?} {secret:?}"),
            );
            bodies.push(answer.body);
        }
    }
    for headers in [
        &[][..],
        &["Bearer x"],
        &["Basic"],
        &["Basic !"],
        &["Basic eA=="],
    ] {
        let answer = ask(&server, headers, &[GRANT, SCOPE]).await;
        assert_error(&answer, 401, "invalid_client", &format!("{headers:?}"));
        bodies.push(answer.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
}

#[tokio::test]
async fn a_client_gets_its_own_scopes_and_no_others() {
    let server = server().await;
    let header = basic("demo-client", &encoded());
    for (asked, given) in [
        ("some.scope", "some.scope"),
        ("other.scope some.scope", "some.scope other.scope"),
        ("some.scope third.scope", "some.scope"),
        ("third.scope", ""),
        ("", ""),
    ] {
        let answer = ask(&server, &[&header], &[GRANT, ("scope", asked)]).await;
        assert_eq!(
            (answer.status, answer.json()["scope"].as_str()),
            (200, Some(given)),
            "{asked}"
        );
    }
    let unknown = ask(&server, &[&header], &[GRANT, ("scope", "admin")]).await;
    assert_error(&unknown, 400, "invalid_scope", "admin");
}

#[tokio::test]
async fn no_other_grant_is_supported() {
    let server = server().await;
    let header = basic("demo-client", &encoded());
    let person = [("username", "johndoe"), ("password", "secret123")];
    for grant in [
        "password",
        "refresh_token",
        "authorization_code",
        "Client_Credentials",
    ] {
        let form = [
            ("grant_type", grant),
            person[0],
            person[1],
            ("refresh_token", "x"),
        ];
        let answer = ask(&server, &[&header], &form).await;
        assert_error(&answer, 400, "unsupported_grant_type", grant);
    }
    assert_error(
        &ask(&server, &[&header], &[SCOPE]).await,
        400,
        "invalid_request",
        "none",
    );
    for path in ["/login", "/docs/"] {
        assert_eq!(
            Browser::new()
                .get(server.public_url.join(path))
                .await
                .status,
            404,
            "{path}"
        );
    }
    let query = "/token?grant_type=client_credentials&client_id=demo-client";
    assert_eq!(
        Browser::new()
            .get(server.public_url.join(query))
            .await
            .status,
        405
    );
}

// check 110
#[tokio::test]
async fn a_client_with_the_name_of_a_user_is_not_that_user() {
    let secret = "the signing secret of two servers which is a bad idea";
    let own = [
        ("JWT_SECRET", secret),
        ("PUBLIC_URL", "http://localhost:5000"),
    ];
    let client = [
        ("MACHINE_CLIENT_ID", "johndoe"),
        ("MACHINE_CLIENT_SECRET", SECRET),
    ];
    let clients = start(example::app, &[own, client].concat()).await;
    let url = format!("http://{}/token", clients.addr);
    let form = [
        GRANT,
        SCOPE,
        ("client_id", "johndoe"),
        ("client_secret", SECRET),
    ];
    let answer = Browser::new().post(url, &form).await.json();
    let token = answer["access_token"].as_str().expect("a token");

    // A server for users accepts this token, and can tell that it belongs to a client.
    let tokens = first_party::token::Tokens::new(
        &secret.to_owned().into(),
        clients.public_url.clone(),
        common::flow::Flows::default(),
    );
    let claims = tokens
        .verify(token)
        .expect("the same secret, issuer and audience");
    assert_eq!(
        (&*claims.sub, &*claims.client_id),
        ("client:johndoe", "johndoe")
    );
    let people = start(first_party::app, &own).await;
    let url = format!("http://{}/token", people.addr);
    let form = [("username", "client:johndoe"), ("password", "x")];
    let answer = Browser::new().post(url, &form).await;
    assert_error(
        &answer,
        400,
        "invalid_request",
        "no user can have the name of a client",
    );
}

#[tokio::test]
async fn with_nothing_set_it_prints_the_command_that_runs_the_client() {
    let binary = program::example("first_party", "client_credentials");
    let server = Program::start(&binary, &[]);
    let url = server.url.clone();
    let first = Browser::new().get(&url).await;
    assert_eq!(first.status, 200);
    // Its output can only be read after it has ended, so a second server takes its place below.
    let printed = server.stop();
    let command = printed.lines().next().expect("a line");
    let command = command.strip_suffix(" cargo run -p basic --example machine_client");
    let vars: Vec<_> = command.expect(&printed).split(' ').collect();
    let [token_url, api_url, id, secret] = &vars[..] else {
        panic!("{vars:?}")
    };
    assert_eq!(*token_url, format!("TOKEN_URL={url}/token"));
    assert_eq!(*api_url, format!("API_URL={url}/endpoint1"));
    assert_eq!(*id, "MACHINE_CLIENT_ID=demo-client");
    let secret = secret
        .strip_prefix("MACHINE_CLIENT_SECRET=")
        .expect("a secret");
    assert_eq!(secret.len(), 43);
    assert_eq!(
        printed.matches(secret).count(),
        1,
        "not in the log: {printed}"
    );

    let vars = [
        ("MACHINE_CLIENT_ID", "demo-client"),
        ("MACHINE_CLIENT_SECRET", secret),
    ];
    let server = Program::start(&binary, &vars);
    let form = [GRANT, SCOPE, vars[0], ("client_secret", secret)];
    let form = form.map(|(name, value)| {
        (
            if name == "MACHINE_CLIENT_ID" {
                "client_id"
            } else {
                name
            },
            value,
        )
    });
    assert_eq!(
        Browser::new()
            .post(server.join("/token"), &form)
            .await
            .status,
        200
    );
    let log = server.stop();
    assert!(!log.contains(secret) && !log.contains("cargo run"), "{log}");
}

// check 164
#[test]
fn where_others_can_guess_it_a_client_secret_must_be_long_and_unpublished() {
    let binary = program::example("first_party", "client_credentials");
    let long = "0123456789abcdef0123456789abcdef";
    let published = include_str!("../../.env.example");
    let published = published
        .lines()
        .find_map(|line| line.strip_prefix("# JWT_SECRET="));
    let published = published.expect("an example of a secret");
    let vars = |public: bool, secret: &'static str| {
        let url = if public {
            "https://app.example.com"
        } else {
            "http://localhost"
        };
        [
            ("PUBLIC_URL", url),
            ("JWT_SECRET", "32 characters and some more and more"),
            ("MACHINE_CLIENT_ID", "id"),
            ("MACHINE_CLIENT_SECRET", secret),
        ]
    };
    for (secret, what) in [
        ("hunter2", "is too short"),
        (&long[1..], "is too short"),
        ("your-secret", "is too short"),
        (published, "is the published example"),
    ] {
        let lines = program::problems(&binary, &vars(true, secret));
        let [line] = &lines[..] else {
            panic!("{secret} {lines:#?}")
        };
        let start = format!("MACHINE_CLIENT_SECRET {what}");
        assert!(line.starts_with(&start) && !line.contains(secret), "{line}");
        // A server for this machine only may use a secret from a README.
        drop(Program::start(&binary, &vars(false, secret)));
    }
    drop(Program::start(&binary, &vars(true, long)));
}

#[test]
fn each_wrong_setting_is_reported_in_one_line() {
    let binary = program::example("first_party", "client_credentials");
    let id = ("MACHINE_CLIENT_ID", "id");
    let secret = ("MACHINE_CLIENT_SECRET", "hunter2");
    let open = [
        ("PUBLIC_URL", "https://app.example.com"),
        ("JWT_SECRET", "32 characters and some more and more"),
    ];
    for (vars, expected) in [
        (&[id][..], "MACHINE_CLIENT_SECRET is missing"),
        (&[secret], "MACHINE_CLIENT_ID is missing"),
        (
            &[id, ("MACHINE_CLIENT_SECRET", " ")],
            "MACHINE_CLIENT_SECRET is empty",
        ),
        (
            &[("MACHINE_CLIENT_SCOPES", "some.scope admin")],
            "MACHINE_CLIENT_SCOPES has a scope",
        ),
        (
            &open,
            "MACHINE_CLIENT_ID and MACHINE_CLIENT_SECRET are missing",
        ),
    ] {
        let mut command = Command::new(&binary);
        command
            .env_clear()
            .env("BIND_ADDR", "127.0.0.1:0")
            .envs(vars.iter().copied());
        let output = command.output().expect("it runs");
        let problems = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(2), "{problems}");
        assert!(
            problems.starts_with(&format!("error: {expected}")),
            "{problems}"
        );
        assert_eq!(problems.lines().count(), 1, "{problems}");
        assert!(
            output.stdout.is_empty() && !problems.contains("hunter2"),
            "nothing was started"
        );
    }
}
