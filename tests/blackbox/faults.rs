//! What one side does wrong, as the other side sees it: what, and by when.
//!
//! Every timer of howdah is minutes here. What has happened to one side must reach the other within [`SOON`].

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::net::SendFlags;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::support::{Certificates, Frame, Howdah, Site, plain, raw, read_line};

/// A second is the promise; the rest is for a machine that does much else.
const SOON: Duration = Duration::from_secs(4);

/// A server of one session, held by the test.
async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn accept(listener: &TcpListener) -> TcpStream {
    let accepted = timeout(SOON, listener.accept()).await;
    accepted.expect("howdah connects").unwrap().0
}

/// How a stream ended, and what had come before.
async fn the_end(stream: &mut (impl AsyncRead + Unpin)) -> (Vec<u8>, Option<ErrorKind>) {
    let mut heard = Vec::new();
    let end = timeout(SOON, stream.read_to_end(&mut heard)).await;
    let end = end.unwrap_or_else(|_| panic!("no end within {SOON:?}, {} bytes", heard.len()));
    (heard, end.err().map(|error| error.kind()))
}

fn reset(stream: TcpStream) {
    SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(stream);
}

/// The next access line, which must come at once as well: until then the session holds its server and its slot.
async fn ended(howdah: &mut Howdah) -> serde_json::Value {
    timeout(SOON, howdah.ended()).await.expect("an access line")
}

#[tokio::test]
async fn a_servers_reset_reaches_the_client_at_once() {
    let (listener, address) = listen().await;
    let mut howdah = Howdah::start(&plain("back", &[address], "")).await;
    let mut client = howdah.connect("back").await;
    client.write_all(b"?").await.unwrap();
    let mut server = accept(&listener).await;
    server.write_all(b"some of it").await.unwrap();
    let mut start = [0; 10];
    client.read_exact(&mut start).await.unwrap();
    reset(server);
    let end = the_end(&mut client).await;
    assert_eq!(end, (vec![], Some(ErrorKind::ConnectionReset)));
    let line = ended(&mut howdah).await;
    assert_eq!(line["reason"], "server-reset", "{line}");
    let server = howdah.server("back", &address.to_string()).await;
    assert_eq!(server["sessions_active"], 0);
}

#[tokio::test]
async fn a_servers_reset_reaches_a_tls_client_at_once_and_without_a_farewell() {
    let (listener, address) = listen().await;
    let site = Site::new();
    let certificates = Certificates::new(&site);
    certificates.write(&site, "one", &["one.test"]);
    let tls = "[listener.tls]\ncertificates = [{ cert = \"one.crt\", key = \"one.key\" }]\n";
    let config =
        plain("back", &[address], "").replace("[pool.back]", &format!("{tls}\n[pool.back]"));
    let mut howdah = site.start(&config).await;
    let stream = howdah.connect("back").await;
    let mut client = certificates
        .client()
        .over(stream, "one.test")
        .await
        .unwrap();
    client.write_all(b"?").await.unwrap();
    let mut server = accept(&listener).await;
    server.write_all(b"some of it").await.unwrap();
    let mut start = [0; 10];
    client.read_exact(&mut start).await.unwrap();
    reset(server);
    let (rest, end) = the_end(&mut client).await;
    assert_eq!(rest, b"");
    assert!(
        matches!(
            end,
            Some(ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof)
        ),
        "{end:?}"
    );
    assert_eq!(ended(&mut howdah).await["reason"], "server-reset");
}

/// The server's fault is met by a write first, and a read sees an end in order from then on.
#[tokio::test]
async fn an_answer_cut_while_the_client_still_sends_does_not_look_whole() {
    let (listener, address) = listen().await;
    let mut howdah = Howdah::start(&plain("back", &[address], "")).await;
    for _ in 0..10 {
        let client = howdah.connect("back").await;
        let (mut reader, mut writer) = client.into_split();
        let sending = tokio::spawn(async move {
            loop {
                if let Err(error) = writer.write_all(&[b'u'; 512]).await {
                    return error.kind();
                }
            }
        });
        let mut server = accept(&listener).await;
        server
            .write_all(b"34 of 1,000,000 bytes of the answer")
            .await
            .unwrap();
        let mut some = vec![0; 1 << 16];
        server.read_exact(&mut some).await.unwrap();
        reset(server);
        let (_, heard) = the_end(&mut reader).await;
        let refused = timeout(SOON, sending).await.unwrap().unwrap();
        // The client's kernel, too, tells it once: to whichever half asked first. After an end in order it would have
        // been a broken pipe.
        let told = [heard, Some(refused)];
        assert!(told.contains(&Some(ErrorKind::ConnectionReset)), "{told:?}");
        assert_eq!(ended(&mut howdah).await["reason"], "server-reset");
    }
}

