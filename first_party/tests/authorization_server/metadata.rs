//! What the server says about itself.

use reqwest::Method;
use serde_json::{Value, json};
use testing::Browser;

use super::client::{part, server, text};

const DOCUMENTS: [&str; 2] = [
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
];

// check 176
#[tokio::test]
async fn both_documents_are_the_same_and_name_the_issuer_and_its_capabilities() {
    let server = server().await;
    let mut browser = Browser::new();
    let [first, second] = [
        browser.get(server.url(DOCUMENTS[0])).await.json(),
        browser.get(server.url(DOCUMENTS[1])).await.json(),
    ];
    assert_eq!(first, second);
    let issuer = server.http.public_url.to_string();
    assert!(issuer.starts_with("http://localhost:"), "{issuer}");
    assert_eq!(first["issuer"], issuer);
    for (name, value) in first.as_object().expect("an object") {
        if name.ends_with("_endpoint") || name.ends_with("_uri") {
            let url = value.as_str().expect("a URL");
            let path = url.strip_prefix(&issuer).expect(url);
            assert!(path.starts_with('/'), "{url}");
            let request = browser.request(Method::OPTIONS, url);
            assert_ne!(browser.send(request).await.status, 404, "{url}");
        }
    }
    assert_eq!(first["response_types_supported"], json!(["code"]));
    assert_eq!(first["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(
        first["id_token_signing_alg_values_supported"],
        json!(["RS256"])
    );
    assert_eq!(first["request_uri_parameter_supported"], false);
    assert_eq!(
        first["authorization_response_iss_parameter_supported"],
        true
    );
    for scope in first["scopes_supported"].as_array().expect("a list") {
        let login = server.login(scope.as_str().expect("a scope"));
        assert_eq!(
            server.visit(&mut browser, &login).await.status,
            200,
            "{scope}"
        );
    }
}

// check 177
#[tokio::test]
async fn the_metadata_of_the_api_is_named_where_a_token_is_missing() {
    let server = server().await;
    for path in ["/endpoint1", "/endpoint2"] {
        let answer = Browser::new().get(server.url(path)).await;
        assert_eq!(answer.status, 401);
        let (_, named) = answer
            .header("www-authenticate")
            .split_once("resource_metadata=\"")
            .expect("it is named");
        let metadata = Browser::new().get(named.trim_end_matches('"')).await.json();
        let issuer = server.http.public_url.to_string();
        assert_eq!(metadata["resource"], issuer);
        assert_eq!(metadata["authorization_servers"], json!([issuer]));
        assert_eq!(
            metadata["scopes_supported"],
            json!(["some.scope", "other.scope", "third.scope"])
        );
    }
}

// check 178
#[tokio::test]
async fn the_published_keys_are_public_and_may_be_cached() {
    let server = server().await;
    let answer = Browser::new().get(server.url("/jwks.json")).await;
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    let keys = answer.json()["keys"].as_array().expect("a list").clone();
    assert_eq!(keys.len(), 1);
    let mut members: Vec<_> = keys[0].as_object().expect("a key").keys().collect();
    members.sort();
    assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]);
    assert_eq!(
        (&keys[0]["alg"], &keys[0]["use"]),
        (&json!("RS256"), &json!("sig"))
    );
    let token = text(&server.tokens("openid").await, "access_token");
    assert_eq!(part(&token, 0)["kid"], keys[0]["kid"]);
}

// check 176: scripts of other sites may call what needs no cookie, and nothing else
#[tokio::test]
async fn scripts_of_other_sites_may_call_endpoints_that_need_no_cookie() {
    let server = server().await;
    let open = [
        DOCUMENTS[0],
        DOCUMENTS[1],
        "/.well-known/oauth-protected-resource",
        "/jwks.json",
        "/token",
        "/userinfo",
        "/revoke",
    ];
    let closed = [
        "/authorize",
        "/login",
        "/consent",
        "/consents",
        "/introspect",
        "/logout",
        "/",
        "/endpoint1",
        "/nowhere",
    ];
    let origins = |answer: &testing::Answer| {
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        answer.header("access-control-allow-origin").to_owned()
    };
    for (paths, origin) in [(&open[..], "*"), (&closed[..], "")] {
        for path in paths {
            let mut browser = Browser::new();
            let answer = browser.get(server.url(path)).await;
            assert_eq!(origins(&answer), origin, "{path}");
            let ask = browser.request(Method::OPTIONS, server.url(path));
            let ask = ask
                .header("origin", "https://spa.example")
                .header("access-control-request-method", "POST");
            let answer = browser.send(ask).await;
            assert_eq!(origins(&answer), origin, "{path}");
            assert_eq!(answer.status == 204, origin == "*", "{path}");
        }
    }
}

#[tokio::test]
async fn a_browser_at_the_ip_address_is_redirected_to_the_issuers_host() {
    let server = server().await;
    let login = server.login("openid");
    let url = server.authorize_url(&login.params);
    let answer = Browser::new()
        .visit(url.replace("localhost", "127.0.0.1"))
        .await;
    assert_eq!(answer.location(), url);
    let keys: Value = Browser::new()
        .get(testing::url(&server.http, "/jwks.json"))
        .await
        .json();
    assert!(keys["keys"].is_array());
}
