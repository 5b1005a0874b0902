//! Which hosts the servers answer for, while they are for this machine alone.

use reqwest::Method;
use testing::{Browser, program::Program};

use crate::{IN_PUBLIC, SERVER, public_server};

// check 167: a proxy whose server does not know of it, or DNS rebinding
#[tokio::test]
async fn the_host_of_another_machine_reaches_no_handler() {
    let program = Program::start(SERVER, &[]);
    let mut browser = Browser::new();
    for (host, is_here) in [
        ("app.example", false),
        ("localhost.app.example", false),
        ("127.0.0.1.app.example:5000", false),
        ("192.168.0.7", false),
        ("localhost", true),
        ("app.localhost:1", true),
        ("127.9.9.9", true),
        ("[::1]:5000", true),
    ] {
        for path in ["/", "/style.css", "/nothing"] {
            let request = browser.request(Method::GET, program.join(path));
            let answer = browser.send(request.header("host", host)).await;
            assert_eq!(answer.status != 421, is_here, "{host}{path}");
            let names_it = answer.body.contains("PUBLIC_URL");
            assert_eq!(names_it, !is_here, "{host}{path} {}", answer.body);
        }
    }
}

// check 167
#[tokio::test]
async fn where_others_reach_the_server_its_proxy_may_send_any_host() {
    let program = Program::start(&public_server(), IN_PUBLIC);
    let mut browser = Browser::new();
    for host in ["app.example", "10.0.0.7:5000", "localhost"] {
        let request = browser.request(Method::GET, program.join("/style.css"));
        let answer = browser.send(request.header("host", host)).await;
        assert_eq!(answer.status, 200, "{host}");
    }
}
