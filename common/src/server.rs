//! Runs an app: settings, listener, limits, headers, error pages, graceful shutdown.
//!
//! Connections are served with hyper's own builder: `axum::serve` has no timers, so that a silent
//! client keeps its connection for ever and holds up the shutdown.

use std::{
    convert::Infallible,
    env,
    io::{self, IsTerminal},
    iter,
    net::SocketAddr,
    panic::AssertUnwindSafe,
    process::ExitCode,
    time::Duration,
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRef, FromRequestParts},
    handler::Handler,
    http::{HeaderMap, HeaderValue, Request, StatusCode, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
    routing::{MethodRouter, get},
};
use futures_util::FutureExt;
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;
use tokio_util::task::TaskTracker;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};
use url::Url;

use crate::{
    config::{FromSettings, PublicUrl, RUST_LOG, Setting, Settings, is_loopback, table},
    error::{Detail, negotiate, prefers_html, too_slow},
    page::stylesheet,
};

/// How long a client may take to send its headers, also of the next request on a connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may read nothing of an answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one request may take; more than the HTTP client to the provider may.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// How long requests may still arrive on open connections after the signal to stop.
const LAST_REQUESTS: Duration = Duration::from_millis(250);
/// How long requests under way may go on after that.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(20);
/// How many files, which connections are, the server asks for. The usual 1024 is few for who is
/// visited by idle clients, and each costs some kilobytes until [`HEADER_TIMEOUT`].
const MAX_FILES: u64 = 16 * 1024;
/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 32 * 1024;
/// The largest body of a request, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// Runs an app until Ctrl-C or SIGTERM.
///
/// What the app needs is read from the environment; problems end with exit code 2 and a line each.
pub fn run<S: FromSettings>(app: impl FnOnce(S) -> Router) -> ExitCode {
    // Who may not have more goes on with what there is.
    let _ = rlimit::increase_nofile_limit(MAX_FILES);
    with_settings(table::<S>, async |settings| {
        match Server::start(app, settings).await {
            Ok(server) => {
                stop_signal().await;
                tracing::info!("stopping; what is under way is finished first");
                tokio::select! {
                    () = server.stop() => {}
                    () = stop_signal() => {}
                }
                ExitCode::SUCCESS
            }
            Err(problems) => fail(&problems),
        }
    })
}

/// Runs a command, which comes to an end by itself: 0, or 1 when it says why it failed.
///
/// Its settings are its own and `RUST_LOG`; problems end with exit code 2 and a line each.
pub fn run_command<S, F>(command: impl FnOnce(S) -> F) -> ExitCode
where
    S: FromSettings,
    F: Future<Output = Result<(), String>>,
{
    let table = || iter::once(&RUST_LOG).chain(S::SETTINGS.iter().copied().flatten());
    with_settings(table, async |mut settings| {
        let state = S::from_settings(&mut settings).await;
        match (settings.finish(), state) {
            (Err(problems), _) => fail(&problems),
            (Ok(_), None) => fail(&[OUR_MISTAKE.into()]),
            (Ok(_), Some(state)) => match command(state).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(why) => {
                    eprintln!("error: {why}");
                    ExitCode::FAILURE
                }
            },
        }
    })
}

/// What is the same for each program: `--help`, the settings, the log, and threads to run on.
fn with_settings<T: Iterator<Item = &'static Setting>>(
    table: impl Fn() -> T,
    program: impl AsyncFnOnce(Settings) -> ExitCode,
) -> ExitCode {
    match env::args().nth(1).as_deref() {
        None => {}
        Some("--help" | "-h") => {
            print!("{}", help(table()));
            return ExitCode::SUCCESS;
        }
        Some(_) => {
            return fail(&[
                "there are no arguments but --help; settings come from the environment".into(),
            ]);
        }
    }
    let mut settings = Settings::from_env(table());
    let levels = settings.parse("RUST_LOG", "a level, such as info, or info,common=debug");
    let levels = levels.unwrap_or_else(|| Targets::new().with_default(tracing::Level::INFO));
    let mut lines = tracing_subscriber::fmt::layer().with_target(false);
    if !io::stdout().is_terminal() {
        lines = lines.with_ansi(false);
    }
    tracing_subscriber::registry()
        .with(lines)
        .with(levels)
        .init();

    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&[format!("no threads to run on: {error}")]),
    };
    runtime.block_on(program(settings))
}

const OUR_MISTAKE: &str = "a setting is wrong, and nothing says which: that is our mistake";

fn fail(problems: &[String]) -> ExitCode {
    for problem in problems {
        eprintln!("error: {problem}");
    }
    ExitCode::from(2)
}

