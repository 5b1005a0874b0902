//! The program itself: what it says about its settings, and what they change.

use std::{fs, path::PathBuf, process::Command};

use common::{oauth::OAuth, settings::table};
use reqwest::Method;
use testing::{
    Browser, param_of,
    program::{Program, command, problems_of},
    provider::{CLIENT_SECRET, Provider},
    query_of,
};

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const CLIENT: [(&str, &str); 2] = [("CLIENT_ID", "id"), ("CLIENT_SECRET", "client-password")];

/// The program with only these settings; on free ports unless they say otherwise.
fn basic(vars: &[(&str, &str)]) -> Command {
    command(env!("CARGO_BIN_EXE_basic"), vars)
}

fn directory(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join("basic-settings")
        .join(name);
    fs::create_dir_all(&directory).expect("a directory for the test");
    directory
}

/// The problems that it ends with, with these settings.
fn problems(vars: &[(&str, &str)]) -> Vec<String> {
    problems_of(&mut basic(vars))
}

/// Where `/login` sends a browser with these settings.
async fn login_goes_to(vars: &[(&str, &str)]) -> String {
    let program = Program::run(&mut basic(vars));
    let login = Browser::new().get(program.join("/login")).await;
    login.location().to_owned()
}

// check 144
#[test]
fn all_problems_are_reported_at_once() {
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
    let program = Program::run(basic(&[("SCOPES", "c")]).current_dir(&directory));
    let login = Browser::new().get(program.join("/login")).await;
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
async fn the_demo_provider_and_the_server_are_different_sites() {
    for (public_url, demo) in [
        ("http://localhost:5000", "http://127.0.0.1:"),
        ("http://127.0.0.1:5000", "http://localhost:"),
    ] {
        let program = Program::run(&mut basic(&[("PUBLIC_URL", public_url)]));
        let host = public_url.strip_prefix("http://").unwrap();
        let mut browser = Browser::new();
        let login = browser.request(Method::GET, program.join("/login"));
        let login = browser.send(login.header("host", host)).await;
        assert!(login.location().starts_with(demo), "{}", login.location());
        let redirect_uri = param_of(login.location(), "redirect_uri");
        assert_eq!(redirect_uri, format!("{public_url}/auth"));
    }
}

#[tokio::test]
async fn a_browser_at_localhost_is_sent_to_the_public_url() {
    let program = Program::run(&mut basic(&[]));
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
async fn https_makes_cookies_secure_and_sends_hsts() {
    let vars = [
        ("PUBLIC_URL", "https://app.example"),
        ("SESSION_SECRET", SECRET),
    ];
    let program = Program::run(&mut basic(&[&vars[..], &CLIENT].concat()));
    let login = Browser::new().get(program.join("/login")).await;
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

    let plain = Program::run(&mut basic(&CLIENT));
    let login = Browser::new().get(plain.join("/login")).await;
    assert_eq!(login.header("strict-transport-security"), "");
    assert!(!login.set_cookies().concat().contains("Secure"));
}

#[test]
fn it_says_where_it_listens_and_what_to_register() {
    let program = Program::run(&mut basic(&[]));
    let url = program.url.clone();
    let log = program.stop();
    assert!(
        log.contains("SESSION_SECRET is not set: using a random one"),
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
    let program = Program::run(&mut basic(&vars));
    let mut browser = Browser::new();
    let login = browser.get(program.join("/login")).await;
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
    for step in ["1/4", "2/4", "3/4", "4/4", "rejected: "] {
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
