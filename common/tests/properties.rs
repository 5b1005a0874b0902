//! Whatever comes in: parameters, cookies, credentials, tokens and settings.

use std::{collections::HashMap, time::Duration};

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, Uri, header},
};
use common::{
    client_auth::ClientCredentials,
    cookies::CookieKeys,
    params::{Params, decode},
    provider::{CLIENT_SETTINGS, Provider},
    server::Server,
    settings::{FromSettings, SERVER_SETTINGS, Setting, Settings},
    token::Token,
    unix_now,
};
use proptest::{collection::vec, prelude::*, sample::select};
use testing::rubbish::{changed, config, header_value, text};
use tokio::runtime::Runtime;
use tower_cookies::{Cookie, Cookies};
use url::form_urlencoded;

const IN_A_QUERY: &[&str] = &[
    "state", "code", "scope", "=", "=", "&", "&", "+", "%", "%2", "%20", "%41", "%00", "%C3%A9",
    "%C3", "%ff", "%C2%85", "%26", "a", "é", ";",
];

fn is_clean(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

proptest! {
    #![proptest_config(config())]

    // check 100
    #[test]
    fn decoding_undoes_encoding_and_accepts_nothing_unclean(
        plain in text(IN_A_QUERY),
        raw in text(IN_A_QUERY),
    ) {
        let encoded: String = form_urlencoded::byte_serialize(plain.as_bytes()).collect();
        let expected = is_clean(&plain).then_some(plain);
        prop_assert_eq!(decode(&encoded).ok(), expected);

        if let Ok(decoded) = decode(&raw) {
            prop_assert!(is_clean(&decoded));
            let encoded: String = form_urlencoded::byte_serialize(decoded.as_bytes()).collect();
            prop_assert_eq!(decode(&encoded), Ok(decoded));
        }
    }

    // checks 27, 95, 100
    #[test]
    fn parameters_are_what_a_browser_wrote_or_are_refused(raw in text(IN_A_QUERY)) {
        let Ok(params) = Params::parse(&raw) else { return Ok(()) };
        let mut written: HashMap<String, Vec<String>> = HashMap::new();
        for (name, value) in form_urlencoded::parse(raw.as_bytes()).into_owned() {
            written.entry(name).or_default().push(value);
        }
        for (name, values) in written {
            prop_assert!(values.len() == 1 || name == "scope", "{name} twice");
            let value = values.join(" ");
            prop_assert_eq!(params.get(&name), Some(&*value).filter(|value| !value.is_empty()));
        }
    }

    // check 109
    #[test]
    fn credentials_are_what_a_client_wrote_or_are_refused(
        value in header_value(IN_BASIC),
        form in text(IN_A_CLIENT_FORM),
    ) {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_bytes(&value).expect("such bytes alone");
        headers.insert(header::AUTHORIZATION, value);
        let Ok(params) = Params::parse(&form) else { return Ok(()) };
        if let Ok(client) = ClientCredentials::read(&headers, &params) {
            prop_assert!(is_clean(client.id()));
            prop_assert!(!client.is("client", "another secret"));
            prop_assert!(params.get("client_id").is_none_or(|id| id == client.id()));
        }
    }

    #[test]
    fn a_token_of_the_provider_can_be_put_into_a_header_or_is_refused(json in text(IN_A_TOKEN)) {
        let token = serde_json::from_str::<Token>(&format!("{{{json}}}"));
        let Ok(token) = token else { return Ok(()) };
        if let Ok(token) = token.checked(unix_now()) {
            let header = HeaderValue::from_str(token.access_token.secret());
            prop_assert!(header.is_ok());
            prop_assert_eq!(token.expires_at.is_some(), token.expires_in.is_some());
        }
    }
}

const IN_BASIC: &[&str] = &[
    "Basic ",
    "basic ",
    "Bearer ",
    "Og==",
    "Y2xpZW50OnNlY3JldA==",
    "Y2xpZW50",
    "OnNlY3JldA==",
    "=",
    " ",
    "JTAwOiU=",
    "//79",
];

const IN_A_CLIENT_FORM: &[&str] = &[
    "client_id=",
    "client_secret=",
    "client",
    "secret",
    "&",
    "%20",
    "%",
    "é",
];

const IN_A_TOKEN: &[&str] = &[
    "\"access_token\":",
    "\"token_type\":",
    "\"expires_in\":",
    "\"refresh_token\":",
    "\"id_token\":",
    "\"scope\":",
    "\"a\"",
    "\"a\",",
    "\"Bearer\",",
    "\"Bearer\"",
    "\"\\n\"",
    "\"\"",
    "3600",
    "1e99",
    "-1",
    "18446744073709551615",
    "null",
    ",",
    "[",
    "{",
    "true",
];

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A value in a cookie, signed or encrypted, as the browser gets it.
fn cookie(write: impl Fn(&CookieKeys, &Cookies)) -> (CookieKeys, String) {
    let keys = CookieKeys::new(&SECRET.to_owned().into(), false);
    let cookies = Cookies::default();
    write(&keys, &cookies);
    let value = cookies.get("a").expect("it was written").value().to_owned();
    (keys, value)
}

/// What the server reads, signed or encrypted, from a cookie with this value.
fn read(
    keys: &CookieKeys,
    name: &'static str,
    value: String,
) -> [Option<HashMap<String, String>>; 2] {
    let cookies = Cookies::default();
    cookies.add(Cookie::new(name, value));
    [keys.verify(&cookies, name), keys.decrypt(&cookies, name)]
}

/// Longer than all cases take.
const DAY: Duration = Duration::from_hours(24);

fn signed() -> (CookieKeys, String) {
    let value = HashMap::from([("user", "ada")]);
    cookie(|keys, cookies| keys.sign(cookies, "a", &value, DAY).expect("it is small"))
}

fn encrypted() -> (CookieKeys, String) {
    let value = HashMap::from([("token", "secret")]);
    cookie(|keys, cookies| {
        keys.encrypt(cookies, "a", &value, DAY)
            .expect("it is small");
    })
}

// checks 25, 69
#[test]
fn a_cookie_is_accepted_only_as_it_was_written() {
    for (place, (keys, original)) in [signed(), encrypted()].into_iter().enumerate() {
        let good = read(&keys, "a", original.clone());
        assert!(
            good[place].is_some() && good[1 - place].is_none(),
            "{good:?}"
        );
        assert_eq!(
            read(&keys, "b", original.clone()),
            [None, None],
            "under another name"
        );
        proptest!(config(), |(value in changed(original.clone()))| {
            let expected = if value == original { good.clone() } else { [None, None] };
            prop_assert_eq!(read(&keys, "a", value), expected);
        });
    }
}

const IN_A_COOKIE: &[&str] = &[
    "e30",
    "eyJhIjoxfQ",
    "=",
    "==",
    "+",
    "/",
    "-",
    "_",
    "%",
    "%00",
    "\"",
    "AAAAAAAAAAAAAAAAAAAAAA",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "é",
    "{\"purpose\":\"a\"}",
];

// checks 25, 69
#[test]
fn a_cookie_that_the_server_did_not_write_is_rejected() {
    let keys = CookieKeys::new(&SECRET.to_owned().into(), false);
    proptest!(config(), |(value in text(IN_A_COOKIE))| {
        prop_assert_eq!(read(&keys, "a", value), [None, None]);
    });
}

/// Everything that the servers read, without the HTTP client, which is slow to create.
struct Everything(Option<Provider>);

impl FromSettings for Everything {
    const SETTINGS: &'static [&'static [Setting]] = &[CLIENT_SETTINGS, &[JWT_SECRET]];

    async fn from_settings(settings: &mut Settings) -> Option<Self> {
        settings.signing_secrets("SESSION_SECRET", 64);
        settings.signing_secrets("JWT_SECRET", 32);
        let provider = Provider::from_settings(settings).await;
        Some(Self(provider.map(|(provider, _)| provider)))
    }
}

