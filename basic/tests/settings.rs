//! The program itself: what it says to its settings, and what they change.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use common::{oauth::OAuth, settings::table};
use reqwest::Method;
use testing::{
    Browser, callback_at, param_of,
    provider::{CLIENT_SECRET, Provider},
    query_of,
};

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const CLIENT: [(&str, &str); 2] = [("CLIENT_ID", "id"), ("CLIENT_SECRET", "client-password")];

/// The program in an empty directory, with these settings and no other; on free ports unless they
/// say otherwise.
fn basic(vars: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_basic"));
    command
        .env_clear()
        .env("NO_COLOR", "1")
        .env("BIND_ADDR", "127.0.0.1:0")
        .env("DEMO_ADDR", "127.0.0.1:0")
        .envs(vars.iter().copied())
        .current_dir(directory("empty"))
        .stdin(Stdio::null());
    command
}

fn directory(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join("basic-settings")
        .join(name);
    fs::create_dir_all(&directory).expect("a directory for the test");
    directory
}

/// The program while it runs.
struct Running {
    process: Child,
    output: BufReader<std::process::ChildStdout>,
    log: String,
    url: String,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut output = BufReader::new(process.stdout.take().expect("its log"));
        let mut log = String::new();
        // The last line that it logs when it is up.
        while !log.contains(" in a browser to try ") {
            assert_ne!(
                output.read_line(&mut log).expect("a line"),
                0,
                "it ended: {log}"
            );
        }
        let (_, rest) = log.split_once("listening on ").expect("where it listens");
        let url = rest.lines().next().expect("a URL").to_owned();
        Self {
            process,
            output,
            log,
            url,
        }
    }

    /// Ends it; returns all that it has logged.
    fn stop(mut self) -> String {
        self.process.kill().expect("it runs until now");
        let (mut log, mut rest) = (std::mem::take(&mut self.log), String::new());
        self.output
            .read_to_string(&mut rest)
            .expect("the rest of its log");
        log += &rest;
        log
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The problems that it ends with, with these settings.
fn problems(vars: &[(&str, &str)]) -> Vec<String> {
    problems_of(&mut basic(vars))
}

fn problems_of(command: &mut Command) -> Vec<String> {
    let mut process = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first_line = String::new();
    BufReader::new(process.stdout.take().unwrap())
        .read_line(&mut first_line)
        .unwrap();
    if !first_line.is_empty() {
        process.kill().unwrap();
    }
    let output = process.wait_with_output().unwrap();
    assert_eq!(first_line, "", "something was started");
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{text}");
    let line = |line: &str| {
        line.strip_prefix("error: ")
            .expect("a line each")
            .to_owned()
    };
    text.lines().map(line).collect()
}

/// Where `/login` sends a browser with these settings.
async fn login_goes_to(vars: &[(&str, &str)]) -> String {
    let program = Running::start(&mut basic(vars));
    let login = Browser::new().get(format!("{}/login", program.url)).await;
    login.location().to_owned()
}

// checks 3, 48, 81, 144
#[test]
#[expect(clippy::too_many_lines, reason = "it is one table")]
fn each_wrong_setting_is_one_line_that_says_how_to_mend_it() {
    let published = "replace-me-with-the-output-of--openssl-rand-hex-32--and-keep-it-secret";
    let two = format!("{SECRET},short-password");
    let open = [
        ("AUTH_URL", "https://op.example/a"),
        ("TOKEN_URL", "https://op.example/t"),
        CLIENT[0],
        CLIENT[1],
    ];
    // With the four settings above or without, and one more; what is said of that one.
    let table = [
        (
            false,
            "BIND_ADDR",
            "localhost:5000",
            "is not an IP address and a port",
        ),
        (
            false,
            "BIND_ADDR",
            "5000",
            "is not an IP address and a port",
        ),
        (
            false,
            "DEMO_ADDR",
            "nonsense",
            "is not an IP address and a port",
        ),
        (
            false,
            "PUBLIC_URL",
            "server.example",
            "is not an origin and nothing after it",
        ),
        (false, "PUBLIC_URL", "/relative", "is not an origin"),
        (
            false,
            "PUBLIC_URL",
            "https://server.example/",
            "is not an origin",
        ),
        (
            false,
            "PUBLIC_URL",
            "https://server.example/path",
            "is not an origin",
        ),
        (
            false,
            "PUBLIC_URL",
            "https://server.example#x",
            "is not an origin",
        ),
        (
            false,
            "PUBLIC_URL",
            "https://me@server.example",
            "is not an origin",
        ),
        (
            false,
            "PUBLIC_URL",
            "ftp://server.example",
            "is not an origin",
        ),
        (false, "RUST_LOG", "loud=very", "is not a level"),
        (
            false,
            "PROVIDER",
            "nonsense",
            "is not discord, google, github, demo or custom",
        ),
        (
            false,
            "PROVIDER",
            "Discord",
            "is not discord, google, github, demo or custom",
        ),
        (false, "CLIENT_SECRET", "", "is empty"),
        (
            false,
            "SESSION_SECRET",
            "short-password",
            "is too short: 64 characters or more",
        ),
        (
            false,
            "SESSION_SECRET",
            &SECRET[1..],
            "is too short: 64 characters or more",
        ),
        (
            false,
            "SESSION_SECRET",
            &two,
            "is too short: 64 characters or more",
        ),
        (false, "SESSION_SECRET", "", "is empty"),
        (false, "SESSION_SECRET", " ", "is empty"),
        (
            false,
            "SESSION_SECRET",
            published,
            "is the published example",
        ),
        (
            false,
            "SCOPES",
            "a\"b",
            "has a character that no scope can have",
        ),
        (
            false,
            "SCOPES",
            "a\\b",
            "has a character that no scope can have",
        ),
        (
            false,
            "SCOPES",
            "a\u{7}b",
            "has a character that no scope can have",
        ),
        (
            false,
            "SCOPES",
            "é",
            "has a character that no scope can have",
        ),
        (
            false,
            "CLIENT_AUTH_METHOD",
            "both",
            "is not client_secret_basic or client_secret_post",
        ),
        (true, "AUTH_URL", "http://op.example/a", "must be https"),
        (true, "AUTH_URL", "ftp://op.example/a", "must be https"),
        (true, "AUTH_URL", "javascript:alert(1)", "must be https"),
        (true, "AUTH_URL", "/a", "is not an absolute URL"),
        (
            true,
            "AUTH_URL",
            "https://op.example/a#x",
            "has a #fragment",
        ),
        (true, "TOKEN_URL", "http://op.example/t", "must be https"),
        (
            true,
            "TOKEN_URL",
            "http://127.0.0.1.op.example/t",
            "must be https",
        ),
        (
            true,
            "TOKEN_URL",
            "http://localhost.op.example/t",
            "must be https",
        ),
        (
            true,
            "TOKEN_URL",
            "https://op.example/t#",
            "has a #fragment",
        ),
        (true, "TOKEN_URL", "op.example", "is not an absolute URL"),
        (
            true,
            "TOKEN_URL",
            "https://me:pass@op.example/t",
            "has a user name in it",
        ),
        (true, "USERINFO_URL", "http://op.example/u", "must be https"),
        (
            true,
            "REVOCATION_URL",
            "http://op.example/r",
            "must be https",
        ),
        (true, "CLIENT_SECRET", "", "is empty"),
    ];
    for (custom, name, value, what) in table {
        let beside = if custom { &open[..] } else { &[] };
        let lines = problems(&[beside, &[(name, value)]].concat());
        let about: Vec<_> = lines
            .iter()
            .filter(|line| line.starts_with(&format!("{name} ")))
            .collect();
        assert!(
            about.len() == 1 && about[0].contains(what),
            "{name}={value}: {lines:#?}"
        );
        // Only https makes a second setting necessary, and only a secret of two belongs to one.
        let others = lines.iter().filter(|line| !line.starts_with(name)).count();
        assert!(
            others == 0 || name.starts_with("CLIENT"),
            "{name}={value}: {lines:#?}"
        );
        let secret = value.len() > 4 && lines.iter().any(|line| line.contains(value));
        assert!(!secret, "{name}={value}: the value is printed");
    }
}

// check 144
#[test]
fn all_problems_are_told_at_once() {
    let lines = problems(&[
        ("BIND_ADDR", "nowhere"),
        ("PUBLIC_URL", "https://app.example/path"),
        ("PROVIDER", "custom"),
        ("TOKEN_URL", "http://op.example"),
        ("CLIENT_SECRET", "client-password"),
        ("SESSION_SECRET", "short-secret"),
        ("SCOPES", "\""),
        ("CLIENT_AUTH_METHOD", "none"),
        ("RUST_LOG", "loud=very"),
    ]);
    let mut names: Vec<_> = lines
        .iter()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    names.sort_unstable();
    let expected = [
        "AUTH_URL",
        "BIND_ADDR",
        "CLIENT_AUTH_METHOD",
        "CLIENT_ID",
        "PUBLIC_URL",
        "RUST_LOG",
        "SCOPES",
        "SESSION_SECRET",
        "TOKEN_URL",
    ];
    assert_eq!(names, expected, "{lines:#?}");
    let all = lines.concat();
    assert!(
        !all.contains("client-password") && !all.contains("short-secret"),
        "{all}"
    );
}

// check 144
#[test]
fn id_and_secret_of_the_client_belong_together() {
    assert_eq!(
        problems(&[CLIENT[0]]),
        ["CLIENT_SECRET is missing; it belongs to CLIENT_ID"]
    );
    assert_eq!(
        problems(&[CLIENT[1]]),
        ["CLIENT_ID is missing; it belongs to CLIENT_SECRET"]
    );
    for provider in ["discord", "google", "github"] {
        let [line, scopes] = &problems(&[("PROVIDER", provider), ("SCOPES", "\"")])[..] else {
            panic!("two problems with {provider}")
        };
        assert!(
            line.starts_with("CLIENT_ID and CLIENT_SECRET are missing"),
            "{line}"
        );
        assert!(scopes.starts_with("SCOPES has a character"), "{scopes}");
    }
    let [line] = &problems(&[("AUTH_URL", "https://op.example/a"), CLIENT[0], CLIENT[1]])[..]
    else {
        panic!("one problem")
    };
    assert_eq!(line, "TOKEN_URL is missing; PROVIDER=custom needs it");
}

#[test]
fn the_urls_of_a_preset_cannot_be_changed() {
    for provider in ["google", "discord", "github", "demo"] {
        for name in ["AUTH_URL", "TOKEN_URL", "USERINFO_URL", "REVOCATION_URL"] {
            let vars = [
                ("PROVIDER", provider),
                (name, "https://op.example"),
                CLIENT[0],
                CLIENT[1],
            ];
            let lines = problems(&vars);
            let expected = format!("{name} is for PROVIDER=custom, not for {provider}; remove it");
            assert_eq!(lines, [expected]);
        }
    }
}

// checks 81, 143
#[test]
fn a_server_that_others_reach_needs_its_own_secret_and_a_real_provider() {
    let wildcard = problems(&[("BIND_ADDR", "0.0.0.0:0")]);
    let names: Vec<_> = wildcard
        .iter()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(
        names,
        ["PUBLIC_URL", "SESSION_SECRET", "PROVIDER"],
        "{wildcard:#?}"
    );
    assert!(
        wildcard[2].contains("which lets everybody in"),
        "{wildcard:#?}"
    );

    let https = problems(&[("PUBLIC_URL", "https://app.example"), CLIENT[0], CLIENT[1]]);
    let [line] = &https[..] else {
        panic!("{https:#?}")
    };
    assert!(line.starts_with("SESSION_SECRET is missing"), "{line}");

    for open in [
        ("BIND_ADDR", "0.0.0.0:0"),
        ("DEMO_ADDR", "0.0.0.0:0"),
        ("PUBLIC_URL", "https://app.example"),
        ("PUBLIC_URL", "https://127.0.0.1.app.example"),
    ] {
        let vars = [
            ("PUBLIC_URL", "http://127.0.0.1:5000"),
            ("SESSION_SECRET", SECRET),
            open,
        ];
        let lines = problems(&vars);
        assert!(
            lines.len() == 1 && lines[0].starts_with("PROVIDER is demo"),
            "{open:?} {lines:#?}"
        );
    }
}

#[test]
fn a_public_url_of_another_machine_is_https() {
    for url in [
        "http://app.example",
        "http://127.0.0.1.app.example",
        "http://localhost.app.example",
        "http://192.168.0.7:5000",
    ] {
        let vars = [
            ("PUBLIC_URL", url),
            ("SESSION_SECRET", SECRET),
            CLIENT[0],
            CLIENT[1],
        ];
        let lines = problems(&vars);
        assert!(
            lines.len() == 1 && lines[0].starts_with("PUBLIC_URL must be https://"),
            "{url} {lines:#?}"
        );
    }
    for url in ["http://localhost", "http://app.localhost", "http://[::1]:1"] {
        drop(Running::start(&mut basic(&[("PUBLIC_URL", url)])));
    }
}

#[tokio::test]
async fn a_secret_in_the_file_is_taken_to_the_byte_or_rejected_by_name() {
    let directory = directory("secrets");
    let start = |line: &str| {
        fs::write(directory.join(".env"), format!("CLIENT_ID=id\n{line}\n")).unwrap();
        let mut program = basic(&[("SESSION_SECRET", SECRET)]);
        program.current_dir(&directory);
        program
    };
    for line in [
        "CLIENT_SECRET=Pa$$w0rd$abc",
        "CLIENT_SECRET=\"Pa$HOME\"",
        "CLIENT_SECRET=a#b #c",
        "CLIENT_SECRET=a\\b",
        "CLIENT_SECRET='a'b",
        "export CLIENT_SECRET=${SESSION_SECRET}",
    ] {
        let lines = problems_of(&mut start(line));
        assert_eq!(lines.len(), 1, "{line} {lines:#?}");
        let name = "CLIENT_SECRET has a character with a meaning in .env files";
        assert!(lines[0].starts_with(name), "{line} {lines:#?}");
        assert!(!lines[0].contains("Pa"), "{lines:#?}");
    }
    let padded = problems_of(&mut start("CLIENT_SECRET=' a '"));
    assert_eq!(
        padded,
        ["CLIENT_SECRET begins or ends with white space; remove it"]
    );

    // What is accepted reaches the provider as it is written.
    let provider = Provider::start().await;
    for (written, sent) in [
        (r#"'Pa$$w0rd #"x" z'"#, r#"Pa$$w0rd #"x" z"#),
        ("\"a b\"", "a b"),
        ("a#b", "a#b"),
        ("p+/=", "p+/="),
    ] {
        let urls = provider.settings();
        let urls = urls.iter().filter(|(name, _)| !name.starts_with("CLIENT_"));
        let mut program = start(&format!("CLIENT_SECRET={written}"));
        let program = Running::start(
            program
                .envs(urls.copied())
                .env("CLIENT_AUTH_METHOD", "client_secret_post"),
        );
        let mut browser = Browser::new();
        let login = browser.get(format!("{}/login", program.url)).await;
        let callback = callback_at(&program.url, &login, "code=good");
        assert_eq!(browser.get(callback).await.status, 200, "{written}");
        let seen = provider.seen();
        let exchange = seen.last().expect("a token request");
        assert_eq!(exchange.field("client_secret"), sent, "{written}");
    }
}

#[test]
fn every_form_of_address_works_or_is_one_line() {
    for (address, expected) in [
        ("[fe80::1%4]:0", "BIND_ADDR has a scope id"),
        ("0.0.0.0:0", "PUBLIC_URL is missing"),
        ("localhost:0", "BIND_ADDR is not an IP address and a port"),
        ("127.0.0.1", "BIND_ADDR is not an IP address and a port"),
        ("192.0.2.1:0", "BIND_ADDR 192.0.2.1:0 cannot be bound"),
    ] {
        let vars = [
            ("BIND_ADDR", address),
            ("SESSION_SECRET", SECRET),
            CLIENT[0],
            CLIENT[1],
        ];
        let lines = problems(&vars);
        assert!(
            lines.len() == 1 && lines[0].starts_with(expected),
            "{address} {lines:#?}"
        );
    }
    drop(Running::start(&mut basic(&[("BIND_ADDR", "[::1]:0")])));
}

#[test]
fn a_taken_port_names_the_setting() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    for name in ["BIND_ADDR", "DEMO_ADDR"] {
        let lines = problems(&[(name, &addr)]);
        let start = format!("{name} {addr} cannot be bound: ");
        assert!(
            lines.len() == 1 && lines[0].starts_with(&start),
            "{lines:#?}"
        );
        assert!(lines[0].ends_with("; choose another port"), "{lines:#?}");
    }
}

#[test]
fn help_lists_every_setting_with_its_default() {
    for flag in ["--help", "-h"] {
        let output = basic(&[("SESSION_SECRET", "short")])
            .arg(flag)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0));
        let text = String::from_utf8(output.stdout).unwrap();
        let table: Vec<_> = table::<OAuth>().collect();
        assert_eq!(table.len(), 15);
        for setting in table {
            let lines = format!("\n{}\n    {}\n    Default: ", setting.name, setting.help);
            assert!(
                text.contains(&(lines + setting.default + ".\n")),
                "{}",
                setting.name
            );
        }
    }
    let [line] = &problems_of(basic(&[]).arg("--port=1"))[..] else {
        panic!("one line")
    };
    assert!(line.contains("--help"), "{line}");
}

