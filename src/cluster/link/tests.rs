//! How long a lease lasts, and whose it is: by a session that a test answers for.

use tokio::io::{AsyncWriteExt, duplex};

use super::*;
use crate::cluster::shared::tests::shared;
use crate::wire::zookeeper::{Held, Life, NOTICE, Request};
use crate::zookeeper::{Hello, Pace};

const SESSION: Duration = Duration::from_secs(6);
const OURS: i64 = 7;
const CREATE: Request<'_> = Request::Create {
    path: "/h/members/lb-1",
    data: b"",
    life: Life::Ephemeral,
    closed: false,
};

fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    [&length[..], &body].concat()
}

/// A session of six seconds, whose server answers the first request after a second, and then tells news.
async fn session() -> Wire {
    let (ours, mut theirs) = duplex(1 << 12);
    let (none, password, length) = ([0; 4], [0; 17], 16_u32.to_be_bytes());
    let millis = 6000_u32.to_be_bytes();
    let welcome = framed(&[&none, &millis, &OURS.to_be_bytes(), &length, &password]);
    theirs.write_all(&welcome).await.expect("written");
    let hello = Hello {
        zxid: 0,
        account: None,
        session: SessionKey::default(),
        timeout: SESSION,
        pace: Pace::Eager,
    };
    tokio::spawn(async move {
        sleep(Duration::from_secs(1)).await;
        let zxid = 3_i64.to_be_bytes();
        let made = framed(&[&1_i32.to_be_bytes(), &zxid, &none]);
        let news = [&[0; 8][..], &2_u32.to_be_bytes(), b"/h"].concat();
        let news = framed(&[&NOTICE.to_be_bytes(), &zxid, &none, &news]);
        theirs
            .write_all(&[made, news].concat())
            .await
            .expect("written");
        std::future::pending::<()>().await;
    });
    let stream: Box<dyn Stream> = Box::new(ours);
    Connection::open(stream, hello).await.expect("a session")
}

/// Whoever is the first of the latch.
fn first(link: &mut Link<'_>, owner: i64) {
    let folder = link.names.latch.clone();
    link.mirror.list(&folder, &["n-0000000001"]);
    let held = Held {
        data: b"lb",
        version: 0,
        owner,
    };
    let path = format!("{folder}/n-0000000001");
    link.mirror.read(&path, Some(held));
}

#[tokio::test(start_paused = true)]
async fn a_lease_lasts_two_thirds_of_the_session_from_when_a_change_was_asked_for() {
    let shared = shared();
    let mut wire = session().await;
    let mut link = Link::new(&shared);
    link.session = wire.key();
    first(&mut link, OURS);
    link.renew(&wire);
    assert_eq!(shared.alive.until(), None, "nothing is proven yet");
    assert_eq!(shared.lead.until(), None);
    let asked = Instant::now();
    assert!(wire.ask(CREATE).await.expect("an answer").is_ok());
    let until = Some(asked + SESSION * 2 / 3);
    // What is only heard makes nothing longer.
    wire.hear().await.expect("news");
    sleep(Duration::from_secs(1)).await;
    link.renew(&wire);
    assert_eq!(shared.alive.until(), until);
    assert_eq!(shared.lead.until(), until);
    sleep(Duration::from_secs(2)).await;
    assert!(!shared.alive.holds(Instant::now()) && !shared.lead.holds(Instant::now()));
}

#[tokio::test(start_paused = true)]
async fn who_is_not_the_first_leads_no_more_and_who_has_a_rival_neither() {
    let shared = shared();
    let mut wire = session().await;
    let mut link = Link::new(&shared);
    link.session = wire.key();
    assert!(wire.ask(CREATE).await.expect("an answer").is_ok());
    for (owner, rival, leads) in [
        (OURS, None, true),
        (OURS + 1, None, false),
        (OURS, None, true),
        (OURS, Some(Instant::now()), false),
        (0, None, false),
    ] {
        first(&mut link, owner);
        link.rival = rival;
        link.renew(&wire);
        assert_eq!(
            shared.lead.holds(Instant::now()),
            leads,
            "{owner} {rival:?}"
        );
        assert!(shared.alive.holds(Instant::now()));
    }
}
