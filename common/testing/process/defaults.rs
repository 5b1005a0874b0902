//! Where the servers listen, and who can reach them there.

use testing::program::{self, Program};

use crate::{IN_PUBLIC, public_server};

// check 143
#[test]
#[cfg(target_os = "linux")]
fn by_default_only_this_machine_can_reach_a_server() {
    let _ports = program::default_ports();
    for (binary, addresses) in crate::servers() {
        let program = Program::with_nothing_set(&binary);
        let expected = addresses
            .iter()
            .map(|addr| addr.parse().expect("an address"));
        assert_eq!(program.listening(), expected.collect(), "{binary}");
        assert_eq!(program.url, format!("http://{}", addresses[0]), "{binary}");
        let said = program.stop();
        assert!(!said.contains("other machines"), "{binary}: {said}");
    }
}

// check 143
#[test]
fn a_server_that_other_machines_can_reach_says_so() {
    for addr in ["0.0.0.0:0", "[::]:0"] {
        let vars = [IN_PUBLIC, &[("BIND_ADDR", addr)]].concat();
        let program = Program::start(&public_server(), &vars);
        let bound = program.addr();
        assert!(bound.ip().is_unspecified(), "{bound}");
        let said = program.stop();
        let warning = format!("WARN other machines can reach this server: BIND_ADDR is {bound}\n");
        assert!(said.contains(&warning), "{said}");
    }
}
