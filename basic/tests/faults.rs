//! A token endpoint that fails below HTTP: each fault leads to an answer, and to no second try.

use common::server::Server;
use reqwest::Method;
use testing::{
    Answer, Browser, callback,
    fault::{Fault, Faulty, Then, UPSTREAM, faults},
    program::Program,
    provider::{CLIENT_SECRET, Provider},
    start, url,
};
use tokio::task::JoinSet;

/// A whole answer with a token.
fn good(length: &str) -> Vec<u8> {
    let body = r#"{"access_token":"access","token_type":"Bearer"}"#;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    format!("{head}Content-Length: {}\r\n{length}\r\n{body}", body.len()).into_bytes()
}

/// A server whose token endpoint is this port; the other endpoints are never asked.
async fn with_token_endpoint(origin: &str) -> Server {
    let provider = Provider::start().await;
    let token_url = format!("{origin}/token");
    start(
        basic::app,
        &provider.settings_and(&[("TOKEN_URL", &token_url)]),
    )
    .await
}

/// What a person who comes back with this code gets.
async fn come_back(mut browser: Browser, server: &Server, code: &str) -> Answer {
    let login = browser.get(url(server, "/login")).await;
    let answer = browser
        .come_back(server, &login, &format!("code={code}"))
        .await;
    assert_eq!(
        browser.cookie_names(),
        [""; 0],
        "whatever comes, the login is spent"
    );
    answer
}

/// The answer is ours and contains nothing that the provider sent.
fn assert_ours(answer: &Answer, status: u16, case: &str) {
    assert_eq!(answer.status, status, "{case}: {}", answer.body);
    let detail = match status {
        504 => "the provider took too long; please try again",
        _ => "the provider cannot be used at the moment; please try again",
    };
    assert_eq!(answer.json()["detail"], detail, "{case}");
    let whole = format!("{:?}{}", answer.headers, answer.body);
    for secret in [UPSTREAM, CLIENT_SECRET, "the-code"] {
        assert!(!whole.contains(secret), "{case}: {whole}");
    }
}

// checks 44, 45, 46, 47
#[tokio::test(flavor = "multi_thread")]
async fn every_fault_ends_in_an_answer_while_others_are_served() {
    let browser = Browser::new();
    let mut cases = JoinSet::new();
    for (case, faults, status) in faults() {
        let browser = browser.clone();
        let fault = async move {
            let expects_requests = !faults.is_empty();
            let faulty = Faulty::start(faults).await;
            let server = with_token_endpoint(&faulty.origin).await;
            let held = async {
                let answer = come_back(browser.clone(), &server, "the-code").await;
                assert_ours(&answer, status, case);
            };
            let others = async {
                faulty.heard_reach(usize::from(expects_requests)).await;
                let mut other = browser.clone();
                assert_eq!(
                    other.get(url(&server, "/login")).await.status,
                    303,
                    "{case}"
                );
                assert_eq!(other.get(url(&server, "/")).await.status, 200, "{case}");
            };
            tokio::join!(held, others);
            // A client that sends a code again is taken for a thief (RFC 6749, section 4.1.2).
            let heard = faulty.heard();
            assert_eq!(
                heard.len(),
                usize::from(expects_requests),
                "{case}: one request for the code"
            );
            assert!(
                heard
                    .iter()
                    .all(|request| request.contains("code=the-code")),
                "{heard:?}"
            );
        };
        cases.spawn(fault);
    }
    cases.spawn(fifty_callbacks_on_a_silent_provider(browser));
    cases.join_all().await;
}

async fn fifty_callbacks_on_a_silent_provider(nobody: Browser) {
    let silence = Fault(Vec::new(), Then::Silence);
    let faulty = Faulty::start(vec![silence]).await;
    let server = with_token_endpoint(&faulty.origin).await;
    let mut callbacks = JoinSet::new();
    for _ in 0..50 {
        let mut browser = nobody.clone();
        let login = browser.get(url(&server, "/login")).await;
        let callback = callback(&server, &login, "code=the-code");
        callbacks.spawn(async move { browser.get(callback).await });
    }
    faulty.heard_reach(50).await;
    let mut other = nobody.clone();
    assert_eq!(
        other.get(url(&server, "/login")).await.status,
        303,
        "while all 50 hang"
    );
    for answer in callbacks.join_all().await {
        assert_ours(&answer, 504, "one of fifty");
    }
    assert_eq!(faulty.heard().len(), 50);
}

// check 46
#[tokio::test]
async fn a_code_is_not_sent_again_when_a_kept_connection_turns_out_to_be_closed() {
    let browser = Browser::new();
    for then in [Then::Close, Then::Reset] {
        let keep = Fault(good(""), Then::Next);
        let faulty = Faulty::start(vec![keep, Fault(Vec::new(), then.clone())]).await;
        let server = with_token_endpoint(&faulty.origin).await;
        assert_eq!(
            come_back(browser.clone(), &server, "first").await.status,
            200
        );
        assert_ours(
            &come_back(browser.clone(), &server, "second").await,
            502,
            &format!("{then:?}"),
        );
        let heard = faulty.heard();
        assert_eq!(heard.len(), 2, "{heard:?}");
        assert!(heard[1].contains("code=second"), "{heard:?}");
        assert_eq!(
            come_back(browser.clone(), &server, "third").await.status,
            200,
            "the next is served"
        );
    }
}

