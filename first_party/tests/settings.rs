//! The real binary with wrong settings: it names them and does not start.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Command, Stdio},
};

use testing::program;

const SECRET: &str = "one of several secrets that are long enough for SHA-256";

/// A new empty directory to run in.
fn directory(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join("first_party")
        .join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).expect("a directory");
    directory
}

/// The server with these settings alone, on a free port.
fn server(directory: &PathBuf, vars: &[(&str, &str)]) -> Command {
    let mut server = Command::new(env!("CARGO_BIN_EXE_first_party"));
    server
        .current_dir(directory)
        .env_clear()
        .env("BIND_ADDR", "127.0.0.1:0");
    server.envs(vars.iter().copied()).stdin(Stdio::null());
    server
}

/// Runs it until it exits and returns the problems that it reports.
fn problems(name: &str, directory: &PathBuf, vars: &[(&str, &str)]) -> String {
    let mut server = server(directory, vars);
    let mut server = server
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the server");
    let (mut log, mut errors) = (String::new(), String::new());
    for line in BufReader::new(server.stdout.take().expect("a pipe")).lines() {
        let line = line.expect("UTF-8");
        if line.contains("listening on") {
            server.kill().expect("a process");
            panic!("{name}: it starts");
        }
        log += &line;
    }
    server
        .stderr
        .take()
        .expect("a pipe")
        .read_to_string(&mut errors)
        .expect("UTF-8");
    let status = server.wait().expect("a process");
    assert_eq!(status.code(), Some(2), "{name}: {log}{errors}");
    assert!(
        errors.lines().all(|line| line.starts_with("error: ")),
        "{name}: {errors}"
    );
    for (variable, value) in vars
        .iter()
        .filter(|(variable, _)| *variable == "JWT_SECRET")
    {
        let shown = value
            .split(',')
            .any(|secret| !secret.is_empty() && errors.contains(secret));
        assert!(!shown && !log.contains(variable), "{name}: {log}{errors}");
    }
    errors
}

// checks 114, 144
#[test]
fn a_secret_that_anybody_could_guess_or_read_is_refused() {
    let example = include_str!("../../.env.example").lines();
    let mut published = example.filter_map(|line| line.strip_prefix("# JWT_SECRET="));
    let published = published.next().expect("an example of a secret");
    assert!(
        published.len() >= 32,
        "its length alone would not refuse it"
    );
    let cases = [
        ("empty", String::new()),
        ("blank", "  ".to_owned()),
        ("short", "correct horse".to_owned()),
        ("31", "0123456789abcdef0123456789abcde".to_owned()),
        ("one-short", format!("{SECRET},correct horse")),
        ("comma", format!("{SECRET},")),
        ("published", published.to_owned()),
        ("also-published", format!("{SECRET},{published}")),
    ];
    for (name, secret) in cases {
        let errors = problems(name, &directory(name), &[("JWT_SECRET", &secret)]);
        assert_eq!(errors.lines().count(), 1, "{name}: {errors}");
        assert!(errors.starts_with("error: JWT_SECRET "), "{name}: {errors}");
    }
}

// checks 114, 143
#[test]
fn without_a_secret_nobody_else_may_reach_the_server() {
    let here = "http://127.0.0.1:5000";
    for (name, vars) in [
        (
            "https",
            [
                ("PUBLIC_URL", "https://app.example.com"),
                ("BIND_ADDR", "127.0.0.1:0"),
            ],
        ),
        (
            "wildcard",
            [("PUBLIC_URL", here), ("BIND_ADDR", "0.0.0.0:0")],
        ),
        (
            "wildcard-v6",
            [("PUBLIC_URL", here), ("BIND_ADDR", "[::]:0")],
        ),
    ] {
        let errors = problems(name, &directory(name), &vars);
        // The other line is about `authenticate`; see the test below.
        assert_eq!(errors.lines().count(), 2, "{name}: {errors}");
        assert!(
            errors.contains("error: JWT_SECRET is missing"),
            "{name}: {errors}"
        );
    }
}