const JWT_SECRET: Setting = Setting {
    name: "JWT_SECRET",
    default: "",
    help: "",
};

/// A part of every secret.
const MARK: &str = "s3cr3t";

const IN_A_SECRET: &[&str] = &[
    ",",
    " ",
    "0123456789abcdef0123456789abcdef",
    SECRET,
    "é",
    "\n",
];

const IN_A_SETTING: &[&str] = &[
    "https://",
    "http://",
    "localhost",
    "127.0.0.1",
    "example.com",
    "[::1]",
    ":",
    "5000",
    "/",
    "//",
    "/path",
    "?",
    "#",
    "@",
    "%",
    "{",
    "\"",
    "`",
    "^",
    "|",
    "a_b",
    " ",
    "\t",
    "\n",
    "demo",
    "custom",
    "discord",
    "google",
    "client_secret_basic",
    "identify",
    "\\",
    "é",
    "xn--",
];

/// A setting and a value for it, which is valid about half of the time.
fn setting() -> impl Strategy<Value = (&'static str, String)> {
    let good = select(
        &[
            ("PUBLIC_URL", "https://app.example.com"),
            ("PUBLIC_URL", "http://localhost:5000"),
            ("PROVIDER", "custom"),
            ("PROVIDER", "demo"),
            ("PROVIDER", "github"),
            ("AUTH_URL", "https://provider.example/authorize?a=b"),
            ("TOKEN_URL", "https://provider.example/token"),
            ("USERINFO_URL", "http://127.0.0.1:9/user"),
            ("REVOCATION_URL", "https://provider.example/revoke"),
            ("CLIENT_AUTH_METHOD", "client_secret_post"),
            ("SCOPES", "openid email"),
            ("ISSUER", "https://provider.example"),
            ("CLIENT_ID", "id"),
        ][..],
    );
    let any_name = select(
        &[
            "PUBLIC_URL",
            "PROVIDER",
            "AUTH_URL",
            "TOKEN_URL",
            "USERINFO_URL",
            "REVOCATION_URL",
            "CLIENT_AUTH_METHOD",
            "SCOPES",
            "ISSUER",
            "CLIENT_ID",
        ][..],
    );
    let endpoint = select(&["AUTH_URL", "TOKEN_URL", "USERINFO_URL", "REVOCATION_URL"][..]);
    let url = text(IN_A_SETTING).prop_map(|rest| format!("https://a{rest}"));
    let secret = select(&["SESSION_SECRET", "JWT_SECRET", "CLIENT_SECRET"][..]);
    let marked = text(IN_A_SECRET).prop_map(|text| format!("{MARK}{text}"));
    prop_oneof![
        4 => good.prop_map(|(name, value)| (name, value.to_owned())),
        2 => (any_name, text(IN_A_SETTING)),
        2 => (endpoint, url),
        3 => (secret, marked),
    ]
}

