//! With a ticket, and where one is meant to be shown and none is to be had.

use std::sync::{Arc, Mutex};

use super::*;
use crate::health::tickets::tests::{Kdc, granting, plan_at};
use crate::plan::KerberosPlan;

const HOUR: Duration = Duration::from_secs(3600);

fn with(plan: ProbePlan, kerberos: KerberosPlan) -> ProbePlan {
    ProbePlan {
        kerberos: Some(Arc::new(kerberos)),
        ..plan
    }
}

async fn found(address: SocketAddr, plan: &ProbePlan) -> Finding {
    let addresses = [address];
    let endpoint = Endpoint {
        addresses: &addresses,
        host: "127.0.0.1",
        send_proxy: None,
    };
    let means = Means::new(plan).unwrap();
    let memory = &mut ProbeMemory::default();
    ask(&endpoint, plan, Effort::Full, &means, memory).await
}

/// Answers every request so, and remembers the heads.
async fn page(answer: &'static str) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    let address = server(move |mut stream| {
        let seen = Arc::clone(&seen);
        async move {
            let mut heard = [0; 4096];
            let length = stream.read(&mut heard).await.unwrap();
            let head = String::from_utf8_lossy(&heard[..length]).into_owned();
            seen.lock().unwrap().push(head);
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
    .await;
    (address, heads)
}

const LOGIN: &str = "HTTP/1.1 401 Who?\r\nWWW-Authenticate: Negotiate\r\n\r\n";

#[tokio::test]
async fn without_a_ticket_the_cause_is_told_and_the_answer_goes_half_the_way() {
    let nobody = nobody().await;
    let nowhere = || plan_at(vec![(nobody.ip().to_string(), nobody.port())]);
    let ask_page = with(plan(Ask::Http(get("/"))), nowhere());
    let (address, heads) = page(LOGIN).await;
    let finding = found(address, &ask_page).await;
    assert_found(&finding, Verdict::Alive, Reason::KdcUnreachable, "http");
    assert!(!heads.lock().unwrap()[0].contains("Authorization"));

    // Where nobody asks for a login, none is missed.
    let (address, _) = page("HTTP/1.1 200 OK\r\n\r\n").await;
    let finding = found(address, &ask_page).await;
    assert_found(&finding, Verdict::Up, Reason::Ok, "http");

    // Hive takes a beginning, and says nothing until it goes on.
    let address = server(|mut stream| async move {
        let mut heard = [0; 64];
        while stream.read(&mut heard).await.is_ok_and(|length| length > 0) {}
    })
    .await;
    let ask_hive = with(hive_as(Depth::Query, HiveAuth::Kerberos), nowhere());
    let finding = found(address, &ask_hive).await;
    assert_found(&finding, Verdict::Up, Reason::KdcUnreachable, "sasl");
    assert!(
        finding.detail.contains("Connection refused"),
        "{}",
        finding.detail
    );

    // So does Impala, which is never told a name that its login would refuse.
    let auth = HiveAuth::Kerberos;
    let ask_impala = with(plan(Ask::Impala { auth }), nowhere());
    let finding = found(address, &ask_impala).await;
    assert_found(&finding, Verdict::Up, Reason::KdcUnreachable, "sasl");

    // A server that is not there is down, whatever the KDC does.
    for asked in [&ask_hive, &ask_impala] {
        let finding = found(nobody, asked).await;
        assert_found(&finding, Verdict::Down, Reason::ConnectRefused, "connect");
    }
}

#[tokio::test]
async fn a_request_shows_its_ticket_and_the_proof_is_judged() {
    let kdc = Kdc::start(granting(Duration::ZERO, HOUR), 99).await;
    let kerberos = || plan_at(vec![("127.0.0.1".to_owned(), kdc.port)]);
    let table = [
        ("HTTP/1.1 200 OK\r\n\r\n", Verdict::Up, Reason::Ok),
        (LOGIN, Verdict::Alive, Reason::KerberosRefused),
        (
            // A token that is none.
            "HTTP/1.1 200 OK\r\nWWW-Authenticate: Negotiate YAA=\r\n\r\n",
            Verdict::Down,
            Reason::KerberosRefused,
        ),
    ];
    for (answer, verdict, reason) in table {
        let (address, heads) = page(answer).await;
        let finding = found(address, &with(plan(Ask::Http(get("/"))), kerberos())).await;
        assert_found(&finding, verdict, reason, "http");
        // SPNEGO: an application's tag, a length of two bytes.
        let head = heads.lock().unwrap().pop().unwrap();
        assert!(head.contains("\r\nAuthorization: Negotiate YI"), "{head}");
    }
}

#[tokio::test]
async fn a_server_that_refuses_the_ticket_is_down() {
    let kdc = Kdc::start(granting(Duration::ZERO, HOUR), 99).await;
    let kerberos = || plan_at(vec![("127.0.0.1".to_owned(), kdc.port)]);
    let table: [(&[u8], Reason); 4] = [
        (
            b"\x03\0\0\0\x13GSS initiate failed",
            Reason::KerberosRefused,
        ),
        (
            b"\x03\0\0\0\x1aUnsupported mechanism type",
            Reason::UnsupportedMechanism,
        ),
        (b"\x02\0\0\0\x02\x60\x00", Reason::KerberosRefused),
        (b"\x04\0\0\0\x01x", Reason::NotSasl),
    ];
    for (answer, reason) in table {
        let address = answering(answer).await;
        let asked = with(hive_as(Depth::Session, HiveAuth::Kerberos), kerberos());
        let finding = found(address, &asked).await;
        assert_found(&finding, Verdict::Down, reason, "sasl");
    }
}
