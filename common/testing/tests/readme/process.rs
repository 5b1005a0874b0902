//! Programs that a README starts, and what they print.

use std::{
    env,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use crate::{built, root};

/// A command that prints nothing for this long hangs.
const DEADLINE: Duration = Duration::from_mins(1);

/// A process, and the lines that it prints.
pub struct Process {
    pub child: Child,
    lines: Receiver<String>,
}

impl Process {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            output
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    /// The next line, or `None` once the process has ended. A process that hangs is killed.
    pub fn line(&mut self) -> Option<String> {
        let line = self.lines.recv_timeout(DEADLINE);
        if line == Err(RecvTimeoutError::Timeout) {
            let _ = self.child.kill();
        }
        line.ok()
    }

    pub fn status(&mut self) -> ExitStatus {
        self.child.wait().expect("it is our own process")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that gets nothing of this machine's environment but the `PATH`.
pub fn command(program: &str, directory: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .envs([("HOME", directory), ("TMPDIR", directory)])
        .current_dir(directory)
        .stdin(Stdio::null());
    command
}

/// The program that `cargo run` with these arguments starts, and the program's own arguments.
pub fn program(cargo_run: &str) -> Result<(PathBuf, String), String> {
    let words: Vec<_> = cargo_run.split_whitespace().collect();
    let (path, source, arguments) = match &words[..] {
        ["-p", package, "--example", name, rest @ ..] => (
            Path::new("examples").join(name),
            format!("{package}/examples"),
            rest,
        ),
        ["-p", package, rest @ ..] => (PathBuf::from(package), format!("{package}/src"), rest),
        _ => return Err("`cargo run` is not understood: write `cargo run -p …`".into()),
    };
    let arguments = match arguments {
        [] => String::new(),
        ["--", arguments @ ..] => arguments.join(" "),
        _ => {
            return Err(
                "`cargo run` is not understood: the program's arguments follow `--`".into(),
            );
        }
    };
    let built = built(&path);
    if !root().join(&source).exists() {
        Err(format!("there is no `{source}` here"))
    } else if !built.exists() {
        Err(format!(
            "no `{}` is built: cargo build --workspace --examples",
            path.display()
        ))
    } else {
        Ok((built, arguments))
    }
}
