//! Logins that nobody finishes.

use testing::{
    crowd::{ask, count},
    program::Program,
};

use crate::SERVER;

// check 12: what a table of logins would take, 300 bytes each, would be more than the limit
#[tokio::test(flavor = "multi_thread")]
#[cfg(target_os = "linux")]
async fn logins_that_nobody_finishes_take_no_memory() {
    // With a line for each, the log would take memory too, here.
    let quiet = ("RUST_LOG", "warn,common::server=info");
    let program = Program::start(SERVER, &[quiet]);
    let count = count("LOGINS", 8_000);
    ask(program.addr(), "/login", 303, 2_000).await;
    let before = program.memory().expect("Linux says it");
    ask(program.addr(), "/login", 303, count).await;
    let after = program.memory().expect("Linux says it");
    println!("{count} logins: {before} MiB before, {after} MiB after them");
    assert!(after <= before + 2, "{before} MiB, {after} MiB");
}
