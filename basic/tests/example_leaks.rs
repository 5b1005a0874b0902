//! What the example prints and logs at `trace`: nothing secret.

use serde_json::json;
use testing::{
    program::{Secrets, command, example},
    provider::{Provider, Reply, token},
};

const SECRET: &str = "the-secret-of-the-client";

// checks 145, 171: the provider answers while the program runs.
#[tokio::test(flavor = "multi_thread")]
async fn the_example_machine_client_leaks_no_secret() {
    let provider = Provider::start().await;
    let (token_url, api_url) = ["/token", "/api"]
        .map(|path| format!("{}{path}", provider.origin))
        .into();
    let vars = [
        ("RUST_LOG", "trace"),
        ("TOKEN_URL", &*token_url),
        ("API_URL", &*api_url),
        ("MACHINE_CLIENT_ID", "id"),
        ("MACHINE_CLIENT_SECRET", SECRET),
    ];
    let mut secrets = Secrets::default();
    secrets.add(SECRET);
    let good = token(&json!({ "access_token": "the-access-token" }));
    for (token, api, code) in [
        (good.clone(), Reply::json(200, &json!("Hello")), 0),
        (good, Reply::json(403, &json!({ "detail": "no" })), 1),
        (
            Reply::error(401, "invalid_client"),
            Reply::json(200, &json!("Hello")),
            1,
        ),
    ] {
        provider.answer_next("/token", token);
        for _ in 0..2 {
            provider.answer_next("/api", api.clone());
        }
        let mut program = command(&example("basic", "machine_client"), &vars);
        let output = program.output().expect("it runs");
        let said = String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8");
        assert_eq!(output.status.code(), Some(code), "{said}");
        secrets.see_requests(&provider.seen());
        // Its actual output appears next to the log.
        let is_logged = |line: &&str| !line.starts_with("call ") && !line.starts_with("error: ");
        let log: Vec<_> = said.lines().filter(is_logged).collect();
        assert!(!log.is_empty(), "it logs: {said}");
        secrets.assert_unsaid(&log.join("\n"), 3);
        assert!(
            !said.contains(SECRET) && !said.contains("the-access-token"),
            "{said}"
        );
    }
}
