//! TLS in front of a server, as a proxy puts it there: for clients that speak to https alone.

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

/// A port for TLS, whose server may not be there yet.
pub struct TlsProxy {
    /// What clients call it, such as `https://localhost:40000`.
    pub origin: String,
    /// Whom they have to trust, as PEM.
    pub certificate: String,
    listener: TcpListener,
    tls: TlsAcceptor,
}

impl TlsProxy {
    /// Takes a port.
    ///
    /// # Panics
    /// Without a free port or random numbers.
    pub async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()])
            .expect("random numbers make a certificate");
        let key = own.signing_key.serialize_der();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("TLS 1.3")
            .with_no_client_auth()
            .with_single_cert(
                vec![own.cert.der().clone()],
                key.try_into().expect("a private key"),
            )
            .expect("the key belongs to the certificate");
        Self {
            origin: format!("https://localhost:{port}"),
            certificate: own.cert.pem(),
            listener,
            tls: TlsAcceptor::from(Arc::new(config)),
        }
    }

    /// Passes everything on, until what it returns is dropped.
    pub fn forward_to(self, server: SocketAddr) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = self.listener.accept().await {
                let tls = self.tls.clone();
                connections.spawn(async move {
                    // An error here is a client that goes away.
                    if let Ok(mut client) = tls.accept(stream).await
                        && let Ok(mut server) = TcpStream::connect(server).await
                    {
                        let _ = copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        tasks
    }
}
