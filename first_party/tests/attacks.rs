//! Attacks on the tokens and their pages, by an attacker who has read the source.

use common::server::Server;
use reqwest::Method;
use testing::{Answer, Browser, start};

#[path = "support/raw.rs"]
mod raw;

async fn server() -> Server {
    start(first_party::app, &[]).await
}

async fn get(server: &Server, path: &str) -> Answer {
    Browser::new().visit(server.public_url.join(path)).await
}

// check 139
#[tokio::test]
async fn endpoints_of_other_authorization_servers_do_not_exist_here() {
    let server = server().await;
    let browser = Browser::new();
    for path in [
        "/revoke",
        "/introspect",
        "/token/revoke",
        "/token/introspect",
        "/authorize",
        "/userinfo",
        "/register",
        "/jwks.json",
        "/.well-known/jwks.json",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    ] {
        for method in [Method::GET, Method::POST] {
            let request = browser.request(method.clone(), server.public_url.join(path));
            let request = request.form(&[("token", "x"), ("client_id", "swagger")]);
            let answer = browser.clone().send(request).await;
            assert_eq!(answer.status, 404, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_link_to_swagger_ui_cannot_supply_its_own_document() {
    let server = server().await;
    let own = get(&server, "/docs/").await;
    for query in [
        "url=https://evil.example/x.json",
        "configUrl=https://evil.example/x.json",
        "urls.primaryName=evil",
    ] {
        let page = get(&server, &format!("/docs/?{query}")).await;
        assert_eq!((page.status, &page.body), (200, &own.body), "{query}");
        let policy = page.header("content-security-policy");
        assert!(policy.contains("connect-src 'self'"), "{policy}");
    }
    let settings = get(&server, "/docs/swagger-initializer.js").await;
    assert_eq!(settings.status, 200);
    assert!(
        !settings.body.contains("queryConfigEnabled\": true"),
        "{}",
        settings.body
    );
    assert!(
        !settings.body.contains("queryConfigEnabled: true"),
        "{}",
        settings.body
    );
}

#[tokio::test]
async fn no_path_below_docs_leads_out_of_it() {
    let server = server().await;
    for path in [
        "/docs/../Cargo.toml",
        "/docs/..%2fCargo.toml",
        "/docs/%2e%2e/%2e%2e/etc/passwd",
        "/docs/....//....//etc/passwd",
        "/docs//etc/passwd",
        "/docs/%2fetc%2fpasswd",
        "/docs/..%5c..%5cCargo.toml",
        "/docs/index.html%00.png",
        "/docs/C:/windows/win.ini",
    ] {
        // Sent byte for byte, because an HTTP client would normalize the path.
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
        let answer = raw::send(server.addr, request).await;
        assert_eq!(raw::status(&answer), 404, "{path}: {answer}");
        assert!(
            !answer.contains("root:") && !answer.contains("[package]"),
            "{path}: {answer}"
        );
    }
}

#[tokio::test]
async fn no_user_name_can_be_taken_for_a_client_that_acts_for_itself() {
    let server = server().await;
    for name in ["client:", "client:swagger", "client: x"] {
        let form = [("username", name), ("password", "wonderland")];
        let answer = Browser::new()
            .post(server.public_url.join("/token"), &form)
            .await;
        assert_eq!(
            (answer.status, &answer.json()["error"]),
            (400, &"invalid_request".into()),
            "{name}"
        );
        let form = [
            ("response_type", "token"),
            ("client_id", "swagger"),
            (
                "redirect_uri",
                &*server.public_url.join("/docs/oauth2-redirect.html"),
            ),
            ("username", name),
            ("password", "wonderland"),
        ];
        let submitted = Browser::new()
            .post(server.public_url.join("/login"), &form)
            .await;
        assert_eq!(
            (submitted.status, submitted.header("location")),
            (400, ""),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_scope_requested_thousands_of_times_is_granted_once() {
    let server = server().await;
    let form = format!("username=a&password=b&{}", "scope=some.scope&".repeat(3800));
    assert!(form.len() < 65_536);
    let mut browser = Browser::new();
    let request = browser.request(Method::POST, server.public_url.join("/token"));
    let request = request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    let answer = browser.send(request).await;
    assert_eq!(
        (answer.status, &answer.json()["scope"]),
        (200, &"some.scope".into())
    );
}