#[tokio::test]
async fn a_file_is_read_and_the_environment_wins() {
    let directory = directory("with-file");
    let file =
        "# a comment\nPROVIDER=github\nCLIENT_ID='from file'\nCLIENT_SECRET=s\nSCOPES=\"a b\"\n";
    fs::write(directory.join(".env"), file).unwrap();
    let program = Running::start(basic(&[("SCOPES", "c")]).current_dir(&directory));
    let login = Browser::new().get(format!("{}/login", program.url)).await;
    assert!(
        login.location().starts_with("https://github.com/"),
        "{}",
        login.location()
    );
    assert_eq!(param_of(login.location(), "client_id"), "from file");
    assert_eq!(param_of(login.location(), "scope"), "c");
}

// check 144
#[test]
fn a_broken_file_is_a_problem_and_its_line_is_not_shown() {
    let directory = directory("with-broken-file");
    fs::write(directory.join(".env"), "SESSION_SECRET hunter2 hunter2\n").unwrap();
    let lines = problems_of(basic(&[]).current_dir(&directory));
    assert_eq!(lines, [".env has a line that is not NAME=value"]);
}

#[tokio::test]
async fn each_preset_sends_the_browser_to_its_provider() {
    for (provider, start, scope, extra) in [
        (
            "discord",
            "https://discord.com/oauth2/authorize?",
            "identify",
            None,
        ),
        (
            "google",
            "https://accounts.google.com/o/oauth2/v2/auth?",
            "openid email profile",
            Some("access_type=offline"),
        ),
        (
            "github",
            "https://github.com/login/oauth/authorize?",
            "read:user",
            None,
        ),
    ] {
        let location = login_goes_to(&[("PROVIDER", provider), CLIENT[0], CLIENT[1]]).await;
        assert!(location.starts_with(start), "{location}");
        assert_eq!(param_of(&location, "scope"), scope);
        assert_eq!(param_of(&location, "client_id"), "id");
        assert_eq!(param_of(&location, "code_challenge_method"), "S256");
        let count = 7 + usize::from(extra.is_some());
        assert_eq!(query_of(&location).len(), count, "{location}");
        assert!(location.contains(extra.unwrap_or_default()), "{location}");
        assert!(!location.contains("client-password"), "{location}");
    }
}

