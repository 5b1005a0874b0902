//! The READMEs, executed: their commands print what they show, and what they name exists.
//!
//! A block of `sh` that cannot be run here says so in the line before it, with the reason:
//! `<!-- not run: needs an account at Discord -->`.
//!
//! The programs are those in the target directory. `cargo test --workspace` builds them; before
//! `cargo test -p testing --test readme`, `cargo build --workspace --bins --examples` does.

// The commands are for a POSIX shell.
#![cfg(unix)]

#[path = "readme/blocks.rs"]
mod blocks;
#[path = "readme/compare.rs"]
mod compare;
#[path = "readme/links.rs"]
mod links;
#[path = "readme/names.rs"]
mod names;
#[path = "readme/ports.rs"]
mod ports;
#[path = "readme/process.rs"]
mod process;
#[path = "readme/routes.rs"]
mod routes;
#[path = "readme/run.rs"]
mod run;
#[path = "readme/settings.rs"]
mod settings;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use blocks::Readme;

const SERVERS: [&str; 3] = ["basic", "sessions", "first_party"];

/// The repository.
fn root() -> PathBuf {
    let crate_root = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_root.join("../..").canonicalize().expect("a folder")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A program in the target directory.
fn built(path: &Path) -> PathBuf {
    let test = env::current_exe().expect("this test");
    let built = test.ancestors().nth(2).expect("target/debug");
    built.join(path)
}

fn parse(text: &str) -> Readme {
    Readme::parse("README.md", text)
}

/// Fails with all problems, each of which begins with its file and line.
fn assert_none(problems: &[String]) {
    assert!(problems.is_empty(), "\n\n{}\n", problems.join("\n\n"));
}

#[test]
fn every_command_prints_what_is_shown() {
    let readmes = Readme::all();
    let reports = run::run(&readmes, "all");
    for block in reports.iter().flat_map(|report| &report.not_run) {
        println!("not run: {block}");
    }
    let problems = reports.iter().flat_map(|report| report.problems.clone());
    assert_none(&problems.collect::<Vec<_>>());
}

#[test]
fn every_link_path_and_name_leads_to_something() {
    for readme in Readme::all() {
        assert_none(&[links::problems(&readme), names::problems(&readme)].concat());
    }
}

#[test]
fn every_setting_is_listed_with_its_default() {
    assert_none(&settings::problems(&Readme::all(), &read(".env.example")));
}

#[test]
fn every_route_and_example_is_named_and_nothing_else() {
    let readmes = Readme::all();
    assert_none(&[routes::problems(&readmes), routes::examples(&readmes)].concat());
}

/// Whether these are the problems, by what they contain.
fn assert_problems(problems: &[String], expected: &[&str]) {
    let all = expected
        .iter()
        .zip(problems)
        .all(|(part, problem)| problem.contains(part));
    assert!(
        all && problems.len() == expected.len(),
        "{problems:#?} are not {expected:#?}"
    );
}

/// A block of commands, and what it is said to print.
fn shown(command: &str, answer: &str) -> String {
    format!("```sh\n{command}\n```\n\n```text\n{answer}\n```\n")
}

#[test]
fn a_wrong_answer_is_reported() {
    const START: &str = "```sh\ncargo run -p first_party\n```\n\n";
    let endpoint3 = "curl http://127.0.0.1:5000/endpoint3";
    let hello = r#""Hello from the unprotected endpoint 3""#;
    let run = |text: &str| run::run(&[parse(text)], "wrong-answer")[0].problems.clone();

    for right in [
        shown("echo one two", "one two"),
        shown("echo one two", "one …"),
        shown("printf '1\\n2\\n3\\n'", "1\n…\n3"),
        shown("exit_with() { return 1; }; echo no; exit_with", "no"),
        START.to_owned() + &*shown(endpoint3, hello),
        START.to_owned() + "```text\n… INFO listening on http://127.0.0.1:5000\n```",
        "<!-- not run: there is no such command -->\n".to_owned() + &*shown("no-such-command", "1"),
    ] {
        let right = right.replace(
            "```\n\n```text\n… INFO",
            "```\n\nIt logs:\n\n```text\n… INFO",
        );
        assert_problems(&run(&right), &[]);
    }
    for (wrong, problem) in [
        (shown("echo one two", "one too"), "README.md:6: "),
        (
            shown("echo one two", "one"),
            "\n  shown:   one\n  printed: one two",
        ),
        (shown("echo one two", "one two …"), "README.md:6: "),
        (shown("echo '\"a\",\"b\"'", r#""…""#), "README.md:6: "),
        (shown("printf '1\\n2\\n3\\n'", "1\n…\n4"), "README.md:8: "),
        (shown("printf '1\\n2\\n'", "1"), "README.md:7: "),
        (
            START.to_owned() + &*shown(endpoint3, &hello.replace("Hello", "Hallo")),
            "README.md:10: ",
        ),
        (
            START.to_owned() + "```sh\ncurl -f http://127.0.0.1:5000/none\n```",
            "README.md:6: it fails",
        ),
        (
            START.replace("first_party", "third_party"),
            "no `third_party/src`",
        ),
        (START.replace("run", "run --bin"), "not understood"),
        (
            START.to_owned() + "```text\nlistening on http://127.0.0.1:5001\n```",
            "README.md:6: ",
        ),
        (
            "```text\n… INFO nobody logs this\n```".to_owned(),
            "README.md:2: ",
        ),
        ("```sh\nfalse\n```".to_owned(), "README.md:2: "),
        ("```sh\necho $NOT_SET\n```".to_owned(), "NOT_SET"),
        (
            "<!-- not run: -->\n```sh\nfalse\n```".to_owned(),
            "README.md:3: ",
        ),
        (
            "```text\nprinted by nothing\n```".to_owned(),
            "README.md:2: ",
        ),
        ("```bash\ntrue\n```".to_owned(), "README.md:2: "),
    ] {
        assert_problems(&run(&wrong), &[problem]);
    }
}

#[test]
fn a_dead_link_path_or_name_is_reported() {
    let check = |text: &str| {
        let readme = parse(text);
        [links::problems(&readme), names::problems(&readme)].concat()
    };
    let right = "## A → `get_only`\n[x](#a--get_only), [MIT](LICENSE-MIT), [out](https://x.example/y),\n\
        `app` and `Index` in [basic/src/lib.rs](basic/src/lib.rs): `login`,\n\
        `basic/src`, `OAuth::verify`";
    assert_problems(&check(right), &[]);
    for wrong in [
        "[x](#b)",
        "[x](LICENSE-BSD)",
        "[MIT](LICENSE-MIT#x)",
        "[basic/src/main.rs](basic/src/lib.rs)",
        "`basic/src/libs.rs`",
        "`libs.rs`",
        "`finish` in [basic/src/lib.rs](basic/src/lib.rs)",
        "`get`, [basic/src/lib.rs](basic/src/lib.rs)",
        "`app`, `indices` in [basic/src/lib.rs](basic/src/lib.rs)",
        "[basic/src/lib.rs](basic/src/lib.rs): the routes, `ap`",
        "`OAuth::finnish`",
        "`SESSION_SECRETS`",
    ] {
        assert_problems(&check(&format!("\n{wrong}")), &["README.md:2: "]);
    }
}

#[test]
fn a_wrong_setting_is_reported() {
    let (readme, file) = (read("common/README.md"), read(".env.example"));
    let changed = |text: &str, from: &str, to: &str| {
        assert!(text.contains(from), "{from} stands there");
        text.replace(from, to)
    };
    let check = |readme: &str, file: &str| settings::problems(&[parse(readme)], file);
    for (from, to, problems) in [
        (
            "| `SCOPES` |",
            "| `SCOPE` |",
            &["`SCOPES` is not", "`SCOPE` is no"][..],
        ),
        (
            "| `DEMO_ADDR` | `basic`, `sessions` |",
            "| `DEMO_ADDR` | all |",
            &["`DEMO_ADDR`"],
        ),
        (
            "| all | info |",
            "| all | debug |",
            &["`RUST_LOG` | all | info"],
        ),
        (
            "\n| `ISSUER` |",
            "\n| `SCOPES` | x | x |\n| `ISSUER` |",
            &["| the", "`SCOPES` stands twice"],
        ),
    ] {
        assert_problems(&check(&changed(&readme, from, to), &file), problems);
    }
    for (from, to, problems) in [
        (
            "# SCOPES=",
            "# SCOPE=",
            &["`SCOPES` is not", "`SCOPE` is no"][..],
        ),
        ("RUST_LOG=info", "RUST_LOG=debug", &["RUST_LOG=info"]),
    ] {
        assert_problems(&check(&readme, &changed(&file, from, to)), problems);
    }
}

#[test]
fn an_extra_or_missing_route_or_example_is_reported() {
    let all = Readme::all();
    let readme: String = all.iter().map(|readme| read(&readme.file)).collect();
    let routes = |text: &str| routes::problems(&[parse(text)]);
    assert_problems(
        &routes(&readme.replace("/endpoint3", "/endpoint4")),
        &["/endpoint3", "`/endpoint4`"],
    );
    assert_problems(
        &routes(&(readme.clone() + "\n`GET /users/you?x`")),
        &["`/users/you`"],
    );
    assert_problems(
        &routes(&(readme + "\n<http://127.0.0.1:5000/logins>")),
        &["`/logins`"],
    );

    let none = routes::examples(&[parse("")]);
    assert!(
        none.iter()
            .any(|problem| problem.contains("-p sessions --example providers"))
    );
    let one = "```sh\ncargo run -p sessions --example providers\n```";
    assert_eq!(routes::examples(&[parse(one)]).len(), none.len() - 1);
}
