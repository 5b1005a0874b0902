//! A real proxy with TLS in front of real servers: nginx or Caddy.

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use socket2::{Domain, Socket, Type};
use tokio::{net::TcpStream, time::sleep};

use crate::{Browser, program::Program, provider::Provider};

/// The host name of the application, instead of the one in the documentation.
pub const HOST: &str = "app.example.test";
/// The header in which nginx, in these tests, says which replica answered.
pub const REPLICA: &str = "x-replica";
/// The configuration that we tell people to put in front of three replicas.
const NGINX: &str = include_str!("../../../sessions/nginx.conf");
/// The configuration that we tell people to use with Caddy, from the README.
const CADDY: &str = "app.example.com\nreverse_proxy 127.0.0.1:5000\n";
const README: &str = include_str!("../../README.md");
const SECRET: &str = "the-session-secret-of-all-replicas-0123456789-0123456789-0123456789";

/// Three replicas of a server, and a proxy in front of them.
#[derive(Debug)]
pub struct Fleet {
    /// The replicas.
    pub replicas: Vec<Program>,
    /// Where browsers find them, such as `https://app.example.test:40000`.
    pub origin: String,
    /// The certificate that clients have to trust, as PEM.
    certificate: String,
    binary: String,
    settings: Vec<(String, String)>,
    /// The replicas' ports, which no other test takes while one of them restarts.
    ports: Vec<Port>,
    proxy: Proxy,
}

impl Fleet {
    /// Starts the replicas, with more settings, behind nginx with `sessions/nginx.conf`.
    ///
    /// # Panics
    /// When there is no nginx.
    pub async fn behind_nginx(binary: &str, provider: &Provider, more: &[(&str, &str)]) -> Self {
        Self::start(binary, &provider.settings_and(more), nginx).await
    }

    /// Starts the replicas, with more settings, behind Caddy, which knows only the first.
    ///
    /// # Panics
    /// When there is no Caddy.
    pub async fn behind_caddy(binary: &str, provider: &Provider, more: &[(&str, &str)]) -> Self {
        Self::start(binary, &provider.settings_and(more), caddy).await
    }

    async fn start(binary: &str, settings: &[(&str, &str)], proxy: ProxyCommand) -> Self {
        let port = Port::take();
        let origin = format!("https://{HOST}:{}", port.number);
        let own = [("PUBLIC_URL", &*origin), ("SESSION_SECRET", SECRET)];
        let settings = own.iter().chain(settings);
        let settings = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings: Vec<_> = settings.collect();
        let ports: Vec<_> = (0..3).map(|_| Port::take()).collect();
        let replicas = ports.iter().map(|port| replica(binary, &settings, port));
        let replicas: Vec<_> = replicas.collect();
        let addrs: Vec<_> = replicas.iter().map(Program::addr).collect();
        let folder = Folder::new(port.number);
        let certificate = certificate_in(&folder.0);
        let command = proxy(port.number, &folder.0, &addrs);
        Self {
            replicas,
            origin,
            certificate,
            binary: binary.to_owned(),
            settings,
            ports,
            proxy: Proxy::run(command, port, folder).await,
        }
    }

    /// Starts a replica again in the place from which it was removed.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_again(&mut self, place: usize) {
        let replica = replica(&self.binary, &self.settings, &self.ports[place]);
        self.replicas.insert(place, replica);
    }

    /// A browser without cookies that trusts the proxy.
    pub fn browser(&self) -> Browser {
        Browser::of_host(HOST, &self.certificate)
    }

    /// Waits until nginx has logged a request for this path; returns its log.
    ///
    /// # Panics
    /// When there is no log.
    pub async fn log_with(&self, path: &str) -> String {
        let file = self.proxy.folder.0.join("access.log");
        loop {
            let log = fs::read_to_string(&file).expect("a log");
            if log.contains(path) {
                return log;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }
}

/// Starts a replica on its port.
fn replica(binary: &str, settings: &[(String, String)], port: &Port) -> Program {
    let addr = format!("127.0.0.1:{}", port.number);
    let settings = settings.iter();
    let settings = settings.map(|(name, value)| (&**name, &**value));
    let settings: Vec<_> = settings.chain([("BIND_ADDR", &*addr)]).collect();
    Program::start(binary, &settings)
}

/// The command that starts a proxy, given its port, its folder and the replicas.
type ProxyCommand = fn(u16, &Path, &[SocketAddr]) -> Command;

/// A proxy's process, which ends when this is dropped.
#[derive(Debug)]
struct Proxy {
    process: Child,
    port: Port,
    folder: Folder,
}

impl Proxy {
    async fn run(mut command: Command, port: Port, folder: Folder) -> Self {
        let process = command.stdin(Stdio::null()).spawn();
        let mut proxy = Self {
            process: process.expect("it starts; install nginx and caddy"),
            port,
            folder,
        };
        while TcpStream::connect(("127.0.0.1", proxy.port.number))
            .await
            .is_err()
        {
            let ended = proxy.process.try_wait().expect("a process");
            assert!(ended.is_none(), "the proxy ended: {ended:?}");
            sleep(Duration::from_millis(20)).await;
        }
        proxy
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // SIGTERM, because after SIGKILL nginx would leave its workers running.
        let pid = self.process.id().to_string();
        let _ = Command::new("kill").arg(pid).status();
        let _ = self.process.wait();
    }
}

/// A free port for a program that cannot choose one itself. It is bound here but not listened on,
/// so the system does not give it to another test that asks for any free port, and the program can
/// take it.
#[derive(Debug)]
struct Port {
    number: u16,
    _socket: Socket,
}

impl Port {
    fn take() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_reuse_address(true).expect("a shared port");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(&any.into()).expect("a free port");
        let addr = socket.local_addr().expect("its address").as_socket();
        Self {
            number: addr.expect("an IP address").port(),
            _socket: socket,
        }
    }
}

