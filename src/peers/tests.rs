//! Conversations recorded from real HAProxy pairs, replayed in both roles; and two of our own sides that talk to each other.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::bond::Bond;
use super::conversation::{Conversation, Heard};
use super::lesson::LONGEST;
use super::link::Link;
use super::mesh::Mesh;
use super::reason::Ignored;
use super::session::Session;
use super::telling::{Entry, Telling};
use super::view::PeerState;
use crate::peers::Peers;
use crate::plan::{Address, Host, PeerPlan, PeersPlan};
use crate::telemetry::Metrics;
use crate::wire::peers::{
    Control, Definition, Hello, Key, KeyKind, Message, Sent, Status, message,
};

const HALF_AN_HOUR: Duration = Duration::from_secs(1800);

fn recorded(name: &str, side: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::read(root.join(format!("tests/peers/{name}.{side}"))).expect("recorded")
}

/// Everything that one side says, with `pieces` bytes coming at a time.
fn listen(bytes: &[u8], pieces: usize, learning: bool) -> Vec<Heard> {
    let mut conversation = Conversation::default();
    conversation.learning = learning;
    let (mut inbox, mut all) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(pieces) {
        inbox.extend(piece);
        while let Some((heard, length)) = conversation
            .hear(&inbox, |name| name == "hive")
            .expect("good")
        {
            inbox.drain(..length);
            all.push(heard);
        }
    }
    assert!(inbox.is_empty(), "something is left");
    all
}

fn entries(all: &[Heard]) -> Vec<(IpAddr, &str, Option<Duration>)> {
    let entry = |heard: &Heard| match heard {
        Heard::Entry {
            client,
            server,
            left,
            ..
        } => Some((*client, server.to_string(), *left)),
        _ => None,
    };
    let all: Vec<_> = all.iter().filter_map(entry).collect();
    all.into_iter()
        .map(|(client, server, left)| (client, &*Box::leak(server.into_boxed_str()), left))
        .collect()
}

fn client(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, last).into()
}

/// A pair of HAProxies: the accepting one knows five clients, teaches them, hears of three, and is asked once more by one of its own.
#[test]
fn what_real_haproxies_say_to_each_other_is_understood_in_both_roles() {
    for version in ["haproxy-2.6", "haproxy-3.5"] {
        for table in ["ip", "ipv6", "string"] {
            let name = format!("{version}-{table}");
            let connected = recorded(&name, "connected");
            let (hello, length) = Hello::decode(&connected).expect("good").expect("whole");
            assert_eq!((&*hello.from, &*hello.to, hello.minor), ("lb-1", "lb-2", 1));
            for pieces in [1, 7, 100_000] {
                let told = listen(&connected[length..], pieces, false);
                assert_eq!(told[0], Heard::Request, "{name}");
                assert!(told.contains(&Heard::Confirmed), "{name}");
                let news = entries(&told);
                let clients: Vec<_> = news.iter().map(|(client, ..)| *client).collect();
                assert_eq!(clients, [client(11), client(12), client(13)], "{name}");
                assert!(
                    news.iter()
                        .all(|(_, server, left)| server.starts_with("hs2-") && left.is_none())
                );
            }
            let accepted = recorded(&name, "accepted");
            let (status, length) = Status::decode(&accepted).expect("good").expect("whole");
            assert_eq!(status, Status::Success);
            let taught = listen(&accepted[length..], 3, true);
            let over = taught.iter().position(|heard| *heard == Heard::Told(true));
            let over = over.expect("the lesson ends");
            let lesson = entries(&taught[..over]);
            let timed = lesson.iter().filter(|(.., left)| left.is_some());
            let timed: Vec<_> = timed.collect();
            assert_eq!(timed.len(), 5, "{name}");
            for (at, (own, server, left)) in timed.iter().enumerate() {
                let number = u8::try_from(at + 1).expect("few");
                assert_eq!(*own, client(number), "{name}");
                let expected = if number % 2 == 1 { "hs2-1" } else { "hs2-2" };
                assert_eq!(*server, expected, "{name}");
                assert!(
                    left.is_some_and(|left| left < HALF_AN_HOUR && left > HALF_AN_HOUR - 2 * ASIDE)
                );
            }
            assert!(
                taught.iter().any(|heard| matches!(heard, Heard::Acked(..))),
                "{name}"
            );
        }
    }
}

