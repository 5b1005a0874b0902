//! Attacks on the session and on the user behind it, by an attacker who has read the source.

#[path = "../examples/providers/main.rs"]
#[expect(dead_code, reason = "a test has no use for `main`")]
mod providers;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use common::{server::Server, unix_now};
use reqwest::Method;
use serde_json::{Value, json};
use sessions::session::LIFETIME;
use testing::{
    Browser, callback_at,
    fault::{Fault, Faulty, Then},
    provider::{CLIENT_ID, CLIENT_SECRET, Provider, Reply},
    start, url,
};
use tokio::task::JoinSet;

/// What is readable in a signed cookie.
fn readable(cookie: &str) -> Value {
    // The first 44 characters are the signature.
    let json = BASE64_URL_SAFE_NO_PAD
        .decode(&cookie[44..])
        .expect("base64url");
    serde_json::from_slice(&json).expect("JSON")
}

/// A provider that returns this user, a server that uses it, the browser, and the status of the
/// login.
async fn logged_in_as(user: &str) -> (Provider, Server, Browser, u16) {
    let provider = Provider::start().await;
    provider.answer_next("/user", Reply::new(200, "application/json", user));
    let server = start(sessions::app, &provider.settings()).await;
    let mut browser = Browser::new();
    let status = browser.log_in_with_code(&server).await.status;
    (provider, server, browser, status)
}

#[tokio::test]
async fn two_ids_that_are_one_in_floating_point_are_not_one_user() {
    for id in [
        "18446744073709551616",
        "18446744073709551617",
        "-9223372036854775809",
        "1.0",
        "1e3",
    ] {
        let (_, _, browser, status) = logged_in_as(&format!("{{\"id\":{id}}}")).await;
        assert_eq!((status, browser.cookie_names()), (502, vec![]), "{id}");
    }
    for id in ["18446744073709551615", "9007199254740993", "-1", "0"] {
        let (_, _, browser, status) = logged_in_as(&format!("{{\"id\":{id}}}")).await;
        assert_eq!(status, 303, "{id}");
        let session = readable(browser.cookie("session").expect("the session"));
        assert_eq!(session["value"]["user"]["subject"], id, "to the last digit");
    }
}

#[tokio::test]
async fn a_user_name_cannot_forge_a_longer_session_or_another_user() {
    let name = r#"ada","subject":"1","provider":"discord"},"expires":99999999999,"purpose":"x"#;
    let user = json!({
        "id": "7", "name": name, "provider": "discord", "subject": "1",
        "expires": 99_999_999_999_u64, "purpose": "x",
    });
    let (_, server, mut browser, status) = logged_in_as(&user.to_string()).await;
    assert_eq!(status, 303);
    let session = readable(browser.cookie("session").expect("the session"));
    let short: String = name.chars().take(100).collect();
    assert_eq!(
        session["value"]["user"],
        json!({ "provider": "127.0.0.1", "subject": "7", "name": short })
    );
    assert_eq!(session["purpose"], "session");
    assert!(session["expires"].as_u64().expect("a time") <= unix_now() + LIFETIME.as_secs());
    assert_eq!(browser.get(url(&server, "/privileged")).await.status, 200);
}

#[tokio::test]
async fn a_user_too_large_for_a_cookie_loses_the_login_and_nothing_else() {
    let long = "x".repeat(5000);
    let (_provider, server, mut browser, status) =
        logged_in_as(&json!({ "id": long }).to_string()).await;
    assert_eq!((status, browser.cookie("session")), (502, None));
    assert_eq!(browser.get(url(&server, "/users/me")).await.status, 401);
    assert_eq!(
        browser.log_in_with_code(&server).await.status,
        303,
        "the next one goes"
    );
}