#[tokio::test]
async fn the_provider_follows_from_what_is_set() {
    let discord = login_goes_to(&CLIENT).await;
    assert!(discord.starts_with("https://discord.com/"), "{discord}");
    let urls = [
        ("AUTH_URL", "https://op.example/a"),
        ("TOKEN_URL", "https://op.example/t"),
    ];
    let custom = login_goes_to(&[&urls[..], &CLIENT].concat()).await;
    assert!(custom.starts_with("https://op.example/a?"), "{custom}");
    let demo = login_goes_to(&[("PROVIDER", ""), ("CLIENT_ID", "")]).await;
    assert!(
        demo.starts_with("http://localhost:"),
        "empty counts as not set: {demo}"
    );
}

#[tokio::test]
async fn the_demo_provider_is_another_site_than_the_server() {
    for (public_url, demo) in [
        ("http://localhost:5000", "http://127.0.0.1:"),
        ("http://127.0.0.1:5000", "http://localhost:"),
    ] {
        let program = Running::start(&mut basic(&[("PUBLIC_URL", public_url)]));
        let host = public_url.strip_prefix("http://").unwrap();
        let mut browser = Browser::new();
        let login = browser.request(Method::GET, format!("{}/login", program.url));
        let login = browser.send(login.header("host", host)).await;
        assert!(login.location().starts_with(demo), "{}", login.location());
        let redirect_uri = param_of(login.location(), "redirect_uri");
        assert_eq!(redirect_uri, format!("{public_url}/auth"));
    }
}