/// The recording waits so long before the first side starts, at most.
const ASIDE: Duration = Duration::from_secs(20);

fn told(
    telling: &mut Telling,
    table: &str,
    last: u8,
    server: &str,
    left: Option<u64>,
    six: bool,
) -> Vec<u8> {
    let (mut out, table): (_, Arc<str>) = (Vec::new(), table.into());
    let entry = Entry {
        table: &table,
        ttl: HALF_AN_HOUR,
        client: client(last),
        server,
        left: left.map(Duration::from_secs),
    };
    telling.tell(&mut out, &entry, six);
    out
}

#[test]
fn ours_is_byte_for_byte_what_haproxy_says() {
    let mut telling = Telling::new(1);
    let mut ours = told(&mut telling, "hive", 1, "hs2-1", None, false);
    ours.extend(told(&mut telling, "hive", 2, "hs2-2", None, false));
    ours.extend(told(&mut telling, "hive", 3, "hs2-1", None, false));
    let accepted = recorded("haproxy-3.5-ip", "accepted");
    let theirs = &accepted[4..];
    // HAProxy tells the server's number, too, which is one bit in the definition and a byte in each entry.
    let mut mine = Conversation::default();
    let mut other = Conversation::default();
    let (mut at, mut to) = (0, 0);
    for _ in 0..4 {
        let (one, length) = mine
            .hear(&ours[at..], |_| true)
            .expect("good")
            .expect("whole");
        let (two, other_length) = other
            .hear(&theirs[to..], |_| true)
            .expect("good")
            .expect("whole");
        assert_eq!(one, two);
        assert_eq!(
            ours[at..at + 2],
            theirs[to..to + 2],
            "the same kind of message"
        );
        at += length;
        to += other_length;
    }
    assert_eq!(at, ours.len());
}

#[test]
fn entries_are_told_until_they_are_acknowledged_and_tables_in_turn() {
    let mut telling = Telling::new(1);
    assert!(telling.is_settled());
    let mut bytes = told(&mut telling, "hive", 1, "a", Some(60), false);
    bytes.extend(told(&mut telling, "hue", 2, "b", Some(60), false));
    bytes.extend(told(&mut telling, "hive", 3, "a", None, false));
    assert!(!telling.is_settled());
    let mut conversation = Conversation::default();
    let (mut at, mut heard) = (0, Vec::new());
    while let Some((one, length)) = conversation
        .hear(&bytes[at..], |name| name == "hive")
        .expect("good")
    {
        heard.push(one);
        at += length;
    }
    let unknown = Heard::Ignored(Ignored::Table, "hue".into());
    assert_eq!(
        heard.iter().filter(|one| **one == unknown).count(),
        2,
        "its definition and its entry"
    );
    let minute = Some(Duration::from_secs(60));
    assert_eq!(
        entries(&heard),
        [(client(1), "a", minute), (client(3), "a", None)]
    );
    let mut acks = Vec::new();
    conversation.put_acks(&mut acks);
    let (ack, length) = Message::decode(&acks).expect("good").expect("whole");
    assert_eq!(
        (length, acks.len()),
        (acks.len(), length),
        "one, of the table that is shared"
    );
    let Message::Ack { table, number } = ack else {
        panic!("{ack:?}");
    };
    assert_eq!(number, 2);
    telling.acked(table, number);
    assert!(!telling.is_settled(), "nobody has the other table");
    telling.settled();
    assert!(telling.is_settled());
}

#[test]
fn names_that_an_ignored_table_tells_are_known_to_the_next_one() {
    let mut telling = Telling::new(1);
    let mut bytes = told(&mut telling, "nobodys", 1, "a", None, false);
    bytes.extend(told(&mut telling, "hive", 2, "a", None, false));
    let heard = listen(&bytes, 1000, false);
    assert_eq!(entries(&heard), [(client(2), "a", None)]);
}

