//! Against a KDC of the test's own: how often it is asked, and what becomes of its faults.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::plan::{KeytabKey, Realms, ServicePrincipal};
use crate::wire::kerberos::granting::Granting;

const SECOND: Duration = Duration::from_secs(1);

/// For whatever must not take long.
const SOON: Duration = Duration::from_secs(5);

pub(in crate::health) struct Kdc {
    pub(in crate::health) port: u16,
    asked: Arc<AtomicUsize>,
}

impl Kdc {
    /// Answers so many questions by `granting`, and none after.
    pub(in crate::health) async fn start(granting: Granting, answers: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let length = stream.read_u32().await.unwrap();
                let mut question = vec![0; usize::try_from(length).unwrap()];
                stream.read_exact(&mut question).await.unwrap();
                if counted.fetch_add(1, Ordering::SeqCst) < answers {
                    let answer = granting.answer(&question);
                    stream
                        .write_u32(u32::try_from(answer.len()).unwrap())
                        .await
                        .unwrap();
                    stream.write_all(&answer).await.unwrap();
                } else {
                    open.push(stream);
                }
            }
        });
        Self { port, asked }
    }

    fn tickets(&self) -> Arc<Tickets> {
        let kdcs = vec![("127.0.0.1".to_owned(), self.port)];
        Arc::new(Tickets::new(Arc::new(plan_at(kdcs))))
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

pub(in crate::health) fn plan_at(kdcs: Vec<(String, u16)>) -> KerberosPlan {
    KerberosPlan {
        client: Principal {
            parts: vec!["howdah".into()],
            realm: "R".into(),
        },
        keys: vec![KeytabKey {
            etype: 18,
            version: 1,
            bytes: vec![7; 32].into(),
        }],
        service: ServicePrincipal::of("hive"),
        realms: Arc::new(Realms {
            kdcs: [("R".to_owned(), kdcs)].into(),
            ..Realms::default()
        }),
    }
}

pub(in crate::health) fn granting(age: Duration, left: Duration) -> Granting {
    Granting {
        client: Key::new(18, &[7; 32]).unwrap(),
        age,
        left,
        refusal: None,
    }
}

fn refusing(code: i64) -> Granting {
    Granting {
        refusal: Some(code),
        ..granting(SECOND, SECOND)
    }
}

async fn within<F: Future>(future: F) -> F::Output {
    timeout(SOON, future).await.expect("in time")
}

#[tokio::test]
async fn the_kdc_is_asked_once_for_many_questions() {
    let kdc = Kdc::start(granting(Duration::ZERO, SECOND * 3600), 99).await;
    let tickets = kdc.tickets();
    let ask = |host: &'static str| {
        let tickets = Arc::clone(&tickets);
        tokio::spawn(async move { tickets.ticket(host, SOON).await.unwrap() })
    };
    for question in [ask("a"), ask("a"), ask("a"), ask("A"), ask("a.")] {
        let ticket = within(question).await.unwrap();
        assert_eq!(ticket.service.to_string(), "hive/a@R");
    }
    assert_eq!(kdc.asked(), 3, "twice for the first, and once by it");
    within(ask("b")).await.unwrap();
    assert_eq!(kdc.asked(), 4, "once more for another server");
}

#[tokio::test]
async fn an_old_ticket_serves_while_a_silent_kdc_is_asked_for_another() {
    let kdc = Kdc::start(granting(SECOND * 3600, SECOND * 60), 3).await;
    let tickets = kdc.tickets();
    let old = within(tickets.ticket("a", SOON * 60)).await.unwrap();
    for _ in 0..10 {
        let same = within(tickets.ticket("a", SOON * 60)).await.unwrap();
        assert!(Arc::ptr_eq(&old, &same));
    }
    let renewal = async {
        while kdc.asked() < 4 {
            tokio::task::yield_now().await;
        }
    };
    within(renewal).await;
    assert_eq!(kdc.asked(), 4, "one renewal at a time");
}

