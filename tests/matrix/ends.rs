//! How the two peers of a cell come to their connections: here or elsewhere, plain or in TLS.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use ::howdah::standin::{Bytes, Minted};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::bytes::Saying;
use super::elsewhere::Elsewhere;
use super::peer::{Peer, below};
use crate::support::tls::over;

/// The server of one cell: a listening socket for one connection.
pub(crate) struct ServerEnd {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl ServerEnd {
    pub(crate) fn here() -> io::Result<Self> {
        Self::of(std::net::TcpListener::bind((ours(), 0))?)
    }

    pub(crate) fn at(elsewhere: &Elsewhere, address: Ipv4Addr) -> io::Result<Self> {
        Self::of(elsewhere.listen(address)?)
    }

    fn of(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = TcpListener::from_std(listener)?;
        Ok(Self { listener, address })
    }

    /// howdah's connection.
    pub(crate) async fn accept(&self, tls: Option<&TlsAcceptor>, cell: usize) -> io::Result<Peer> {
        let (stream, _) = self.listener.accept().await?;
        stream.set_nodelay(true)?;
        let tcp = below(&stream)?;
        let stream: Box<dyn Bytes> = match tls {
            None => Box::new(stream),
            Some(tls) => Box::new(tls.accept(stream).await?),
        };
        Peer::new(
            stream,
            tcp,
            Saying::of_server(cell),
            Saying::of_client(cell),
        )
    }
}

/// An address of this process alone: whoever still knows a port of 127.0.0.1 that once was another's does not come here.
pub(crate) fn ours() -> Ipv4Addr {
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 66, high, low)
}

/// The client of one cell.
pub(crate) async fn connect(
    to: SocketAddr,
    from: Option<(&Elsewhere, Ipv4Addr)>,
    tls: Option<&TlsConnector>,
    cell: usize,
) -> io::Result<Peer> {
    let stream = match from {
        None => TcpStream::connect(to).await?,
        Some((elsewhere, from)) => TcpStream::from_std(elsewhere.connect(from, to)?)?,
    };
    stream.set_nodelay(true)?;
    let tcp = below(&stream)?;
    let stream: Box<dyn Bytes> = match tls {
        None => Box::new(stream),
        Some(tls) => Box::new(over(tls, stream, "front.test").await?),
    };
    Peer::new(
        stream,
        tcp,
        Saying::of_client(cell),
        Saying::of_server(cell),
    )
}

/// What a server needs to speak TLS under this certificate.
pub(crate) fn acceptor(minted: &Minted) -> TlsAcceptor {
    let chain = CertificateDer::from_pem_slice(minted.cert.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(minted.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Bytes that the kernel of the connection's near end still holds: not sent, or not acknowledged.
pub(crate) fn unsent(ends: (SocketAddr, SocketAddr)) -> usize {
    let (IpAddr::V4(near), IpAddr::V4(far)) = (ends.0.ip(), ends.1.ip()) else {
        return 0;
    };
    let hex = |ip: Ipv4Addr, port: u16| format!("{:08X}:{port:04X}", u32::from(ip).to_be());
    let (near, far) = (hex(near, ends.0.port()), hex(far, ends.1.port()));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let queue = table.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let mine = fields.next() == Some(near.as_str()) && fields.next() == Some(far.as_str());
        mine.then(|| fields.nth(1)).flatten()?.split_once(':')
    });
    queue.map_or(0, |(sent, _)| usize::from_str_radix(sent, 16).unwrap_or(0))
}
