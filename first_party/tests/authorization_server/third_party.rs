//! Clients that others wrote, by discovery alone, over TLS.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use testing::{start, tls::TlsPort};
use tokio::task::spawn_blocking;

use super::{client::CALLBACK, client::folder, example::app, example::settings::Server};

const SECRET: &str = "a secret of the shop that is long enough";

/// Where the packages are: `npm install --prefix target/npm …`, `python3 -m venv target/venv`.
fn target() -> PathBuf {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tmp.parent().expect("target").to_owned()
}

/// Runs a script as a client of a new server; it prints `ok` if all went well.
async fn assert_logs_in(name: &str, command: impl FnOnce(&Path) -> Command + Send + 'static) {
    let proxy = TlsPort::take().await;
    let origin = format!("https://localhost:{}", proxy.number);
    let folder = folder(name);
    let vars = [
        ("PUBLIC_URL", &*origin),
        ("AS_CLIENT_ID", "shop"),
        ("AS_CLIENT_SECRET", SECRET),
        ("AS_REDIRECT_URIS", CALLBACK),
    ];
    let certificate = folder.join("ca.pem");
    fs::write(&certificate, &proxy.certificate).expect("a file");
    let server = start(app as fn(Server) -> axum::Router, &vars).await;
    let _proxy = proxy.forward_to(server.addr);
    let run = move || {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/third_party");
        command(&scripts)
            .env("ISSUER", origin)
            .env("CLIENT_ID", "shop")
            .env("CLIENT_SECRET", SECRET)
            .env("REDIRECT_URI", CALLBACK)
            .env("NODE_EXTRA_CA_CERTS", &certificate)
            .env("REQUESTS_CA_BUNDLE", &certificate)
            .env("NO_PROXY", "localhost")
            .stdin(Stdio::null())
            .output()
            .expect("it runs")
    };
    let output = spawn_blocking(run).await.expect("no panic");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.ends_with("ok\n"),
        "{said}{errors}"
    );
}

/// Node.js finds packages beside a script.
fn node(script: &'static str) -> impl FnOnce(&Path) -> Command {
    move |scripts| {
        let beside = target().join("npm").join(script);
        fs::create_dir_all(&beside).expect("a folder");
        for file in ["browser.mjs", script] {
            fs::copy(scripts.join(file), beside.join(file)).expect("a copy");
        }
        let mut node = Command::new("node");
        node.arg(beside.join(script));
        node
    }
}

// check 229
#[tokio::test(flavor = "multi_thread")]
async fn oauth4webapi_logs_in() {
    assert_logs_in("oauth4webapi", node("oauth4webapi.mjs")).await;
}

// check 229
#[tokio::test(flavor = "multi_thread")]
async fn openid_client_logs_in() {
    assert_logs_in("openid-client", node("openid-client.mjs")).await;
}

// check 229
#[tokio::test(flavor = "multi_thread")]
async fn authlib_logs_in() {
    let python = |scripts: &Path| {
        let mut python = Command::new(target().join("venv/bin/python"));
        python.arg(scripts.join("authlib_login.py"));
        python
    };
    assert_logs_in("authlib", python).await;
}
