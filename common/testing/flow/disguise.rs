//! Cookies that are not what their names say.

use reqwest::Method;
use testing::{Browser, callback_at, provider::Provider, start, url};

use crate::{SUCCESS, app};

// check 26
#[tokio::test]
async fn the_cookie_of_one_login_is_rejected_under_the_name_of_another() {
    let provider = Provider::start().await;
    let server = start(app, &provider.settings()).await;
    let mut browser = Browser::new();
    let first = browser.get(url(&server, "/login")).await;
    let second = browser.get(url(&server, "/login")).await;
    let own = browser.cookies.clone();
    let values: Vec<_> = own.values().rev().cloned().collect();
    for login in [&first, &second] {
        browser.cookies = own.keys().cloned().zip(values.clone()).collect();
        let answer = browser.come_back(&server, login, "code=good").await;
        assert_eq!(answer.status, 400, "{}", answer.body);
    }
    assert_eq!(provider.token_requests(), 0);
    for login in [&first, &second] {
        browser.cookies = own.clone();
        let answer = browser.come_back(&server, login, "code=good").await;
        assert_eq!(answer.status, SUCCESS, "{}", answer.body);
    }
}

// checks 17, 20, 159: any host of the same site can set such a cookie, as it has no prefix to the
// browser; a reader that trims the white space of all of Unicode would take it for ours.
#[tokio::test]
async fn a_cookie_whose_name_follows_raw_white_space_is_not_ours() {
    let secret = "0123456789".repeat(7);
    let https = [
        ("PUBLIC_URL", "https://app.example.com"),
        ("SESSION_SECRET", &*secret),
    ];
    let provider = Provider::start().await;
    let server = start(app, &provider.settings_and(&https)).await;
    let own = url(&server, "");
    let (mut attacker, mut victim) = (Browser::new(), Browser::new());
    let planted = attacker.get(url(&server, "/login")).await;
    victim.get(url(&server, "/login")).await;
    let planted = (pair(&attacker), callback_at(&own, &planted, "code=good"));
    let real = pair(&victim);
    assert!(planted.0.starts_with(b"__Host-login_"));
    let status = async |callback: &str, cookies: &[&[u8]]| {
        let mut browser = Browser::new();
        let request = browser.request(Method::GET, callback);
        let request = request.header("cookie", cookies.join(&b"; "[..]));
        browser.send(request).await.status
    };

    for space in WHITE_SPACE {
        let disguised = [space, &planted.0].concat();
        for cookies in [
            &[&*disguised][..],
            &[&disguised, &real],
            &[&real, &disguised],
        ] {
            assert_eq!(status(&planted.1, cookies).await, 400, "{space:x?}");
        }
    }
    assert_eq!(provider.token_requests(), 0, "nobody was logged in");
    for (space, before) in WHITE_SPACE
        .into_iter()
        .flat_map(|space| [(space, true), (space, false)])
    {
        let mut victim = Browser::new();
        let login = victim.get(url(&server, "/login")).await;
        let callback = callback_at(&own, &login, "code=good");
        let real = pair(&victim);
        // The name of the victim's own login, with another value.
        let name = real.split(|byte| *byte == b'=').next().expect("a name");
        let disguised = [space, name, b"=planted"].concat();
        let cookies = if before {
            [&*disguised, &real]
        } else {
            [&*real, &disguised]
        };
        assert_eq!(status(&callback, &cookies).await, SUCCESS, "{space:x?}");
    }
}

/// The only cookie of a browser, as it is sent.
fn pair(browser: &Browser) -> Vec<u8> {
    let ((_, name), value) = browser.cookies.iter().next().expect("a login");
    format!("{name}={value}").into_bytes()
}

/// Unicode white space outside ASCII, as bytes, and bytes that are not UTF-8.
pub const WHITE_SPACE: [&[u8]; 20] = [
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