// checks 43, 46
#[tokio::test]
async fn a_provider_that_is_down_or_redirects_gets_no_second_request() {
    let browser = Browser::new();
    let trap = Faulty::start(vec![Fault(good(""), Then::Close)]).await;
    for status in [300, 301, 302, 303, 304, 305, 307, 308] {
        let location = format!(
            "Location: {}/trap\r\nRefresh: 0;url={0}/trap\r\n",
            trap.origin
        );
        let away = String::from_utf8(good(&location)).expect("text");
        let away = away
            .replacen("200 OK", &format!("{status} Elsewhere"), 1)
            .into_bytes();
        let faulty = Faulty::start(vec![Fault(away, Then::Close)]).await;
        let server = with_token_endpoint(&faulty.origin).await;
        assert_ours(
            &come_back(browser.clone(), &server, "the-code").await,
            502,
            &status.to_string(),
        );
        assert_eq!(faulty.heard().len(), 1, "{status}");

        let origin = faulty.origin.clone();
        drop(faulty);
        let server = with_token_endpoint(&origin).await;
        assert_ours(
            &come_back(browser.clone(), &server, "the-code").await,
            502,
            "a closed port",
        );
    }
    assert_eq!(trap.heard(), [""; 0]);
}

// check 49
#[tokio::test]
async fn a_provider_with_an_untrusted_certificate_gets_neither_code_nor_secret() {
    let browser = Browser::new();
    let (faulty, _) = Faulty::with_tls(vec![Fault(good(""), Then::Close)]).await;
    let server = with_token_endpoint(&faulty.origin).await;
    assert_ours(
        &come_back(browser.clone(), &server, "the-code").await,
        502,
        "self-signed",
    );
    assert_eq!(
        faulty.heard(),
        [""; 0],
        "nothing was said inside the connection"
    );

    let plain = Faulty::start(vec![Fault(good(""), Then::Close)]).await;
    let https = plain.origin.replacen("http:", "https:", 1);
    let server = with_token_endpoint(&https).await;
    assert_ours(
        &come_back(browser.clone(), &server, "the-code").await,
        504,
        "no TLS at all",
    );
    assert_eq!(
        plain.heard(),
        [""; 0],
        "nothing readable is sent where TLS fails"
    );
}

/// The program with this token endpoint.
async fn program(origin: &str, vars: &[(&str, &str)]) -> Program {
    let provider = Provider::start().await;
    let token_url = format!("{origin}/token");
    let vars = [&[("TOKEN_URL", &*token_url)], vars].concat();
    Program::start(env!("CARGO_BIN_EXE_basic"), &provider.settings_and(&vars))
}

/// What a person who comes back with a code gets from it.
async fn log_in(program: &Program, mut browser: Browser) -> Answer {
    let login = browser.get(program.join("/login")).await;
    let state = testing::param_of(login.location(), "state");
    let callback = program.join(&format!("/auth?code=the-code&state={state}"));
    let request = browser.request(Method::GET, callback);
    browser.send(request).await
}

// check 49
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_certificate_that_the_machine_trusts_is_enough() {
    let (faulty, pem) = Faulty::with_tls(vec![Fault(good(""), Then::Close)]).await;
    let file = format!("{}/own-certificate.pem", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&file, pem).expect("a file");
    let program = program(&faulty.origin, &[("SSL_CERT_FILE", &file)]).await;
    let answer = log_in(&program, Browser::new()).await;
    assert_eq!(
        answer.status, 200,
        "otherwise the refusals above prove nothing: {answer:?}"
    );
}

// check 45
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn an_endless_answer_is_not_kept_in_memory() {
    let endless = faults().into_iter().filter(|(_, faults, status)| {
        let is_large = |fault: &Fault| fault.floods() || fault.0.len() > 10_000;
        faults.iter().any(is_large) && *status == 502
    });
    let (mut cases, browser) = (JoinSet::new(), Browser::new());
    for (case, faults, status) in endless {
        let browser = browser.clone();
        cases.spawn(async move {
            let faulty = Faulty::start(faults).await;
            let program = program(&faulty.origin, &[]).await;
            assert_ours(&log_in(&program, browser.clone()).await, status, case);
            let before = program.peak_memory().expect("Linux says it");
            for _ in 0..3 {
                assert_ours(&log_in(&program, browser.clone()).await, status, case);
            }
            let grown = program.peak_memory().expect("Linux says it") - before;
            assert!(grown < 50, "{case}: {grown} MiB more");
            assert!(before < 200, "{case}: {before} MiB");
        });
    }
    assert!(cases.len() >= 8, "{}", cases.len());
    cases.join_all().await;
}
