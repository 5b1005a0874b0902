//! Runs the commands of a README, each section in one shell, and compares what they print.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{self, Stdio},
};

use crate::{
    blocks::{Block, Readme},
    compare::{compare, find_in_log},
    ports::Ports,
    process::{Process, command, program},
    settings::settings_of,
};

/// What the shell prints after each block.
const END: &str = "-- end of block --";

pub struct Report<'a> {
    pub problems: Vec<String>,
    /// The blocks that are marked, with their reasons.
    pub not_run: Vec<String>,
    readme: &'a Readme,
    logs: Vec<String>,
}

impl Report<'_> {
    fn problem(&mut self, line: usize, what: &str) {
        self.problems
            .push(format!("{}: {what}", self.readme.at(line)));
    }

    fn compare(&mut self, answer: &Block, printed: &str) {
        if let Err(index) = compare(answer, printed) {
            let shown = answer.text.lines().nth(index).unwrap_or("(nothing more)");
            let what = format!(
                "this is not what is printed\n  shown:   {shown}\n  printed: {}",
                printed.trim().replace('\n', "\n           ")
            );
            self.problem(answer.line + index, &what);
        }
    }
}

/// Runs all blocks of these documents, in directories of this name.
pub fn run<'a>(readmes: &'a [Readme], name: &str) -> Vec<Report<'a>> {
    let run_one = |readme: &'a Readme| {
        let name = format!("{name}-{}", readme.file.replace('/', "-"));
        run_blocks(readme, &name)
    };
    let mut reports: Vec<_> = readmes.iter().map(run_one).collect();
    let logs: Vec<_> = reports
        .iter_mut()
        .flat_map(|report| std::mem::take(&mut report.logs))
        .collect();
    for report in &mut reports {
        check_logs(report, &logs);
    }
    reports
}

fn run_blocks<'a>(readme: &'a Readme, name: &str) -> Report<'a> {
    let mut report = Report {
        problems: Vec::new(),
        not_run: Vec::new(),
        readme,
        logs: Vec::new(),
    };
    let sections = readme
        .blocks
        .chunk_by(|one, next| one.section == next.section);
    for (number, blocks) in sections.enumerate() {
        let directory = format!("readme/{name}-{number}-{}", process::id());
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(directory);
        run_section(&mut report, directory, blocks);
    }
    report
}

/// A log may be shown before the walkthrough that writes it, or in another document.
fn check_logs(report: &mut Report<'_>, logs: &[String]) {
    for block in report.readme.blocks.iter().filter(|block| is_log(block)) {
        // The first line that is missing from the log that matches furthest.
        let missing = logs.iter().map(|log| find_in_log(&block.text, log));
        let missing = missing.max_by_key(|missing| missing.unwrap_or(usize::MAX));
        if let Some(index) = missing.unwrap_or(Some(0)) {
            let line = block.text.lines().nth(index).unwrap_or_default();
            report.problem(block.line + index, &format!("no server logs this: {line}"));
        }
    }
}

fn run_section(report: &mut Report<'_>, directory: PathBuf, blocks: &[Block]) {
    let mut section = Section::new(directory);
    let mut blocks = blocks.iter().peekable();
    while let Some(block) = blocks.next() {
        match &*block.language {
            "sh" => {}
            // Not checked here: their syntax belongs to other programs.
            "mermaid" | "caddyfile" => continue,
            "json" | "text" if is_log(block) => continue,
            "json" | "text" => {
                report.problem(
                    block.line,
                    "no command stands before it that could print this",
                );
                continue;
            }
            language => {
                report.problem(
                    block.line,
                    &format!("`{language}`: commands are in blocks of `sh`"),
                );
                continue;
            }
        }
        let answer = blocks.next_if(|next| is_answer(next));
        if let Some(mark) = block.before.strip_prefix("<!-- not run:") {
            let reason = mark.trim_end_matches("-->").trim();
            if reason.is_empty() {
                report.problem(block.line, "it is not run, and the mark does not say why");
            }
            let at = report.readme.at(block.line);
            report
                .not_run
                .push(format!("{at}: {}: {reason}", block.text));
            continue;
        }
        let printed = if block.text.contains("cargo run") {
            section.start(&block.text, answer.is_some())
        } else {
            section.run(&block.text, answer.is_some())
        };
        match (printed, answer) {
            (Ok(printed), Some(answer)) => report.compare(answer, &printed),
            (Ok(_), None) => {}
            (Err(why), _) => {
                let what = format!("{why}\nthe rest of this section was not run");
                report.problem(block.line, &what);
                break;
            }
        }
    }
    section.stop_servers();
    report.logs.append(&mut section.logs);
}

