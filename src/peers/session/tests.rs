//! One connection, step by step where nothing waits, and with a peer at the other end where time counts.

use std::net::Ipv4Addr;

use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;

use super::*;
use crate::peers::bond::Feed;
use crate::peers::mesh::Mesh;
use crate::peers::view::PeerState;
use crate::plan::{Address, Host, PeerPlan, ServerName};
use crate::pool::{Lease, Pool, sticky_plan_of};
use crate::telemetry::Metrics;
use crate::wire::peers::message::put_definition;
use crate::wire::peers::{Definition, KeyKind};

/// A pool of two servers whose clients stick for a minute.
pub(in crate::peers) fn pool() -> Arc<Pool> {
    let plan = sticky_plan_of("hive", &["a", "b"], 100_000);
    let (pool, keeper) = Pool::new(plan, &Metrics::new());
    tokio::spawn(keeper.run());
    pool
}

/// The peer has been told everything.
pub(in crate::peers) fn bond(pool: &Arc<Pool>) -> (Bond, mpsc::Sender<Link>) {
    let metrics = Metrics::new();
    let mesh = Arc::new(Mesh::new(&metrics));
    mesh.share(vec![Table::new("hive", pool)]);
    let plan = PeerPlan {
        name: "lb-2".into(),
        address: Address {
            host: Host::Ip(Ipv4Addr::LOCALHOST.into()),
            port: 1024,
        },
    };
    let state = Arc::new(PeerState::new(&plan, metrics.peer("lb-2")));
    let (links, incoming) = mpsc::channel(1);
    mesh.expect(&plan.name, links.clone());
    let mut bond = Bond {
        plan,
        mesh,
        state,
        incoming,
        feeds: Vec::new(),
    };
    bond.follow();
    bond.feeds[0].owes_all = false;
    (bond, links)
}

fn feed<'a>(session: &'a mut Session<'_>) -> &'a mut Feed {
    &mut session.bond.feeds[0]
}

fn client(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + number).into()
}

fn session_of(pool: &Arc<Pool>, number: u32) -> Lease {
    pool.choose(client(number), &[], Instant::now())
        .expect("a server")
}

/// Clients without a session, which no feed tells of.
fn know(pool: &Pool, count: u32) {
    for number in 0..count {
        let minute = Duration::from_secs(60);
        assert!(pool.learn(client(number), &ServerName::new("a"), minute));
    }
}

/// What the other side would hear.
fn said(bytes: &[u8], conversation: &mut Conversation) -> Vec<Heard> {
    let (mut at, mut all) = (0, Vec::new());
    while let Some((heard, length)) = conversation.hear(&bytes[at..], |_| true).expect("good") {
        at += length;
        all.push(heard);
    }
    all
}

fn entries(all: &[Heard]) -> Vec<(IpAddr, Option<Duration>)> {
    let entry = |heard: &Heard| match heard {
        Heard::Entry { client, left, .. } => Some((*client, *left)),
        _ => None,
    };
    all.iter().filter_map(entry).collect()
}

