//! Who may speak TLS with a listener: revoked and allowed client certificates, names, tickets, the exchange of keys.

use std::io;
use std::time::Duration;

use ::howdah::standin::{Minted, Validity};
use rustls::crypto::aws_lc_rs::kx_group;
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, HandshakeKind, NamedGroup, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::support::tls::over;
use crate::support::{Certificates, Frame, Howdah, Site, StandInListener, exchange, plain, raw};

/// Above what a busy machine needs, below `greet_timeout`.
const SOON: Duration = Duration::from_secs(5);
static VERSIONS: [&[&SupportedProtocolVersion]; 2] = [&[&TLS12], &[&TLS13]];

struct World {
    howdah: Howdah,
    certificates: Certificates,
    server: StandInListener,
    good: Minted,
    bad: Minted,
}

fn config(server: &StandInListener, tls: &str) -> String {
    let tls = format!(
        "[listener.tls]\ncertificates = [{{ cert = \"one.crt\", key = \"one.key\" }}]\n{tls}\n[pool.front]"
    );
    plain("front", &[server.address()], "").replace("[pool.front]", &tls)
}

/// Two clients of one CA, of which `list` may revoke one.
async fn world(tls: &str, list: impl Fn(&Certificates, &Minted) -> String) -> World {
    let site = Site::new();
    let certificates = Certificates::new(&site);
    certificates.write(&site, "one", &["one.test", "*.two.test"]);
    let mint = |name| {
        certificates
            .authority
            .mint(&[name], Validity::Long)
            .unwrap()
    };
    let (good, bad) = (mint("good.test"), mint("bad.test"));
    site.write("ca.crl", &list(&certificates, &bad));
    let server = raw::echo(&Frame::default()).unwrap();
    let howdah = site.start(&config(&server, tls)).await;
    World {
        howdah,
        certificates,
        server,
        good,
        bad,
    }
}

fn nobody_revoked(certificates: &Certificates, _: &Minted) -> String {
    certificates.authority.revoke(&[], Validity::Long).unwrap()
}

fn bad_revoked(certificates: &Certificates, bad: &Minted) -> String {
    certificates
        .authority
        .revoke(&[bad], Validity::Long)
        .unwrap()
}

impl World {
    fn shows(
        &self,
        identity: &Minted,
        versions: &'static [&'static SupportedProtocolVersion],
    ) -> TlsConnector {
        let client = self.certificates.client().with_versions(versions);
        client.with_identity(identity.clone()).connector()
    }

    /// A session's first byte there and back, and how its handshake was made.
    async fn visit(&self, connector: &TlsConnector, name: &str) -> io::Result<HandshakeKind> {
        let stream = self.howdah.connect("front").await;
        let visit = async {
            let mut stream = over(connector, stream, name).await?;
            stream.write_all(b"x").await?;
            stream.read_u8().await?;
            Ok(stream.get_ref().1.handshake_kind().unwrap())
        };
        timeout(SOON, visit).await.expect("an answer")
    }

    /// Waits for the line that names a refused certificate.
    async fn refused(&self, reason: &str) {
        let wanted = |line: &serde_json::Value| {
            let named =
                line["message"] == "client certificate refused" && line["subject"].is_string();
            (named && line["reason"] == reason).then_some(())
        };
        self.howdah.log().find(0, wanted).await;
    }
}

fn alert(result: io::Result<HandshakeKind>) -> AlertDescription {
    let error = result.expect_err("refused");
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::AlertReceived(alert)) => *alert,
        _ => panic!("no alert: {error}"),
    }
}

const LISTED: &str = "client_ca = \"ca.crt\"\nclient_crl = \"ca.crl\"";

#[tokio::test]
async fn a_revoked_client_is_refused_by_name_and_the_others_are_not() {
    let mut world = world(LISTED, bad_revoked).await;
    for versions in VERSIONS {
        world
            .visit(&world.shows(&world.good, versions), "one.test")
            .await
            .unwrap();
        assert_eq!(world.howdah.ended().await["reason"], "client-closed");
        let refused = world
            .visit(&world.shows(&world.bad, versions), "one.test")
            .await;
        assert_eq!(alert(refused), AlertDescription::CertificateRevoked);
        assert_eq!(world.howdah.ended().await["reason"], "tls-failed");
    }
    world.refused("revoked").await;
}

