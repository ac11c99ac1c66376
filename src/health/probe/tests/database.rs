//! Databases: who speaks first, what comes before TLS, and how much of an endless answer is kept.

use super::secure::{Authority, config};
use super::*;
use crate::plan::{DatabaseAccount, DatabaseAsk, Script, Step};

const BLOCKED: &[u8] = b"\x10\0\0\0\xff\x69\x04Host is gone";

fn login() -> DatabaseAsk {
    DatabaseAsk {
        account: Some(DatabaseAccount {
            user: "howdah".into(),
            password: Some(Secret::new("secret")),
            database: None,
        }),
        max_lag: None,
    }
}

/// The kernel keeps the last packet of a connect back for whoever speaks first; a server that is to speak waits for it.
#[tokio::test]
async fn a_server_that_speaks_first_is_heard_at_once() {
    const RULES: &[crate::plan::Rule] =
        &[crate::plan::Rule::new("gone", crate::plan::Meaning::ALIVE)];
    const STEPS: &[Step] = &[Step::lines(b"", RULES)];
    let exchange = Ask::Exchange(Script::new(STEPS).unwrap().into());
    for ask in [Ask::MySql(DatabaseAsk::default()), exchange] {
        let address = server(|mut stream| async move {
            let _ = stream.write_all(BLOCKED).await;
            let _ = stream.write_all(b"\n").await;
            let _ = stream.read(&mut [0; 9]).await;
        })
        .await;
        let mut quickest = Duration::MAX;
        for _ in 0..5 {
            let finding = find(address, &plan(ask.clone())).await;
            assert_eq!(finding.verdict, Verdict::Alive, "{finding:?}");
            quickest = quickest.min(finding.took);
        }
        assert!(quickest < Duration::from_millis(30), "{quickest:?} {ask:?}");
    }
}

/// An answer, and then TLS or what else the test wants.
async fn secured(first: &'static [u8], more: &'static [u8], authority: &Authority) -> SocketAddr {
    let acceptor = config(authority.issue("127.0.0.1", 90), None);
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(acceptor));
    server(move |mut stream| {
        let acceptor = acceptor.clone();
        async move {
            let _ = stream.read(&mut [0; 8]).await;
            let _ = stream.write_all(first).await;
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            let _ = stream.read(&mut [0; 256]).await;
            let _ = stream.write_all(more).await;
            let _ = stream.shutdown().await;
        }
    })
    .await
}

#[tokio::test]
async fn nothing_is_believed_that_came_before_tls() {
    let authority = Authority::new();
    let tls = authority.trusted();
    let table = [
        (&b"S"[..], Verdict::Up, Reason::Ok, "startup"),
        (b"N", Verdict::Down, Reason::NotTls, "ssl"),
        // Whoever stands in between may have said this.
        (
            b"SR\0\0\0\x08\0\0\0\x03",
            Verdict::Down,
            Reason::UnexpectedAnswer,
            "tls",
        ),
        (
            b"E\0\0\0\x0eC53300\0Mx\0\0",
            Verdict::Alive,
            Reason::SessionRefused,
            "ssl",
        ),
        (b"?", Verdict::Down, Reason::UnexpectedAnswer, "ssl"),
    ];
    for (first, verdict, reason, step) in table {
        let address = secured(first, b"R\0\0\0\x08\0\0\0\x03", &authority).await;
        let addresses = [address];
        let endpoint = Endpoint {
            addresses: &addresses,
            host: "127.0.0.1",
            send_proxy: None,
        };
        let plan = plan(Ask::PostgreSql(DatabaseAsk::default()));
        let memory = &mut ProbeMemory::default();
        let means = Means {
            tls: Some(tls.clone()),
            ..Means::default()
        };
        let finding = ask(&endpoint, &plan, Effort::Full, &means, memory).await;
        assert_found(&finding, verdict, reason, step);
    }
}

/// In between questions that log: nothing but a letter.
#[tokio::test]
async fn a_letter_is_enough_in_between() {
    for (answer, verdict) in [
        (&b"G"[..], Verdict::Up),
        (b"N", Verdict::Up),
        (b"", Verdict::Down),
    ] {
        let address = answering(answer).await;
        let addresses = [address];
        let endpoint = Endpoint {
            addresses: &addresses,
            host: "127.0.0.1",
            send_proxy: None,
        };
        let plan = plan(Ask::PostgreSql(login()));
        let memory = &mut ProbeMemory::default();
        let finding = ask(&endpoint, &plan, Effort::Connect, &Means::default(), memory).await;
        assert_eq!(
            (finding.verdict, finding.step),
            (verdict, "gss"),
            "{finding:?}"
        );
    }
}

/// What a client crate makes of any bytes is a named verdict, and not before the deadline by a panic.
#[tokio::test]
async fn any_answer_to_a_login_is_judged() {
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..200 {
        let mut bytes: Vec<u8> = (0..random.usize(0..60)).map(|_| random.u8(..)).collect();
        if round % 2 == 0 {
            // A message that is one by its head.
            let letter = *random.choice(b"RESKZTDCNv").unwrap();
            let length = u32::try_from(bytes.len() + 4).unwrap().to_be_bytes();
            bytes = [&[letter][..], &length, &bytes].concat();
        }
        let bytes: &'static [u8] = bytes.leak();
        let address = server(move |mut stream| async move {
            let _ = stream.write_all(bytes).await;
            let _ = stream.shutdown().await;
            let _ = stream.read(&mut [0; 512]).await;
        })
        .await;
        for ask in [Ask::PostgreSql(login()), Ask::MySql(login())] {
            let finding = find(address, &hasty(plan(ask))).await;
            assert_ne!(finding.verdict, Verdict::Up, "{}", bytes.escape_ascii());
        }
    }
}
