//! What the connection itself tells.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::Interest;

use super::*;
use crate::plan::ProxyVersion;
use crate::wire::proxy_protocol::LOCAL_V2;

#[tokio::test]
async fn a_listener_is_up_for_tcp_and_sees_a_fin() {
    let (ends, mut heard) = mpsc::channel(1);
    let address = server(move |mut stream| {
        let ends = ends.clone();
        async move {
            // A server that speaks first: unread bytes would turn the close into a reset.
            stream.write_all(b"220 ready\r\n").await.unwrap();
            let end = stream.read(&mut [0; 16]).await.unwrap();
            // The probe waits for our end, so nothing may go wrong before it.
            let moment = Duration::from_millis(50);
            let fault = tokio::time::timeout(moment, stream.ready(Interest::ERROR)).await;
            ends.send((end, fault.is_ok())).await.unwrap();
        }
    })
    .await;
    let finding = find(address, &plan(Ask::Tcp)).await;
    assert_found(&finding, Verdict::Up, Reason::Ok, "connect");
    assert_eq!(heard.recv().await, Some((0, false)));
}

#[tokio::test]
async fn nobody_listens() {
    for ask in [Ask::Tcp, Ask::Http(get("/")), hive_plan(Depth::Query).ask] {
        let finding = find(nobody().await, &plan(ask)).await;
        assert_found(&finding, Verdict::Down, Reason::ConnectRefused, "connect");
    }
}

#[tokio::test]
async fn the_second_address_is_tried() {
    let (hive, _ends) = Hive::new();
    let addresses = [nobody().await, hive.start().await];
    let endpoint = Endpoint {
        addresses: &addresses,
        host: "127.0.0.1",
        send_proxy: None,
    };
    let mut memory = ProbeMemory::default();
    let plan = hive_plan(Depth::Session);
    let finding = ask(
        &endpoint,
        &plan,
        Effort::Full,
        &Means::default(),
        &mut memory,
    )
    .await;
    assert_up(&finding);
}

#[tokio::test]
async fn without_an_address_nothing_resolves() {
    let endpoint = Endpoint {
        addresses: &[],
        host: "x",
        send_proxy: None,
    };
    let mut memory = ProbeMemory::default();
    let finding = ask(
        &endpoint,
        &plan(Ask::Tcp),
        Effort::Full,
        &Means::default(),
        &mut memory,
    )
    .await;
    assert_found(&finding, Verdict::Down, Reason::ResolveFailed, "connect");
}

/// A stopped process: the kernel takes the connection, and that is all.
#[tokio::test]
async fn silence_is_a_timeout_in_the_step_that_waited() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut nosasl = hasty(hive_as(Depth::Session, HiveAuth::NoSasl));
    let table = [
        (hasty(hive_plan(Depth::Handshake)), "sasl"),
        (hasty(hive_plan(Depth::Query)), "sasl"),
        (nosasl.clone(), "open-session"),
        (hasty(plan(Ask::Http(get("/")))), "http"),
    ];
    for (plan, step) in table {
        let finding = find(address, &plan).await;
        assert_found(&finding, Verdict::Down, Reason::Timeout, step);
        assert!(finding.took < Duration::from_secs(2), "{finding:?}");
    }
    nosasl.ask = Ask::Tcp;
    assert_up(&find(address, &nosasl).await);
}

#[tokio::test]
async fn a_reset_is_told_from_an_end() {
    let address = server(|mut stream| async move {
        stream.read_exact(&mut [0; 1]).await.unwrap();
        socket2::SockRef::from(&stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    })
    .await;
    let finding = find(address, &hive_plan(Depth::Handshake)).await;
    assert_found(&finding, Verdict::Down, Reason::Reset, "sasl");

    let finding = find(answering(b"").await, &hive_plan(Depth::Handshake)).await;
    assert_found(&finding, Verdict::Down, Reason::Closed, "sasl");
    let finding = find(answering(b"\x05\0\0").await, &hive_plan(Depth::Handshake)).await;
    assert_found(&finding, Verdict::Down, Reason::Closed, "sasl");
    assert!(finding.detail.contains("3 bytes"), "{finding:?}");
}

#[tokio::test]
async fn the_deadline_is_for_the_whole_exchange() {
    let address = server(|mut stream| async move {
        for _ in 0..1000 {
            tokio::time::sleep(Duration::from_millis(60)).await;
            if stream.write_all(b"H").await.is_err() {
                return;
            }
        }
    })
    .await;
    let dribbled = hasty(plan(Ask::Http(get("/"))));
    let finding = find(address, &dribbled).await;
    assert!(finding.took < Duration::from_secs(1), "{finding:?}");
    assert_eq!(finding.verdict, Verdict::Down);
}

#[tokio::test]
async fn a_header_goes_first_to_servers_that_want_one() {
    let right = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&right);
    let address = server(move |mut stream| {
        let seen = Arc::clone(&seen);
        async move {
            let mut start = [0; LOCAL_V2.len()];
            stream.read_exact(&mut start).await.unwrap();
            seen.fetch_add(usize::from(start == LOCAL_V2), Ordering::SeqCst);
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                .await;
            while let Ok(1..) = stream.read(&mut [0; 512]).await {}
        }
    })
    .await;
    let addresses = [address];
    let endpoint = Endpoint {
        addresses: &addresses,
        host: "127.0.0.1",
        send_proxy: Some(ProxyVersion::V2),
    };
    for question in [Ask::Tcp, Ask::Http(get("/"))] {
        let mut memory = ProbeMemory::default();
        let plan = plan(question);
        assert_up(
            &ask(
                &endpoint,
                &plan,
                Effort::Full,
                &Means::default(),
                &mut memory,
            )
            .await,
        );
    }
    assert_eq!(right.load(Ordering::SeqCst), 2);
}
