//! `.github/CHECKS.md`: each row is proven by a test of each of its servers, or listed as open, or
//! as an exception with a reason.

#[path = "checks/proofs.rs"]
mod proofs;
#[path = "checks/rows.rs"]
mod rows;

use std::collections::BTreeSet;

use proofs::{proofs, proven, sources, tests};
use rows::{SERVERS, all, exceptions, needed, open, root, table};

const SECURITY: &str = include_str!("../../../.github/SECURITY.md");

#[test]
fn the_table_has_each_row_once_and_in_order() {
    let numbers: Vec<_> = all().iter().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=258).collect::<Vec<_>>());
    for row in all() {
        assert_eq!(row.cells.len(), 4, "{row:?}");
        assert!(row.cells.iter().all(|cell| !cell.is_empty()), "{row:?}");
        let named: BTreeSet<_> = row.servers.iter().collect();
        assert_eq!(named.len(), row.servers.len(), "{row:?}");
        assert!(named.iter().all(|name| SERVERS.contains(name)), "{row:?}");
    }
}

#[test]
fn each_row_is_proven_for_each_of_its_servers_or_listed_as_unproven() {
    let (proven, _) = proven();
    for (row, server) in needed() {
        let tests = proven.get(&(row, server)).into_iter().flatten();
        let tests: Vec<_> = tests.map(String::as_str).collect();
        println!("{row:>3} {server} {}", tests.join(" "));
    }
    let is_proven = |pair: &(usize, char)| proven.contains_key(pair);
    let (needed, open, exceptions) = (needed(), open(), exceptions());
    let expected: BTreeSet<_> = needed.difference(&exceptions).copied().collect();
    let expected: BTreeSet<_> = expected
        .into_iter()
        .filter(|pair| !is_proven(pair))
        .collect();
    println!(
        "{} of {} are proven",
        needed.len() - expected.len(),
        needed.len()
    );

    let proven: BTreeSet<_> = open.iter().copied().filter(is_proven).collect();
    let missing: BTreeSet<_> = expected.difference(&open).copied().collect();
    assert!(
        open == expected,
        "\nnot open any more, there is a test:\n{}\nneither open nor proven:\n{}\n\
         the whole section:\n{}",
        table(&proven),
        table(&missing),
        table(&expected)
    );
    assert!(exceptions.is_subset(&needed), "an exception to no row");
    let needless: Vec<_> = exceptions.into_iter().filter(is_proven).collect();
    assert_eq!(needless, [], "these exceptions are proven");
}

#[test]
fn each_comment_names_rows_that_exist_and_stands_right_above_a_test() {
    let (proven, wrong) = proven();
    assert!(wrong.is_empty(), "{wrong:#?}");
    for ((row, _), tests) in proven {
        assert!((1..=258).contains(&row), "{row} in {tests:?}");
    }
}

#[test]
fn a_comment_is_read_as_it_is_meant() {
    let of = |comment: &str| {
        let source = format!("    {comment}\n    #[test]\n    fn it_holds() {{}}\n");
        let found = proofs(&source);
        found
            .into_iter()
            .map(|proof| (proof.rows, proof.servers.map(str::to_owned)))
            .collect::<Vec<_>>()
    };
    assert_eq!(of("// check 17"), [(vec![17], None)]);
    assert_eq!(of("// checks 17, 18: and why"), [(vec![17, 18], None)]);
    let for_two = Some("B S".to_owned());
    assert_eq!(of("// check 230 for B S: why"), [(vec![230], for_two)]);
    assert_eq!(of("// checks 17 18"), [(vec![0], None)], "no such row");
    assert_eq!(of("// check that"), [(vec![0], None)]);
    assert_eq!(of("// checked"), []);
    assert_eq!(of("let x = 1; // check 17"), []);
}

#[test]
fn a_proof_is_a_comment_right_above_a_test_that_runs() {
    let proof = |below: &str| {
        let source = format!("// check 17\n{below}\n");
        proofs(&source)[0].test.map(str::to_owned)
    };
    let it = Some("it_holds".to_owned());
    assert_eq!(proof("#[test]\nfn it_holds() {"), it);
    assert_eq!(proof("#[tokio::test]\nasync fn it_holds() {"), it);
    let threads = "#[tokio::test(flavor = \"multi_thread\")]\n#[cfg(unix)]\nasync fn it_holds() {";
    assert_eq!(proof(threads), it);
    assert_eq!(
        proof("// Why.\n#[test]\nfn it_holds(a in any::<u8>()) {"),
        it
    );

    assert_eq!(proof("fn it_holds() {"), None);
    assert_eq!(proof("#[test]\n#[ignore]\nfn it_holds() {"), None);
    assert_eq!(proof("#[tokio::main]\nasync fn it_holds() {"), None);
    assert_eq!(proof("\n#[test]\nfn it_holds() {"), None, "not right above");
    assert_eq!(proof("let x = 1;\n\n#[test]\nfn it_holds() {"), None);
}

#[test]
fn a_shared_test_counts_for_the_servers_that_include_it() {
    let sources = sources();
    let servers = |file: &str| String::from_iter(proofs::servers_of(file, &sources));
    assert_eq!(servers("common/testing/flow/callback.rs"), "BS");
    assert_eq!(servers("common/tests/properties.rs"), "");
    assert_eq!(servers("first_party/tests/users.rs"), "F");
    assert_eq!(servers("first_party/tests/authorization_server.rs"), "A");
    assert_eq!(servers("sessions/tests/replicas/redis.rs"), "R");
}

#[test]
fn each_proof_and_each_file_that_the_threat_model_names_exists() {
    let sources = sources();
    let tests: BTreeSet<_> = sources.values().flat_map(|source| tests(source)).collect();
    let tables = SECURITY.lines().filter(|line| line.starts_with("| "));
    let names = tables.flat_map(|line| line.split('`').skip(1).step_by(2));
    let names: Vec<_> = names
        .filter(|name| name.matches('_').count() >= 3)
        .collect();
    assert!(names.len() > 80, "{}", names.len());
    for name in names {
        assert!(tests.contains(name), "no test is called {name}");
    }
    let links = SECURITY.split("](").skip(1);
    for link in links.filter_map(|rest| rest.split(')').next()) {
        if !link.starts_with("https:") && !link.starts_with('#') {
            assert!(root().join(".github").join(link).exists(), "{link}");
        }
    }
}