// check 144
#[test]
fn settings_make_a_server_or_problems_that_name_them_and_no_secret() {
    let runtime = Runtime::new().expect("threads");
    let names: Vec<_> = [SERVER_SETTINGS, CLIENT_SETTINGS, &[JWT_SECRET]].concat();
    proptest!(config(), |(vars in vec(setting(), 0..12))| {
        let free = ["BIND_ADDR", "DEMO_ADDR"].map(|name| (name, "127.0.0.1:0"));
        let vars = vars.iter().map(|(name, value)| (*name, &**value));
        let settings = Settings::from_vars(free.into_iter().chain(vars));
        let shown = format!("{settings:?}");
        prop_assert!(!shown.contains(MARK));
        let mut provider = None;
        let app = |Everything(found)| {
            provider = found;
            Router::new()
        };
        match runtime.block_on(Server::start(app, settings)) {
            Ok(_) => {
                let provider = provider.expect("no problem, so a provider");
                let more = [provider.userinfo_url, provider.revocation_url].into_iter().flatten();
                for url in [provider.auth_url, provider.token_url].into_iter().chain(more) {
                    prop_assert!(url.as_str().parse::<Uri>().is_ok(), "{} can be asked", url);
                }
            }
            Err(problems) => for problem in problems {
                prop_assert!(!problem.contains(MARK), "{}", problem);
                prop_assert!(is_clean(&problem), "one line: {:?}", problem);
                let name = problem.split(' ').next().expect("a word");
                prop_assert!(names.iter().any(|setting| setting.name == name), "{}", problem);
            }
        }
    });
}
