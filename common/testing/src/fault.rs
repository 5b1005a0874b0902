//! Faults below HTTP: a port that does to its connections what no provider should.

use std::{io::Write, time::Duration};

use flate2::{Compression, write::GzEncoder};
use tokio::{
    io::{self, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use crate::tls;

/// Part of the answers of [`faults`], so that a test sees whether any of them leaks through.
pub const UPSTREAM: &str = "upstream-words";

/// In what a port says, this becomes the port's own origin, which nobody knows before it is open.
pub const ORIGIN: &str = "the-origin-of-this-port";

/// What a request gets: these bytes, and then ...
#[derive(Clone, Debug)]
pub struct Fault(pub Vec<u8>, pub Then);

/// ... what comes after them.
#[derive(Clone, Debug)]
pub enum Then {
    /// The next request on this connection.
    Next,
    /// Nothing, and the connection stays open.
    Silence,
    /// The connection is closed.
    Close,
    /// The connection is reset.
    Reset,
    /// These bytes, one every half second.
    Drip(Vec<u8>),
    /// These bytes, again and again until the reader goes away.
    Repeat(Vec<u8>),
}

/// A port with a fault. It closes when it is dropped.
#[derive(Debug)]
pub struct Faulty {
    /// Where it listens, such as `http://127.0.0.1:40000`.
    pub origin: String,
    heard: watch::Sender<Vec<String>>,
    server: JoinHandle<()>,
}

impl Faulty {
    /// A port that applies these faults to the requests of each connection, in order, and then
    /// closes it; without faults it closes before reading anything.
    ///
    /// # Panics
    /// Without a free port.
    pub async fn start(faults: Vec<Fault>) -> Self {
        Self::serve(faults, None).await
    }

    /// The same behind TLS, with a self-signed certificate, which is returned too, as PEM.
    ///
    /// # Panics
    /// Without a free port or random numbers.
    pub async fn with_tls(faults: Vec<Fault>) -> (Self, String) {
        let (tls, certificate) = tls::acceptor();
        (Self::serve(faults, Some(tls)).await, certificate)
    }

    async fn serve(faults: Vec<Fault>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let origin = format!("{scheme}://{}", listener.local_addr().expect("its address"));
        let faults = faults.into_iter().map(|fault| fault.at(&origin)).collect();
        let heard = watch::Sender::default();
        let server = tokio::spawn(accept(listener, faults, tls, heard.clone()));
        Self {
            origin,
            heard,
            server,
        }
    }

    /// The complete requests so far, byte for byte.
    pub fn heard(&self) -> Vec<String> {
        self.heard.borrow().clone()
    }

    /// Waits until `count` requests have arrived.
    ///
    /// # Panics
    /// When they do not come.
    pub async fn heard_reach(&self, count: usize) {
        let mut heard = self.heard.subscribe();
        let enough = heard.wait_for(|heard| heard.len() >= count);
        let came = timeout(Duration::from_secs(20), enough).await;
        assert!(
            matches!(came, Ok(Ok(_))),
            "{count} requests should come, not {:?}",
            self.heard()
        );
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Accepts connections until the task is aborted, which closes them too.
async fn accept(
    listener: TcpListener,
    faults: Vec<Fault>,
    tls: Option<TlsAcceptor>,
    heard: watch::Sender<Vec<String>>,
) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (faults, tls, heard) = (faults.clone(), tls.clone(), heard.clone());
        // An error here is the reader who goes away.
        connections.spawn(async move {
            match tls {
                Some(tls) => {
                    let mut stream = tls.accept(stream).await?;
                    treat(&mut stream, &faults, &heard).await?;
                    stream.shutdown().await?;
                }
                None => plain(stream, &faults, &heard).await?,
            }
            io::Result::Ok(())
        });
    }
}

async fn plain(
    mut stream: TcpStream,
    faults: &[Fault],
    heard: &watch::Sender<Vec<String>>,
) -> io::Result<()> {
    if let Then::Reset = treat(&mut stream, faults, heard).await? {
        stream.set_zero_linger()?;
    }
    Ok(())
}

/// Applies the faults; returns how the connection is to end.
async fn treat(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    faults: &[Fault],
    heard: &watch::Sender<Vec<String>>,
) -> io::Result<Then> {
    for Fault(say, then) in faults {
        let request = read_request(stream).await?;
        heard.send_modify(|all| all.push(request));
        stream.write_all(say).await?;
        stream.flush().await?;
        match then {
            Then::Next => {}
            Then::Silence => std::future::pending().await,
            Then::Close | Then::Reset => return Ok(then.clone()),
            Then::Drip(bytes) => {
                for byte in bytes {
                    sleep(Duration::from_millis(500)).await;
                    stream.write_all(&[*byte]).await?;
                }
            }
            // More than anyone reads, but slowly enough not to keep the machine busy.
            Then::Repeat(bytes) => loop {
                stream.write_all(bytes).await?;
                sleep(Duration::from_millis(10)).await;
            },
        }
    }
    Ok(Then::Close)
}

/// One request, with a body as long as it says.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut request = String::new();
    loop {
        request.push(stream.read_u8().await?.into());
        if let Some((head, body)) = request.split_once("\r\n\r\n") {
            let length = head.to_ascii_lowercase();
            let length = length.split("content-length: ").nth(1).unwrap_or("0");
            let length = length.lines().next().and_then(|length| length.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Ok(request);
            }
        }
    }
}

impl Fault {
    fn at(self, origin: &str) -> Self {
        let Self(say, then) = self;
        let say = match String::from_utf8(say) {
            Ok(text) => text.replace(ORIGIN, origin).into_bytes(),
            Err(error) => error.into_bytes(),
        };
        Self(say, then)
    }

    /// Whether it sends without end.
    pub fn floods(&self) -> bool {
        matches!(self.1, Then::Repeat(_))
    }
}

/// Every fault, and the status that it must lead to: 504 if it takes too long, otherwise 502.
pub fn faults() -> Vec<(&'static str, Vec<Fault>, u16)> {
    use Then::{Close, Drip, Repeat, Reset, Silence};

    const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    const CHUNKED: &str = "Transfer-Encoding: chunked\r\n\r\n";
    let body = format!("{{\"x\":\"{UPSTREAM}");
    let huge = format!("{HEAD}Content-Length: 99000000000\r\n\r\n{body}");
    let chunked = format!("{HEAD}{CHUNKED}{:x}\r\n{body}\r\n", body.len());
    let until_closed = format!("{HEAD}\r\n{body}");
    let eight_kib = "x".repeat(0x2000);
    let one = |say: &str, then| vec![Fault(say.as_bytes().to_vec(), then)];
    let endless = |say: &str, again: &str| {
        let again = again.repeat(1 + 0x4000 / again.len());
        one(say, Repeat(again.into_bytes()))
    };
    vec![
        ("closed before the request", Vec::new(), 502),
        ("closed", one("", Close), 502),
        ("closed in the head", one(HEAD, Close), 502),
        ("closed in the body", one(&huge, Close), 502),
        ("closed in a chunk", one(&chunked, Close), 502),
        ("reset", one("", Reset), 502),
        ("reset in the head", one(HEAD, Reset), 502),
        ("reset in the body", one(&huge, Reset), 502),
        ("silence", one("", Silence), 504),
        ("silence in the head", one(HEAD, Silence), 504),
        ("silence in a body of 99 GB", one(&huge, Silence), 504),
        ("silence in a chunk", one(&chunked, Silence), 504),
        ("a head that drips", one("", Drip(huge.clone().into())), 504),
        (
            "a body that drips",
            one(&huge, Drip(eight_kib.clone().into())),
            504,
        ),
        (
            "interim answers without end",
            endless("", "HTTP/1.1 100 Continue\r\n\r\n"),
            504,
        ),
        ("99 GB", endless(&huge, &eight_kib), 502),
        (
            "chunks without end",
            endless(&chunked, &format!("2000\r\n{eight_kib}\r\n")),
            502,
        ),
        (
            "small chunks without end",
            endless(&chunked, &format!("40\r\n{}\r\n", "x".repeat(64))),
            502,
        ),
        (
            "a body until the end, which does not come",
            endless(&until_closed, &eight_kib),
            502,
        ),
        (
            "a line without end",
            endless("HTTP/1.1 200 ", &eight_kib),
            502,
        ),
        (
            "a header without end",
            endless(&format!("{HEAD}X: "), &eight_kib),
            502,
        ),
        ("headers without end", endless(HEAD, "X: x\r\n"), 502),
        (
            "trailers without end",
            endless(&format!("{chunked}0\r\n"), "X: x\r\n"),
            502,
        ),
        (
            "a chunk's size without end",
            endless(&format!("{HEAD}{CHUNKED}"), "0"),
            504,
        ),
        (
            "another protocol",
            one(&format!("220 mail.example {UPSTREAM}\r\n"), Close),
            502,
        ),
        (
            "two lengths",
            one(
                &format!("{HEAD}Content-Length: 1\r\n{}", &huge[HEAD.len()..]),
                Close,
            ),
            502,
        ),
        (
            "a length that is none",
            one(&format!("{HEAD}Content-Length: -1\r\n\r\n{body}"), Close),
            502,
        ),
        ("a gzip bomb", vec![Fault(gzip_bomb(), Close)], 502),
    ]
}

/// 200 MB of zeros as an answer of some 200 kB: a megabyte, which is one kilobyte, again and again.
fn gzip_bomb() -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&vec![0; 1_000_000])
        .expect("memory takes it");
    let bomb = gzip.finish().expect("memory takes it").repeat(200);
    // Without `Connection: close`, a client that has read all of it may send its next request on this
    // connection, where nobody reads any more.
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n",
        bomb.len()
    );
    [head.into_bytes(), bomb].concat()
}
