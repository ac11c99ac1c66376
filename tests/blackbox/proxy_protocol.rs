//! The PROXY protocol, coming in and going out.

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;

use crate::support::{Frame, Howdah, plain, raw, read_all, read_line};

fn accepting(server: SocketAddr, peers: &str, more: &str) -> String {
    plain("front", &[server], more).replace(
        "pool = \"front\"\n",
        &format!("pool = \"front\"\naccept_proxy = [\"{peers}\"]\ngreet_timeout = \"500ms\"\n"),
    )
}

/// PROXY v2: IPv4, TCP, from 192.0.2.7:4711 to 198.51.100.1:10000.
const V2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\x12\x67\x27\x10";

#[tokio::test]
async fn a_header_names_the_client_in_both_versions() {
    let server = raw::named(&Frame::default(), "s").unwrap();
    let config = accepting(server.address(), "127.0.0.0/8", "");
    let mut howdah = Howdah::start(&config).await;
    let v1: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 10000\r\n";
    for header in [v1, V2] {
        for pieces in [1, header.len()] {
            let mut client = howdah.connect("front").await;
            for piece in header.chunks(header.len().div_ceil(pieces)) {
                client.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            client.write_all(b"?").await.unwrap();
            assert_eq!(read_line(&mut client).await.unwrap(), "s");
            drop(client);
            let line = howdah.ended().await;
            assert_eq!(line["client"], "192.0.2.7:4711", "{line}");
            assert_eq!(
                line["bytes_from_client"], 1,
                "the header is not the client's bytes"
            );
        }
    }
}

#[tokio::test]
async fn a_peer_that_owes_a_header_is_refused_without_one() {
    let server = raw::named(&Frame::default(), "s").unwrap();
    let config = accepting(server.address(), "127.0.0.0/8", "");
    let mut howdah = Howdah::start(&config).await;
    for (said, reason) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "bad-proxy-header"),
        (b"PROXY NONSENSE\r\n", "bad-proxy-header"),
        (b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c", "bad-proxy-header"),
        (b"PROXY TCP4 192", "greet-timeout"),
    ] {
        let mut client = howdah.connect("front").await;
        client.write_all(said).await.unwrap();
        let _ = read_all(&mut client).await;
        let line = howdah.ended().await;
        assert_eq!(
            (&line["stage"], &line["reason"]),
            (&"greet".into(), &reason.into()),
            "{line}"
        );
    }
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn a_header_of_anybody_else_is_just_bytes() {
    let (server, mut heard) = raw::recorder(&Frame::default()).unwrap();
    let config = accepting(server.address(), "192.0.2.0/24", "");
    let howdah = Howdah::start(&config).await;
    let mut client = howdah.connect("front").await;
    let lie = b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n";
    client.write_all(lie).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(heard.recv().await.unwrap().unwrap(), lie);
}

#[tokio::test]
async fn a_believed_client_may_be_denied() {
    let server = raw::named(&Frame::default(), "s").unwrap();
    let config = accepting(server.address(), "127.0.0.0/8", "")
        .replace("greet_timeout", "deny = [\"192.0.2.0/24\"]\ngreet_timeout");
    let mut howdah = Howdah::start(&config).await;
    let mut client = howdah.connect("front").await;
    client.write_all(V2).await.unwrap();
    let _ = read_all(&mut client).await;
    let line = howdah.ended().await;
    assert_eq!(line["reason"], "denied");
    assert_eq!(line["client"], "192.0.2.7:4711");
}

#[tokio::test]
async fn a_header_goes_out_in_both_versions() {
    for (version, more) in [
        ("v1", ""),
        ("v2", ""),
        ("v1", "dial = \"late\""),
        ("v2", "dial = \"late\""),
    ] {
        let (server, mut heard) = raw::recorder(&Frame::default()).unwrap();
        let more = format!("send_proxy = \"{version}\"\n{more}");
        let howdah = Howdah::start(&plain("front", &[server.address()], &more)).await;
        let mut client = howdah.connect("front").await;
        let (mine, theirs) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
        client.write_all(b"then bytes").await.unwrap();
        client.shutdown().await.unwrap();
        let heard = heard.recv().await.unwrap().unwrap();
        let header = match version {
            "v1" => format!(
                "PROXY TCP4 127.0.0.1 127.0.0.1 {} {}\r\n",
                mine.port(),
                theirs.port()
            )
            .into_bytes(),
            _ => {
                let mut header =
                    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01".to_vec();
                header.extend(mine.port().to_be_bytes());
                header.extend(theirs.port().to_be_bytes());
                header
            }
        };
        assert_eq!(
            heard,
            [header.as_slice(), b"then bytes"].concat(),
            "{version}"
        );
    }
}

#[tokio::test]
async fn a_believed_address_is_passed_on() {
    let (server, mut heard) = raw::recorder(&Frame::default()).unwrap();
    let config = accepting(server.address(), "127.0.0.0/8", "send_proxy = \"v1\"");
    let howdah = Howdah::start(&config).await;
    let mut client = howdah.connect("front").await;
    client.write_all(V2).await.unwrap();
    client.write_all(b"x").await.unwrap();
    client.shutdown().await.unwrap();
    let heard = String::from_utf8(heard.recv().await.unwrap().unwrap()).unwrap();
    assert!(heard.starts_with("PROXY TCP4 192.0.2.7 "), "{heard}");
    assert!(heard.ends_with("\r\nx"));
}
