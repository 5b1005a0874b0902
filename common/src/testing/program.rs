//! A server in a process of its own, and all that it says.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
};

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
        let mut process = Command::new(binary)
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
        while !start.ends_with(" in a browser\n") {
            assert_ne!(log.read_line(&mut start).expect("UTF-8"), 0, "it ended: {start}");
        }
        let (_, rest) = start.split_once("listening on ").expect("where it listens");
        let url = rest.lines().next().expect("a URL").to_owned();
        Self { url, process, start, rest: vec![rest_of(log), errors] }
    }

    /// The URL of a path on it.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// The most memory that it has held so far, in MiB, where the system says it.
    pub fn peak_memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib / 1024)
    }

    /// Ends it; returns all that it has said, byte for byte.
    ///
    /// # Panics
    /// When it has ended before, or said what is not text.
    pub fn stop(mut self) -> String {
        assert!(self.process.try_wait().expect("a process").is_none(), "it ended by itself");
        self.process.kill().expect("it runs until now");
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

/// Reads on, so that the program is never held up.
fn rest_of(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut rest = Vec::new();
        let _ = from.read_to_end(&mut rest);
        rest
    })
}
