//! The implicit grant: where the token goes, and where it must never go.

use common::server::Server;
use reqwest::{
    Method,
    header::{ACCEPT, HeaderMap, HeaderValue},
};
use testing::{Answer, Browser, query_of, start};

async fn server() -> Server {
    start(first_party::app, &[]).await
}

type Fields = Vec<(&'static str, String)>;

/// An authorization request of the registered client (RFC 6749, section 4.2.1).
fn request(server: &Server) -> Fields {
    vec![
        ("response_type", "token".to_owned()),
        ("client_id", "swagger".to_owned()),
        ("redirect_uri", registered(server)),
        ("scope", "some.scope other.scope".to_owned()),
        ("state", "st4te".to_owned()),
    ]
}

fn registered(server: &Server) -> String {
    server.public_url.join("/docs/oauth2-redirect.html")
}

/// The fields, with one of them changed or removed.
fn with(mut fields: Fields, name: &'static str, value: Option<&str>) -> Fields {
    fields.retain(|(known, _)| *known != name);
    fields.extend(value.map(|value| (name, value.to_owned())));
    fields
}

/// `GET /login?…`
async fn open(server: &Server, fields: &Fields) -> Answer {
    let mut url = reqwest::Url::parse(&server.public_url.join("/login")).expect("a URL");
    url.query_pairs_mut().extend_pairs(fields);
    Browser::new().get(url).await
}

/// `POST /login` with the fields, and a user name and a password.
async fn submit(server: &Server, fields: &Fields) -> Answer {
    let mut form: Vec<_> = fields
        .iter()
        .map(|(name, value)| (*name, &**value))
        .collect();
    form.extend([("username", "alice"), ("password", "wonderland")]);
    Browser::new()
        .post(server.public_url.join("/login"), &form)
        .await
}

/// What the registered redirect URI gets in the fragment.
fn fragment(server: &Server, answer: &Answer) -> Vec<(String, String)> {
    let location = answer.location();
    let (url, fragment) = location.split_once('#').expect("a fragment");
    assert_eq!(url, registered(server), "not in the query");
    assert!(!fragment.contains(['#', '+', ' ']), "{fragment}");
    query_of(&format!("http://x/?{fragment}"))
}

/// A page, no redirect and no token.
fn assert_stays_here(answer: &Answer, case: &str) {
    assert_eq!(answer.status, 400, "{case}: {answer:?}");
    assert_eq!(answer.header("location"), "", "{case}");
    assert_eq!(answer.header("refresh"), "", "{case}");
    assert!(
        !answer.body.contains("access_token"),
        "{case}: {}",
        answer.body
    );
    assert!(!answer.body.contains("evil"), "{case}: {}", answer.body);
}

/// An error of section 4.2.2.1, with the client's state.
fn assert_error(server: &Server, answer: &Answer, error: &str, state: Option<&str>, case: &str) {
    let mut expected = vec![("error".to_owned(), error.to_owned())];
    expected.extend(state.map(|state| ("state".to_owned(), state.to_owned())));
    assert_eq!(fragment(server, answer), expected, "{case}");
}

// check 151
#[tokio::test]
async fn the_token_goes_to_the_registered_client_in_the_fragment() {
    let server = server().await;
    let form = open(&server, &request(&server)).await;
    assert_eq!(
        (form.status, form.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    assert!(
        form.body
            .contains(r#"<form method="post" action="/login">"#),
        "{}",
        form.body
    );
    assert!(
        form.body.contains(r#"value="some.scope" checked"#),
        "{}",
        form.body
    );
    assert!(
        form.body.contains(r#"value="other.scope" checked"#),
        "{}",
        form.body
    );
    assert!(
        !form.body.contains(r#"value="third.scope""#),
        "nobody asked for it"
    );

    let hidden = form.hidden_fields();
    let mut fields: Vec<_> = hidden
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    fields.extend([
        ("username", "alice"),
        ("password", "wonderland"),
        ("scope", "some.scope"),
    ]);
    let answer = Browser::new()
        .post(server.public_url.join("/login"), &fields)
        .await;

    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!((answer.header("set-cookie"), &*answer.body), ("", ""));
    let fragment = fragment(&server, &answer);
    let names: Vec<_> = fragment.iter().map(|(name, _)| &**name).collect();
    assert_eq!(
        names,
        ["access_token", "token_type", "expires_in", "scope", "state"]
    );
    let values: Vec<_> = fragment.iter().skip(1).map(|(_, value)| &**value).collect();
    assert_eq!(values, ["bearer", "1800", "some.scope", "st4te"]);
    for (path, expected) in [("/endpoint1", 200), ("/endpoint2", 403)] {
        let request = Browser::new().request(Method::GET, server.public_url.join(path));
        let answer = Browser::new()
            .send(request.bearer_auth(&fragment[0].1))
            .await;
        assert_eq!(answer.status, expected, "{path}: {}", answer.body);
    }
}

// check 151
#[tokio::test]
async fn the_state_comes_back_byte_for_byte() {
    let server = server().await;
    let printable: String = (' '..='~').collect();
    for state in [
        &*printable,
        "a+b c%20d%2Be&f=g#h?i",
        "%41%zz%",
        "&#38;&#60;&amp;&lt;\"'<>",
        "</script><script>alert(1)</script>",
        " padded ",
        "é€🦀",
        "access_token=evil&token_type=bearer",
        &"x".repeat(2000),
    ] {
        let fields = with(request(&server), "state", Some(state));
        let form = open(&server, &fields).await;
        assert_eq!(form.status, 200, "{state}: {}", form.body);
        assert!(!form.body.contains("<script"), "{}", form.body);
        let hidden = form.hidden_fields();
        let kept = hidden
            .iter()
            .find(|(name, _)| name == "state")
            .expect("the state");
        assert_eq!(kept.1, state);

        let answer = fragment(&server, &submit(&server, &fields).await);
        assert_eq!(answer.last(), Some(&("state".to_owned(), state.to_owned())));
        assert_eq!(answer.len(), 5, "{answer:?}");

        let refused = submit(&server, &with(fields, "scope", Some("admin"))).await;
        assert_error(&server, &refused, "invalid_scope", Some(state), state);
    }
    for state in [None, Some("")] {
        let answer = submit(&server, &with(request(&server), "state", state)).await;
        let names: Vec<_> = fragment(&server, &answer)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["access_token", "token_type", "expires_in", "scope"]);
    }
}

// check 151
#[tokio::test]
async fn opening_the_form_issues_no_token_whatever_the_query_says() {
    let server = server().await;
    let mut fields = request(&server);
    fields.extend([
        ("username", "alice".to_owned()),
        ("password", "wonderland".to_owned()),
    ]);
    let form = open(&server, &fields).await;
    assert_eq!((form.status, form.header("location")), (200, ""));
    assert!(
        !form.body.contains("wonderland") && !form.body.contains("alice"),
        "{}",
        form.body
    );
    assert!(!form.body.contains("access_token"), "{}", form.body);
}

// checks 152, 154
#[tokio::test]
async fn a_redirect_uri_that_is_not_the_registered_one_gets_nothing() {
    let server = server().await;
    let right = registered(&server);
    let (port, origin) = (server.addr.port(), server.public_url.to_string());
    let others = [
        format!("{right}x"),
        right[..right.len() - 1].to_owned(),
        format!("{right}/"),
        format!("{right}?"),
        format!("{right}?a=b"),
        format!("{right}#"),
        format!("{right}#evil"),
        format!("{right} "),
        format!(" {right}"),
        format!("{right}%00"),
        format!("{right}%20"),
        format!("{right}/../evil"),
        format!("{right}\\"),
        format!("{right},https://evil.example"),
        right.replace("/docs/", "//docs/"),
        right.replace("/docs/", "/docs/./"),
        right.replace("/docs/", "/x/../docs/"),
        right.replace("docs", "DOCS"),
        right.replace("docs", "d%6fcs"),
        right.replace("http:", "https:"),
        right.replace("http:", "HTTP:"),
        right.replace("127.0.0.1", "localhost"),
        right.replace("127.0.0.1", "127.1"),
        right.replace("127.0.0.1", "127.0.0.1."),
        right.replace("http://", "http://evil@"),
        right.replace(&port.to_string(), "1"),
        right.replace(&format!(":{port}"), ""),
        origin.clone(),
        format!("{origin}/"),
        "/docs/oauth2-redirect.html".to_owned(),
        format!("{origin}.evil.example/docs/oauth2-redirect.html"),
        "https://evil.example/docs/oauth2-redirect.html".to_owned(),
        "//evil.example".to_owned(),
        "javascript:evil()".to_owned(),
        "evil:/oauth".to_owned(),
        String::new(),
    ];
    for uri in others.iter().map(|uri| Some(&**uri)).chain([None]) {
        let fields = with(request(&server), "redirect_uri", uri);
        let case = format!("{uri:?}");
        assert_stays_here(&open(&server, &fields).await, &case);
        assert_stays_here(&submit(&server, &fields).await, &case);
        // Nor does an error go there.
        let wrong = with(fields, "response_type", Some("code"));
        assert_stays_here(&open(&server, &wrong).await, &case);
    }
    for again in [&*right, "https://evil.example"] {
        let mut twice = request(&server);
        twice.push(("redirect_uri", again.to_owned()));
        assert_stays_here(&open(&server, &twice).await, "twice");
        assert_stays_here(&submit(&server, &twice).await, "twice");
        twice.rotate_right(1);
        assert_stays_here(&open(&server, &twice).await, "twice");
    }
}

// check 152
#[tokio::test]
async fn a_client_that_is_not_registered_gets_nothing() {
    let server = server().await;
    for client in [
        None,
        Some(""),
        Some("Swagger"),
        Some("swagger2"),
        Some("swagge"),
        Some("evil"),
    ] {
        let fields = with(request(&server), "client_id", client);
        let case = format!("{client:?}");
        assert_stays_here(&open(&server, &fields).await, &case);
        assert_stays_here(&submit(&server, &fields).await, &case);
    }
    let mut twice = request(&server);
    twice.push(("client_id", "swagger".to_owned()));
    assert_stays_here(&open(&server, &twice).await, "twice");
    assert_stays_here(&submit(&server, &twice).await, "twice");
    for name in ["response_type", "client_id", "redirect_uri"] {
        let value = request(&server)
            .into_iter()
            .find(|(known, _)| *known == name);
        let alone: Fields = value.into_iter().collect();
        assert_stays_here(&open(&server, &alone).await, name);
    }
}

// check 152
#[tokio::test]
async fn a_person_sees_a_page_that_says_why_there_is_no_redirect() {
    let server = server().await;
    let url = server
        .public_url
        .join("/login?response_type=token&client_id=%3Cb%3Eevil");
    let request = Browser::new().request(Method::GET, url);
    let html = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("text/html"))]);
    let answer = Browser::new().send(request.headers(html)).await;
    assert_stays_here(&answer, "a page");
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert!(answer.body.contains("not registered"), "{}", answer.body);
}

// checks 153, 154
#[tokio::test]
async fn every_other_error_is_reported_to_the_client_in_the_fragment() {
    let server = server().await;
    for (name, value, error) in [
        ("response_type", None, "invalid_request"),
        ("response_type", Some(""), "invalid_request"),
        ("response_type", Some("code"), "unsupported_response_type"),
        (
            "response_type",
            Some("token token"),
            "unsupported_response_type",
        ),
        (
            "response_type",
            Some("id_token token"),
            "unsupported_response_type",
        ),
        ("response_type", Some("TOKEN"), "unsupported_response_type"),
        ("response_type", Some("none"), "unsupported_response_type"),
        ("scope", Some("admin"), "invalid_scope"),
        ("scope", Some("Some.Scope"), "invalid_scope"),
        ("scope", Some("some.scope admin"), "invalid_scope"),
        ("scope", Some("some.scope,other.scope"), "invalid_scope"),
        ("scope", Some("some.scope\0"), "invalid_request"),
        ("nonce", Some("\r\nSet-Cookie: x=1"), "invalid_request"),
    ] {
        let fields = with(request(&server), name, value);
        let case = format!("{name} {value:?}");
        for answer in [open(&server, &fields).await, submit(&server, &fields).await] {
            assert_error(&server, &answer, error, Some("st4te"), &case);
            assert_eq!(answer.header("set-cookie"), "", "{case}");
            assert_eq!(answer.header("cache-control"), "no-store", "{case}");
        }
    }
}

// check 153
#[tokio::test]
async fn a_parameter_given_twice_is_reported_to_the_client_in_the_fragment() {
    let server = server().await;
    for (again, state) in [
        (("response_type", "token"), Some("st4te")),
        (("response_type", "code"), Some("st4te")),
        (("state", "st4te"), None),
        (("state", "evil"), None),
        (("state", "\0"), None),
    ] {
        let mut fields = request(&server);
        fields.push((again.0, again.1.to_owned()));
        for answer in [open(&server, &fields).await, submit(&server, &fields).await] {
            assert_error(
                &server,
                &answer,
                "invalid_request",
                state,
                &format!("{again:?}"),
            );
        }
    }
    let mut fields = request(&server);
    fields.extend([("unknown", "1".to_owned()), ("unknown", "1".to_owned())]);
    let answer = open(&server, &fields).await;
    assert_error(
        &server,
        &answer,
        "invalid_request",
        Some("st4te"),
        "unknown",
    );
}

// checks 85, 151
#[tokio::test]
async fn only_the_scopes_that_stay_checked_are_granted() {
    let server = server().await;
    for (scopes, expected) in [
        (vec![], ""),
        (vec!["some.scope"], "some.scope"),
        (vec!["some.scope", "other.scope"], "some.scope other.scope"),
        (vec!["other.scope", "other.scope"], "other.scope"),
    ] {
        let mut fields = with(request(&server), "scope", None);
        fields.extend(scopes.into_iter().map(|scope| ("scope", scope.to_owned())));
        let fragment = fragment(&server, &submit(&server, &fields).await);
        assert_eq!(fragment[3], ("scope".to_owned(), expected.to_owned()));
    }
}

// check 154
#[tokio::test]
async fn a_submit_without_a_name_or_a_password_gets_no_token() {
    let server = server().await;
    let own = request(&server);
    let fields: Vec<_> = own.iter().map(|(name, value)| (*name, &**value)).collect();
    let url = server.public_url.join("/login");
    for person in [
        vec![],
        vec![("username", "alice")],
        vec![("password", "wonderland")],
        vec![("username", ""), ("password", "wonderland")],
        vec![("username", "alice"), ("password", "")],
    ] {
        let form = [&*fields, &*person].concat();
        let answer = Browser::new().post(&url, &form).await;
        assert_stays_here(&answer, &format!("{person:?}"));
    }
    for person in [
        [("username", "alice"), ("username", "bob")],
        [("password", "a"), ("password", "b")],
    ] {
        let form = [&*fields, &person, &[("username", "eve"), ("password", "c")]].concat();
        let answer = Browser::new().post(&url, &form).await;
        assert_error(&server, &answer, "invalid_request", Some("st4te"), "twice");
    }
    let long = "a".repeat(256);
    let form = [
        &*fields,
        &[("username", &*long), ("password", "wonderland")],
    ]
    .concat();
    assert_stays_here(&Browser::new().post(&url, &form).await, "a long name");
}

// check 154
#[tokio::test]
async fn a_form_that_another_site_sends_is_refused() {
    let server = server().await;
    let own = server.public_url.to_string();
    let mut form = request(&server);
    form.extend([("username", "eve".to_owned()), ("password", "x".to_owned())]);
    for (headers, expected) in [
        (vec![("sec-fetch-site", "cross-site")], 403),
        (vec![("sec-fetch-site", "same-site")], 403),
        (vec![("sec-fetch-site", "none")], 403),
        (
            vec![("sec-fetch-site", "cross-site"), ("origin", &*own)],
            403,
        ),
        (vec![("sec-fetch-site", "")], 403),
        (vec![("origin", "https://evil.example")], 403),
        (vec![("origin", "null")], 403),
        (vec![("origin", "http://127.0.0.1:1")], 403),
        (vec![("sec-fetch-site", "same-origin")], 303),
        (
            vec![("sec-fetch-site", "same-origin"), ("origin", &*own)],
            303,
        ),
        (vec![("origin", &*own)], 303),
        (vec![], 303),
    ] {
        let mut post = Browser::new()
            .request(Method::POST, format!("{own}/login"))
            .form(&form);
        for (name, value) in &headers {
            post = post.header(*name, *value);
        }
        let answer = Browser::new().send(post).await;
        assert_eq!(answer.status, expected, "{headers:?}: {answer:?}");
        assert_eq!(
            answer.header("location").contains("#access_token="),
            expected == 303
        );
        assert!(
            !answer.body.contains("access_token"),
            "{headers:?}: {}",
            answer.body
        );
    }
}

// checks 83, 151
#[tokio::test]
async fn the_form_may_lead_to_the_registered_client_and_nowhere_else() {
    let server = server().await;
    let form = open(&server, &request(&server)).await;
    let policy = form.header("content-security-policy");
    let expected = format!("form-action 'self' {}", server.public_url);
    assert!(
        policy
            .split(';')
            .any(|directive| directive.trim() == expected),
        "{policy}"
    );
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(form.header("x-frame-options"), "DENY");
    assert_eq!(form.header("cache-control"), "no-store");
}