#[tokio::test]
async fn a_new_list_is_taken_by_a_reload_and_a_ticket_does_not_get_around_it() {
    let world = world(LISTED, nobody_revoked).await;
    for versions in VERSIONS {
        let (good, bad) = (
            world.shows(&world.good, versions),
            world.shows(&world.bad, versions),
        );
        let full = Some(HandshakeKind::Full);
        assert_eq!(world.visit(&bad, "one.test").await.ok(), full);
        assert_eq!(
            world.visit(&bad, "one.test").await.ok(),
            Some(HandshakeKind::Resumed)
        );
        std::fs::write(
            world.howdah.dir().join("ca.crl"),
            bad_revoked(&world.certificates, &world.bad),
        )
        .unwrap();
        let answer = world.howdah.reload(&config(&world.server, LISTED)).await;
        assert!(answer.status.success(), "{answer:?}");
        let refused = world.visit(&bad, "one.test").await;
        assert_eq!(alert(refused), AlertDescription::CertificateRevoked);
        assert_eq!(world.visit(&good, "one.test").await.ok(), full);
        std::fs::write(
            world.howdah.dir().join("ca.crl"),
            nobody_revoked(&world.certificates, &world.bad),
        )
        .unwrap();
        assert!(
            world
                .howdah
                .reload(&config(&world.server, LISTED))
                .await
                .status
                .success()
        );
    }
}

#[tokio::test]
async fn an_overdue_list_still_counts_and_check_says_that_it_is_overdue() {
    let overdue = |certificates: &Certificates, bad: &Minted| {
        certificates
            .authority
            .revoke(&[bad], Validity::Expired)
            .unwrap()
    };
    let world = world(LISTED, overdue).await;
    world
        .visit(&world.shows(&world.good, VERSIONS[1]), "one.test")
        .await
        .unwrap();
    let refused = world
        .visit(&world.shows(&world.bad, VERSIONS[1]), "one.test")
        .await;
    assert_eq!(alert(refused), AlertDescription::CertificateRevoked);
    let answer = world.howdah.reload(&config(&world.server, LISTED)).await;
    let said = [answer.stdout, answer.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.contains("is outdated"), "{said}");
}

#[tokio::test]
async fn without_a_list_of_its_signer_a_client_is_refused() {
    let other = |_: &Certificates, _: &Minted| {
        let other = ::howdah::standin::Authority::new("another authority").unwrap();
        other.revoke(&[], Validity::Long).unwrap()
    };
    let world = world(LISTED, other).await;
    assert!(
        world
            .visit(&world.shows(&world.good, VERSIONS[1]), "one.test")
            .await
            .is_err()
    );
    world.refused("no list of its signer in client_crl").await;
}

#[tokio::test]
async fn only_allowed_subjects_get_in() {
    let allow = "client_ca = \"ca.crt\"\nclient_allow = [\"CN=nobody\", \"dns:good.test\"]";
    let world = world(allow, nobody_revoked).await;
    for versions in VERSIONS {
        world
            .visit(&world.shows(&world.good, versions), "one.test")
            .await
            .unwrap();
        let refused = world
            .visit(&world.shows(&world.bad, versions), "one.test")
            .await;
        assert_eq!(alert(refused), AlertDescription::AccessDenied);
    }
    world.refused("not in client_allow").await;
}

#[tokio::test]
async fn strict_names_refuse_who_asks_for_none_or_an_unknown_one() {
    let mut world = world("sni = \"strict\"", nobody_revoked).await;
    for versions in VERSIONS {
        let client = world
            .certificates
            .client()
            .with_versions(versions)
            .connector();
        for name in ["one.test", "ONE.test", "a.two.test"] {
            world.visit(&client, name).await.unwrap();
            assert_eq!(world.howdah.ended().await["reason"], "client-closed");
        }
        for name in ["stranger.test", "two.test", "127.0.0.1"] {
            let refused = world.visit(&client, name).await;
            assert_eq!(alert(refused), AlertDescription::UnrecognisedName, "{name}");
            assert_eq!(world.howdah.ended().await["reason"], "tls-failed");
        }
    }
}

#[tokio::test]
async fn tickets_outlive_a_reload_that_leaves_tls_alone() {
    let world = world("", nobody_revoked).await;
    let client = world.certificates.client().connector();
    world.visit(&client, "one.test").await.unwrap();
    let more = config(&world.server, "").replace("bind =", "max_connections = 7\nbind =");
    assert!(world.howdah.reload(&more).await.status.success());
    let kind = world.visit(&client, "one.test").await.unwrap();
    assert_eq!(kind, HandshakeKind::Resumed);
}

#[tokio::test]
async fn a_client_that_lists_the_post_quantum_group_first_gets_it() {
    let world = world("", nobody_revoked).await;
    let (hybrid, classic) = (kx_group::X25519MLKEM768, kx_group::X25519);
    for (offered, agreed) in [
        (&[hybrid, classic][..], NamedGroup::X25519MLKEM768),
        (&[classic, hybrid], NamedGroup::X25519),
        (&[classic], NamedGroup::X25519),
    ] {
        let client = world.certificates.client().with_groups(offered);
        let stream = world.howdah.connect("front").await;
        let mut stream = client.over(stream, "one.test").await.unwrap();
        exchange(&mut stream, "x").await;
        let tls = stream.get_ref().1;
        assert_eq!(tls.negotiated_key_exchange_group().unwrap().name(), agreed);
        // No second ClientHello was asked for: that would be another way there and back.
        assert_eq!(tls.handshake_kind(), Some(HandshakeKind::Full));
    }
}