// check 163
#[test]
fn a_server_that_accepts_everyone_does_not_start_where_others_can_reach_it() {
    let public = ("PUBLIC_URL", "https://app.example.com");
    let here = ("PUBLIC_URL", "http://127.0.0.1:5000");
    for (public_url, bind_addr) in [
        (public, "127.0.0.1:0"),
        (public, "0.0.0.0:0"),
        (here, "0.0.0.0:0"),
        (here, "[::]:0"),
    ] {
        let vars = [public_url, ("BIND_ADDR", bind_addr), ("JWT_SECRET", SECRET)];
        let lines = program::problems(env!("CARGO_BIN_EXE_first_party"), &vars);
        let [line] = &lines[..] else {
            panic!("{vars:?} {lines:#?}")
        };
        assert!(
            line.starts_with("authenticate in first_party/src/"),
            "{line}"
        );
        let source = line.split_whitespace().nth(2).expect("a file");
        let source = fs::read_to_string(PathBuf::from("..").join(source)).expect(line);
        assert!(source.contains("pub async fn authenticate("), "{line}");
    }
}

// check 144
#[test]
fn all_problems_are_reported_at_once() {
    let vars = [
        ("BIND_ADDR", "here"),
        ("PUBLIC_URL", "https://app.example.com/path"),
        ("RUST_LOG", "=loud="),
        ("JWT_SECRET", "correct horse"),
    ];
    let errors = problems("all", &directory("all"), &vars);
    for (name, _) in vars {
        let lines = errors
            .lines()
            .filter(|line| line.starts_with(&format!("error: {name} ")));
        assert_eq!(lines.count(), 1, "{name}: {errors}");
    }
}

// checks 3, 144
#[test]
fn a_public_url_is_an_origin_and_nothing_else() {
    let table = [
        ("relative", "app.example.com"),
        ("path", "https://app.example.com/path"),
        ("slash", "https://app.example.com/"),
        ("query", "https://app.example.com?a=b"),
        ("fragment", "https://app.example.com#a"),
        ("user", "https://user@app.example.com"),
        ("scheme", "ftp://app.example.com"),
        ("case", "https://APP.example.com"),
    ];
    for (name, url) in table {
        let directory = directory(&format!("url-{name}"));
        let errors = problems(
            name,
            &directory,
            &[("PUBLIC_URL", url), ("JWT_SECRET", SECRET)],
        );
        assert_eq!(errors.lines().count(), 1, "{name}: {errors}");
        assert!(errors.starts_with("error: PUBLIC_URL "), "{name}: {errors}");
    }
}

// check 144
#[test]
fn the_env_file_is_read_and_the_environment_wins() {
    let directory = directory("env-file");
    let problems = |vars: &[(&str, &str)]| problems("env-file", &directory, vars);
    fs::write(directory.join(".env"), "JWT_SECRET=a-short-secret\n").expect("a file");
    let errors = problems(&[]);
    assert!(
        errors.starts_with("error: JWT_SECRET is too short"),
        "{errors}"
    );
    assert!(!errors.contains("a-short-secret"), "{errors}");

    // The secret in the environment is valid; what remains is the problem with the other setting.
    let errors = problems(&[("JWT_SECRET", SECRET), ("PUBLIC_URL", "nonsense")]);
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(errors.starts_with("error: PUBLIC_URL "), "{errors}");

    fs::write(directory.join(".env"), "this line holds a secret\n").expect("a file");
    let errors = problems(&[]);
    assert!(errors.starts_with("error: .env "), "{errors}");
    assert!(!errors.contains("holds"), "{errors}");
}

#[test]
fn help_lists_every_setting_with_its_default() {
    let output = server(&directory("help"), &[])
        .arg("--help")
        .output()
        .expect("the server");
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).expect("UTF-8");
    let lines: Vec<_> = help.lines().collect();
    for name in ["BIND_ADDR", "PUBLIC_URL", "JWT_SECRET", "RUST_LOG"] {
        let at = lines
            .iter()
            .position(|line| *line == name)
            .unwrap_or_else(|| panic!("{help}"));
        assert!(lines[at + 1].len() > 20, "{help}");
        assert!(lines[at + 2].trim().starts_with("Default: "), "{help}");
    }
    assert!(help.contains("127.0.0.1:5000"), "{help}");
    assert!(output.stderr.is_empty());
}

#[test]
fn an_argument_that_does_not_exist_is_an_error() {
    let output = server(&directory("argument"), &[])
        .arg("--port=80")
        .output()
        .expect("the server");
    assert_eq!(output.status.code(), Some(2));
    let errors = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(errors.contains("--help"), "{errors}");
}
