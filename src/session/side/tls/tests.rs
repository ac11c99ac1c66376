use std::future::Future;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::tls::provider;

const LARGE: usize = 3 << 20;

/// What should come and never does fails, rather than hang.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    let patience = Duration::from_secs(60);
    timeout(patience, what).await.expect("soon")
}

/// What both ends need to trust each other.
struct Trust {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

fn trust(version: &'static SupportedProtocolVersion) -> Trust {
    let key = KeyPair::generate().unwrap();
    let names = vec!["one.test".to_owned()];
    let certificate = CertificateParams::new(names)
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let client = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Trust {
        server: Arc::new(server),
        client: Arc::new(client),
    }
}

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (one, other) = tokio::join!(TcpStream::connect(address), listener.accept());
    (one.unwrap(), other.unwrap().0)
}

fn name() -> ServerName<'static> {
    ServerName::try_from("one.test").unwrap()
}

/// Somebody else's client, and our side of it.
async fn pair(
    version: &'static SupportedProtocolVersion,
) -> (TlsStream<TcpStream>, TlsSide<ServerConnection>) {
    let trust = trust(version);
    let (near, far) = sockets().await;
    let connector = TlsConnector::from(trust.client);
    let both = async {
        tokio::join!(
            connector.connect(name(), near),
            TlsSide::accept(far, trust.server)
        )
    };
    let (client, side) = soon(both).await;
    (client.unwrap(), side.unwrap())
}

fn take<'a>(
    side: &'a mut impl Side,
    room: &'a mut [u8],
) -> impl Future<Output = io::Result<usize>> + 'a {
    soon(poll_fn(move |cx| side.poll_take(cx, room)))
}

/// Whether the side would wait for more.
async fn is_silent(side: &mut impl Side) -> bool {
    let mut room = [0; 100];
    poll_fn(|cx| Poll::Ready(side.poll_take(cx, &mut room).is_pending())).await
}

async fn give(side: &mut impl Side, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let given = poll_fn(|cx| side.poll_give(cx, bytes)).await.unwrap();
        bytes = &bytes[given..];
    }
    poll_fn(|cx| side.poll_flush(cx)).await.unwrap();
}

async fn take_all(side: &mut impl Side, room: usize) -> Vec<u8> {
    let (mut all, mut room) = (Vec::new(), vec![0; room]);
    loop {
        match take(side, &mut room).await.unwrap() {
            0 => return all,
            taken => all.extend_from_slice(&room[..taken]),
        }
    }
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| (index * 31 + index / 251) as u8)
        .collect()
}

#[tokio::test]
async fn a_ticket_waits_for_the_answer_once_there_will_be_one() {
    let (mut client, mut side) = pair(&TLS13).await;
    assert!(side.0.tls.wants_write(), "the ticket is not sent by itself");
    side.defer_control_records();
    assert!(is_silent(&mut side).await);
    assert!(
        side.0.tls.wants_write(),
        "nor when the client is waited for"
    );
    give(&mut side, b"answer").await;
    assert!(!side.0.tls.wants_write());
    let mut answer = [0; 6];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"answer");
}

#[tokio::test]
async fn a_ticket_goes_out_when_nothing_else_is_to_come_before_the_client_speaks() {
    let (_client, mut side) = pair(&TLS13).await;
    assert!(is_silent(&mut side).await);
    assert!(!side.0.tls.wants_write());
}

#[tokio::test]
async fn a_handshake_of_tls_1_2_ends_without_another_word() {
    // `pair` waits for the client's end of it, which needs our Finished.
    let (mut client, mut side) = pair(&TLS12).await;
    client.write_all(b"question").await.unwrap();
    let mut room = [0; 100];
    assert_eq!(take(&mut side, &mut room).await.unwrap(), 8);
}

