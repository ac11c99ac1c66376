//! TLS ended, begun, and passed through.

use std::sync::Arc;
use std::time::Duration;

use ::howdah::standin::{Authority, Flaw, Validity, Wardrobe};
use rustls::CipherSuite;
use rustls::HandshakeKind;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::tls::{over, shown_name};
use crate::support::{
    Certificates, Fault, Frame, Howdah, Site, StandInListener, exchange, raw, read_all,
};

/// A listener `front` that ends TLS before an echo.
fn terminating(server: &StandInListener, tls: &str) -> String {
    format!(
        r#"
[[listener]]
name = "front"
bind = "127.0.0.1:0"
pool = "back"
greet_timeout = "2s"
[listener.tls]
{tls}

[pool.back]
service = "tcp"
servers = ["{}"]
probe = "none"
"#,
        server.address()
    )
}

static ONLY_12: &[&SupportedProtocolVersion] = &[&TLS12];
static ONLY_13: &[&SupportedProtocolVersion] = &[&TLS13];

struct World {
    howdah: Howdah,
    certificates: Certificates,
    server: StandInListener,
}

async fn world(tls: &str) -> World {
    let site = Site::new();
    let certificates = Certificates::new(&site);
    certificates.write(&site, "one", &["one.test"]);
    certificates.write(&site, "two", &["two.test", "*.two.test"]);
    let server = raw::echo(&Frame::default()).unwrap();
    let howdah = site.start(&terminating(&server, tls)).await;
    World {
        howdah,
        certificates,
        server,
    }
}

const BOTH: &str = r#"certificates = [{ cert = "one.crt", key = "one.key" }, { cert = "two.crt", key = "two.key" }]"#;

#[tokio::test]
async fn the_name_that_is_asked_for_chooses_the_certificate() {
    let mut world = world(BOTH).await;
    let client = world.certificates.client();
    for (asked, shown) in [
        ("one.test", "one.test"),
        ("two.test", "two.test"),
        ("sub.two.test", "two.test"),
    ] {
        let stream = world.howdah.connect("front").await;
        let mut stream = client.over(stream, asked).await.unwrap();
        assert_eq!(shown_name(&stream), shown);
        exchange(&mut stream, "secret").await;
        stream.shutdown().await.unwrap();
        drop(stream);
        let line = world.howdah.ended().await;
        assert_eq!(
            (&line["sni"], &line["tls"]),
            (&asked.into(), &"1.3".into()),
            "{line}"
        );
        assert_eq!(line["bytes_from_client"], 6);
    }
    // A name that nobody has gets the first certificate, which the client then refuses.
    let stream = world.howdah.connect("front").await;
    assert!(client.over(stream, "stranger.test").await.is_err());
    let line = world.howdah.ended().await;
    assert_eq!(
        (&line["stage"], &line["reason"]),
        (&"greet".into(), &"tls-failed".into()),
        "{line}"
    );
}

#[tokio::test]
async fn both_versions_are_spoken_unless_one_is_forbidden() {
    for (tls, twelve) in [("", true), ("min_version = \"1.3\"", false)] {
        let mut world = world(&format!("{BOTH}\n{tls}")).await;
        let newest = world.certificates.client().with_versions(ONLY_13);
        let stream = world.howdah.connect("front").await;
        let mut stream = newest.over(stream, "one.test").await.unwrap();
        exchange(&mut stream, "x").await;
        drop(stream);
        world.howdah.ended().await;
        let older = world.certificates.client().with_versions(ONLY_12);
        let stream = world.howdah.connect("front").await;
        match older.over(stream, "one.test").await {
            Ok(mut stream) => {
                assert!(twelve);
                exchange(&mut stream, "x").await;
                drop(stream);
                assert_eq!(world.howdah.ended().await["tls"], "1.2");
            }
            Err(_) => {
                assert!(!twelve);
                assert_eq!(world.howdah.ended().await["reason"], "tls-failed");
            }
        }
    }
}

