//! Many clients at once, and clients that take their time.

use std::{env, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{interval, timeout},
};

/// How many: the value of this environment variable, for measuring, or else what a test that runs
/// on every change can afford.
///
/// # Panics
/// When the variable is no number.
pub fn count(name: &str, otherwise: usize) -> usize {
    // This process has the other ends of all the connections.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    env::var(name).map_or(otherwise, |count| count.parse().expect("a number"))
}

/// Sends `count` `GET` requests for a path over a few persistent connections; each must be answered
/// with this status and no body.
///
/// # Panics
/// When one is not.
pub async fn ask(addr: SocketAddr, path: &str, status: u16, count: usize) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\n\r\n");
    repeat(addr, &request, status, count).await;
}

/// The same for a form, sent `count` times.
pub async fn submit(addr: SocketAddr, path: &str, form: &str, status: u16, count: usize) {
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {addr}\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
        form.len()
    );
    repeat(addr, &request, status, count).await;
}

async fn repeat(addr: SocketAddr, request: &str, status: u16, count: usize) {
    const CONNECTIONS: usize = 8;
    const AT_ONCE: usize = 50;
    let request = request.repeat(AT_ONCE);
    let start = format!("HTTP/1.1 {status} ");
    let mut clients = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (request, start) = (request.clone(), start.clone());
        clients.spawn(async move {
            let mut stream = TcpStream::connect(addr).await.expect("a connection");
            for _ in 0..count.div_ceil(CONNECTIONS * AT_ONCE) {
                stream
                    .write_all(request.as_bytes())
                    .await
                    .expect("it is heard");
                let (mut answers, mut chunk) = (Vec::new(), [0; 16 * 1024]);
                while answers.windows(4).filter(|end| end == b"\r\n\r\n").count() < AT_ONCE {
                    let read = stream.read(&mut chunk).await.expect("an answer");
                    assert_ne!(read, 0, "an answer to each");
                    answers.extend_from_slice(&chunk[..read]);
                }
                let answers = String::from_utf8(answers).expect("text");
                assert_eq!(answers.matches(&start).count(), AT_ONCE, "{answers}");
            }
        });
    }
    clients.join_all().await;
}

/// Sends `GET` requests for a path, each over its own connection, until the server accepts no more.
/// Returns how many were answered with this status, and how many connected but were not.
pub async fn until_refused(addr: SocketAddr, path: &'static str, status: u16) -> (usize, usize) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    let start = format!("HTTP/1.1 {status} ");
    let (mut answered, mut lost) = (0, 0);
    while let Ok(mut stream) = TcpStream::connect(addr).await {
        let mut answer = Vec::new();
        let _ = stream.write_all(request.as_bytes()).await;
        let _ = stream.read_to_end(&mut answer).await;
        *if answer.starts_with(start.as_bytes()) {
            &mut answered
        } else {
            &mut lost
        } += 1;
    }
    (answered, lost)
}

/// Opens `count` connections and sends nothing on them.
///
/// # Panics
/// When one cannot be opened.
pub async fn idle(addr: SocketAddr, count: usize) -> Vec<TcpStream> {
    let mut connections = Vec::new();
    for _ in 0..count {
        connections.push(TcpStream::connect(addr).await.expect("a connection"));
    }
    connections
}

/// Sends `start`, and then a byte every second, until the server closes the connection; returns
/// what it answers.
///
/// # Panics
/// When it takes longer than a minute.
pub async fn drip(addr: SocketAddr, start: &str) -> String {
    let stream = TcpStream::connect(addr).await.expect("a connection");
    let (mut from, mut to) = stream.into_split();
    to.write_all(start.as_bytes()).await.expect("it is heard");
    let drip = tokio::spawn(async move {
        let mut second = interval(Duration::from_secs(1));
        while to.write_all(b"x").await.is_ok() {
            second.tick().await;
        }
    });
    let mut answer = Vec::new();
    // A reset is an end too.
    let _ = timeout(Duration::from_mins(1), from.read_to_end(&mut answer))
        .await
        .expect("an end");
    drip.abort();
    String::from_utf8(answer).expect("text")
}