#[test]
fn a_peer_with_keys_of_ipv6_alone_is_told_all_by_them() {
    let mut theirs = Telling::new(1);
    let bytes = told(&mut theirs, "hive", 9, "a", None, true);
    let mut conversation = Conversation::default();
    let mut at = 0;
    while let Some((heard, length)) = conversation.hear(&bytes[at..], |_| true).expect("good") {
        at += length;
        if let Heard::Entry { client: own, .. } = heard {
            assert_eq!(own, client(9));
        }
    }
    assert!(conversation.is_six_alone("hive") && !conversation.is_six_alone("hue"));
    assert_eq!(conversation.expire("hive"), Some(HALF_AN_HOUR));
}

#[test]
fn an_older_peer_is_told_no_times() {
    let mut telling = Telling::new(0);
    let heard = listen(
        &told(&mut telling, "hive", 1, "a", Some(5), false),
        10,
        false,
    );
    assert_eq!(entries(&heard), [(client(1), "a", None)]);
}

#[test]
fn controls_are_understood() {
    let mut bytes = Vec::new();
    for control in [
        Control::ResyncRequest,
        Control::Heartbeat,
        Control::ResyncPartial,
        Control::ResyncConfirm,
    ] {
        message::put_control(&mut bytes, control);
    }
    bytes.extend([1, 0]);
    let expected = [
        Heard::Request,
        Heard::Nothing,
        Heard::Told(false),
        Heard::Confirmed,
        Heard::Faulted,
    ];
    assert_eq!(listen(&bytes, 1, true), expected);
}

#[test]
fn the_end_of_a_lesson_that_nobody_asked_for_is_not_answered() {
    let mut bytes = Vec::new();
    for _ in 0..3 {
        message::put_control(&mut bytes, Control::ResyncFinished);
    }
    let over = [Heard::Told(true), Heard::Nothing, Heard::Nothing];
    assert_eq!(listen(&bytes, 100, true), over);
    assert!(
        listen(&bytes, 100, false)
            .iter()
            .all(|one| *one == Heard::Nothing)
    );
}

/// It talks, and so is not silent. Time is paused: nothing waits.
#[tokio::test(start_paused = true)]
async fn a_peer_that_never_ends_its_lesson_is_waited_for_a_minute() {
    let mesh = Arc::new(Mesh::new(&Metrics::new()));
    let plan = PeerPlan {
        name: "a".into(),
        address: Address {
            host: Host::Ip(client(1)),
            port: 1,
        },
    };
    let state = Arc::new(PeerState::new(&plan, mesh.metrics.peer("a")));
    let (_incoming, incoming) = mpsc::channel(1);
    let (name, other) = (Arc::clone(&plan.name), "b".into());
    let mut bond = Bond {
        plan,
        mesh: Arc::clone(&mesh),
        state,
        incoming,
        feeds: Vec::new(),
    };
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let link = Link {
        stream: Box::new(ours),
        inbox: Vec::new(),
        minor: 1,
        incoming: false,
    };
    let began = Instant::now();
    let talks = async {
        let (mut reader, mut writer) = tokio::io::split(theirs);
        let mut request = [0; 2];
        reader.read_exact(&mut request).await.expect("asked");
        let mut beat = Vec::new();
        message::put_control(&mut beat, Control::Heartbeat);
        while !mesh.lesson().ask(&other, Instant::now()) {
            writer.write_all(&beat).await.expect("written");
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(began.elapsed() < 2 * LONGEST, "{name} is waited for still");
        }
        assert!(began.elapsed() >= LONGEST);
        // HAProxy waits for the word, however late.
        let (mut end, mut confirm) = (Vec::new(), Vec::new());
        message::put_control(&mut end, Control::ResyncFinished);
        message::put_control(&mut confirm, Control::ResyncConfirm);
        writer.write_all(&end).await.expect("written");
        let mut heard = Vec::new();
        while !heard.ends_with(&confirm) {
            reader.read_buf(&mut heard).await.expect("read");
            assert!(began.elapsed() < 3 * LONGEST, "no confirmation");
        }
        assert!(!mesh.lesson().is_complete(Instant::now()), "b is asked");
    };
    tokio::select! {
        _ = Session::new(&mut bond, 1).run(link) => panic!("ended"),
        () = talks => {}
    }
}

