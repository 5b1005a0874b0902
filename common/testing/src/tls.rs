//! TLS in front of a server, as behind a proxy.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring},
};

/// A port for TLS, whose number is known before there is a server behind it.
pub struct TlsPort {
    listener: TcpListener,
    tls: TlsAcceptor,
    /// On this machine.
    pub number: u16,
    /// The certificate that clients have to trust, as PEM.
    pub certificate: String,
}

impl TlsPort {
    /// Takes a free port.
    ///
    /// # Panics
    /// When there is none.
    pub async fn take() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let number = listener.local_addr().expect("its address").port();
        let (tls, certificate) = acceptor();
        Self {
            listener,
            tls,
            number,
            certificate,
        }
    }

    /// Forwards connections to this server. It ends when the tasks are dropped.
    pub fn forward_to(self, server: SocketAddr) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = self.listener.accept().await {
                connections.spawn(forward(self.tls.clone(), stream, server));
            }
        });
        tasks
    }
}

async fn forward(tls: TlsAcceptor, client: TcpStream, server: SocketAddr) {
    // An error is a client or a server that went away.
    if let Ok(mut client) = tls.accept(client).await
        && let Ok(mut server) = TcpStream::connect(server).await
    {
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}

/// Speaks TLS with a self-signed certificate, which is returned too, as PEM.
///
/// # Panics
/// Without random numbers.
pub(crate) fn acceptor() -> (TlsAcceptor, String) {
    let own = rcgen::generate_simple_self_signed(["127.0.0.1", "localhost"].map(str::to_owned))
        .expect("random numbers make a certificate");
    let key = own.signing_key.serialize_der().try_into();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key.expect("a private key"))
        .expect("the key belongs to the certificate");
    (TlsAcceptor::from(Arc::new(config)), own.cert.pem())
}