#[tokio::test]
async fn what_a_server_said_before_it_broke_arrives_first() {
    let (listener, address) = listen().await;
    let howdah = Howdah::start(&plain("back", &[address], "")).await;
    let mut client = howdah.connect("back").await;
    client.write_all(b"?").await.unwrap();
    let mut server = accept(&listener).await;
    let mut asked = [0];
    server.read_exact(&mut asked).await.unwrap();
    server.write_all(b"quota exceeded\n").await.unwrap();
    reset(server);
    let (heard, end) = the_end(&mut client).await;
    assert_eq!(String::from_utf8_lossy(&heard), "quota exceeded\n");
    assert_eq!(end, Some(ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn an_upload_cut_by_its_client_does_not_look_whole() {
    let (listener, address) = listen().await;
    let mut howdah = Howdah::start(&plain("back", &[address], "")).await;
    let mut client = howdah.connect("back").await;
    client.write_all(b"half of it").await.unwrap();
    let mut server = accept(&listener).await;
    let mut half = [0; 10];
    server.read_exact(&mut half).await.unwrap();
    reset(client);
    let end = the_end(&mut server).await;
    assert_eq!(end, (vec![], Some(ErrorKind::ConnectionReset)));
    assert_eq!(ended(&mut howdah).await["reason"], "client-reset");
}

#[tokio::test]
async fn an_answer_cut_by_a_drain_does_not_look_whole() {
    let (listener, address) = listen().await;
    let mut howdah = Howdah::start(&plain("back", &[address], "")).await;
    let mut client = howdah.connect("back").await;
    client.write_all(b"?").await.unwrap();
    let mut server = accept(&listener).await;
    let answering = tokio::spawn(async move {
        while server.write_all(b"row\n").await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
        server
    });
    read_line(&mut client).await.unwrap();
    let name = format!("back/{address}");
    howdah.ctl_ok(&["drain", &name, "--timeout", "100ms"]).await;
    let (_, end) = the_end(&mut client).await;
    assert_eq!(end, Some(ErrorKind::ConnectionReset));
    assert_eq!(ended(&mut howdah).await["reason"], "drained");
    timeout(SOON, answering)
        .await
        .expect("the server hears of it")
        .unwrap();
}

#[tokio::test]
async fn a_silent_session_ended_by_a_drain_ends_in_order() {
    let (listener, address) = listen().await;
    let mut howdah = Howdah::start(&plain("back", &[address], "")).await;
    let mut client = howdah.connect("back").await;
    client.write_all(b"?").await.unwrap();
    let mut server = accept(&listener).await;
    server.write_all(b"!").await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), b'!');
    let name = format!("back/{address}");
    howdah
        .ctl_ok(&["drain", &name, "--timeout", "1500ms"])
        .await;
    assert_eq!(the_end(&mut client).await, (vec![], None));
    assert_eq!(the_end(&mut server).await, (b"?".to_vec(), None));
    assert_eq!(ended(&mut howdah).await["reason"], "drained");
}

#[tokio::test]
async fn a_client_that_ends_after_a_long_silence_hears_its_answer() {
    let (listener, address) = listen().await;
    let more = "timeouts = { half_close = \"2s\" }";
    let mut howdah = Howdah::start(&plain("back", &[address], more)).await;
    let mut client = howdah.connect("back").await;
    client.write_all(b"abc").await.unwrap();
    let mut server = accept(&listener).await;
    // Longer than `half_close`: the time must not have begun to run with the last byte.
    sleep(Duration::from_millis(2_300)).await;
    client.shutdown().await.unwrap();
    let (asked, end) = the_end(&mut server).await;
    assert_eq!((asked.as_slice(), end), (b"abc".as_slice(), None));
    sleep(Duration::from_millis(300)).await;
    server.write_all(b"the answer").await.unwrap();
    drop(server);
    assert_eq!(the_end(&mut client).await, (b"the answer".to_vec(), None));
    assert_eq!(ended(&mut howdah).await["reason"], "client-closed");
}

#[tokio::test]
async fn an_answer_that_never_comes_to_its_end_does_not_look_whole() {
    let (listener, address) = listen().await;
    let more = "timeouts = { half_close = \"1s\" }";
    let mut howdah = Howdah::start(&plain("back", &[address], more)).await;
    let mut client = howdah.connect("back").await;
    client.write_all(b"?").await.unwrap();
    client.shutdown().await.unwrap();
    let mut server = accept(&listener).await;
    server.write_all(b"half an answer").await.unwrap();
    let (heard, end) = the_end(&mut client).await;
    assert_eq!(String::from_utf8_lossy(&heard), "half an answer");
    assert_eq!(end, Some(ErrorKind::ConnectionReset));
    assert_eq!(ended(&mut howdah).await["reason"], "half-close-timeout");
}

/// Splice stops before a byte marked urgent, and calls it the end when the client's end is behind it.
#[tokio::test]
async fn bytes_after_an_urgent_one_are_not_lost() {
    const TAIL: usize = 16 << 10;
    for way in ["auto", "copy", "splice"] {
        let server = raw::sink(&Frame::default()).unwrap();
        let config = plain("sink", &[server.address()], "");
        let howdah = Howdah::start(&format!("{config}\n[global]\nrelay = \"{way}\"\n")).await;
        let mut client = howdah.connect("sink").await;
        let bulk = vec![b'b'; 256 << 10];
        client.write_all(&bulk).await.unwrap();
        client.writable().await.unwrap();
        let urgent = SendFlags::OOB | SendFlags::NOSIGNAL;
        assert_eq!(rustix::net::send(&client, b"!", urgent).unwrap(), 1);
        // No more than howdah's kernel takes with what is there: it hears of the end, too.
        client.write_all(&bulk[..TAIL]).await.unwrap();
        client.shutdown().await.unwrap();
        let answer = timeout(SOON, read_line(&mut client))
            .await
            .expect("an answer")
            .unwrap();
        let length = answer.split(' ').next().unwrap();
        assert_eq!(length, (bulk.len() + 1 + TAIL).to_string(), "by {way}");
    }
}