#[test]
fn a_table_whose_entries_have_no_end_has_no_time() {
    let mut bytes = Vec::new();
    message::put_definition(&mut bytes, &Definition::new(1, "hive", KeyKind::Ipv4, 0));
    let mut conversation = Conversation::default();
    let heard = conversation.hear(&bytes, |_| true).expect("good");
    assert!(heard.is_some());
    assert_eq!(conversation.expire("hive"), None);
}

fn defined(id: u64, name: &str, kind: KeyKind, expire: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    message::put_definition(&mut bytes, &Definition::new(id, name, kind, expire));
    bytes
}

/// An entry of the table that is spoken of.
fn entry(number: Option<u32>, key: Key<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Whose name is told in full each time.
    message::put_update(&mut bytes, number, None, (key, "a"), &mut Sent::default());
    bytes
}

fn hear_all(conversation: &mut Conversation, bytes: &[u8]) -> Vec<Heard> {
    let (mut at, mut all) = (0, Vec::new());
    while let Some((heard, length)) = conversation.hear(&bytes[at..], |_| true).expect("good") {
        at += length;
        all.push(heard);
    }
    assert_eq!(at, bytes.len());
    all
}

/// Of whom each entry is that was heard.
fn tables(all: &[Heard]) -> Vec<&str> {
    let mut tables = Vec::new();
    for heard in all {
        if let Heard::Entry { table, .. } | Heard::Ignored(_, table) = heard {
            tables.push(table.as_str());
        }
    }
    tables
}

fn acks(conversation: &mut Conversation) -> Vec<(u64, u32)> {
    let mut bytes = Vec::new();
    conversation.put_acks(&mut bytes);
    let heard = hear_all(&mut Conversation::default(), &bytes);
    let ack = |heard: &Heard| match heard {
        Heard::Acked(table, number) => (*table, *number),
        other => panic!("{other:?}"),
    };
    heard.iter().map(ack).collect()
}

#[test]
fn entries_are_acknowledged_by_the_number_of_the_last_one_and_once() {
    let mut conversation = Conversation::default();
    let key = Key::Ip(client(1));
    let mut bytes = defined(3, "hive", KeyKind::Ipv4, 60_000);
    bytes.extend(entry(Some(41), key));
    bytes.extend(entry(None, key));
    hear_all(&mut conversation, &bytes);
    assert_eq!(acks(&mut conversation), [(3, 42)]);
    assert_eq!(acks(&mut conversation), []);
    // What is told as a lesson is confirmed as a whole.
    conversation.learning = true;
    hear_all(&mut conversation, &entry(Some(50), key));
    assert_eq!(acks(&mut conversation), []);
}

#[test]
fn an_entry_is_of_the_table_that_is_spoken_of_and_of_no_other() {
    let mut conversation = Conversation::default();
    let key = Key::Ip(client(1));
    let mut bytes = defined(1, "hive", KeyKind::Ipv4, 60_000);
    bytes.extend(defined(2, "hue", KeyKind::Ipv4, 60_000));
    for id in [1, 2, 7] {
        message::put_switch(&mut bytes, id);
        bytes.extend(entry(None, key));
    }
    let heard = hear_all(&mut conversation, &bytes);
    assert_eq!(
        tables(&heard),
        ["hive", "hue", ""],
        "nobody defined the last"
    );
    // The same number for another table, and another number for the same one.
    let mut again = defined(1, "impala", KeyKind::Ipv4, 60_000);
    message::put_switch(&mut again, 1);
    again.extend(entry(None, key));
    assert_eq!(tables(&hear_all(&mut conversation, &again)), ["impala"]);
    hear_all(
        &mut conversation,
        &defined(9, "hue", KeyKind::Ipv4, 120_000),
    );
    let two_minutes = Some(Duration::from_secs(120));
    assert_eq!(conversation.expire("hue"), two_minutes, "as defined last");
}

