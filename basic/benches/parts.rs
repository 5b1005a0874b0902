//! `cargo bench -p basic --bench parts`: the two halves of a login.

use common::{
    oauth::OAuth,
    settings::{FromSettings, Settings},
};
use divan::Bencher;
use testing::{Browser, start};
use tokio::runtime::Runtime;
use tower_cookies::Cookies;

fn main() {
    divan::main();
}

fn runtime() -> Runtime {
    Runtime::new().expect("threads")
}

/// State, PKCE and the encrypted cookie.
#[divan::bench]
fn begin_a_login(bencher: Bencher) {
    let mut settings = Settings::from_vars([("DEMO_ADDR", "127.0.0.1:0")]);
    let oauth = runtime()
        .block_on(OAuth::from_settings(&mut settings))
        .expect("no settings");
    bencher.bench(|| oauth.begin(&Cookies::default(), None));
}

/// `GET /auth` of a real server, which exchanges the code at the demo provider.
#[divan::bench]
fn finish_a_login(bencher: Bencher) {
    let runtime = runtime();
    let server = runtime.block_on(start(basic::app, &[]));
    let login = server.public_url.join("/login");
    let begin = async || {
        let mut browser = Browser::new();
        let answer = browser.get(&login).await;
        let callback = browser.allow(&answer, "ada").await;
        (browser, callback)
    };
    bencher
        .with_inputs(|| runtime.block_on(begin()))
        .bench_values(|(mut browser, callback)| {
            assert_eq!(runtime.block_on(browser.get(callback)).status, 200);
        });
}
