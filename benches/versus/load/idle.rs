//! Sessions by the ten thousand: one exchange each, then silence. The runner reads the proxy's
//! memory before and after, and its processor time while nothing moves.

use std::error::Error;
use std::io::{self, BufRead, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};

use crate::link::{SMALL, SMALL_ANSWER};

const OPENERS: usize = 4;

type Session = (TcpStream, Option<ClientConnection>);

/// Prints how many are open, and closes them at the end of standard input.
pub(crate) fn run(
    target: SocketAddr,
    sessions: usize,
    ca: Option<&Path>,
) -> Result<(), Box<dyn Error>> {
    let config = ca.map(trust).transpose()?;
    let openers: Vec<_> = (0..OPENERS)
        .map(|part| {
            let config = config.clone();
            let share = sessions / OPENERS + usize::from(part < sessions % OPENERS);
            std::thread::spawn(move || -> io::Result<Vec<Session>> {
                (0..share).map(|_| open(target, config.clone())).collect()
            })
        })
        .collect();
    let mut open = Vec::with_capacity(sessions);
    for opener in openers {
        open.extend(opener.join().map_err(|_| "an opener panicked")??);
    }
    println!("{}", serde_json::json!({ "open": open.len() }));
    io::stdin().lock().lines().count();
    drop(open);
    Ok(())
}

fn open(target: SocketAddr, config: Option<Arc<ClientConfig>>) -> io::Result<Session> {
    let mut socket = TcpStream::connect(target)?;
    let mut answer = [0; SMALL_ANSWER];
    let Some(config) = config else {
        socket.write_all(SMALL)?;
        socket.read_exact(&mut answer)?;
        return Ok((socket, None));
    };
    let name = ServerName::from(target.ip());
    let mut tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
    let mut stream = Stream::new(&mut tls, &mut socket);
    stream.write_all(SMALL)?;
    stream.read_exact(&mut answer)?;
    Ok((socket, Some(tls)))
}

fn trust(ca: &Path) -> Result<Arc<ClientConfig>, Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca)? {
        roots.add(certificate?)?;
    }
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
