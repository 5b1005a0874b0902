//! Requests as bytes: for what an HTTP client would normalize or refuse to send.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use tokio::task::spawn_blocking;

/// Sends a request and returns the whole answer.
///
/// A server that has heard enough answers and closes while this is still sending.
pub async fn send(addr: SocketAddr, request: impl Into<Vec<u8>>) -> String {
    let request = request.into();
    let answer = spawn_blocking(move || exchange(addr, &request));
    answer.await.expect("no panic")
}

/// The same, but blocks the thread.
pub fn exchange(addr: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).expect("a connection");
    let mut answer = Vec::new();
    let _ = stream.write_all(request);
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).expect("an answer in UTF-8")
}

/// The status of an answer, or 0 when there is none.
pub fn status(answer: &str) -> u16 {
    let status = answer
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3)?.parse().ok());
    status.unwrap_or(0)
}
