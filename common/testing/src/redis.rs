//! A real Redis, which a test may stop, suspend and start again.

use std::{
    env, fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

/// A Redis on its own port and in its own folder. It ends when this is dropped.
#[derive(Debug)]
pub struct Redis {
    /// Where it listens.
    pub port: u16,
    folder: PathBuf,
    arguments: Vec<String>,
    process: Child,
}

impl Redis {
    /// Starts it, and waits until it answers.
    ///
    /// # Panics
    /// When there is no `redis-server`.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With more arguments of the command line.
    ///
    /// # Panics
    /// When there is no `redis-server`.
    pub fn start_with(arguments: &[&str]) -> Self {
        Self::start_at(free_port(), arguments)
    }

    /// On this port.
    ///
    /// # Panics
    /// When there is no `redis-server`, or it ends.
    pub fn start_at(port: u16, arguments: &[&str]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("replicas-{}-{number}", std::process::id());
        let folder = env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        let process = spawn(port, &folder, &arguments);
        Self {
            port,
            folder,
            arguments,
            process,
        }
    }

    /// Its URL, for `REDIS_URL`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends it at once.
    ///
    /// # Panics
    /// When it has ended before.
    pub fn stop(&mut self) {
        self.process.kill().expect("it runs until now");
        self.process.wait().expect("a process");
    }

    /// Starts it again, with the data that it stored.
    ///
    /// # Panics
    /// When another program has its port.
    pub fn start_again(&mut self) {
        self.process = spawn(self.port, &self.folder, &self.arguments);
    }

    /// Starts it again, with nothing.
    ///
    /// # Panics
    /// When another program has its port.
    pub fn start_again_empty(&mut self) {
        fs::remove_dir_all(&self.folder).expect("its folder");
        fs::create_dir_all(&self.folder).expect("a folder");
        self.start_again();
    }

    /// Suspends it: it keeps its connections but does not answer.
    pub fn suspend(&self) {
        self.signal("-STOP");
    }

    /// Resumes it after [`suspend`](Self::suspend).
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args([name, &pid]).status();
        assert!(sent.expect("a system with kill").success(), "it runs");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn spawn(port: u16, folder: &Path, arguments: &[String]) -> Child {
    let mut process = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args([
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
        ])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed");
    while !answers(port) {
        let ended = process.try_wait().expect("a process");
        assert!(ended.is_none(), "redis-server ended: {ended:?}");
        thread::sleep(Duration::from_millis(20));
    }
    process
}

/// Whether it answers, even with an error, and no longer says that it is still loading its data.
fn answers(port: u16) -> bool {
    let mut answer = [0; 8];
    let asked = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).and_then(|mut stream| {
        stream.write_all(b"PING\r\n")?;
        stream.read(&mut answer)
    });
    asked.is_ok_and(|length| length > 0) && !answer.starts_with(b"-LOADING")
}

/// A port that is free now.
///
/// # Panics
/// When there is none.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}
