//! The handshake: who answers, who refuses, who is somebody else, and how quietly it is asked.

use super::*;

#[tokio::test]
async fn whoever_lets_anybody_in_is_up() {
    let (hive, mut ends) = Hive::new();
    let finding = find(hive.start().await, &hive_plan(Depth::Handshake)).await;
    assert_found(&finding, Verdict::Up, Reason::Ok, "sasl");
    assert!(!finding.logs_error);
    assert_eq!(ends.recv().await, Some("ended after the login"));
}

#[tokio::test]
async fn a_dribbled_answer_is_an_answer() {
    let address = server(|mut stream| async move {
        stream.set_nodelay(true).unwrap();
        stream.read_exact(&mut [0; 35]).await.unwrap();
        for byte in *b"\x05\0\0\0\0" {
            stream.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
        }
        while let Ok(1..) = stream.read(&mut [0; 99]).await {}
    })
    .await;
    assert_up(&find(address, &hive_plan(Depth::Handshake)).await);
}

#[tokio::test]
async fn a_refusal_is_up_without_an_account_and_down_with_one() {
    let ldap = "Error validating the login";
    let kerberos = "Unsupported mechanism type PLAIN";
    let none = HiveAuth::Plain { account: None };
    let table = [
        (
            ldap,
            Depth::Handshake,
            &none,
            Verdict::Up,
            Reason::AccountNeeded,
        ),
        (
            kerberos,
            Depth::Handshake,
            &none,
            Verdict::Up,
            Reason::UnsupportedMechanism,
        ),
        (
            ldap,
            Depth::Session,
            &none,
            Verdict::Alive,
            Reason::AccountNeeded,
        ),
        (
            kerberos,
            Depth::Query,
            &none,
            Verdict::Alive,
            Reason::UnsupportedMechanism,
        ),
        (
            ldap,
            Depth::Handshake,
            &account(),
            Verdict::Down,
            Reason::BadCredentials,
        ),
        (
            ldap,
            Depth::Query,
            &account(),
            Verdict::Down,
            Reason::BadCredentials,
        ),
        (
            kerberos,
            Depth::Handshake,
            &account(),
            Verdict::Down,
            Reason::UnsupportedMechanism,
        ),
    ];
    for (text, depth, auth, verdict, reason) in table {
        let (mut hive, _ends) = Hive::new();
        hive.bad = Some(text);
        let finding = find(hive.start().await, &hive_as(depth, auth.clone())).await;
        assert_found(&finding, verdict, reason, "sasl");
        assert_eq!(finding.detail, text);
        assert_eq!(finding.logs_error, verdict != Verdict::Up, "{finding:?}");
    }
}

#[tokio::test]
async fn strangers_are_called_by_their_names() {
    let page = b"<!DOCTYPE HTML>\n<html>bad request</html>";
    let table: [(&[u8], Reason); 8] = [
        (b"\x15\x03\x03\0\x02\x02\x0a", Reason::SpeaksTls),
        (b"\x15\x03\x01\0\x02\x02\x28", Reason::SpeaksTls),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Reason::SpeaksHttp),
        (page, Reason::SpeaksHttp),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Reason::NotSasl),
        (b"\x04\0\0\0\x12Invalid status 22!", Reason::NotSasl),
        (b"\x05\xff\xff\xff\xff", Reason::NotSasl),
        (b"\x80\x01\0\x03", Reason::NotSasl),
    ];
    for (answer, reason) in table {
        let finding = find(answering(answer).await, &hive_plan(Depth::Handshake)).await;
        assert_found(&finding, Verdict::Down, reason, "sasl");
    }
    let nosasl = hive_as(Depth::Handshake, HiveAuth::NoSasl);
    let table: [(&[u8], Reason); 4] = [
        (b"\x04\0\0\0\x13Invalid status -128", Reason::SpeaksSasl),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Reason::SpeaksHttp),
        (b"\x15\x03\x03\0\x02\x02\x0a", Reason::SpeaksTls),
        (b"hello", Reason::NotThrift),
    ];
    for (answer, reason) in table {
        let finding = find(answering(answer).await, &nosasl).await;
        assert_found(&finding, Verdict::Down, reason, "ping");
    }
}

/// Python's HTTP server waits for the end of a line, and takes the end of the connection for one.
#[tokio::test]
async fn a_server_that_waits_for_a_line_shows_itself_at_our_end() {
    let address = server(|mut stream| async move {
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.unwrap();
        stream.write_all(b"HTTP/1.0 400 Bad\r\n\r\n").await.unwrap();
    })
    .await;
    for depth in [Depth::Handshake, Depth::Session] {
        let finding = find(address, &hasty(hive_plan(depth))).await;
        assert_found(&finding, Verdict::Down, Reason::SpeaksHttp, "sasl");
    }
}

