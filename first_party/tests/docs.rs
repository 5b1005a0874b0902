//! Swagger UI and the document of the API: served from here, and true.

use std::collections::{BTreeMap, BTreeSet};

use common::server::Server;
use reqwest::Method;
use serde_json::{Value, json};
use testing::{Answer, Browser, start};

#[path = "support/user.rs"]
mod user;

use user::token_with;

async fn server() -> Server {
    start(first_party::app, &[]).await
}

async fn get(server: &Server, path: &str) -> Answer {
    Browser::new().get(server.public_url.join(path)).await
}

async fn openapi(server: &Server) -> Value {
    let answer = get(server, "/openapi.json").await;
    assert_eq!(answer.status, 200);
    answer.json()
}

/// Where the tags of a page point to.
fn links(page: &str) -> Vec<&str> {
    let attributes = ["href=\"", "src=\""]
        .into_iter()
        .flat_map(|name| page.split(name).skip(1));
    attributes
        .map(|rest| rest.split('"').next().expect("a value"))
        .collect()
}

// check 140
#[tokio::test]
async fn the_documentation_is_under_docs_with_a_slash() {
    let server = server().await;
    let answer = get(&server, "/docs").await;
    assert_eq!(answer.location(), "/docs/");
    let page = get(&server, "/docs/").await;
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    assert!(page.body.contains("Swagger UI"), "{}", page.body);
}

// check 140
#[tokio::test]
async fn swagger_ui_is_served_from_here_alone() {
    let server = server().await;
    for path in ["/docs/", "/docs/oauth2-redirect.html"] {
        let page = get(&server, path).await;
        assert_eq!(page.status, 200, "{path}");
        let links = links(&page.body);
        assert!(!links.is_empty(), "{path}: {}", page.body);
        for link in links {
            assert!(
                !link.contains("//") && !link.starts_with('/'),
                "{path}: {link}"
            );
            let asset = Browser::new()
                .get(page.url.join(link).expect("a URL"))
                .await;
            assert_eq!(asset.status, 200, "{link}");
            assert!(!asset.body.is_empty(), "{link}");
            let media_type = match link.rsplit('.').next() {
                Some("css") => "text/css",
                Some("js") => "text/javascript",
                _ => "image/png",
            };
            assert!(
                asset.header("content-type").starts_with(media_type),
                "{link}: {asset:?}"
            );
            assert_eq!(asset.header("x-content-type-options"), "nosniff", "{link}");
        }
    }
}

// check 140
#[tokio::test]
async fn the_policy_lets_swagger_run_its_own_scripts_and_reach_this_server_only() {
    let server = server().await;
    for path in ["/docs/", "/docs/oauth2-redirect.html"] {
        let page = get(&server, path).await;
        let policy: BTreeMap<_, _> = page
            .header("content-security-policy")
            .split(';')
            .filter_map(|directive| directive.trim().split_once(' '))
            .collect();
        assert_eq!(policy["default-src"], "'none'");
        assert_eq!(policy["script-src"], "'self'");
        assert_eq!(policy["connect-src"], "'self'");
        assert_eq!(policy["frame-ancestors"], "'none'");
        assert_eq!(policy["base-uri"], "'none'");
        assert!(
            !page.header("content-security-policy").contains("http"),
            "{policy:?}"
        );
        // Under that policy, an inline script would not run.
        for script in page.body.split("<script").skip(1) {
            let (attributes, rest) = script.split_once('>').expect("a tag");
            assert!(attributes.contains("src="), "{path}: {}", page.body);
            assert!(
                rest.trim_start().starts_with("</script>"),
                "{path}: {}",
                page.body
            );
        }
        assert!(
            !page.body.contains(" onload=") && !page.body.contains("javascript:"),
            "{path}"
        );
    }
}