/// rustls's clients list AES-256 first, as most do.
#[tokio::test]
async fn of_two_good_suites_aes_128_is_chosen_and_aes_256_is_to_be_had() {
    let world = world(BOTH).await;
    let only_256: fn(CipherSuite) -> bool = |suite| suite.as_str().unwrap().contains("AES_256");
    for (suites, chosen) in [
        ((|_| true) as fn(_) -> _, "AES_128_GCM"),
        (only_256, "AES_256_GCM"),
    ] {
        for versions in [ONLY_13, ONLY_12] {
            let client = world.certificates.client().with_versions(versions);
            let client = client.with_suites(suites);
            let stream = world.howdah.connect("front").await;
            let stream = client.over(stream, "one.test").await.unwrap();
            let suite = stream.get_ref().1.negotiated_cipher_suite().unwrap();
            let name = suite.suite().as_str().unwrap();
            assert!(name.contains(chosen), "{name}");
        }
    }
}

#[tokio::test]
async fn a_second_visit_resumes() {
    let world = world(BOTH).await;
    for versions in [ONLY_13, ONLY_12] {
        let connector = world
            .certificates
            .client()
            .with_versions(versions)
            .connector();
        let mut kinds = Vec::new();
        for _ in 0..3 {
            let stream = world.howdah.connect("front").await;
            let mut stream = over(&connector, stream, "one.test").await.unwrap();
            // Tickets arrive behind the handshake; reading takes them in.
            exchange(&mut stream, "x").await;
            kinds.push(stream.get_ref().1.handshake_kind());
        }
        assert_eq!(kinds[0], Some(HandshakeKind::Full), "{versions:?}");
        assert_eq!(kinds[2], Some(HandshakeKind::Resumed), "{versions:?}");
    }
}

#[tokio::test]
async fn client_certificates_are_asked_for_as_configured() {
    for (auth, without, stranger) in [
        ("none", true, true),
        ("optional", true, false),
        ("required", false, false),
    ] {
        let ca = match auth {
            "none" => String::new(),
            auth => format!("client_ca = \"ca.crt\"\nclient_auth = \"{auth}\""),
        };
        let world = world(&format!("{BOTH}\n{ca}")).await;
        let good = world
            .certificates
            .authority
            .mint(&["client.test"], Validity::Long)
            .unwrap();
        let bad = Authority::new("other")
            .unwrap()
            .mint(&["client.test"], Validity::Long)
            .unwrap();
        for (identity, expected) in [(None, without), (Some(good), true), (Some(bad), stranger)] {
            let shows = identity.is_some();
            let mut client = world.certificates.client();
            if let Some(identity) = identity {
                client = client.with_identity(identity);
            }
            let stream = world.howdah.connect("front").await;
            let heard = async {
                let mut stream = client.over(stream, "one.test").await?;
                stream.write_all(b"x").await?;
                stream.read_u8().await
            };
            // With TLS 1.3 the client hears of its refusal only when it reads.
            assert_eq!(heard.await.is_ok(), expected, "{auth}, shows one: {shows}");
        }
    }
}

#[tokio::test]
async fn what_is_no_tls_is_refused() {
    let mut world = world(BOTH).await;
    let mut client = world.howdah.connect("front").await;
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let _ = read_all(&mut client).await;
    assert_eq!(world.howdah.ended().await["reason"], "tls-failed");
    let mut silent = world.howdah.connect("front").await;
    let _ = read_all(&mut silent).await;
    assert_eq!(world.howdah.ended().await["reason"], "greet-timeout");
    assert_eq!(world.server.accepted(), 0);
}

/// Pools that speak TLS to their server: what they trust, and as whom.
#[tokio::test]
async fn chain_and_name_of_a_server_are_verified() {
    let site = Site::new();
    let certificates = Certificates::new(&site);
    let wardrobe = Wardrobe::new(&certificates.authority, &["back.test"]).unwrap();
    let frame = Frame {
        tls: Some(Arc::new(wardrobe)),
        ..Frame::default()
    };
    let server = raw::echo(&frame).unwrap();
    let config = format!(
        r#"
[[listener]]
name = "front"
bind = "127.0.0.1:0"
pool = "back"

[pool.back]
service = "tcp"
servers = ["{}"]
probe = "none"
[pool.back.tls]
ca = "ca.crt"
server_name = "back.test"
"#,
        server.address()
    );
    let mut howdah = site.start(&config).await;
    let mut client = howdah.connect("front").await;
    exchange(&mut client, "through two hops").await;
    drop(client);
    assert_eq!(howdah.ended().await["reason"], "client-closed");
    for flaw in [Flaw::Name, Flaw::Expired, Flaw::Stranger] {
        server.switch().set(Fault::BadCertificate(flaw));
        let mut client = howdah.connect("front").await;
        let _ = client.write_all(b"never arrives").await;
        let _ = read_all(&mut client).await;
        let line = howdah.ended().await;
        assert_eq!(line["stage"], "announce", "{flaw:?}: {line}");
        assert_eq!(line["reason"], "server-tls-failed", "{flaw:?}: {line}");
        assert_eq!(line["bytes_from_client"], 0, "{line}");
    }
    server.switch().set(Fault::None);
    let mut client = howdah.connect("front").await;
    exchange(&mut client, "again").await;
}