#[tokio::test]
async fn without_sasl_an_unknown_call_is_answered() {
    let (mut hive, _ends) = Hive::new();
    hive.sasl = false;
    let plan = hive_as(Depth::Handshake, HiveAuth::NoSasl);
    assert_found(
        &find(hive.start().await, &plan).await,
        Verdict::Up,
        Reason::Ok,
        "ping",
    );
}

/// Thrift 0.12 logs the end of each logged-in connection, so there is one, and it does not end.
#[tokio::test]
async fn new_thrift_is_asked_without_a_login_from_the_second_time_on() {
    let (mut hive, mut ends) = Hive::new();
    hive.new = true;
    let address = hive.start().await;
    let mut memory = ProbeMemory::default();
    let plan = hive_plan(Depth::Handshake);
    for paused in [0, 40, 40] {
        let finding = find_with(address, &plan, &mut memory).await;
        assert_found(&finding, Verdict::Up, Reason::Ok, "sasl");
        let steps: Duration = finding.steps.iter().map(|(_, took)| *took).sum();
        let pause = steps - finding.took;
        assert!(pause >= Duration::from_millis(paused), "{finding:?}");
    }
    assert_eq!(ends.recv().await, Some("ended within the login"));
    assert_eq!(ends.recv().await, Some("ended within the login"));
    assert!(ends.try_recv().is_err(), "the first connection stays");
    drop(memory);
    assert_eq!(ends.recv().await, Some("ended after the login"));
}

/// Thrift up to 0.11 logs what ends before the login.
#[tokio::test]
async fn old_thrift_is_asked_with_a_login_every_time() {
    let (hive, mut ends) = Hive::new();
    let address = hive.start().await;
    let mut memory = ProbeMemory::default();
    for _ in 0..3 {
        let plan = hive_plan(Depth::Handshake);
        assert_up(&find_with(address, &plan, &mut memory).await);
        assert_eq!(ends.recv().await, Some("ended after the login"));
    }
}

#[tokio::test]
async fn a_refusing_server_is_asked_to_refuse_once() {
    for bad in [
        "Error validating the login",
        "Unsupported mechanism type PLAIN",
    ] {
        let (mut hive, mut ends) = Hive::new();
        hive.bad = Some(bad);
        let address = hive.start().await;
        let mut memory = ProbeMemory::default();
        let plan = hive_plan(Depth::Handshake);
        assert_up(&find_with(address, &plan, &mut memory).await);
        assert_eq!(ends.recv().await, Some("refused"));
        let finding = find_with(address, &plan, &mut memory).await;
        assert_found(&finding, Verdict::Up, Reason::Ok, "sasl");
        assert_eq!(ends.recv().await, Some("ended within the login"));
    }
}

/// A full Thrift server from 0.14 on takes the connection and closes it at once.
#[tokio::test]
async fn an_end_before_ours_is_no_greeting() {
    let (mut hive, mut ends) = Hive::new();
    hive.new = true;
    let mut memory = ProbeMemory::default();
    let plan = hive_plan(Depth::Handshake);
    assert_up(&find_with(hive.start().await, &plan, &mut memory).await);
    let full = server(|mut stream| async move {
        let _ = stream.read(&mut [0; 99]).await;
    })
    .await;
    let finding = find_with(full, &plan, &mut memory).await;
    assert_found(&finding, Verdict::Down, Reason::Closed, "sasl");
    assert_eq!(
        ends.recv().await,
        Some("ended after the login"),
        "all is forgotten"
    );
}

#[tokio::test]
async fn a_stopped_server_is_no_stranger_afterwards() {
    let (mut hive, mut ends) = Hive::new();
    hive.new = true;
    let address = hive.start().await;
    let mut memory = ProbeMemory::default();
    assert_up(&find_with(address, &hive_plan(Depth::Handshake), &mut memory).await);
    let stopped = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plan = hasty(hive_plan(Depth::Handshake));
    let finding = find_with(stopped.local_addr().unwrap(), &plan, &mut memory).await;
    assert_found(&finding, Verdict::Down, Reason::Timeout, "sasl");
    assert_up(&find_with(address, &plan, &mut memory).await);
    assert_eq!(ends.recv().await, Some("ended within the login"));
}
