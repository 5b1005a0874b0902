//! A server in a process of its own, and all that it says.

use std::{
    collections::BTreeSet,
    env::{self, consts::EXE_EXTENSION},
    fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
};

use serde_json::Value;
use url::form_urlencoded;

use super::{Answer, provider::Seen};

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
    /// Starts a binary with these settings alone, on free ports, and waits until it is up.
    ///
    /// # Panics
    /// When it ends instead.
    pub fn start(binary: &str, vars: &[(&str, &str)]) -> Self {
        Self::run(Command::new(binary), binary, vars)
    }

    /// The same with fewer files than the system gives, as `ulimit` of a shell says it.
    ///
    /// # Panics
    /// When it ends instead.
    pub fn with_ulimit(ulimit: &str, binary: &str, vars: &[(&str, &str)]) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit {ulimit}; exec \"$0\""), binary]);
        Self::run(shell, binary, vars)
    }

    fn run(mut command: Command, binary: &str, vars: &[(&str, &str)]) -> Self {
        let mut process = command
            .env_clear()
            .envs(["BIND_ADDR", "DEMO_ADDR"].map(|name| (name, "127.0.0.1:0")))
            .envs(vars.iter().copied())
            // Nobody keeps an `.env` file there.
            .current_dir(Path::new(binary).parent().expect("a directory"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let errors = rest_of(process.stderr.take().expect("a pipe"));
        let mut log = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut start = String::new();
        // The last line that it logs when it is up.
        while !start.contains(" in a browser to try ") {
            assert_ne!(
                log.read_line(&mut start).expect("UTF-8"),
                0,
                "it ended: {start}"
            );
        }
        let (_, rest) = start.split_once("listening on ").expect("where it listens");
        let url = rest.lines().next().expect("a URL").to_owned();
        Self {
            url,
            process,
            start,
            rest: vec![rest_of(log), errors],
        }
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

    /// Sends it SIGTERM, as whoever manages servers does.
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

    /// Waits until it ends by itself; returns its exit code and all that it has said.
    ///
    /// # Panics
    /// When a signal has ended it, or it said what is not text.
    pub fn wait(mut self) -> (i32, String) {
        let code = self
            .process
            .wait()
            .expect("a process")
            .code()
            .expect("no signal has ended it");
        (code, self.said())
    }

    /// Ends it; returns all that it has said, byte for byte.
    ///
    /// # Panics
    /// When it has ended before, or said what is not text.
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

/// The binary of an example, which `cargo test` builds beside the tests.
///
/// Two packages may have one of the same name, so that `examples/name` is the one that was built
/// last; each has a file of its own too, with what it was made of beside it.
///
/// # Panics
/// When it was not built, as with `cargo test --test`: `cargo build --examples` does it.
pub fn example(package: &str, name: &str) -> String {
    let test = env::current_exe().expect("this test");
    let examples = test
        .ancestors()
        .nth(2)
        .expect("target/debug")
        .join("examples");
    let source = format!("{package}/examples/{name}");
    let is_made_of_it = |file: &PathBuf| {
        let file_name = file.file_name().unwrap_or_default().to_string_lossy();
        let is_list = file_name.starts_with(&format!("{name}-")) && file_name.ends_with(".d");
        is_list
            && fs::read_to_string(file)
                .unwrap_or_default()
                .replace('\\', "/")
                .contains(&source)
    };
    let built = fs::read_dir(&examples)
        .expect("the examples")
        .filter_map(Result::ok);
    let built = built.map(|file| file.path()).filter(is_made_of_it);
    let mut built: Vec<_> = built
        .filter_map(|file| {
            let binary = file.with_extension(EXE_EXTENSION);
            Some((binary.metadata().ok()?.modified().ok()?, binary))
        })
        .collect();
    // Those of earlier builds are there too, and with `--all-targets` what tests them.
    built.sort_unstable();
    let is_it = |(_, binary): &(_, PathBuf)| {
        let help = Command::new(binary)
            .arg("--help")
            .output()
            .expect("it runs")
            .stdout;
        help.starts_with(b"Settings are")
    };
    let (_, binary) = built
        .into_iter()
        .rev()
        .find(is_it)
        .expect("the example was built");
    binary
        .into_os_string()
        .into_string()
        .expect("a path in UTF-8")
}

/// Reads on, so that the program is never held up.
fn rest_of(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut rest = Vec::new();
        let _ = from.read_to_end(&mut rest);
        rest
    })
}

/// What must not be said: everything secret that came along in a test.
#[derive(Debug, Default)]
pub struct Secrets(BTreeSet<String>);

impl Secrets {
    /// Settings, passwords and what else is known beforehand.
    ///
    /// # Panics
    /// When one is so short that it could be said by chance.
    pub fn add(&mut self, secret: impl Into<String>) {
        let secret = secret.into();
        assert!(secret.len() >= 6, "{secret:?} could be said by chance");
        self.0.insert(secret);
    }

    /// What is secret in an answer: cookies, and codes, states and tokens in the body or a redirect.
    ///
    /// # Panics
    /// When a header is not ASCII.
    pub fn see(&mut self, answer: &Answer) {
        for cookie in answer.set_cookies() {
            let value = cookie
                .split(';')
                .next()
                .and_then(|pair| Some(pair.split_once('=')?.1));
            self.add_all(value);
        }
        let redirect = answer
            .headers
            .get("location")
            .map(|_| answer.header("location"));
        let redirect = redirect.and_then(|to| answer.url.join(to).ok());
        for url in redirect.iter().chain([&answer.url]) {
            let query = url.query().unwrap_or_default();
            self.see_form(query);
            self.see_form(url.fragment().unwrap_or_default());
        }
        if let Ok(Value::Object(members)) = serde_json::from_str(&answer.body) {
            let members = members
                .iter()
                .filter(|(name, _)| SECRET.contains(&name.as_str()));
            self.add_all(members.filter_map(|(_, value)| value.as_str()));
        }
    }

    /// What is secret in the requests that a provider saw.
    pub fn see_requests(&mut self, seen: &[Seen]) {
        for request in seen {
            self.see_form(&request.body);
            let credentials = request.header("authorization").split_once(' ');
            self.add_all(credentials.map(|(_, credentials)| credentials));
        }
    }

    fn see_form(&mut self, form: &str) {
        let pairs = form_urlencoded::parse(form.as_bytes());
        let secret = pairs.filter(|(name, _)| SECRET.contains(&&**name));
        let values: Vec<_> = secret.map(|(_, value)| value.into_owned()).collect();
        self.add_all(values.iter().map(String::as_str));
    }

    fn add_all<'a>(&mut self, found: impl IntoIterator<Item = &'a str>) {
        self.0.extend(
            found
                .into_iter()
                .filter(|found| found.len() >= 6)
                .map(str::to_owned),
        );
    }

    /// That none of them was said, and that nobody but the log itself began a line.
    ///
    /// # Panics
    /// When one was.
    pub fn assert_unsaid(&self, said: &str, at_least: usize) {
        assert!(self.0.len() >= at_least, "too few are known: {:#?}", self.0);
        for secret in &self.0 {
            assert!(
                !said.contains(secret.as_str()),
                "{secret} was said:\n{said}"
            );
        }
        for line in said.lines() {
            let time: String = line
                .chars()
                .take(27)
                .map(|c| if c.is_ascii_digit() { '0' } else { c })
                .collect();
            assert_eq!(
                time, "0000-00-00T00:00:00.000000Z",
                "a line that nobody logged: {line:?}"
            );
            assert!(!line.contains(char::is_control), "{line:?}");
        }
    }
}

/// The names of what is secret, in forms, queries, fragments and JSON.
const SECRET: [&str; 10] = [
    "access_token",
    "client_secret",
    "code",
    "code_verifier",
    "id_token",
    "nonce",
    "password",
    "refresh_token",
    "state",
    "token",
];