fn is_answer(block: &Block) -> bool {
    block.follows && matches!(&*block.language, "json" | "text")
}

fn is_log(block: &Block) -> bool {
    let of_log = |line: &str| line.starts_with("… INFO ") || line.starts_with("… WARN ");
    !block.follows && block.language == "text" && block.text.lines().all(of_log)
}

/// What the blocks of a section share.
struct Section {
    directory: PathBuf,
    shell: Process,
    servers: Vec<(Process, String)>,
    logs: Vec<String>,
    ports: Ports,
}

impl Section {
    fn new(directory: PathBuf) -> Self {
        fs::create_dir_all(&directory).expect("a directory for the test");
        let errors = directory.with_extension("stderr");
        let errors = fs::File::options().create(true).append(true).open(errors);
        let errors = errors.expect("a file for the test");
        let mut shell = command("bash", &directory);
        shell
            .args(["-euo", "pipefail"])
            .stdin(Stdio::piped())
            .stderr(errors);
        let shell = Process::start(&mut shell);
        Self {
            directory,
            shell,
            servers: Vec::new(),
            logs: Vec::new(),
            ports: Ports::default(),
        }
    }

    /// Runs a block in the shell and returns what it prints. If the README shows that, it is
    /// compared; otherwise the exit code must be 0.
    fn run(&mut self, block: &str, shown: bool) -> Result<String, String> {
        let block = self.ports.real(block);
        let exit_code = if shown { "set +e" } else { "set -e" };
        let script = format!("{exit_code}\n{{\n{block}\n}} </dev/null\nprintf '\\n{END}\\n'\n");
        let errors = self.directory.with_extension("stderr");
        fs::write(&errors, "").expect("those of the block before are not needed");
        let stdin = self.shell.child.stdin.as_mut().expect("it is piped");
        // If the shell has ended already, its output says so.
        let _ = stdin.write_all(script.as_bytes());
        let mut printed = String::new();
        while let Some(line) = self.shell.line() {
            if line == END {
                return Ok(self.ports.shown(&printed));
            }
            printed += &(line + "\n");
        }
        let errors = fs::read_to_string(errors).unwrap_or_default();
        Err(format!(
            "it fails ({})\n{}\n{}",
            self.shell.status(),
            printed.trim(),
            errors.trim()
        ))
    }

    /// Starts the program of a `cargo run` and returns what it prints until it is up, or all of its
    /// output if it ends by itself.
    fn start(&mut self, block: &str, shown: bool) -> Result<String, String> {
        let (settings, cargo_run) = block.split_once("cargo run").expect("such a block");
        let (program, arguments) = program(cargo_run)?;
        let script = self
            .ports
            .real(&format!("exec 2>&1\n{settings} exec \"$0\" {arguments}"));
        let mut command = command("bash", &self.directory);
        command.args(["-euc", &script]).arg(&program);
        for (name, default) in settings_of(&program) {
            let own = self.ports.real(&default);
            if own != default {
                command.env(name, own);
            }
        }
        let (mut server, mut printed) = (Process::start(&mut command), String::new());
        // The last line that a server prints at startup, after `listening on`.
        while !printed.contains(" INFO open http") {
            let Some(line) = server.line() else {
                if printed.contains("cannot be bound") && self.stop_servers() {
                    return self.start(block, shown);
                }
                let status = server.status();
                return if shown || status.success() {
                    Ok(self.ports.shown(&printed))
                } else {
                    Err(format!("it fails ({status})\n{}", printed.trim()))
                };
            };
            printed += &(line + "\n");
        }
        self.servers.push((server, printed.clone()));
        Ok(self.ports.shown(&printed))
    }

    /// Stops the servers, as a person does before starting another one on the same port. Returns
    /// whether there were any.
    fn stop_servers(&mut self) -> bool {
        let any = !self.servers.is_empty();
        for (mut server, mut log) in self.servers.drain(..) {
            server.child.kill().expect("it is our own process");
            while let Some(line) = server.line() {
                log += &(line + "\n");
            }
            self.logs.push(self.ports.shown(&log));
        }
        any
    }
}

impl Drop for Section {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
        let _ = fs::remove_file(self.directory.with_extension("stderr"));
    }
}