/// Two echo servers that end TLS themselves, behind a listener that only looks at the name.
struct Passthrough {
    howdah: Howdah,
    certificates: Certificates,
    sales: StandInListener,
    rest: StandInListener,
}

async fn passthrough(default_pool: &str) -> Passthrough {
    let site = Site::new();
    let certificates = Certificates::new(&site);
    let frame = |names: &[&str]| Frame {
        tls: Some(Arc::new(
            Wardrobe::new(&certificates.authority, names).unwrap(),
        )),
        ..Frame::default()
    };
    let sales = raw::echo(&frame(&["sales.test", "*.sales.test"])).unwrap();
    let rest = raw::echo(&frame(&["rest.test"])).unwrap();
    let config = format!(
        r#"
[[listener]]
name = "front"
bind = "127.0.0.1:0"
greet_timeout = "5s"
{default_pool}
[[listener.route]]
sni = ["sales.test", "*.sales.test"]
pool = "sales"

[pool.sales]
service = "tcp"
servers = ["{}"]
probe = "none"

[pool.rest]
service = "tcp"
servers = ["{}"]
probe = "none"
"#,
        sales.address(),
        rest.address()
    );
    let howdah = site.start(&config).await;
    Passthrough {
        howdah,
        certificates,
        sales,
        rest,
    }
}

#[tokio::test]
async fn passthrough_goes_where_the_name_says() {
    let mut world = passthrough("pool = \"rest\"").await;
    let client = world.certificates.client();
    for (name, pool) in [
        ("sales.test", "sales"),
        ("EU.sales.test", "sales"),
        ("rest.test", "rest"),
    ] {
        let stream = world.howdah.connect("front").await;
        let mut stream = client.over(stream, name).await.unwrap();
        exchange(&mut stream, "end to end").await;
        drop(stream);
        let line = world.howdah.ended().await;
        assert_eq!(line["pool"], pool, "{line}");
        assert!(line["tls"].is_null(), "not ended here: {line}");
        assert_eq!(
            line["sni"].as_str().unwrap().to_lowercase(),
            name.to_lowercase()
        );
    }
    assert_eq!((world.sales.accepted(), world.rest.accepted()), (2, 1));
}

#[tokio::test]
async fn a_client_hello_may_come_byte_by_byte() {
    let world = passthrough("").await;
    // A relay of our own that cuts the client's first bytes into segments of one byte each.
    let cutter = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = cutter.local_addr().unwrap();
    let upstream = world.howdah.connect("front").await;
    tokio::spawn(async move {
        let (client, _) = cutter.accept().await.unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_howdah, mut to_howdah) = upstream.into_split();
        tokio::spawn(async move { tokio::io::copy(&mut from_howdah, &mut to_client).await });
        let mut cut = 0;
        while let Ok(byte) = from_client.read_u8().await {
            if to_howdah.write_all(&[byte]).await.is_err() {
                return;
            }
            cut += 1;
            if cut < 300 {
                tokio::time::sleep(Duration::from_micros(300)).await;
            }
        }
    });
    let stream = TcpStream::connect(address).await.unwrap();
    let mut stream = world
        .certificates
        .client()
        .over(stream, "sales.test")
        .await
        .unwrap();
    exchange(&mut stream, "in pieces").await;
}

#[tokio::test]
async fn without_a_route_a_client_is_refused() {
    let mut world = passthrough("").await;
    let stream = world.howdah.connect("front").await;
    assert!(
        world
            .certificates
            .client()
            .over(stream, "rest.test")
            .await
            .is_err()
    );
    assert_eq!(world.howdah.ended().await["reason"], "no-route");
    let mut stream = world.howdah.connect("front").await;
    stream
        .write_all(b"no hello at all, but long enough to see")
        .await
        .unwrap();
    let _ = read_all(&mut stream).await;
    assert_eq!(world.howdah.ended().await["reason"], "bad-client-hello");
    assert_eq!((world.sales.accepted(), world.rest.accepted()), (0, 0));
}