#[tokio::test]
async fn who_comes_as_localhost_is_sent_to_the_public_url() {
    let program = Running::start(&mut basic(&[]));
    let port = program.url.rsplit(':').next().unwrap();
    let mut browser = Browser::new();
    for host in ["localhost", "127.0.0.2", "[::1]"] {
        let request = browser.request(Method::GET, format!("{}/login?x=1", program.url));
        let answer = browser
            .send(request.header("host", format!("{host}:{port}")))
            .await;
        assert_eq!(
            answer.location(),
            format!("{}/login?x=1", program.url),
            "{host}"
        );
        assert_eq!(browser.cookies.len(), 0, "{host} gets no login cookie");
    }
}

// check 9
#[tokio::test]
async fn https_makes_cookies_secure_and_asks_for_https_for_ever() {
    let vars = [
        ("PUBLIC_URL", "https://app.example"),
        ("SESSION_SECRET", SECRET),
    ];
    let program = Running::start(&mut basic(&[&vars[..], &CLIENT].concat()));
    let login = Browser::new().get(format!("{}/login", program.url)).await;
    assert_eq!(
        param_of(login.location(), "redirect_uri"),
        "https://app.example/auth"
    );
    assert_eq!(
        login.header("strict-transport-security"),
        "max-age=63072000"
    );
    let [cookie] = login.set_cookies()[..] else {
        panic!("one cookie")
    };
    let state = param_of(login.location(), "state");
    assert!(
        cookie.starts_with(&format!("__Host-login_{state}=")),
        "{cookie}"
    );
    let attributes: Vec<_> = cookie.split("; ").skip(1).collect();
    for attribute in [
        "Secure",
        "HttpOnly",
        "SameSite=Lax",
        "Path=/",
        "Max-Age=600",
    ] {
        assert!(attributes.contains(&attribute), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");

    let plain = Running::start(&mut basic(&CLIENT));
    let login = Browser::new().get(format!("{}/login", plain.url)).await;
    assert_eq!(login.header("strict-transport-security"), "");
    assert!(!login.set_cookies().concat().contains("Secure"));
}

#[test]
fn it_says_where_it_listens_and_what_to_register() {
    let program = Running::start(&mut basic(&[]));
    let (url, log) = (&program.url, &program.log);
    assert!(
        log.contains("SESSION_SECRET is not set: a random one is used"),
        "{log}"
    );
    assert!(!url.ends_with(":0"), "the real port: {url}");
    assert!(
        log.contains("the provider is the demo provider on http://localhost:"),
        "{log}"
    );
    assert!(
        log.contains(&format!("the redirect URI to register there is {url}/auth")),
        "{log}"
    );
    assert!(log.contains(&format!("open {url}/ in a browser")), "{log}");
}

// checks 62, 145
#[tokio::test]
async fn the_log_shows_the_steps_and_no_secret_even_at_trace() {
    let provider = Provider::start().await;
    let vars = provider.settings_and(&[("RUST_LOG", "trace"), ("SESSION_SECRET", SECRET)]);
    let program = Running::start(&mut basic(&vars));
    let mut browser = Browser::new();
    let login = browser.get(format!("{}/login", program.url)).await;
    let state = param_of(login.location(), "state");
    let cookie = browser
        .cookie(&format!("login_{state}"))
        .unwrap()
        .to_owned();
    let callback = format!("{}/auth?code=secret-code&state={state}", program.url);
    let answer = browser.get(&callback).await;
    assert_eq!(answer.json()["access_token"], "access-1");
    assert_eq!(
        browser.get(&callback).await.status,
        400,
        "a refusal is logged too"
    );

    let log = program.stop();
    for step in ["1/4", "2/4", "3/4", "4/4", "refused: "] {
        assert!(log.contains(step), "{step} is missing: {log}");
    }
    let verifier = provider.seen_at("/token")[0]
        .field("code_verifier")
        .to_owned();
    let basic = provider.seen_at("/token")[0]
        .header("authorization")
        .to_owned();
    let basic = basic.strip_prefix("Basic ").unwrap();
    for secret in [
        "secret-code",
        &state,
        &cookie,
        &verifier,
        "access-1",
        "refresh-1",
        CLIENT_SECRET,
        basic,
        SECRET,
    ] {
        assert!(!log.contains(secret), "{secret} is logged");
    }
}
