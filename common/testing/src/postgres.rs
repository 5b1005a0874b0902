//! A real Postgres, which a test may stop and start again.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use crate::redis::free_port;

/// Which user needs a password: `guarded` does, everybody else does not.
const HBA: &str = "host all guarded all scram-sha-256\nhost all all all trust\n";

/// Runs Postgres until its standard input is closed, which happens however the test ends, and then
/// removes the folder. If it reads a line first, it stops Postgres and keeps the folder.
const SCRIPT: &str = r#"
"$1"postgres -D "$2/data" -k "$2" -h 127.0.0.1 -p "$3" -c fsync=off -c max_connections=200 \
    -c hba_file="$2/hba.conf" -c ssl=on -c ssl_cert_file="$2/tls.crt" -c ssl_key_file="$2/tls.key" \
    >"$2/log" 2>&1 &
if read -r _; then kill -INT $!; wait; else kill -INT $!; wait; rm -rf "$2"; fi
"#;

/// A Postgres with its own port and folder. It stops when this is dropped.
#[derive(Debug)]
pub struct Postgres {
    /// Where it listens.
    pub port: u16,
    folder: PathBuf,
    process: Child,
}

impl Postgres {
    /// The one that all tests of this binary share, unless they stop it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts one, and waits until it accepts connections.
    ///
    /// # Panics
    /// When Postgres is not installed.
    pub fn start() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("postgres-{}-{number}", std::process::id());
        let folder = env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
        let own = own.expect("random numbers make a certificate");
        let key = folder.join("tls.key");
        for (file, text) in [
            (folder.join("hba.conf"), HBA),
            (folder.join("tls.crt"), &own.cert.pem()),
            (key.clone(), &own.signing_key.serialize_pem()),
        ] {
            fs::write(file, text).expect("a file");
        }
        done(Command::new("chmod").arg("600").arg(key));
        if is_root() {
            done(Command::new("chown").args(["-R", "postgres"]).arg(&folder));
        }
        let initdb = format!("{}initdb", programs());
        let data = folder.join("data");
        done(
            not_root(&initdb)
                .args([
                    "--no-sync",
                    "-U",
                    "postgres",
                    "-E",
                    "UTF8",
                    "--locale=C",
                    "-D",
                ])
                .arg(data),
        );
        let port = free_port();
        let process = spawn(&folder, port);
        let this = Self {
            port,
            folder,
            process,
        };
        this.sql("CREATE ROLE guarded LOGIN SUPERUSER PASSWORD 'hunter2'");
        this
    }

    /// Creates a database and returns its URL for `DATABASE_URL`, whose password is not checked.
    pub fn database(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("CREATE DATABASE {name}"));
        let port = self.port;
        format!("postgres://postgres:hunter2@127.0.0.1:{port}/{name}?sslmode=disable")
    }

    /// The path of its certificate, a PEM file, for `sslrootcert`. It is self-signed, and for
    /// `localhost` only.
    pub fn certificate(&self) -> String {
        self.folder.join("tls.crt").display().to_string()
    }

    /// Runs a statement as the administrator.
    ///
    /// # Panics
    /// When it fails.
    pub fn sql(&self, statement: &str) {
        let port = self.port.to_string();
        let mut psql = Command::new(format!("{}psql", programs()));
        psql.args(["-X", "-h", "127.0.0.1", "-p", &port, "-U", "postgres"]);
        done(psql.args(["-v", "ON_ERROR_STOP=1", "-c", statement]));
    }

    /// Ends every connection, as a proxy or an administrator may do.
    pub fn cut_connections(&self) {
        self.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
        );
    }

    /// Stops it and closes all connections. Its data stay.
    ///
    /// # Panics
    /// When it has already stopped.
    pub fn stop(&mut self) {
        let input = self.process.stdin.as_mut().expect("its input");
        input.write_all(b"keep the folder\n").expect("it runs");
        self.process.wait().expect("a process");
    }

    /// Starts it again, with the data that it had. If another program has taken its port in the
    /// meantime, this waits for ever or reaches that program.
    pub fn start_again(&mut self) {
        self.process = spawn(&self.folder, self.port);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn spawn(folder: &Path, port: u16) -> Child {
    let process = not_root("sh")
        .args(["-c", SCRIPT, "sh", programs()])
        .arg(folder)
        .arg(port.to_string())
        .stdin(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut ready = Command::new(format!("{}pg_isready", programs()));
    ready.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
    while !ready.status().expect("pg_isready is installed").success() {
        thread::sleep(Duration::from_millis(20));
    }
    process
}

/// Runs a program as the user `postgres` if we are root, because Postgres refuses to run as root.
fn not_root(program: &str) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=postgres",
        "--regid=postgres",
        "--clear-groups",
        program,
    ]);
    command
}

fn is_root() -> bool {
    let id = Command::new("id")
        .arg("-u")
        .output()
        .expect("a system with id");
    id.stdout.trim_ascii() == b"0"
}

fn done(command: &mut Command) {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
}

/// The folder of Postgres's programs, with a slash at the end; empty if they are on the `PATH`.
/// Debian has a folder for each version; this is the newest.
fn programs() -> &'static str {
    static PROGRAMS: OnceLock<String> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
        let versions = versions.flatten().map(|version| version.path());
        let newest = versions.max_by_key(|path| {
            let version = path.file_name().and_then(|name| name.to_str());
            version.and_then(|version| version.parse::<u32>().ok())
        });
        newest.map_or_else(String::new, |path| format!("{}/bin/", path.display()))
    })
}
