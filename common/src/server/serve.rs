//! Connections: their timers, their limits, and how they end.
//!
//! They are served with hyper's own builder because `axum::serve` has no timers: a silent client
//! would keep its connection for ever and hold up the shutdown.

use std::{io, iter, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;

/// How long a client may take to send its headers, including those of the next request on a
/// connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may go without reading any of a response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests may still arrive on open connections after the signal to stop.
const LAST_REQUESTS: Duration = Duration::from_millis(250);
/// How long requests in progress may go on after that.
pub(super) const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(20);
/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 32 * 1024;

/// Serves connections until `shutdown` is ready, then finishes the requests in progress.
pub(super) async fn serve(listener: TcpListener, app: Router, shutdown: impl Future<Output = ()>) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEAD);
    let connections = GracefulShutdown::new();
    let begin = |stream: TcpStream| {
        // Responses are small and complete: waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(WRITE_TIMEOUT));
        let app = TowerToHyperService::new(app.clone());
        let connection = http.serve_connection(TokioIo::new(Box::pin(stream)), app);
        tokio::spawn(connections.watch(connection));
    };
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, _)) => begin(stream),
            Err(error) if is_client_error(&error) => {}
            // Most likely there are no file descriptors left until a connection ends.
            Err(error) => {
                tracing::error!("cannot accept a connection: {error}");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    backlog(listener).for_each(begin);
    // hyper closes connections that have not sent anything yet, and a request may be on its way.
    sleep(LAST_REQUESTS).await;
    let finished = timeout(SHUTDOWN_TIMEOUT, connections.shutdown()).await;
    if finished.is_err() {
        tracing::warn!("requests were still in progress after {SHUTDOWN_TIMEOUT:?}");
    }
}

/// Connections still in the listen backlog. Closing the socket would reset them, and the requests on
/// them would be lost.
fn backlog(listener: TcpListener) -> impl Iterator<Item = TcpStream> {
    let listener = listener.into_std().ok();
    let next = move || {
        let (stream, _) = listener.as_ref()?.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        TcpStream::from_std(stream).ok()
    };
    // No backlog is longer, and clients that keep connecting must not keep the port open.
    iter::from_fn(next).take(1024)
}

fn is_client_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};

    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}