#[tokio::test]
async fn what_was_refused_is_not_asked_again_at_once() {
    let table = [
        (code::PREAUTH_FAILED, Reason::KeyWrong),
        (code::CLIENT_UNKNOWN, Reason::PrincipalUnknown),
        (code::KEY_EXPIRED, Reason::PrincipalExpired),
        (code::CLIENT_REVOKED, Reason::PrincipalExpired),
        (code::ETYPE_NOT_SUPPORTED, Reason::KeyMissing),
        (code::CLOCK_SKEW, Reason::ClockSkew),
        (60, Reason::KdcRefused),
    ];
    for (code, reason) in table {
        let kdc = Kdc::start(refusing(code), 99).await;
        let tickets = kdc.tickets();
        for _ in 0..3 {
            let fault = within(tickets.ticket("a", SOON)).await.unwrap_err();
            assert_eq!(fault.reason, reason, "{}", fault.detail);
            if code == code::CLOCK_SKEW {
                // The test's KDC is an hour ahead.
                assert!(fault.detail.contains("s ahead of ours"), "{}", fault.detail);
            }
        }
        assert_eq!(kdc.asked(), 1);
    }
}

#[tokio::test]
async fn another_key_than_ours_is_told() {
    let other = Granting {
        client: Key::new(18, &[8; 32]).unwrap(),
        ..granting(Duration::ZERO, SECOND * 60)
    };
    let kdc = Kdc::start(other, 99).await;
    let fault = within(kdc.tickets().ticket("a", SOON)).await.unwrap_err();
    assert_eq!(fault.reason, Reason::KeyWrong);
}

/// Each server had it shown once more, and an account is locked after a handful.
#[tokio::test]
async fn a_wrong_key_is_shown_once_for_all_servers() {
    let other = Granting {
        client: Key::new(18, &[8; 32]).unwrap(),
        ..granting(Duration::ZERO, SECOND * 60)
    };
    let kdc = Kdc::start(other, 99).await;
    let tickets = kdc.tickets();
    let ask = |host: &'static str| {
        let tickets = Arc::clone(&tickets);
        tokio::spawn(async move { tickets.ticket(host, SOON).await.unwrap_err() })
    };
    for question in [ask("a"), ask("b"), ask("c"), ask("d")] {
        let fault = within(question).await.unwrap();
        assert_eq!(fault.reason, Reason::KeyWrong);
    }
    let fault = within(tickets.ticket("e", SOON)).await.unwrap_err();
    assert_eq!(fault.reason, Reason::KeyWrong);
    assert_eq!(
        tickets.held("f", SOON).unwrap_err().reason,
        Reason::KeyWrong
    );
    assert_eq!(kdc.asked(), 2, "what proof it wants, and the proof");
}

#[tokio::test]
async fn kdcs_that_do_not_answer_are_all_named() {
    let silent = Kdc::start(granting(SECOND, SECOND), 0).await;
    let nobody = TcpListener::bind("127.0.53.25:0").await.unwrap();
    let closed = nobody.local_addr().unwrap().port();
    drop(nobody);
    let kdcs = [("127.0.53.25", closed), ("127.0.0.1", silent.port)];
    let kdcs = kdcs.map(|(host, port)| (host.to_owned(), port));
    let tickets = Arc::new(Tickets::new(Arc::new(plan_at(kdcs.to_vec()))));
    let fault = within(tickets.ticket("a", SECOND)).await.unwrap_err();
    assert_eq!(fault.reason, Reason::KdcUnreachable);
    for part in ["Connection refused", "no answer within"] {
        assert!(fault.detail.contains(part), "{}", fault.detail);
    }
    let none = Arc::new(Tickets::new(Arc::new(plan_at(Vec::new()))));
    let fault = within(none.ticket("a", SECOND)).await.unwrap_err();
    assert!(
        fault.detail.contains("names no KDC of R"),
        "{}",
        fault.detail
    );
}

#[tokio::test]
async fn a_question_that_can_do_without_does_not_wait() {
    let kdc = Kdc::start(granting(SECOND, SECOND * 3600), 99).await;
    let tickets = kdc.tickets();
    assert!(tickets.held("a", SOON).is_err());
    let got = async {
        while tickets.held("a", SOON).is_err() {
            tokio::task::yield_now().await;
        }
    };
    within(got).await;
    assert_eq!(kdc.asked(), 3);
}