// checks 141, 142
#[tokio::test]
async fn swagger_ui_knows_the_document_the_client_and_its_registered_redirect_uri() {
    let server = server().await;
    let script = get(&server, "/docs/swagger-initializer.js").await.body;
    let redirect_uri = server.public_url.join("/docs/oauth2-redirect.html");
    for setting in [
        r#""url": "/openapi.json""#,
        r#""clientId": "swagger""#,
        &format!(r#""oauth2RedirectUrl": "{redirect_uri}""#),
    ] {
        assert!(script.contains(setting), "{setting}: {script}");
    }
    let query = format!("response_type=token&client_id=swagger&redirect_uri={redirect_uri}");
    assert_eq!(get(&server, &format!("/login?{query}")).await.status, 200);
}

// check 142
#[tokio::test]
async fn both_flows_are_documented_with_the_three_scopes() {
    let server = server().await;
    let document = openapi(&server).await;
    assert!(
        document["openapi"].as_str().unwrap().starts_with("3."),
        "{document}"
    );
    let schemes = document["components"]["securitySchemes"]
        .as_object()
        .unwrap();
    let scheme = &schemes["oauth2"];
    assert_eq!((schemes.len(), &scheme["type"]), (2, &json!("oauth2")));
    let pasted = &schemes["token"];
    assert_eq!(
        (&pasted["type"], &pasted["scheme"]),
        (&json!("http"), &json!("bearer"))
    );
    let scopes = json!({
        "some.scope": "Can access endpoint1",
        "other.scope": "Can access endpoint2",
        "third.scope": "Can access both endpoint1 and endpoint2",
    });
    let expected = json!({
        "password": { "tokenUrl": server.public_url.join("/token"), "scopes": scopes },
        "implicit": { "authorizationUrl": server.public_url.join("/login"), "scopes": scopes },
    });
    assert_eq!(scheme["flows"], expected);
    // Readers of the document must learn that these two grants are obsolete.
    let description = document["info"]["description"].as_str().unwrap();
    assert!(description.contains("authorization code"), "{description}");
}

// check 142
#[tokio::test]
async fn the_document_does_not_believe_the_host_header() {
    let server = server().await;
    for path in ["/openapi.json", "/docs/swagger-initializer.js", "/docs/"] {
        let request = Browser::new().request(Method::GET, server.public_url.join(path));
        let mut request = request.header("x-forwarded-host", "evil.example");
        if path == "/openapi.json" {
            // A name of this machine; any other host gets 421.
            request = request.header("host", "evil.localhost");
        }
        let answer = Browser::new().send(request).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.body.contains("evil"), "{path}: {}", answer.body);
    }
}

// check 142
#[tokio::test]
async fn any_of_several_scopes_is_documented_as_alternatives() {
    let document = openapi(&server().await).await;
    let security = |path: &str| document["paths"][path]["get"]["security"].clone();
    let alternatives =
        |own: &str| json!([{ "oauth2": [own] }, { "oauth2": ["third.scope"] }, { "token": [] }]);
    assert_eq!(security("/endpoint1"), alternatives("some.scope"));
    assert_eq!(security("/endpoint2"), alternatives("other.scope"));
    assert_eq!(security("/endpoint3"), Value::Null);
    assert_eq!(document["paths"]["/token"]["post"]["security"], Value::Null);
    assert_eq!(document["security"], Value::Null);
}

// checks 118, 142
#[tokio::test]
async fn what_the_document_says_about_scopes_is_what_the_server_does() {
    let server = server().await;
    let document = openapi(&server).await;
    let scopes =
        &document["components"]["securitySchemes"]["oauth2"]["flows"]["password"]["scopes"];
    let scopes: BTreeSet<_> = scopes
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let mut seen = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let Some(operation) = methods.get("get") else {
            continue;
        };
        seen.insert(path.as_str());
        let needed = operation["security"].as_array();
        let opens: Option<BTreeSet<_>> = needed.map(|alternatives| {
            let one = |alternative: &Value| match &alternative["oauth2"].as_array()?[..] {
                [scope] => Some(scope.as_str().unwrap().to_owned()),
                several => panic!("{path} needs all of {several:?}"),
            };
            alternatives.iter().filter_map(one).collect()
        });
        let nobody = get(&server, path).await;
        assert_eq!(
            nobody.status,
            if opens.is_none() { 200 } else { 401 },
            "{path}"
        );
        assert_documented(operation, &nobody, path);
        for &scope in scopes.iter().chain([&""]) {
            let token = token_with(&server, scope).await;
            let request = Browser::new().request(Method::GET, server.public_url.join(path));
            let answer = Browser::new().send(request.bearer_auth(token)).await;
            let right = opens.as_ref().is_none_or(|opens| opens.contains(scope));
            assert_eq!(
                answer.status,
                if right { 200 } else { 403 },
                "{path} with {scope:?}"
            );
            assert_documented(operation, &answer, path);
        }
    }
    assert_eq!(
        seen,
        BTreeSet::from(["/endpoint1", "/endpoint2", "/endpoint3"])
    );
}