#[tokio::test]
async fn what_follows_the_handshake_at_once_is_kept_whole() {
    let trust = trust(&TLS13);
    let (mut near, far) = sockets().await;
    let sent = pattern(200_000);
    let sending = async {
        let mut tls = ClientConnection::new(trust.client, name()).unwrap();
        let mut flight = Vec::new();
        tls.write_tls(&mut flight).unwrap();
        near.write_all(&flight).await.unwrap();
        while tls.is_handshaking() {
            let mut answer = [0; 4096];
            let read = near.read(&mut answer).await.unwrap();
            tls.read_tls(&mut &answer[..read]).unwrap();
            tls.process_new_packets().unwrap();
        }
        // Finished, all the bytes and the end in one go.
        tls.set_buffer_limit(None);
        tls.writer().write_all(&sent).unwrap();
        tls.send_close_notify();
        let mut all = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut all).unwrap();
        }
        near.write_all(&all).await.unwrap();
        near
    };
    let taking = async {
        let mut side = TlsSide::accept(far, trust.server).await.unwrap();
        take_all(&mut side, scratch::BUFFER).await
    };
    let (_near, taken) = soon(Box::pin(async { tokio::join!(sending, taking) })).await;
    assert!(taken == sent);
}

#[tokio::test]
async fn large_streams_pass_both_ways_into_rooms_of_any_size() {
    for room in [100, 1 << 14, scratch::BUFFER] {
        let (client, mut side) = pair(&TLS13).await;
        let sent = pattern(if room == 100 { LARGE / 30 } else { LARGE });
        let (mut reading, mut writing) = tokio::io::split(client);
        let upload = async {
            writing.write_all(&sent).await.unwrap();
            writing.shutdown().await.unwrap();
        };
        let ((), taken) = tokio::join!(upload, take_all(&mut side, room));
        assert!(taken == sent, "up, room {room}");

        let download = async {
            give(&mut side, &sent).await;
            poll_fn(|cx| side.poll_end(cx)).await.unwrap();
        };
        let mut received = Vec::new();
        // Fails with UnexpectedEof unless the end is told in TLS's own words.
        let both = async { tokio::join!(reading.read_to_end(&mut received), download) };
        let (read, ()) = soon(both).await;
        read.unwrap();
        assert!(received == sent, "down, room {room}");
    }
}

#[tokio::test]
async fn a_side_towards_a_server_begins_tls_and_sees_an_end_without_farewell_as_a_break() {
    let trust = trust(&TLS13);
    let (near, far) = sockets().await;
    let asking = async {
        let side = TlsSide::connect(near, trust.client, name()).await;
        let mut side: TlsSide<ClientConnection> = side.unwrap();
        assert!(side.0.tls.wants_write(), "Finished rides with the question");
        give(&mut side, b"question").await;
        side
    };
    let answering = async {
        let mut side = TlsSide::accept(far, trust.server).await.unwrap();
        assert_eq!(take(&mut side, &mut [0; 100]).await.unwrap(), 8);
        side
    };
    let (mut near, mut far) = soon(async { tokio::join!(asking, answering) }).await;
    let mut room = [0; 100];
    give(&mut far, b"half an answ").await;
    drop(far);
    assert_eq!(take(&mut near, &mut room).await.unwrap(), 12);
    let broken = take(&mut near, &mut room).await.unwrap_err();
    assert_eq!(broken.kind(), io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn what_is_not_tls_is_refused_with_an_alert() {
    let trust = trust(&TLS13);
    let (mut near, far) = sockets().await;
    near.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let refused = soon(TlsSide::accept(far, trust.server))
        .await
        .err()
        .unwrap();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
    let mut alert = [0; 3];
    near.read_exact(&mut alert).await.unwrap();
    assert_eq!(alert[0], 21, "content type alert");
}

#[tokio::test]
async fn a_client_that_leaves_during_the_handshake_is_an_unexpected_end() {
    let trust = trust(&TLS13);
    let (near, far) = sockets().await;
    drop(near);
    let gone = soon(TlsSide::accept(far, trust.server))
        .await
        .err()
        .unwrap();
    assert_eq!(gone.kind(), io::ErrorKind::UnexpectedEof);
}