/// A folder for everything that a proxy reads and writes. It is removed when this is dropped.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn new(port: u16) -> Self {
        let name = format!("oauth2-axum-examples-{}-{port}", std::process::id());
        let folder = env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Writes a self-signed certificate under the file names that certbot uses, and returns it.
fn certificate_in(folder: &Path) -> String {
    let own = rcgen::generate_simple_self_signed([HOST.to_owned()]);
    let own = own.expect("random numbers make a certificate");
    let (certificate, key) = (own.cert.pem(), own.signing_key.serialize_pem());
    fs::write(folder.join("fullchain.pem"), &certificate).expect("a file");
    fs::write(folder.join("privkey.pem"), key).expect("a file");
    certificate
}

fn nginx(port: u16, folder: &Path, replicas: &[SocketAddr]) -> Command {
    let at = folder.display();
    let mut app = replace(NGINX, "listen 443 ", &format!("listen 127.0.0.1:{port} "));
    app = replace(
        &app,
        "/etc/letsencrypt/live/app.example.com",
        &at.to_string(),
    );
    app = replace(&app, "/var/log/nginx", &at.to_string());
    app = replace(&app, "name app.example.com", &format!("name {HOST}"));
    for (number, replica) in (5000..).zip(replicas) {
        let from = format!("server 127.0.0.1:{number} ");
        app = replace(&app, &from, &format!("server {replica} "));
    }
    fs::write(folder.join("app.conf"), app).expect("a file");
    fs::write(folder.join("nginx.conf"), nginx_around(folder)).expect("a file");
    let mut command = Command::new("nginx");
    // Debian installs it in a folder that is only on root's `PATH`.
    let path = env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin"));
    command.arg("-p").arg(folder);
    command.arg("-c").arg(folder.join("nginx.conf"));
    command.arg("-e").arg(folder.join("error.log"));
    command
}

/// Stands in for Debian's /etc/nginx/nginx.conf, so that any user can start nginx.
fn nginx_around(folder: &Path) -> String {
    let at = folder.display();
    let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temp = temp.map(|name| format!("{name}_temp_path {at}/{name};\n"));
    let temp = temp.concat();
    format!(
        "daemon off;\nuser root;\nworker_processes 1;\npid {at}/pid;\nevents {{}}\n\
         http {{\naccess_log off;\nadd_header {REPLICA} $upstream_addr always;\n{temp}\
         include {at}/app.conf;\n}}\n"
    )
}

fn caddy(port: u16, folder: &Path, replicas: &[SocketAddr]) -> Command {
    assert!(README.contains(CADDY), "the README shows something else");
    let at = folder.display();
    let site = format!("https://{HOST}:{port} {{\n");
    let site = replace(CADDY, "app.example.com\n", &site);
    let site = replace(&site, "127.0.0.1:5000", &replicas[0].to_string());
    // The README's two lines, with our own certificate and no port other than this one.
    let file = format!(
        "{{\nadmin off\nauto_https disable_redirects\n}}\n\
         {site}bind 127.0.0.1\ntls {at}/fullchain.pem {at}/privkey.pem\n}}\n"
    );
    fs::write(folder.join("Caddyfile"), file).expect("a file");
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]);
    command.arg(folder.join("Caddyfile")).stderr(Stdio::null());
    let homes = ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"];
    command.envs(homes.map(|name| (name, folder)));
    command
}

/// Replaces a string that must be there.
fn replace(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "no {from:?} in {text}");
    text.replace(from, to)
}