// checks 17, 20, 159, 161: another host of the same site can set it, as it has no prefix to the browser
#[tokio::test]
async fn a_cookie_whose_name_is_written_with_escapes_is_ignored() {
    let secret = "0123456789".repeat(7);
    let https = [
        ("PUBLIC_URL", "https://app.example.com"),
        ("SESSION_SECRET", &*secret),
    ];
    let provider = Provider::start().await;
    let server = start(sessions::app, &provider.settings_and(&https)).await;
    let own = format!("http://{}", server.addr);
    let mut attacker = Browser::new();
    let login = attacker.get(format!("{own}/login")).await;
    let callback = callback_at(&own, &login, "code=good");
    let (name, value) = attacker.cookies.iter().next().expect("the login under way");
    let (name, value) = (name.1.clone(), value.clone());
    let status = async |path: &str, cookies: Vec<u8>| {
        let mut victim = Browser::new();
        let url = if path.starts_with('/') {
            format!("{own}{path}")
        } else {
            path.to_owned()
        };
        let request = victim.request(Method::GET, url).header("cookie", cookies);
        victim.send(request).await.status
    };
    for disguise in [
        "%5F_Host-",
        "_%5FHost-",
        "__%48ost-",
        "%E2%80%80__Host-",
        "%20__Host-",
    ] {
        let name = name.replace("__Host-", disguise);
        assert_eq!(
            status(&callback, format!("{name}={value}").into()).await,
            400,
            "{name}"
        );
    }
    // Browsers keep such a name, as its bytes are not `__Host-`; a reader that trims the white space
    // of all of Unicode would take it for ours. The last two are not UTF-8.
    let own_name = name.trim_start_matches("__Host-");
    for space in WHITE_SPACE {
        let cookie = [
            space,
            b"__Host-",
            own_name.as_bytes(),
            b"=",
            value.as_bytes(),
        ]
        .concat();
        assert_eq!(status(&callback, cookie).await, 400, "{space:x?}");
    }
    assert_eq!(
        provider.token_requests(),
        0,
        "nobody was logged in to the attacker's account"
    );

    assert_eq!(attacker.get(&callback).await.status, 303);
    let session = attacker
        .cookie("__Host-session")
        .expect("the session")
        .to_owned();
    assert_eq!(
        status("/privileged", format!("__Host-session={session}").into()).await,
        200
    );
    for disguise in ["%5F_Host-session", "__Host-sessio%6E", "%09__Host-session"] {
        assert_eq!(
            status("/privileged", format!("{disguise}={session}").into()).await,
            401,
            "{disguise}"
        );
        let beside = format!("a=b; {disguise}=x; __Host-session={session}; {disguise}=x");
        assert_eq!(
            status("/privileged", beside.into()).await,
            200,
            "{disguise}"
        );
    }
    let real = format!("__Host-session={session}").into_bytes();
    for space in WHITE_SPACE {
        let alone = [space, &real[..]].concat();
        assert_eq!(status("/privileged", alone).await, 401, "{space:x?}");
        let other = [space, &b"__Host-session=planted"[..]].concat();
        for both in [[&other, &real], [&real, &other]] {
            let both = both.map(Vec::as_slice).join(&b"; "[..]);
            assert_eq!(status("/privileged", both).await, 200, "{space:x?}");
        }
    }
    // Cookies that others set on this host do not log anyone out.
    for foreign in [
        &b"a=%7B1%7D; b=caf\xe9"[..],
        b"\xf0\x9f\x8d\xaa=1; b=\"quoted; text\"",
        &b"x".repeat(3000),
    ] {
        let cookies = [foreign, &real].join(&b"; "[..]);
        assert_eq!(status("/privileged", cookies).await, 200, "{foreign:x?}");
    }
}

/// Unicode white space outside ASCII, as bytes, and bytes that are not UTF-8.
const WHITE_SPACE: [&[u8]; 20] = [
    b"\xc2\x85",
    b"\xc2\xa0",
    b"\xe1\x9a\x80",
    b"\xe2\x80\x80",
    b"\xe2\x80\x81",
    b"\xe2\x80\x82",
    b"\xe2\x80\x83",
    b"\xe2\x80\x84",
    b"\xe2\x80\x85",
    b"\xe2\x80\x86",
    b"\xe2\x80\x87",
    b"\xe2\x80\x88",
    b"\xe2\x80\x89",
    b"\xe2\x80\x8a",
    b"\xe2\x80\xa8",
    b"\xe2\x80\xaf",
    b"\xe2\x81\x9f",
    b"\xe3\x80\x80",
    b"\xa0",
    b"\xff",
];

#[tokio::test]
async fn a_header_full_of_cookies_breaks_nothing() {
    let provider = Provider::start().await;
    let server = start(sessions::app, &provider.settings()).await;
    let mut browser = Browser::new();
    browser.log_in_with_code(&server).await;
    let session = browser.cookie("session").expect("the session").to_owned();
    let junk = (0..400).map(|n| format!("login_{n}=x; session_{n}=; ={n}; ;"));
    let junk = junk.collect::<Vec<_>>().concat();
    for (cookies, known) in [
        (junk.clone(), false),
        (format!("{junk} session={session}"), true),
        (format!("session={session}; {junk}"), true),
        (
            "session=; token=; login_=; __Host-session=x; =; ;;".to_owned(),
            false,
        ),
    ] {
        for (path, nobody, somebody) in [
            ("/", 200, 200),
            ("/login", 303, 303),
            ("/privileged", 401, 200),
            ("/auth?state=0", 400, 400),
        ] {
            let mut bare = Browser::new();
            let request = bare
                .request(Method::GET, url(&server, path))
                .header("cookie", &cookies);
            let status = bare.send(request).await.status;
            assert_eq!(
                status,
                if known { somebody } else { nobody },
                "{path} {cookies:.80}"
            );
        }
    }
}

#[tokio::test]
async fn a_discovery_that_hangs_is_504_for_everybody_who_waits() {
    let silent = Faulty::start(vec![Fault(Vec::new(), Then::Silence)]).await;
    let settings = [
        ("OIDC_ISSUER", &*silent.origin),
        ("OIDC_CLIENT_ID", CLIENT_ID),
        ("OIDC_CLIENT_SECRET", CLIENT_SECRET),
        ("DISCORD_CLIENT_ID", CLIENT_ID),
        ("DISCORD_CLIENT_SECRET", CLIENT_SECRET),
    ];
    let server = start(providers::app, &settings).await;
    let (mut logins, browser) = (JoinSet::new(), Browser::new());
    for _ in 0..8 {
        let (mut browser, login) = (browser.clone(), url(&server, "/login/oidc"));
        logins.spawn(async move { browser.get(login).await.status });
    }
    silent.heard_reach(8).await;
    let other = browser.clone().get(url(&server, "/login/discord")).await;
    assert_eq!(other.status, 303, "another provider is available meanwhile");
    assert_eq!(logins.join_all().await, [504; 8]);
}