/// What `--help` prints.
fn help(table: impl Iterator<Item = &'static Setting>) -> String {
    const FIRST: &str =
        "Settings are environment variables; a .env file in the working directory is read too.";
    let lines = table.flat_map(
        |Setting {
             name,
             default,
             help,
         }| {
            [
                "\n\n",
                name,
                "\n    ",
                help,
                "\n    Default: ",
                default,
                ".",
            ]
        },
    );
    iter::once(FIRST).chain(lines).chain(["\n"]).collect()
}

/// A server that accepts connections, until it is stopped or dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Where browsers find it.
    pub public_url: PublicUrl,
    app: Listeners,
    companions: Listeners,
    background: TaskTracker,
}

/// Tasks that accept connections until their sender is dropped.
#[derive(Debug)]
struct Listeners {
    stop: watch::Sender<()>,
    tasks: JoinSet<()>,
}

impl Listeners {
    fn new() -> Self {
        Self {
            stop: watch::Sender::new(()),
            tasks: JoinSet::new(),
        }
    }

    fn spawn(&mut self, listener: TcpListener, app: Router, https: bool) {
        let stopped = self.stop.subscribe();
        self.tasks.spawn(serve(listener, app, https, stopped));
    }

    async fn stop(self) {
        drop(self.stop);
        self.tasks.join_all().await;
    }
}

impl Server {
    /// Starts an app, and what its settings ask for beside it.
    ///
    /// # Errors
    /// Every problem of the settings, a line each.
    pub async fn start<S: FromSettings>(
        app: impl FnOnce(S) -> Router,
        mut settings: Settings,
    ) -> Result<Self, Vec<String>> {
        let listener = settings.bind().await;
        let state = S::from_settings(&mut settings).await;
        let public_url = settings.public_url().clone();
        let found = settings.finish()?;
        let (Some(listener), Some(state)) = (listener, state) else {
            return Err(vec![OUR_MISTAKE.into()]);
        };
        let addr = listener
            .local_addr()
            .map_err(|error| vec![error.to_string()])?;

        let mut companions = Listeners::new();
        for (listener, companion) in found.companions {
            companions.spawn(listener, companion, false);
        }
        let mut own = Listeners::new();
        own.spawn(listener, app(state), public_url.is_https());
        for warning in found.warnings {
            tracing::warn!("{warning}");
        }
        tracing::info!("listening on http://{addr}");
        for notice in found.notices {
            tracing::info!("{notice}");
        }
        tracing::info!("open {public_url}/ in a browser to try {}", program_name());
        Ok(Self {
            addr,
            public_url,
            app: own,
            companions,
            background: found.background,
        })
    }

    /// Accepts no more connections, then finishes the requests in progress and the work that they
    /// left in the background.
    pub async fn stop(self) {
        self.app.stop().await;
        self.background.close();
        let finished = timeout(SHUTDOWN_TIMEOUT, self.background.wait()).await;
        if finished.is_err() {
            tracing::warn!("work in the background was still going on after {SHUTDOWN_TIMEOUT:?}");
        }
        // Last, as what goes on until here may need them: the demo provider is one.
        self.companions.stop().await;
    }
}