/// The lesson is over: nobody is asked for anything.
fn learn_nothing(bond: &Bond) {
    let name = &bond.plan.name;
    assert!(bond.mesh.lesson().ask(name, Instant::now()));
    bond.mesh.lesson().told(name, true, Instant::now());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_asks_without_reading_is_told_no_more_than_has_room() {
    let pool = pool();
    know(&pool, 20_000);
    let (mut bond, _links) = bond(&pool);
    learn_nothing(&bond);
    let mut session = Session::new(&mut bond, 1);
    for _ in 0..1000 {
        session.act(Heard::Request);
        session.act(Heard::Nothing);
    }
    for _ in 0..10 {
        assert!(!session.tick());
        session.fill();
        assert!(session.out.len() < ENOUGH + 100, "{}", session.out.len());
    }
    assert!(session.out.len() >= ENOUGH, "there is more to tell");
    // And what it tells meanwhile is not acknowledged on top of it.
    let mut table = Vec::new();
    put_definition(&mut table, &Definition::new(1, "hive", KeyKind::Ipv4, 9));
    let mut told = Telling::new(1);
    let name: Arc<str> = "hive".into();
    for number in 0..10 {
        let ttl = Duration::from_secs(60);
        let entry = Entry {
            table: &name,
            ttl,
            client: client(number),
            server: "a",
            left: None,
        };
        told.tell(&mut table, &entry, false);
        session.hear(&mut table).expect("good");
        let before = session.out.len();
        session.tick();
        assert_eq!(session.out.len(), before);
    }
}

#[tokio::test(start_paused = true)]
async fn many_questions_at_once_are_answered_once_and_the_last_word_says_how_much_it_was() {
    for (knows_all, complete) in [(true, true), (false, false)] {
        let pool = pool();
        know(&pool, 3);
        let (mut bond, _links) = bond(&pool);
        if knows_all {
            learn_nothing(&bond);
        }
        let mut session = Session::new(&mut bond, 1);
        // It asks before it is asked.
        session.tick();
        session.out.clear();
        for _ in 0..100 {
            session.act(Heard::Request);
        }
        assert!(session.owed.is_empty(), "the table is read once");
        session.tick();
        session.fill();
        let mut other = Conversation::default();
        other.learning = true;
        let heard = said(&session.out, &mut other);
        assert_eq!(entries(&heard).len(), 3);
        assert_eq!(heard.last(), Some(&Heard::Told(complete)), "{heard:?}");
        assert!(!session.telling.is_settled());
        session.act(Heard::Confirmed);
        assert!(session.telling.is_settled());
    }
}

#[tokio::test(start_paused = true)]
async fn what_happens_now_has_no_age_and_what_is_told_late_has_one() {
    let pool = pool();
    let (mut bond, _links) = bond(&pool);
    learn_nothing(&bond);
    let mut session = Session::new(&mut bond, 1);
    let mut other = Conversation::default();
    let mut step = |session: &mut Session<'_>| {
        session.tick();
        session.fill();
        let heard = said(&std::mem::take(&mut session.out), &mut other);
        entries(&heard)
    };
    drop(session_of(&pool, 1));
    tokio::time::advance(Duration::from_secs(2)).await;
    let late = step(&mut session);
    let left = Some(Duration::from_secs(58));
    assert_eq!(late, [(client(1), left)], "from before the connection");
    let _open = session_of(&pool, 2);
    assert_eq!(step(&mut session), [(client(2), None)]);
}

#[tokio::test(start_paused = true)]
async fn who_was_too_slow_for_the_changes_is_told_everything() {
    let pool = pool();
    let (mut bond, _links) = bond(&pool);
    learn_nothing(&bond);
    let mut session = Session::new(&mut bond, 1);
    for number in 0..20_000 {
        drop(session_of(&pool, number % 50));
    }
    let mut other = Conversation::default();
    session.tick();
    assert!(feed(&mut session).owes_all);
    said(&std::mem::take(&mut session.out), &mut other);
    tokio::time::advance(ASKED_BY).await;
    session.tick();
    session.fill();
    let heard = said(&session.out, &mut other);
    assert!(entries(&heard).len() >= 50);
    assert!(!feed(&mut session).owes_all);
}

/// The other end of a connection: reads what comes, and says what it is told to.
pub(in crate::peers) struct Other {
    stream: DuplexStream,
    inbox: Vec<u8>,
    conversation: Conversation,
}

impl Other {
    /// All that comes for so long. Says that it lives where `lives`.
    async fn hear_for(&mut self, time: Duration, lives: bool) -> Vec<(Duration, Heard)> {
        let (began, mut all) = (Instant::now(), Vec::new());
        let mut seconds = interval(HEARTBEAT);
        loop {
            let rest = time.saturating_sub(began.elapsed());
            tokio::select! {
                biased;
                _ = seconds.tick(), if lives => {
                    let mut word = Vec::new();
                    put_control(&mut word, Control::Heartbeat);
                    self.stream.write_all(&word).await.expect("written");
                }
                read = self.stream.read_buf(&mut self.inbox) => {
                    if read.expect("read") == 0 {
                        return all;
                    }
                }
                () = tokio::time::sleep(rest) => return all,
            }
            while let Some((heard, length)) =
                self.conversation.hear(&self.inbox, |_| true).expect("good")
            {
                self.inbox.drain(..length);
                all.push((began.elapsed(), heard));
            }
        }
    }

    async fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("written");
    }
}

