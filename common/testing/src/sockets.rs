//! Which addresses a process listens on, as Linux says it.

use std::{
    collections::BTreeSet,
    fs,
    net::{IpAddr, SocketAddr},
};

/// The addresses that this process listens on.
pub(crate) fn listening(pid: u32) -> BTreeSet<SocketAddr> {
    let own = own_sockets(pid);
    let tables = ["tcp", "tcp6"].map(|table| {
        let path = format!("/proc/{pid}/net/{table}");
        fs::read_to_string(path).unwrap_or_default()
    });
    assert!(!tables[0].is_empty(), "Linux says who listens");
    let lines = tables.iter().flat_map(|table| table.lines().skip(1));
    lines.filter_map(|line| listener(line, &own)).collect()
}

/// The inodes of the sockets that it has open.
fn own_sockets(pid: u32) -> BTreeSet<String> {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).expect("Linux says it");
    let links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    let inode = |link: &str| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned());
    links.filter_map(|link| inode(link.to_str()?)).collect()
}

/// The address in a line of the table, if it is a listening socket of ours.
fn listener(line: &str, own: &BTreeSet<String>) -> Option<SocketAddr> {
    const LISTEN: &str = "0A";
    let columns: Vec<_> = line.split_whitespace().collect();
    let (address, state, inode) = (columns[1], columns[3], columns[9]);
    (state == LISTEN && own.contains(inode)).then(|| parse(address))
}

/// `0100007F:1388` is 127.0.0.1:5000: words of four bytes, each as the processor keeps it.
fn parse(address: &str) -> SocketAddr {
    let (ip, port) = address.split_once(':').expect("an address and a port");
    let word = |at: usize| u32::from_str_radix(&ip[at..at + 8], 16).expect("a word");
    let words = (0..ip.len()).step_by(8).map(word);
    let bytes: Vec<_> = words.flat_map(u32::to_ne_bytes).collect();
    let port = u16::from_str_radix(port, 16).expect("a port");
    let ip = match *bytes {
        [a, b, c, d] => IpAddr::from([a, b, c, d]),
        _ => IpAddr::from(<[u8; 16]>::try_from(bytes).expect("an address of IPv6")),
    };
    SocketAddr::new(ip, port)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_process_listens_where_it_says() {
        let here = TcpListener::bind("127.0.0.1:0").expect("a port");
        let everywhere = TcpListener::bind("0.0.0.0:0").expect("a port");
        let found = listening(std::process::id());
        for listener in [here, everywhere] {
            assert!(found.contains(&listener.local_addr().expect("its address")));
        }
    }
}