/// What was started, as `cargo run` calls it.
fn program_name() -> String {
    let program = env::current_exe().unwrap_or_default();
    program
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

async fn stop_signal() {
    #[cfg(unix)]
    let terminated = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();

    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

async fn serve(listener: TcpListener, app: Router, https: bool, mut stopped: watch::Receiver<()>) {
    let app = app.route("/style.css", get(stylesheet));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEAD);
    let connections = GracefulShutdown::new();
    let begin = |stream: TcpStream| {
        // Answers are small and whole: waiting for more to send only delays them.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(WRITE_TIMEOUT));
        let app = app.clone();
        let respond = service_fn(move |request| respond(app.clone(), https, request));
        let connection = http.serve_connection(TokioIo::new(Box::pin(stream)), respond);
        tokio::spawn(connections.watch(connection));
    };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => break,
        };
        match accepted {
            Ok((stream, _)) => begin(stream),
            Err(error) if is_of_the_client(&error) => {}
            // Most likely there are no file descriptors left, until a connection ends.
            Err(error) => {
                tracing::error!("cannot accept a connection: {error}");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    connected_already(listener).for_each(begin);
    // hyper closes what nothing was read from; a request may be on its way there.
    sleep(LAST_REQUESTS).await;
    if timeout(SHUTDOWN_TIMEOUT, connections.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("requests were still under way after {SHUTDOWN_TIMEOUT:?}");
    }
}

/// Those whom the system has let in for us, after which the port is closed: they would be cut off
/// with a request under way.
fn connected_already(listener: TcpListener) -> impl Iterator<Item = TcpStream> {
    let listener = listener.into_std().ok();
    let next = move || {
        let (stream, _) = listener.as_ref()?.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        TcpStream::from_std(stream).ok()
    };
    // More wait in no queue; who goes on connecting does not keep the port open.
    iter::from_fn(next).take(1024)
}

fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};

    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

/// What holds for every request to every server: limits, error answers, headers.
///
/// A function around the app: as layers of axum, these would cost more than many a handler.
async fn respond(
    app: Router,
    https: bool,
    mut request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let html = prefers_html(request.headers());
    drop_disguised_cookies(request.headers_mut());
    DefaultBodyLimit::max(MAX_BODY).apply(&mut request);

    let answer = timeout(REQUEST_TIMEOUT, TowerToHyperService::new(app).call(request));
    let mut response = match AssertUnwindSafe(answer).catch_unwind().await {
        Ok(Ok(Ok(response))) => response,
        Ok(Err(_)) => too_slow(),
        Err(_) => {
            let detail = Detail::of("an unexpected error; it is in the log");
            (StatusCode::INTERNAL_SERVER_ERROR, detail).into_response()
        }
    };
    negotiate(&mut response, html);
    security_headers(response.headers_mut(), https);
    Ok(response)
}

/// Takes out the cookies whose names are written with escapes. To a browser `%5F_Host-session` is no
/// `__Host-` cookie, so that every host of the same site can set it for this one; tower-cookies
/// would read it as `__Host-session`.
fn drop_disguised_cookies(headers: &mut HeaderMap) {
    let cookies = headers.get_all(header::COOKIE);
    if !cookies
        .iter()
        .any(|cookies| cookies.as_bytes().contains(&b'%'))
    {
        return;
    }
    let cookies: Vec<_> = cookies.iter().cloned().collect();
    let is_plain = |pair: &&str| {
        !pair
            .split('=')
            .next()
            .is_some_and(|name| name.contains('%'))
    };
    headers.remove(header::COOKIE);
    for cookies in cookies.iter().filter_map(|cookies| cookies.to_str().ok()) {
        let plain = cookies
            .split(';')
            .filter(is_plain)
            .collect::<Vec<_>>()
            .join(";");
        headers.extend(HeaderValue::from_str(&plain).map(|plain| (header::COOKIE, plain)));
    }
}

/// The headers of every answer; a page or a handler that sets its own keeps it.
fn security_headers(headers: &mut HeaderMap, https: bool) {
    const DEFAULTS: [(header::HeaderName, HeaderValue); 5] = [
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    for (name, value) in DEFAULTS {
        headers.entry(name).or_insert(value);
    }
    if https {
        let two_years = HeaderValue::from_static("max-age=63072000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, two_years);
    }
}

/// Like [`get`], for a handler that does something: `HEAD`, which axum would answer by running it,
/// is refused like every other method.
pub fn get_only<H, T, S>(handler: H) -> MethodRouter<S, Infallible>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    refuse_others(get(handler), "GET")
}

/// Like [`get_only`], for a page whose form is sent to its own path.
pub fn get_and_post<G, P, T, U, S>(page: G, form: P) -> MethodRouter<S, Infallible>
where
    G: Handler<T, S>,
    P: Handler<U, S>,
    T: 'static,
    U: 'static,
    S: Clone + Send + Sync + 'static,
{
    refuse_others(get(page).post(form), "GET, POST")
}

fn refuse_others<S>(routes: MethodRouter<S>, allow: &'static str) -> MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    let refuse = move || async move { (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, allow)]) };
    routes.head(refuse).fallback(refuse)
}

/// A guard: the browser came under the host name of `PUBLIC_URL`.
///
/// Who types `localhost` for `127.0.0.1` is sent on, or else the login cookie would be kept for
/// the wrong host. Host names that are not of this machine are a proxy's business.
#[derive(Clone, Copy, Debug)]
pub struct PublicHost;

impl<S: Send + Sync> FromRequestParts<S> for PublicHost
where
    PublicUrl: FromRef<S>,
{
    type Rejection = Redirect;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Redirect> {
        let own = PublicUrl::from_ref(state);
        let host = parts
            .headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let asked = host.and_then(|host| Url::parse(&format!("http://{host}")).ok());
        let elsewhere = |asked: Url| is_loopback(&asked) && asked.host() != own.as_url().host();
        if own.is_loopback() && asked.is_some_and(elsewhere) {
            // The path alone: a request may name a whole URL, and another host in it.
            let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
            return Err(Redirect::to(&own.join(path)));
        }
        Ok(Self)
    }
}

/// Refuses a form that another site sent in this person's name (cross-site request forgery).
///
/// Browsers send `Sec-Fetch-Site`, older ones `Origin` alone; a client that sends neither, such as
/// curl, has no cookies that another site could use.
///
/// # Errors
/// [`crate::Error::CrossSite`].
pub fn check_same_origin(request: &HeaderMap, own: &PublicUrl) -> crate::Result<()> {
    let same = match (request.get("sec-fetch-site"), request.get(header::ORIGIN)) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => *origin == *own.to_string(),
        (None, None) => true,
    };
    if same {
        Ok(())
    } else {
        Err(crate::Error::CrossSite)
    }
}
