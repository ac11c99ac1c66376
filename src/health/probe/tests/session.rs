//! Depths session and query, over either transport.

use super::*;

#[tokio::test]
async fn a_session_is_opened_and_closed() {
    for (depth, last) in [
        (Depth::Session, "close-session"),
        (Depth::Query, "close-session"),
    ] {
        for sasl in [true, false] {
            let (mut hive, mut ends) = Hive::new();
            hive.sasl = sasl;
            let auth = if sasl { account() } else { HiveAuth::NoSasl };
            let finding = find(hive.start().await, &hive_as(depth, auth)).await;
            assert_found(&finding, Verdict::Up, Reason::Ok, last);
            assert_eq!(ends.recv().await, Some("ended after the login"));
        }
    }
}

#[tokio::test]
async fn refusals_of_a_session_have_their_own_reasons() {
    let table = [
        (
            "Cannot open sessions on an inactive HS2 instance",
            Verdict::Alive,
            Reason::Passive,
        ),
        (
            "Unable to open session: decommissioned",
            Verdict::Alive,
            Reason::Passive,
        ),
        (
            "Server is being shut down: grace period",
            Verdict::Alive,
            Reason::ShuttingDown,
        ),
        (
            "Connection limit per user reached",
            Verdict::Down,
            Reason::SessionRefused,
        ),
    ];
    for (text, verdict, reason) in table {
        let (mut hive, _ends) = Hive::new();
        hive.open = HiveStatus::error(text);
        let address = hive.start().await;
        let finding = find(address, &hive_plan(Depth::Session)).await;
        assert_found(&finding, verdict, reason, "open-session");
        assert_eq!(finding.detail, text);
        assert_up(&find(address, &hive_plan(Depth::Handshake)).await);
    }
}

#[tokio::test]
async fn a_query_must_come_to_its_row() {
    let (mut hive, _ends) = Hive::new();
    hive.query = HiveStatus::error("no queue");
    let finding = find(hive.start().await, &hive_plan(Depth::Query)).await;
    assert_eq!(
        (finding.verdict, finding.reason),
        (Verdict::Down, Reason::QueryFailed)
    );
    assert_eq!(finding.detail, "no queue");
    for row in [None, Some(2)] {
        let (mut hive, _ends) = Hive::new();
        hive.row = row;
        let finding = find(hive.start().await, &hive_plan(Depth::Query)).await;
        assert_eq!(
            (finding.verdict, finding.reason),
            (Verdict::Down, Reason::QueryFailed)
        );
    }
}

#[tokio::test]
async fn cheap_questions_stop_at_the_handshake() {
    let (mut hive, _ends) = Hive::new();
    hive.open = HiveStatus::error("inactive HS2");
    let addresses = [hive.start().await];
    let endpoint = Endpoint {
        addresses: &addresses,
        host: "127.0.0.1",
        send_proxy: None,
    };
    let plan = hive_plan(Depth::Query);
    for (effort, step) in [(Effort::Cheap, "sasl"), (Effort::Connect, "connect")] {
        let finding = ask(
            &endpoint,
            &plan,
            effort,
            &Means::default(),
            &mut ProbeMemory::default(),
        )
        .await;
        assert_found(&finding, Verdict::Up, Reason::Ok, step);
    }
}

fn over_http(depth: Depth, auth: HiveAuth) -> ProbePlan {
    let path = "/cliservice".to_owned();
    plan(Ask::HiveServer2 {
        depth,
        transport: HiveTransport::Http { path },
        auth,
    })
}

#[tokio::test]
async fn over_http_a_401_is_up_for_a_handshake_without_an_account() {
    let basic = b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n";
    let kerberos = b"HTTP/1.1 401 No\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n";
    let none = || HiveAuth::Plain { account: None };
    let found =
        async |answer, depth, auth| find(answering(answer).await, &over_http(depth, auth)).await;
    let finding = found(basic, Depth::Handshake, none()).await;
    assert_found(&finding, Verdict::Up, Reason::AccountNeeded, "ping");
    assert!(!finding.logs_error, "no server logs a 401 as an error");
    let finding = found(kerberos, Depth::Handshake, none()).await;
    assert_found(&finding, Verdict::Up, Reason::UnsupportedMechanism, "ping");
    let finding = found(basic, Depth::Session, none()).await;
    assert_found(
        &finding,
        Verdict::Alive,
        Reason::AccountNeeded,
        "open-session",
    );
    let finding = found(basic, Depth::Handshake, account()).await;
    assert_found(&finding, Verdict::Down, Reason::BadCredentials, "ping");
    let missing = b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
    let finding = found(missing, Depth::Handshake, none()).await;
    assert_found(&finding, Verdict::Down, Reason::HttpStatus, "ping");
    let sasl = b"\x04\0\0\0\x11Invalid status 80";
    let finding = found(sasl, Depth::Handshake, none()).await;
    assert_found(&finding, Verdict::Down, Reason::NotHttp, "options");
}

#[tokio::test]
async fn over_http_the_methods_of_the_path_are_answer_enough() {
    let none = || HiveAuth::Plain { account: None };
    let servlet =
        b"HTTP/1.1 200 OK\r\nAllow: GET, HEAD, POST, TRACE, OPTIONS\r\nContent-Length: 0\r\n\r\n";
    let impala = b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Methods: POST,GET,OPTIONS\r\n\r\n";
    for answer in [&servlet[..], impala] {
        let address = answering(answer).await;
        let finding = find(address, &over_http(Depth::Handshake, none())).await;
        assert_found(&finding, Verdict::Up, Reason::Ok, "options");
    }
    let elsewhere = b"HTTP/1.1 200 OK\r\nAllow: GET, HEAD, OPTIONS\r\nContent-Length: 0\r\n\r\n";
    let finding = find(
        answering(elsewhere).await,
        &over_http(Depth::Handshake, none()),
    )
    .await;
    assert_found(&finding, Verdict::Down, Reason::NotThrift, "ping");
}

#[tokio::test]
async fn a_session_runs_over_http_with_its_account_in_every_request() {
    let (hive, _ends) = Hive::new();
    let address = server(move |mut stream| {
        let hive = hive.clone();
        async move {
            let mut bytes = Vec::new();
            while let Ok(1..) = stream.read_buf(&mut bytes).await {
                let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
                    continue;
                };
                let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
                let length = text.split("Content-Length: ").nth(1).unwrap();
                let length: usize = length.lines().next().unwrap().parse().unwrap();
                if bytes.len() < head + 4 + length {
                    continue;
                }
                assert!(text.starts_with("POST /cliservice HTTP/1.1\r\n"));
                assert!(text.contains("Authorization: Basic Y2Fyb2w6c2VjcmV0"));
                let reply = hive.reply(&bytes[head + 4..]).unwrap();
                bytes.clear();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", reply.len());
                stream
                    .write_all(&[head.as_bytes(), &reply].concat())
                    .await
                    .unwrap();
            }
        }
    })
    .await;
    let finding = find(address, &over_http(Depth::Query, account())).await;
    assert_found(&finding, Verdict::Up, Reason::Ok, "close-session");
}
