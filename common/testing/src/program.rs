//! A server in a separate process, and everything that it prints.

use std::{
    collections::BTreeSet,
    env::{self, consts::EXE_EXTENSION},
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread::{self, JoinHandle},
};

pub use crate::secrets::Secrets;

use crate::sockets;

/// A server from its binary. It ends when this is dropped.
#[derive(Debug)]
pub struct Program {
    /// Where it listens, such as `http://127.0.0.1:40000`.
    pub url: String,
    process: Child,
    start: String,
    rest: Vec<JoinHandle<Vec<u8>>>,
}

impl Program {
    /// Starts a binary with only these settings, on free ports, and waits until it is up.
    ///
    /// # Panics
    /// When it ends instead.
    pub fn start(binary: &str, vars: &[(&str, &str)]) -> Self {
        Self::run(&mut command(binary, vars))
    }

    /// Starts a binary with nothing set, as a new user does; see [`default_ports`].
    ///
    /// # Panics
    /// When it ends instead.
    pub fn with_nothing_set(binary: &str) -> Self {
        Self::run(command(binary, &[]).env_clear())
    }

    /// The same as [`Self::start`] with these arguments of the shell's `ulimit`, such as a lower
    /// limit on open files.
    ///
    /// # Panics
    /// When it ends instead.
    pub fn with_ulimit(ulimit: &str, binary: &str, vars: &[(&str, &str)]) -> Self {
        let mut shell = command("sh", vars);
        shell.args(["-c", &format!("ulimit {ulimit}; exec \"$0\""), binary]);
        Self::run(shell.current_dir(folder(binary)))
    }

    /// Runs a command that starts a server, and waits until it is up.
    ///
    /// # Panics
    /// When it ends instead.
    pub fn run(command: &mut Command) -> Self {
        Self::try_run(command).unwrap_or_else(|problems| panic!("it ended: {problems:#?}"))
    }

    /// Runs a command that starts a server, or ends with the problems of its settings.
    ///
    /// # Panics
    /// When it does not end with exit code 2 and a line for each problem.
    pub fn try_run(command: &mut Command) -> Result<Self, Vec<String>> {
        let command = command.stdin(Stdio::null());
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("it starts");
        let errors = rest_of(process.stderr.take().expect("a pipe"));
        let mut log = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut start = String::new();
        // The last line that it logs when it is up.
        while !start.contains(" in a browser to try ") {
            if log.read_line(&mut start).expect("UTF-8") == 0 {
                let status = process.wait().expect("a process");
                let errors = errors.join().expect("its errors were read");
                return Err(problems_in(&start, &errors, status));
            }
        }
        let (_, rest) = start.split_once("listening on ").expect("where it listens");
        let url = rest.lines().next().expect("a URL").to_owned();
        Ok(Self {
            url,
            process,
            start,
            rest: vec![rest_of(log), errors],
        })
    }

    /// What it printed until it was up.
    pub fn started(&self) -> &str {
        &self.start
    }

    /// Where it listens.
    ///
    /// # Panics
    /// When it listens on no IP address.
    pub fn addr(&self) -> SocketAddr {
        self.url
            .trim_start_matches("http://")
            .parse()
            .expect("an address")
    }

    /// The URL of a path on it.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The most memory that it has held so far, in MiB, where the system says it.
    pub fn peak_memory(&self) -> Option<u64> {
        self.memory_line("VmHWM:")
    }

    /// The memory that it holds now, in MiB, where the system says it.
    pub fn memory(&self) -> Option<u64> {
        self.memory_line("VmRSS:")
    }

