//! Connections on which no request or only part of one arrives. Time is paused: it advances as soon
//! as every task is waiting.

use std::time::Duration;

use axum::{Router, routing::get};
use common::{
    server::Server,
    settings::{FromSettings, Setting, Settings},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

struct Nothing;

impl FromSettings for Nothing {
    const SETTINGS: &'static [&'static [Setting]] = &[];

    async fn from_settings(_: &mut Settings) -> Option<Self> {
        Some(Self)
    }
}

async fn server() -> Server {
    let settings = Settings::from_vars([("BIND_ADDR", "127.0.0.1:0")]);
    let app = |_: Nothing| Router::new().route("/", get(async || "here"));
    Server::start(app, settings).await.expect("a server")
}

/// How long the server keeps a connection on which only this arrives, and its answer.
async fn kept_after(server: &Server, start: &str) -> (Duration, String) {
    let mut client = TcpStream::connect(server.addr).await.expect("a connection");
    client
        .write_all(start.as_bytes())
        .await
        .expect("it is heard");
    let (began, mut answer) = (Instant::now(), String::new());
    let end = timeout(Duration::from_mins(5), client.read_to_string(&mut answer));
    end.await.expect("the server ends it").expect("text");
    (began.elapsed(), answer)
}

// check 148 for B S F
#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_closed_when_its_head_is_overdue() {
    let server = server().await;
    let whole = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (start, answers) in [
        ("", 0),
        ("G", 0),
        ("GET / HTTP/1.1\r\nHost: localhost\r\n", 0),
        // The next request of a connection has as much time as the first.
        (whole, 1),
    ] {
        let (kept, answer) = kept_after(&server, start).await;
        let seconds = kept.as_secs();
        assert!((29..=31).contains(&seconds), "{start:?}: {kept:?}");
        let answered = answer.matches("HTTP/1.1 200 OK").count();
        assert_eq!(answered, answers, "{start:?}: {answer}");
    }
}