/// The status is in the document, and for a 200 the media type too.
fn assert_documented(operation: &Value, answer: &Answer, case: &str) {
    let documented = &operation["responses"][answer.status.to_string()];
    assert!(
        documented["description"].is_string(),
        "{case}: {} is not documented",
        answer.status
    );
    if answer.status == 200 {
        let media_type = answer.header("content-type");
        assert!(
            documented["content"][media_type].is_object(),
            "{case}: {media_type}"
        );
    }
}

// check 142
#[tokio::test]
async fn every_possible_status_is_documented() {
    let server = server().await;
    let document = openapi(&server).await;
    let endpoint = |path: &str| &document["paths"][path]["get"];
    for path in ["/endpoint1", "/endpoint2", "/endpoint3"] {
        let cases: [&[&str]; 4] = [
            &[],
            &["Bearer x"],
            &["Basic Og=="],
            &["Bearer x", "Bearer y"],
        ];
        for values in cases {
            let mut request = Browser::new().request(Method::GET, server.public_url.join(path));
            for value in values {
                request = request.header("authorization", *value);
            }
            let answer = Browser::new().send(request).await;
            assert_documented(endpoint(path), &answer, path);
        }
    }
    let token = &document["paths"]["/token"]["post"];
    let url = server.public_url.join("/token");
    for (body, expected) in [
        ("username=alice&password=wonderland", 200),
        ("username=alice", 400),
        ("username=alice&password=wonderland&scope=admin", 400),
        ("username=%ff&password=wonderland", 400),
    ] {
        let request = Browser::new().request(Method::POST, &url).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = Browser::new().send(request).await;
        assert_eq!(answer.status, expected, "{}", answer.body);
        assert_documented(token, &answer, "/token");
    }
    // `token_endpoint.rs` shows that this status occurs.
    assert!(
        token["responses"]["413"]["description"].is_string(),
        "{token}"
    );
    let answer = Browser::new()
        .send(Browser::new().request(Method::POST, &url))
        .await;
    assert_documented(token, &answer, "/token without a content type");
}

// check 142
#[tokio::test]
async fn the_document_names_what_the_token_endpoint_takes_and_returns() {
    let document = openapi(&server().await).await;
    let token = &document["paths"]["/token"]["post"];
    let of = |content: &Value| {
        let name = content["schema"]["$ref"]
            .as_str()
            .unwrap()
            .rsplit('/')
            .next()
            .unwrap();
        let schema = &document["components"]["schemas"][name];
        let properties = schema["properties"].as_object().expect("properties").keys();
        let properties: BTreeSet<_> = properties.cloned().collect();
        let required = schema["required"].as_array().unwrap().iter();
        let required: BTreeSet<_> = required
            .map(|name| name.as_str().unwrap().to_owned())
            .collect();
        (properties, required)
    };
    let names = |names: &[&str]| {
        names
            .iter()
            .map(ToString::to_string)
            .collect::<BTreeSet<_>>()
    };
    let (takes, needs) = of(&token["requestBody"]["content"]["application/x-www-form-urlencoded"]);
    assert_eq!(
        takes,
        names(&["grant_type", "username", "password", "scope", "client_id"])
    );
    assert_eq!(needs, names(&["username", "password"]));
    let (gives, always) = of(&token["responses"]["200"]["content"]["application/json"]);
    assert_eq!(
        gives,
        names(&["access_token", "token_type", "expires_in", "scope"])
    );
    assert_eq!(always, gives);
}

// check 142
#[tokio::test]
async fn each_operation_is_summarized_in_a_sentence() {
    let document = openapi(&server().await).await;
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let summary = operation["summary"].as_str().expect("a summary");
            let words = summary.split(' ').count();
            assert!(
                words > 1 && !summary.contains(['/', '`']),
                "{method} {path}: {summary}"
            );
            assert_ne!(
                operation["description"], operation["summary"],
                "{method} {path}"
            );
        }
    }
}
