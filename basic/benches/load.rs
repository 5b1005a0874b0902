//! `cargo bench -p basic --bench load`: the beginning of a login, beside a bare axum server, and
//! whole logins through the demo provider.

use std::time::{Duration, Instant};

use testing::{
    Browser,
    load::{Case, Process, compare, serve_bare},
};
use tokio::task::JoinSet;

fn main() {
    serve_bare();
    let server = Process::start(env!("CARGO_BIN_EXE_basic"), &[]);
    let login = Case::new("/login", "/login", 303);
    compare(&Process::bare(), &server, &[login]);

    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let logins = runtime.block_on(whole_logins(&server.origin));
    println!(
        "Whole logins, with the demo provider and 16 browsers on the same machine: {logins:.0}/s."
    );
    println!("Memory, after them: {:.1} MiB.", server.memory());
}

/// Logins a second, each from `/login` over the consent page to the token.
async fn whole_logins(origin: &str) -> f64 {
    let started = Instant::now();
    let mut browsers = JoinSet::new();
    for number in 0..16 {
        let login = format!("{origin}/login");
        browsers.spawn(async move {
            let mut browser = Browser::new();
            let mut logins = 0_u32;
            while started.elapsed() < Duration::from_secs(5) {
                let answer = browser.get(&login).await;
                let callback = browser.allow(&answer, &format!("user-{number}")).await;
                assert_eq!(browser.get(callback).await.status, 200);
                logins += 1;
            }
            logins
        });
    }
    let logins: u32 = browsers.join_all().await.into_iter().sum();
    f64::from(logins) / started.elapsed().as_secs_f64()
}
