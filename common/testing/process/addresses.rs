//! What the servers make of the addresses in their settings.

use std::net::TcpListener;

use testing::program::{Program, command, problems};

use crate::{IN_PUBLIC, SERVER, public_server};

// check 174
#[test]
fn every_form_of_address_works_or_is_reported_in_one_line() {
    for (address, expected) in [
        ("[fe80::1%4]:0", "BIND_ADDR has a scope id"),
        ("0.0.0.0:0", "PUBLIC_URL is missing"),
        ("[::]:0", "PUBLIC_URL is missing"),
        ("localhost:0", "BIND_ADDR is not an IP address and a port"),
        ("127.0.0.1", "BIND_ADDR is not an IP address and a port"),
        (
            "127.0.0.1:65536",
            "BIND_ADDR is not an IP address and a port",
        ),
        ("192.0.2.1:0", "BIND_ADDR 192.0.2.1:0 cannot be bound"),
    ] {
        let vars = [IN_PUBLIC, &[("PUBLIC_URL", ""), ("BIND_ADDR", address)]].concat();
        let lines = problems(&public_server(), &vars);
        assert_eq!(lines.len(), 1, "{address} {lines:#?}");
        assert!(lines[0].starts_with(expected), "{address} {lines:#?}");
    }
    for address in ["[::1]:0", "127.0.0.1:0"] {
        let program = Program::start(SERVER, &[("BIND_ADDR", address)]);
        assert_ne!(program.addr().port(), 0);
    }
}

// check 174
#[test]
fn an_unavailable_port_is_reported_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("its address");
    // The user who runs this test may be allowed to bind the second.
    for addr in [taken.to_string(), "127.0.0.1:1".to_owned()] {
        let mut command = command(SERVER, &[("BIND_ADDR", &addr)]);
        if let Err(lines) = Program::try_run(&mut command) {
            let [line] = &lines[..] else {
                panic!("{lines:#?}")
            };
            assert!(
                line.starts_with(&format!("BIND_ADDR {addr} cannot be bound: ")),
                "{line}"
            );
            assert!(line.ends_with("; choose another port"), "{line}");
        } else {
            assert_eq!(addr, "127.0.0.1:1");
        }
    }
}

// check 162
#[test]
fn a_public_url_of_another_machine_is_https() {
    for url in [
        "http://app.example",
        "http://127.0.0.1.app.example",
        "http://localhost.app.example",
        "http://192.168.0.7:5000",
    ] {
        let vars = [IN_PUBLIC, &[("PUBLIC_URL", url)]].concat();
        let lines = problems(&public_server(), &vars);
        assert_eq!(lines.len(), 1, "{url} {lines:#?}");
        assert!(
            lines[0].starts_with("PUBLIC_URL must be https://"),
            "{lines:#?}"
        );
        let lines = problems(SERVER, &vars);
        let about = lines
            .iter()
            .filter(|line| line.starts_with("PUBLIC_URL must be https://"));
        assert_eq!(about.count(), 1, "{url} {lines:#?}");
    }
    for url in ["http://localhost", "http://app.localhost", "http://[::1]:1"] {
        drop(Program::start(SERVER, &[("PUBLIC_URL", url)]));
    }
}
