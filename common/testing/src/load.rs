//! Load, compared with a bare axum server in the same run: the machine is busy with other things
//! too, so only ratios mean anything.
//!
//! Needs `oha` (`cargo install oha`), which makes the requests.

#![expect(
    clippy::missing_panics_doc,
    reason = "a benchmark ends where something is missing"
)]

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use axum::{Router, routing::get};
use serde_json::Value;

/// How many times each is measured, in turn with the bare server.
const ROUNDS: usize = 5;
/// How long each time.
const SECONDS: &str = "3s";
/// As many as browsers at a small company.
const CONNECTIONS: &str = "64";

/// A server in a separate process, which ends when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Where it listens.
    pub origin: String,
    /// From the start to the first answer.
    pub start: Duration,
}

/// What is measured: requests that must be answered with this status.
#[derive(Clone, Debug)]
pub struct Case {
    name: &'static str,
    path: &'static str,
    status: u16,
    arguments: Vec<String>,
    peer: Option<Box<Case>>,
}

impl Case {
    /// Requests for this path that must be answered with this status.
    pub fn new(name: &'static str, path: &'static str, status: u16) -> Self {
        Self {
            name,
            path,
            status,
            arguments: Vec::new(),
            peer: None,
        }
    }

    /// Adds another project's example to compare with, which must be a route of the bare server.
    #[must_use]
    pub fn beside(mut self, peer: Self) -> Self {
        self.peer = Some(Box::new(peer));
        self
    }

    /// With more arguments for `oha`: headers, a body.
    #[must_use]
    pub fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().copied().map(str::to_owned));
        self
    }
}

/// One measurement.
#[derive(Clone, Copy, Debug)]
struct Measured {
    per_second: f64,
    p50: f64,
    p99: f64,
}

impl Process {
    /// Starts a server from its binary, with these settings and on a free port.
    pub fn start(binary: &str, settings: &[(&str, &str)]) -> Self {
        let port = || {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
            listener.local_addr().expect("its address").to_string()
        };
        let addr = port();
        let mut command = Command::new(binary);
        command
            .env_clear()
            .env("BIND_ADDR", &addr)
            .env("DEMO_ADDR", port())
            .env("RUST_LOG", "warn");
        command.envs(settings.iter().copied()).stdout(Stdio::null());
        Self::spawn(command, format!("http://{addr}"))
    }

    /// Starts this benchmark once more, as the bare server; see [`serve_bare`].
    pub fn bare() -> Self {
        let mut command = Command::new(env::current_exe().expect("this benchmark"));
        command.arg("--bare").stdout(Stdio::piped());
        let started = Instant::now();
        let mut child = command.spawn().expect("this benchmark again");
        let mut origin = String::new();
        let mut lines = BufReader::new(child.stdout.take().expect("its output"));
        lines.read_line(&mut origin).expect("its address");
        let origin = origin.trim().to_owned();
        wait(&origin);
        Self {
            child,
            origin,
            start: started.elapsed(),
        }
    }

    fn spawn(mut command: Command, origin: String) -> Self {
        let started = Instant::now();
        let child = command.spawn().expect("the server starts");
        wait(&origin);
        Self {
            child,
            origin,
            start: started.elapsed(),
        }
    }

    /// The memory that it holds now, in MiB (Linux; elsewhere 0).
    pub fn memory(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kib.unwrap_or_default() / 1024.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a server accepts connections there.
fn wait(origin: &str) {
    let addr = origin.trim_start_matches("http://");
    while std::net::TcpStream::connect(addr).is_err() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Call this first in `main`: in the process of [`Process::bare`] it runs a server with one route
/// without layers, plus the routes of other examples to compare with, and does not return.
pub fn serve_bare(peers: Router) {
    if env::args().nth(1).as_deref() != Some("--bare") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        println!("http://{}", listener.local_addr().expect("its address"));
        let hello = async || "Hello, World!";
        let app = peers.route("/", get(hello).post(hello));
        axum::serve(listener, app)
            .await
            .expect("it runs until it is killed");
    });
}

/// Measures each case in turn with the bare server and prints a table of ratios.
pub fn compare(bare: &Process, server: &Process, cases: &[Case]) {
    let idle = (bare.memory(), server.memory());
    println!("| | requests/s | ratio (worst..best) | p50 | p99 | beside axum's example |");
    println!("|---|---|---|---|---|---|");
    for case in cases {
        // The same request, headers and body, to a handler that ignores them.
        let baseline = Case {
            path: "/",
            status: 200,
            ..case.clone()
        };
        let (mut rounds, mut beside) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let own = measure(server, case);
            rounds.push((measure(bare, &baseline), own));
            let peer = case.peer.as_ref().map(|peer| measure(bare, peer));
            beside.extend(peer.map(|peer| own.per_second / peer.per_second));
        }
        beside.sort_by(f64::total_cmp);
        let ratio = |(bare, own): &(Measured, Measured)| own.per_second / bare.per_second;
        rounds.sort_by(|a, b| ratio(a).total_cmp(&ratio(b)));
        let (first, middle, last) = (&rounds[0], &rounds[ROUNDS / 2], &rounds[ROUNDS - 1]);
        println!(
            "| {} | {:.0} | {:.2} ({:.2}..{:.2}) | {:.2}x | {:.2}x | {} |",
            case.name,
            middle.1.per_second,
            ratio(middle),
            ratio(first),
            ratio(last),
            middle.1.p50 / middle.0.p50,
            middle.1.p99 / middle.0.p99,
            beside
                .get(ROUNDS / 2)
                .map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        );
    }
    println!();
    println!("Memory, idle: {:.1} MiB (bare {:.1}).", idle.1, idle.0);
    println!(
        "Memory, after the load: {:.1} MiB (bare {:.1}).",
        server.memory(),
        bare.memory()
    );
    println!(
        "Start to first connection: {:?} (bare {:?}).",
        server.start, bare.start
    );
}

fn measure(server: &Process, case: &Case) -> Measured {
    let output = Command::new("oha")
        .args([
            "--no-tui",
            "--output-format",
            "json",
            "-z",
            SECONDS,
            "-c",
            CONNECTIONS,
        ])
        .args(["--redirect", "0", "--no-color"])
        .args(&case.arguments)
        .arg(format!("{}{}", server.origin, case.path))
        .output()
        .expect("oha; install it with: cargo install oha");
    let json: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let statuses = json["statusCodeDistribution"]
        .as_object()
        .expect("the statuses");
    let only = statuses
        .keys()
        .all(|status| *status == case.status.to_string());
    assert!(only && !statuses.is_empty(), "{}: {statuses:?}", case.name);
    let number = |value: &Value| value.as_f64().expect("a number");
    Measured {
        per_second: number(&json["summary"]["requestsPerSec"]),
        p50: number(&json["latencyPercentiles"]["p50"]),
        p99: number(&json["latencyPercentiles"]["p99"]),
    }
}
