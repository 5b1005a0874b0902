//! From the environment to a running server.

use std::{
    env,
    io::{self, IsTerminal},
    iter,
    net::SocketAddr,
    process::ExitCode,
};

use axum::Router;
use tokio::{sync::watch, task::JoinSet, time::timeout};
use tokio_util::task::TaskTracker;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

use super::{
    listen::listen,
    serve::{SHUTDOWN_TIMEOUT, serve},
};
use crate::settings::{FromSettings, OUR_MISTAKE, PublicUrl, RUST_LOG, Setting, Settings, table};

/// The open-file limit to request: every connection needs one. The usual 1024 is low for a server
/// with idle clients, each of which costs a few kilobytes until its headers are overdue.
const MAX_FILES: u64 = 16 * 1024;

/// Runs an app until Ctrl-C or SIGTERM.
///
/// The app's settings are read from the environment. If any are wrong, it prints one line for each
/// and returns exit code 2.
pub fn run<S: FromSettings>(app: impl FnOnce(S) -> Router) -> ExitCode {
    // If the limit cannot be raised, carry on with the current one.
    let _ = rlimit::increase_nofile_limit(MAX_FILES);
    with_settings(table::<S>, async |settings| {
        match Server::start(app, settings).await {
            Ok(server) => {
                stop_signal().await;
                tracing::info!("stopping; requests in progress are finished first");
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

/// Runs a command that ends by itself: with exit code 0, or with 1 after printing the reason.
///
/// It reads only its own settings and `RUST_LOG`. If any are wrong, it prints one line for each and
/// returns exit code 2.
pub fn run_command<S, F>(command: impl FnOnce(S) -> F) -> ExitCode
where
    S: FromSettings,
    F: Future<Output = Result<(), String>>,
{
    let table = || iter::once(&RUST_LOG).chain(S::SETTINGS.iter().copied().flatten());
    with_settings(table, async |mut settings| {
        match settings.read_at(None).await {
            Err(problems) => fail(&problems),
            Ok(state) => match command(state).await {
                Ok(()) => ExitCode::SUCCESS,
                Err(why) => {
                    eprintln!("error: {why}");
                    ExitCode::FAILURE
                }
            },
        }
    })
}

/// What every program starts with: `--help`, the settings, the log, and threads to run on.
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
                "the only argument is --help; settings come from the environment".into(),
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
        Err(error) => return fail(&[format!("cannot start the runtime: {error}")]),
    };
    runtime.block_on(program(settings))
}

fn fail(problems: &[String]) -> ExitCode {
    for problem in problems {
        eprintln!("error: {problem}");
    }
    ExitCode::from(2)
}

/// What `--help` prints.
fn help(table: impl Iterator<Item = &'static Setting>) -> String {
    const FIRST: &str =
        "Settings are environment variables; a .env file in the working directory is read too.\n";
    let of_setting = |setting: &Setting| {
        let Setting {
            name,
            default,
            help,
        } = setting;
        format!("\n{name}\n    {help}\n    Default: {default}.\n")
    };
    iter::once(FIRST.to_owned())
        .chain(table.map(of_setting))
        .collect()
}

/// A server that accepts connections until it is stopped or dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Where browsers find it.
    pub public_url: PublicUrl,
    stop: watch::Sender<()>,
    listener: JoinSet<()>,
    background: TaskTracker,
}

impl Server {
    /// Starts an app. Fails with every problem of the settings, one line each.
    pub async fn start<S: FromSettings>(
        app: impl FnOnce(S) -> Router,
        mut settings: Settings,
    ) -> Result<Self, Vec<String>> {
        let listener = listen(&mut settings, "BIND_ADDR", S::HOME.addr).await;
        let addr = listener.as_ref().and_then(|own| own.local_addr().ok());
        let state = settings.read_at(addr).await?;
        let (Some(listener), Some(addr)) = (listener, addr) else {
            return Err(vec![OUR_MISTAKE.into()]);
        };
        let public_url = settings.public_url().clone();
        let background = settings.background();

        let stop = watch::Sender::new(());
        let mut stopped = stop.subscribe();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, app(state), async move {
            let _ = stopped.changed().await;
        }));
        for warning in settings.warnings {
            tracing::warn!("{warning}");
        }
        tracing::info!("listening on http://{addr}");
        for notice in settings.notices {
            tracing::info!("{notice}");
        }
        tracing::info!("open {public_url}/ in a browser to try {}", program_name());
        Ok(Self {
            addr,
            public_url,
            stop,
            listener: tasks,
            background,
        })
    }

    /// Accepts no more connections, then finishes the requests in progress and the work that they
    /// left in the background.
    pub async fn stop(self) {
        drop(self.stop);
        self.listener.join_all().await;
        self.background.close();
        let finished = timeout(SHUTDOWN_TIMEOUT, self.background.wait()).await;
        if finished.is_err() {
            tracing::warn!("background work was still running after {SHUTDOWN_TIMEOUT:?}");
        }
    }
}

/// The name of this program, as `cargo run` calls it.
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