#[test]
fn a_peer_that_defines_without_end_is_remembered_in_part() {
    let mut conversation = Conversation::default();
    for id in 0..1000 {
        let table = defined(id, &format!("t{id}"), KeyKind::Ipv4, 60_000);
        hear_all(&mut conversation, &table);
    }
    let mut known = 0;
    for id in 0..1000 {
        let mut bytes = Vec::new();
        message::put_switch(&mut bytes, id);
        bytes.extend(entry(None, Key::Ip(client(1))));
        let heard = hear_all(&mut conversation, &bytes);
        known += usize::from(tables(&heard) != [""]);
    }
    assert_eq!(known, 256);
}

#[test]
fn an_address_as_text_is_that_address_and_other_text_is_none() {
    for (text, expected) in [
        ("127.0.0.7", Some(client(7))),
        ("::ffff:127.0.0.7", Some(client(7))),
        ("alice", None),
    ] {
        let mut bytes = defined(1, "hive", KeyKind::Text, 60_000);
        bytes.extend(entry(None, Key::Text(text.as_bytes())));
        let heard = hear_all(&mut Conversation::default(), &bytes);
        let clients: Vec<_> = entries(&heard).iter().map(|(client, ..)| *client).collect();
        assert_eq!(clients, Vec::from_iter(expected), "{text}");
    }
}

#[test]
fn a_table_whose_time_changes_is_defined_anew() {
    let mut telling = Telling::new(1);
    let mut conversation = Conversation::default();
    for ttl in [60, 90] {
        let ttl = Duration::from_secs(ttl);
        let (mut out, table): (_, Arc<str>) = (Vec::new(), "hive".into());
        let entry = Entry {
            table: &table,
            ttl,
            client: client(1),
            server: "a",
            left: None,
        };
        telling.tell(&mut out, &entry, false);
        hear_all(&mut conversation, &out);
        assert_eq!(conversation.expire("hive"), Some(ttl));
    }
}

#[test]
fn an_acknowledgement_counts_for_its_own_table() {
    let mut telling = Telling::new(1);
    told(&mut telling, "hive", 1, "a", None, false);
    told(&mut telling, "hue", 1, "a", None, false);
    telling.acked(2, 1);
    assert!(!telling.is_settled(), "the first one is still owed");
    telling.acked(1, 1);
    assert!(telling.is_settled());
}

/// What a reload changes of one peer is nothing to the others.
#[tokio::test]
async fn who_stays_as_it_was_keeps_its_connection() {
    let peer = |name: &str, port| PeerPlan {
        name: name.into(),
        address: Address {
            host: Host::Ip(Ipv4Addr::LOCALHOST.into()),
            port,
        },
    };
    let plan = |own: &str, peers: &[PeerPlan]| {
        Arc::new(PeersPlan {
            name: own.into(),
            bind: "127.0.0.1:0".parse().expect("an address"),
            peers: peers.to_vec(),
            tls: None,
            tables: Vec::new(),
        })
    };
    let (a, b) = (peer("a", 1), peer("b", 1));
    let mut peers = Peers::new(&Metrics::new());
    let mut follow = |plan: Arc<PeersPlan>| {
        let staged = peers.prepare(Some(&plan)).expect("an address");
        peers.commit(Some(&plan), staged, &[]);
        peers.view().load_full()
    };
    let first = follow(plan("lb-1", std::slice::from_ref(&a)));
    let second = follow(plan("lb-1", &[b.clone(), a.clone()]));
    assert!(Arc::ptr_eq(&first[0], &second[1]), "another came");
    let moved = peer("b", 2);
    let third = follow(plan("lb-1", &[moved, a.clone()]));
    assert!(Arc::ptr_eq(&second[1], &third[1]) && !Arc::ptr_eq(&second[0], &third[0]));
    let other_name = follow(plan("lb-9", &[a]));
    assert!(
        !Arc::ptr_eq(&third[1], &other_name[0]),
        "it knows us by our name"
    );
}
