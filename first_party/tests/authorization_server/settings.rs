//! What the server is started with, and what it refuses to start with.

use std::fs;

use super::{
    client::{CALLBACK, folder, server},
    keys::{p256, problems},
};

const HTTPS: (&str, &str) = ("PUBLIC_URL", "https://login.example.com");

fn names(problems: &[String]) -> Vec<&str> {
    let mut names: Vec<_> = problems
        .iter()
        .filter_map(|line| line.split(' ').next())
        .collect();
    names.sort_unstable();
    names
}

// check 225
#[tokio::test]
async fn where_others_can_reach_it_everything_has_to_be_set() {
    let found = problems(&[HTTPS]).await;
    for name in ["AS_CLIENT_ID", "SIGNING_KEY_FILE", "DATABASE_URL"] {
        assert!(names(&found).contains(&name), "{name}: {found:#?}");
    }
    assert!(!names(&found).contains(&"JWT_SECRET"), "{found:#?}");
    let found = problems(&[("PUBLIC_URL", "http://login.example.com")]).await;
    assert!(names(&found).contains(&"PUBLIC_URL"), "{found:#?}");
    let found = problems(&[("BIND_ADDR", "0.0.0.0:0")]).await;
    for name in ["PUBLIC_URL", "AS_CLIENT_ID", "SIGNING_KEY_FILE"] {
        assert!(names(&found).contains(&name), "{name}: {found:#?}");
    }
}

// check 225
#[cfg(unix)]
#[tokio::test]
async fn a_key_that_others_can_change_and_a_weak_secret_are_problems_there() {
    use std::os::unix::fs::PermissionsExt;

    let folder = folder("exposed");
    let file = folder.join("key.pem");
    fs::write(&file, p256()).expect("a file");
    let key = file.display().to_string();
    for (mode, secret, wrong) in [
        (0o600, "a secret that is long enough to be one", vec![]),
        (
            0o620,
            "a secret that is long enough to be one",
            vec!["SIGNING_KEY_FILE"],
        ),
        (
            0o602,
            "a secret that is long enough to be one",
            vec!["SIGNING_KEY_FILE"],
        ),
        (
            0o600,
            "31 characters are not enough...",
            vec!["AS_CLIENT_SECRET"],
        ),
        (
            0o600,
            "replace-me-with-the-output-of--openssl-rand-hex-32--and-keep-it-secret",
            vec!["AS_CLIENT_SECRET"],
        ),
    ] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("a mode");
        let found = problems(&[
            HTTPS,
            ("SIGNING_KEY_FILE", &key),
            ("AS_CLIENT_ID", "shop"),
            ("AS_CLIENT_SECRET", secret),
            ("AS_REDIRECT_URIS", "https://shop.example.com/auth"),
        ])
        .await;
        // Not counted here: the database is in memory and has the users of the README.
        let mut found = names(&found);
        found.retain(|name| !["DATABASE_URL", "JWT_SECRET"].contains(name));
        assert_eq!(found, wrong, "{mode:o} {secret}");
    }
}

#[tokio::test]
async fn an_incomplete_or_invalid_client_is_a_problem() {
    for (vars, wrong) in [
        (&[("AS_CLIENT_ID", "shop")][..], "AS_REDIRECT_URIS"),
        (&[("AS_CLIENT_SECRET", "x")], "AS_CLIENT_ID"),
        (&[("AS_REDIRECT_URIS", CALLBACK)], "AS_CLIENT_ID"),
        (
            &[("AS_CLIENT_ID", "swagger"), ("AS_REDIRECT_URIS", CALLBACK)],
            "AS_CLIENT_ID",
        ),
        (
            &[
                ("AS_CLIENT_ID", "shop"),
                ("AS_REDIRECT_URIS", CALLBACK),
                ("AS_CLIENT_SECRET", " "),
            ],
            "AS_CLIENT_SECRET",
        ),
        (
            &[("AS_CLIENT_ID", "shop"), ("AS_REDIRECT_URIS", "/auth")],
            "AS_REDIRECT_URIS",
        ),
        (
            &[
                ("AS_CLIENT_ID", "shop"),
                ("AS_REDIRECT_URIS", "http://shop.example/auth"),
            ],
            "AS_REDIRECT_URIS",
        ),
        (
            &[
                ("AS_CLIENT_ID", "shop"),
                ("AS_REDIRECT_URIS", "https://shop.example/auth#x"),
            ],
            "AS_REDIRECT_URIS",
        ),
        (
            &[
                ("AS_CLIENT_ID", "shop"),
                ("AS_REDIRECT_URIS", "https://u@shop.example/auth"),
            ],
            "AS_REDIRECT_URIS",
        ),
        (&[("RESOURCES", "api")], "RESOURCES"),
        (&[("RESOURCES", "https://api.example#x")], "RESOURCES"),
    ] {
        assert_eq!(names(&problems(vars).await), [wrong], "{vars:?}");
    }
}

#[tokio::test]
async fn demo_exists_only_while_no_client_is_set() {
    let vars = [("AS_CLIENT_ID", "shop"), ("AS_REDIRECT_URIS", CALLBACK)];
    let server = super::client::server_of(&vars, Vec::new(), "shop").await;
    assert!(server.app.clients.find("demo").is_none());
    assert!(server.app.commands.is_none());
    assert!(server.client.secret.is_none());
    let demo = self::server().await;
    assert_eq!(
        demo.client.redirect_uris,
        [CALLBACK, "http://127.0.0.1:5000/auth/oidc"]
    );
}
