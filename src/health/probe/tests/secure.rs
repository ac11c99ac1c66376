//! TLS: the right certificate, each wrong one, and those who do not speak it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ServerConfig, WebPkiClientVerifier};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::plan::{ConnectTls, Roots};
use crate::tls::connect::Connector;

pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate for `name` that ends `days` from now.
    pub(super) fn issue(&self, name: &str, days: i64) -> Identity {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let now = SystemTime::now();
        let day = Duration::from_secs(86_400);
        params.not_before = (now - 400 * day).into();
        params.not_after = match u32::try_from(days) {
            Ok(days) => (now + days * day).into(),
            Err(_) => (now - day).into(),
        };
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        (cert.der().clone(), key)
    }

    pub(super) fn trusted(&self) -> Connector {
        let roots = Roots {
            path: "ca.crt".into(),
            certificates: vec![self.0.der().clone()],
        };
        let tls = ConnectTls {
            roots: Some(roots),
            server_name: None,
            identity: None,
        };
        Connector::new(&tls).unwrap()
    }
}

pub(super) type Identity = (CertificateDer<'static>, PrivateKeyDer<'static>);

/// A HiveServer2 behind TLS; `demand`: only for clients with a certificate of that authority.
async fn hive_with(identity: Identity, demand: Option<&Authority>) -> SocketAddr {
    let acceptor = TlsAcceptor::from(Arc::new(config(identity, demand)));
    server(move |stream| serve(acceptor.clone(), stream)).await
}

pub(super) fn config((cert, key): Identity, demand: Option<&Authority>) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match demand {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(authority.0.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    builder.with_single_cert(vec![cert], key).unwrap()
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream) {
    let Ok(mut stream) = acceptor.accept(stream).await else {
        return;
    };
    let mut heard = [0; 35];
    if stream.read_exact(&mut heard).await.is_ok() {
        let _ = stream.write_all(b"\x05\0\0\0\0").await;
    }
    while let Ok(1..) = stream.read(&mut heard).await {}
}

async fn find_over(address: SocketAddr, plan: &ProbePlan, tls: &Connector) -> Finding {
    let addresses = [address];
    let endpoint = Endpoint {
        addresses: &addresses,
        host: "127.0.0.1",
        send_proxy: None,
    };
    ask(
        &endpoint,
        plan,
        Effort::Full,
        &Means {
            tls: Some(tls.clone()),
            ..Means::default()
        },
        &mut ProbeMemory::default(),
    )
    .await
}

#[tokio::test]
async fn the_certificate_is_verified() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let table = [
        (ours.issue("127.0.0.1", 9), Verdict::Up, Reason::Ok, "close"),
        (
            ours.issue("other.example.com", 9),
            Verdict::Down,
            Reason::CertificateName,
            "tls",
        ),
        (
            ours.issue("127.0.0.1", -1),
            Verdict::Down,
            Reason::CertificateExpired,
            "tls",
        ),
        (
            theirs.issue("127.0.0.1", 9),
            Verdict::Down,
            Reason::CertificateUntrusted,
            "tls",
        ),
    ];
    for (identity, verdict, reason, step) in table {
        let address = hive_with(identity, None).await;
        let finding = find_over(address, &plan(Ask::Tls), &ours.trusted()).await;
        assert_found(&finding, verdict, reason, step);
    }
}

/// A server that takes up the sessions of the one before, but has another certificate.
#[tokio::test]
async fn a_resumed_session_hides_no_certificate() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let good = config(ours.issue("127.0.0.1", 9), None);
    let mut bad = config(theirs.issue("127.0.0.1", 9), None);
    bad.session_storage = Arc::clone(&good.session_storage);
    let configs = [Arc::new(good), Arc::new(bad)];
    let turn = Arc::new(AtomicUsize::new(0));
    let address = server(move |stream| {
        let config = Arc::clone(&configs[turn.fetch_add(1, Ordering::SeqCst)]);
        serve(config.into(), stream)
    })
    .await;
    let tls = ours.trusted();
    assert_up(&find_over(address, &plan(Ask::Tls), &tls).await);
    let finding = find_over(address, &plan(Ask::Tls), &tls).await;
    assert_found(&finding, Verdict::Down, Reason::CertificateUntrusted, "tls");
}

#[tokio::test]
async fn the_handshake_of_hive_goes_over_tls() {
    let ours = Authority::new();
    let address = hive_with(ours.issue("127.0.0.1", 9), None).await;
    let finding = find_over(address, &hive_plan(Depth::Handshake), &ours.trusted()).await;
    assert_found(&finding, Verdict::Up, Reason::Ok, "sasl");
    assert_eq!(finding.steps.len(), 3);
}

#[tokio::test]
async fn a_client_certificate_that_is_asked_for_and_missing_has_its_reason() {
    let ours = Authority::new();
    let address = hive_with(ours.issue("127.0.0.1", 9), Some(&ours)).await;
    let finding = find_over(address, &plan(Ask::Tls), &ours.trusted()).await;
    assert_found(&finding, Verdict::Down, Reason::ClientCertificate, "close");
    let finding = find_over(address, &hive_plan(Depth::Session), &ours.trusted()).await;
    assert_found(&finding, Verdict::Down, Reason::ClientCertificate, "sasl");
}

#[tokio::test]
async fn who_does_not_speak_tls_is_found_out() {
    let ours = Authority::new();
    let table: [(&[u8], Reason); 3] = [
        (b"\x04\0\0\0\x11Invalid status 22", Reason::NotTls),
        (b"HTTP/1.1 400 Bad\r\n\r\n", Reason::NotTls),
        (b"", Reason::Closed),
    ];
    for (answer, reason) in table {
        for question in [Ask::Tls, hive_plan(Depth::Query).ask] {
            let address = answering(answer).await;
            let finding = find_over(address, &plan(question), &ours.trusted()).await;
            assert_found(&finding, Verdict::Down, reason, "tls");
        }
    }
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plan = hasty(plan(Ask::Tls));
    let finding = find_over(silent.local_addr().unwrap(), &plan, &ours.trusted()).await;
    assert_found(&finding, Verdict::Down, Reason::Timeout, "tls");
}