    fn memory_line(&self, name: &str) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib / 1024)
    }

    /// How many files it has open, where the system says it.
    pub fn open_files(&self) -> Option<usize> {
        Some(
            fs::read_dir(format!("/proc/{}/fd", self.process.id()))
                .ok()?
                .count(),
        )
    }

    /// The addresses that it listens on, even those that others can reach. Only Linux reports them.
    ///
    /// # Panics
    /// Elsewhere.
    pub fn listening(&self) -> BTreeSet<SocketAddr> {
        sockets::listening(self.process.id())
    }

    /// Sends it SIGTERM, as a service manager does.
    ///
    /// # Panics
    /// Where there is no such signal.
    pub fn terminate(&self) {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .expect("a system with kill");
        assert!(sent.success(), "it runs until now");
    }

    /// Waits until it ends by itself; returns its exit code and everything that it printed.
    ///
    /// # Panics
    /// When a signal ended it, or its output is not UTF-8.
    pub fn wait(mut self) -> (i32, String) {
        let code = self
            .process
            .wait()
            .expect("a process")
            .code()
            .expect("no signal has ended it");
        (code, self.said())
    }

    /// Kills it; returns everything that it printed, byte for byte.
    ///
    /// # Panics
    /// When it has already ended, or its output is not UTF-8.
    pub fn stop(mut self) -> String {
        assert!(
            self.process.try_wait().expect("a process").is_none(),
            "it ended by itself"
        );
        self.process.kill().expect("it runs until now");
        self.said()
    }

    fn said(&mut self) -> String {
        let mut said = std::mem::take(&mut self.start);
        for rest in self.rest.drain(..) {
            let rest = rest.join().expect("its output was read");
            said += &String::from_utf8(rest).expect("UTF-8");
        }
        said
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A binary with only these settings, on free ports unless they say otherwise.
pub fn command(binary: &str, vars: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binary);
    command
        .env_clear()
        .envs(["BIND_ADDR", "DEMO_ADDR", "DEMO_OPENID_ADDR"].map(|name| (name, "127.0.0.1:0")))
        .envs(vars.iter().copied())
        .current_dir(folder(binary));
    command
}

/// The folder of a binary: nobody keeps an `.env` file there.
fn folder(binary: &str) -> &Path {
    Path::new(binary).parent().expect("a file")
}

/// The problems that it ends with under these settings, one per line.
///
/// # Panics
/// When it starts.
pub fn problems(binary: &str, vars: &[(&str, &str)]) -> Vec<String> {
    problems_of(&mut command(binary, vars))
}

/// The same for a command.
///
/// # Panics
/// When it starts.
pub fn problems_of(command: &mut Command) -> Vec<String> {
    match Program::try_run(command) {
        Ok(program) => panic!("it starts: {}", program.stop()),
        Err(problems) => problems,
    }
}

fn problems_in(log: &str, errors: &[u8], status: ExitStatus) -> Vec<String> {
    let errors = String::from_utf8(errors.to_vec()).expect("UTF-8");
    assert_eq!(status.code(), Some(2), "{log}{errors}");
    assert_eq!(log, "", "something was started: {errors}");
    let line = |line: &str| line.strip_prefix("error: ").map(str::to_owned);
    let problems: Option<Vec<_>> = errors.lines().map(line).collect();
    problems.expect("a line for each problem")
}

/// Keeps other tests away from the ports that servers take when nothing is set, on this machine.
///
/// # Panics
/// When there is no folder for temporary files.
pub fn default_ports() -> File {
    let path = env::temp_dir().join("oauth2-axum-examples.ports");
    let file = File::options().create(true).append(true).open(path);
    let file = file.expect("a file to lock");
    file.lock().expect("a lock, which the last one has left");
    file
}

/// The binary of an example, which `cargo test` builds along with the tests.
///
/// # Panics
/// When it was not built, as with `cargo test --test`.
pub fn example(package: &str, name: &str) -> String {
    let hint = format!("cargo build -p {package} --example {name}");
    built(&Path::new("examples").join(name), &hint)
}

/// The binary of another package, which `cargo test --workspace` builds.
///
/// # Panics
/// When it was not built.
pub fn binary(package: &str) -> String {
    built(Path::new(package), &format!("cargo build -p {package}"))
}

fn built(name: &Path, hint: &str) -> String {
    let test = env::current_exe().expect("this test");
    let target = test.ancestors().nth(2).expect("target/debug");
    let binary = target.join(name).with_extension(EXE_EXTENSION);
    assert!(binary.is_file(), "it is not built: {hint}");
    binary
        .into_os_string()
        .into_string()
        .expect("a path in UTF-8")
}

/// Keeps reading, so that the program never blocks on its output.
fn rest_of(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut rest = Vec::new();
        let _ = from.read_to_end(&mut rest);
        rest
    })
}
