//! Slow clients, and many of them.

use std::time::Duration;

use common::server::Server;
use testing::{
    Browser,
    crowd::{count, drip, idle},
    start, url,
};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

async fn server() -> Server {
    start(first_party::app, &[]).await
}

/// The beginning of a form that arrives slowly.
const FORM: &str = "POST /token HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 60000\r\n\
    Content-Type: application/x-www-form-urlencoded\r\n\r\nusername=ada&password=";

// check 102
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_takes_too_long_is_408_and_locks_nobody_out() {
    let server = server().await;
    let mut slow = JoinSet::new();
    for _ in 0..50 {
        slow.spawn(drip(server.addr, FORM));
    }
    let idle = idle(server.addr, 50).await;
    let form = [("username", "ada"), ("password", "secret")];
    let mut browser = Browser::new();
    for _ in 0..50 {
        assert_eq!(
            browser.post(url(&server, "/token"), &form).await.status,
            200
        );
    }
    assert!(
        slow.try_join_next().is_none(),
        "the slow ones are still there"
    );
    for answer in slow.join_all().await {
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        let error =
            r#"{"error":"invalid_request","error_description":"sending the form took too long"}"#;
        assert!(answer.ends_with(error), "{answer}");
    }
    drop(idle);
}

// check 148
#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_takes_too_long_ends_the_connection() {
    let server = server().await;
    let answer = drip(server.addr, "GET / HTTP/1.1\r\nX: ").await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408 "),
        "{answer}"
    );
}

// check 148
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_of_the_answer_is_cut_off() {
    let server = server().await;
    let mut client = TcpStream::connect(server.addr).await.unwrap();
    let request = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    // Dozens of megabytes: more than the buffers of the system hold.
    client
        .write_all(request.repeat(40).as_bytes())
        .await
        .unwrap();
    let cut_off = async {
        while client.write_all(b"\r\n").await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(90), cut_off)
        .await
        .expect("the server ends the connection");
}

// check 148
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_parallel_requests_are_all_answered() {
    let server = server().await;
    let (nobody, mut requests) = (Browser::new(), JoinSet::new());
    for _ in 0..count("PARALLEL_REQUESTS", 1_000) {
        let (mut browser, url) = (nobody.clone(), url(&server, "/endpoint3"));
        requests.spawn(async move { browser.get(url).await.status });
    }
    assert!(
        requests
            .join_all()
            .await
            .into_iter()
            .all(|status| status == 200)
    );
}