pub(in crate::peers) fn link() -> (Link, Other) {
    let (ours, theirs) = duplex(1 << 20);
    let link = Link {
        stream: Box::new(ours),
        inbox: Vec::new(),
        minor: 1,
        incoming: true,
    };
    let other = Other {
        stream: theirs,
        inbox: Vec::new(),
        conversation: Conversation::default(),
    };
    (link, other)
}

#[tokio::test(start_paused = true)]
async fn a_peer_hears_that_we_live_and_one_that_says_nothing_is_gone() {
    let pool = pool();
    let (mut bond, _links) = bond(&pool);
    learn_nothing(&bond);
    let (link, mut other) = link();
    let began = Instant::now();
    let run = Session::new(&mut bond, 1).run(link);
    let (((why, _), newer), heard) = tokio::join!(run, other.hear_for(SILENCE * 3, false));
    assert!(why == Closed::Silent && newer.is_none(), "{why}");
    assert!(
        began.elapsed() <= SILENCE + TICK * 2,
        "{:?}",
        began.elapsed()
    );
    assert_eq!(heard.len(), 3, "one each three seconds: {heard:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_with_a_session_is_told_again_before_its_entry_ends_with_the_peer() {
    for (theirs, least) in [(20, 8), (1000, 2)] {
        let pool = pool();
        let (mut bond, _links) = bond(&pool);
        learn_nothing(&bond);
        let (link, mut other) = link();
        let mut table = Vec::new();
        let theirs = Duration::from_secs(theirs);
        let millis = u64::try_from(theirs.as_millis()).expect("short");
        put_definition(
            &mut table,
            &Definition::new(1, "hive", KeyKind::Ipv4, millis),
        );
        other.say(&table).await;
        // The second one has no session any more.
        let _open = session_of(&pool, 1);
        drop(session_of(&pool, 2));
        let story = other.hear_for(Duration::from_secs(95), true);
        let heard = tokio::select! {
            heard = story => heard,
            (why, _) = Session::new(&mut bond, 1).run(link) => panic!("{why:?}"),
        };
        let told = |of: IpAddr| -> Vec<Duration> {
            let mine = heard
                .iter()
                .filter(|(_, heard)| matches!(heard, Heard::Entry { client, .. } if *client == of));
            mine.map(|(at, _)| *at).collect()
        };
        let busy = told(client(1));
        assert!(busy.len() >= least, "{theirs:?}: {busy:?}");
        let life = theirs.min(Duration::from_secs(60));
        assert!(
            busy.windows(2).all(|two| two[1] - two[0] < life),
            "{busy:?}"
        );
        assert_eq!(told(client(2)).len(), 1, "{theirs:?}");
    }
}

/// What the peer has not acknowledged when the connection breaks it may not have.
#[tokio::test(start_paused = true)]
async fn what_a_connection_may_have_lost_is_owed_to_the_next_one() {
    for acknowledged in [false, true] {
        let pool = pool();
        let (mut bond, _links) = bond(&pool);
        learn_nothing(&bond);
        let (link, mut other) = link();
        let _open = session_of(&pool, 1);
        let story = async move {
            let heard = other.hear_for(Duration::from_secs(1), true).await;
            let told = heard.iter().map(|(_, heard)| heard);
            let told = told.filter(|heard| matches!(heard, Heard::Entry { .. }));
            assert_eq!(told.count(), 1, "{heard:?}");
            if acknowledged {
                let mut acks = Vec::new();
                other.conversation.put_acks(&mut acks);
                other.say(&acks).await;
            }
            other.hear_for(Duration::from_secs(1), true).await;
        };
        let run = Session::new(&mut bond, 1).run(link);
        let (((why, _), _), ()) = tokio::join!(run, story);
        assert!(why == Closed::Lost, "{why}");
        assert_eq!(bond.feeds[0].owes_all, !acknowledged);
    }
}

#[tokio::test(start_paused = true)]
async fn a_newer_connection_takes_the_place_of_the_one_before() {
    let pool = pool();
    let (mut bond, links) = bond(&pool);
    learn_nothing(&bond);
    let ((first, _other), (second, _another)) = (link(), link());
    assert!(links.try_send(second).is_ok());
    let began = Instant::now();
    let ((why, _), newer) = Session::new(&mut bond, 1).run(first).await;
    assert!(why == Closed::Replaced && newer.is_some(), "{why}");
    assert!(began.elapsed() < Duration::from_secs(1));
}
