//! The conversation, with both sides in one process: each step, each way to fail at it, each message that is none.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::PATIENCE;
use super::claim::{Confirmed, claim, look};
use super::door::{Caller, Door, Open, Successor};
use super::inherited::Inherited;
use super::link::{BATCH, LONGEST_MESSAGE, Link, LinkError};
use super::message::{Described, Hello, Membership, Message, Order, Wants, Welcome};
use super::offer::{Accepted, Last, Offer, offer, refuse};
use super::predecessors::{Left, Predecessors};
use super::report::{Outlived, Reporter};
use crate::plan::{ListenerName, Protocol, Secret};

/// A door in a folder of its own.
struct Stage {
    dir: tempfile::TempDir,
    open: Open,
    callers: mpsc::Receiver<Caller>,
    predecessors: Predecessors,
}

impl Stage {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let door = Door::bind(&dir.path().join("control"), false).expect("binds");
        let predecessors = Predecessors::default();
        let (sender, callers) = mpsc::channel(4);
        let open = door.open(0, Welcome::default(), predecessors.clone(), sender);
        Self {
            dir,
            open: open.expect("watched"),
            callers,
            predecessors,
        }
    }

    fn connect(&self) -> UnixStream {
        UnixStream::connect(self.open.path()).expect("connects")
    }

    async fn successor(&mut self) -> Successor {
        match soon(self.callers.recv()).await {
            Some(Caller::Successor(successor)) => successor,
            other => panic!("{other:?}"),
        }
    }
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(5), what).await.expect("soon")
}

fn socket() -> (Described, OwnedFd) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let bound = listener.local_addr().expect("bound");
    let described = Described::listener("front", bound, bound, Protocol::Tcp);
    (described, listener.into())
}

fn sockets(count: usize) -> Offer {
    Offer {
        sockets: (0..count).map(|_| socket()).collect(),
        memory: Some(b"remembered".to_vec()),
        cluster: None,
    }
}

async fn give(stage: &mut Stage, given: Offer, patience: Duration) -> Result<Accepted, LinkError> {
    let successor = stage.successor().await;
    offer(successor, Welcome::default(), given, patience).await
}

#[tokio::test]
async fn everything_is_handed_over_in_batches_and_each_side_knows_when() {
    let mut stage = Stage::new();
    let membership = Membership {
        name: "lb-1".into(),
        path: "/howdah".into(),
        exclusive: true,
        leads: true,
    };
    let given = Offer {
        cluster: Some(membership.clone()),
        ..sockets(2 * BATCH + 3)
    };
    let addresses: Vec<_> = given.sockets.iter().map(|(one, _)| one.clone()).collect();
    let path = stage.open.path().to_owned();
    let stream = stage.connect();
    let taking = async {
        let (claim, mut inherited) = claim(stream).await.expect("given");
        assert_eq!(claim.memory.as_deref(), Some(&b"remembered"[..]));
        assert_eq!(claim.cluster, Some(membership));
        for described in &addresses[1..] {
            let Described::Listener { wanted, .. } = described else {
                panic!("{described:?}");
            };
            let mut taken = inherited.take(&ListenerName::new("front"), *wanted, Protocol::Tcp);
            let listener = TcpListener::from(taken.pop().expect("there"));
            assert_eq!(listener.local_addr().expect("bound"), *wanted);
        }
        let kept = inherited.settle();
        assert_eq!(kept, (1..addresses.len()).collect::<Vec<_>>());
        let before = tokio::time::Instant::now();
        match claim.serving(kept, true, &path).await {
            Confirmed::Yielded(yielded) => {
                assert_eq!(yielded.memory.as_deref(), Some(&b"more"[..]));
                let shown = format!("{yielded:?}");
                assert!(!shown.contains("of the session"), "{shown}");
                let session = yielded.session.as_ref().expect("asked for");
                assert_eq!(session.bytes.expose(), "of the session");
                assert!(session.asked >= before);
                yielded.settled().await;
            }
            other => panic!("{other:?}"),
        }
    };
    let giving = async {
        let accepted = give(&mut stage, given, PATIENCE).await.expect("served");
        assert_eq!(accepted.kept.len(), addresses.len() - 1);
        accepted.draining(&last()).await.expect("settled");
    };
    soon(async { tokio::join!(taking, giving) }).await;
}

fn last() -> Last {
    Last {
        memory: Some(b"more".to_vec()),
        session: Some(Secret::new("of the session")),
    }
}

/// An older one says nothing of it.
#[tokio::test]
async fn who_does_not_ask_for_the_session_is_not_given_it() {
    let mut stage = Stage::new();
    let stream = stage.connect();
    let giving = async {
        let accepted = give(&mut stage, sockets(0), PATIENCE)
            .await
            .expect("served");
        accepted.draining(&last()).await.expect("settled");
    };
    let taking = async {
        let mut link = asking(stream).await;
        for _ in ["welcome", "complete"] {
            link.receive(PATIENCE).await.expect("said");
        }
        link.receive_bytes(PATIENCE).await.expect("memory");
        let serving = serde_json::from_str(r#"{"message":"serving","kept":[]}"#);
        link.send(&serving.expect("of older ones"), &[], PATIENCE)
            .await
            .expect("sent");
        let draining = link.receive(PATIENCE).await.expect("said").0;
        assert_eq!(
            draining,
            Message::Draining {
                memory: true,
                session: false
            }
        );
        assert_eq!(link.receive_bytes(PATIENCE).await.expect("memory"), b"more");
        link.send(&Message::Settled, &[], PATIENCE)
            .await
            .expect("sent");
    };
    soon(async { tokio::join!(taking, giving) }).await;
}

/// A successor that has said what it wants, and nothing else.
async fn asking(stream: UnixStream) -> Link {
    let mut link = Link::of(stream).expect("watched");
    let hello = Message::hello(Wants::Takeover);
    link.send(&hello, &[], PATIENCE).await.expect("sent");
    link
}

/// At each step, by the end of the connection: the old one hears it, and has changed nothing.
#[tokio::test]
async fn a_successor_that_dies_at_any_step_is_noticed() {
    for step in 0..3 {
        let mut stage = Stage::new();
        let stream = stage.connect();
        let taking = async {
            let mut link = asking(stream).await;
            for _ in 0..step {
                link.receive(PATIENCE).await.expect("said");
            }
        };
        let giving = give(&mut stage, sockets(2), PATIENCE);
        let (given, ()) = soon(async { tokio::join!(giving, taking) }).await;
        let error = given.expect_err("nobody serves");
        assert!(matches!(error, LinkError::Gone), "{step}: {error}");
    }
}

#[tokio::test]
async fn a_successor_that_hangs_is_given_up() {
    let mut stage = Stage::new();
    let stream = stage.connect();
    let patience = Duration::from_millis(50);
    let giving = give(&mut stage, sockets(1), patience);
    let (given, claimed) = soon(async { tokio::join!(giving, claim(stream)) }).await;
    let error = given.expect_err("nobody serves");
    assert!(matches!(error, LinkError::Silent(_)), "{error}");
    // Too late: the old one goes on, and says so by its end of the connection.
    let (claim, inherited) = claimed.expect("given");
    let path = stage.open.path().to_owned();
    let late = soon(claim.serving(inherited.settle(), false, &path)).await;
    assert!(matches!(late, Confirmed::GoesOn(_)), "{late:?}");
}

#[tokio::test]
async fn an_old_one_that_dies_leaves_the_new_one_alone() {
    let mut stage = Stage::new();
    let stream = stage.connect();
    let giving = async {
        let accepted = give(&mut stage, sockets(1), PATIENCE).await;
        let path = stage.open.path().to_owned();
        // As a kill does.
        drop(stage);
        drop(accepted);
        path
    };
    let taking = async {
        let (claim, inherited) = claim(stream).await.expect("given");
        claim
            .serving(inherited.settle(), false, std::path::Path::new("/nowhere"))
            .await
    };
    let (confirmed, _) = soon(async { tokio::join!(taking, giving) }).await;
    assert!(matches!(confirmed, Confirmed::Alone(_)), "{confirmed:?}");
}

#[tokio::test]
async fn who_is_refused_hears_why() {
    let mut stage = Stage::new();
    let stream = stage.connect();
    let giving = async { refuse(stage.successor().await, "it is starting").await };
    let (claimed, ()) = soon(async { tokio::join!(claim(stream), giving) }).await;
    let error = claimed.expect_err("refused");
    assert_eq!(error.to_string(), "it is starting");
}

/// Whatever comes through the door instead of a word of the protocol ends that conversation, and no other.
#[tokio::test]
async fn what_is_no_message_ends_the_conversation() {
    let framed = |kind: u8, length: usize, body: &[u8]| {
        let length = u32::try_from(length).expect("short").to_be_bytes();
        [&length[..], &[kind], body].concat()
    };
    let whole = |body: &str| framed(0, body.len(), body.as_bytes());
    let cases = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        framed(0, LONGEST_MESSAGE + 1, b""),
        framed(1, usize::from(u16::MAX) << 15, b""),
        framed(7, 2, b"{}"),
        whole("{}"),
        whole("not JSON"),
        whole("\"hello\""),
        whole(r#"{"message":"serving","kept":[0]}"#),
        whole(r#"{"message":"hello","protocol":1,"version":"1","pid":-1,"wants":"takeover"}"#),
        whole(r#"{"message":"hello","protocol":1,"version":"1","pid":1,"wants":"everything"}"#),
        whole(r#"{"message":"welcome","version":"1","pid":1}"#),
        framed(1, 3, b"abc"),
    ];
    let mut stage = Stage::new();
    for case in cases {
        let mut stream = stage.connect();
        stream.write_all(&case).expect("written");
        let closed = tokio::task::spawn_blocking(move || stream.read(&mut [0; 64]));
        let closed = soon(closed).await.expect("no panic");
        assert!(
            matches!(closed, Ok(0) | Err(_)),
            "{:?}: {closed:?}",
            String::from_utf8_lossy(&case)
        );
    }
    assert!(stage.callers.try_recv().is_err());
    soon(look(stage.connect())).await.expect("still answers");
}

#[tokio::test]
async fn another_version_of_the_protocol_is_told_so() {
    let stage = Stage::new();
    let mut link = Link::of(stage.connect()).expect("watched");
    let hello = Message::Hello(Hello {
        protocol: 2,
        version: "9".into(),
        pid: 1,
        wants: Wants::Takeover,
    });
    link.send(&hello, &[], PATIENCE).await.expect("sent");
    let error = link.receive(PATIENCE).await.expect_err("refused");
    assert!(error.to_string().contains("speaks version 1"), "{error}");
}

#[tokio::test]
async fn descriptors_must_be_as_many_as_are_described() {
    let mut stage = Stage::new();
    let stream = stage.connect();
    let giving = async {
        let mut link = stage.successor().await.link;
        let welcome = Message::Welcome(Welcome::default());
        link.send(&welcome, &[], PATIENCE).await.expect("sent");
        let (described, one) = socket();
        let message = Message::Sockets {
            sockets: vec![described.clone(), described],
        };
        link.send(&message, &[one.as_fd()], PATIENCE)
            .await
            .expect("sent");
    };
    let (claimed, ()) = soon(async { tokio::join!(claim(stream), giving) }).await;
    let error = claimed.expect_err("nonsense");
    assert!(
        error.to_string().contains("2 sockets, 1 descriptors"),
        "{error}"
    );
}

#[test]
fn port_0_goes_by_the_name_of_its_listener() {
    let any = "127.0.0.1:0".parse().expect("an address");
    let mut inherited = Inherited::default();
    for name in ["a", "b"] {
        let (_, socket) = socket();
        inherited.add(Described::listener(name, any, any, Protocol::Tcp), socket);
    }
    let a = ListenerName::new("a");
    assert_eq!(inherited.take(&a, any, Protocol::Udp).len(), 0);
    assert_eq!(inherited.take(&a, any, Protocol::Tcp).len(), 1);
    assert_eq!(inherited.settle(), [0]);
}

#[tokio::test]
async fn a_socket_file_of_a_dead_howdah_is_replaced_and_that_of_a_live_one_is_not() {
    let stage = Stage::new();
    let path = stage.open.path().to_owned();
    let error = Door::bind(&path, false).expect_err("somebody answers");
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    // A successor binds beside, and takes the path; the former leaves it alone then.
    let second = Door::bind(&path, true).expect("beside");
    let (sender, _callers) = mpsc::channel(1);
    let second = second.open(0, Welcome::default(), Predecessors::default(), sender);
    let mut second = second.expect("watched");
    second.take_the_path().expect("renamed");
    let Stage { dir, open, .. } = stage;
    drop(open);
    assert!(path.exists());
    drop(second);
    assert!(!path.exists());
    // As a kill leaves it.
    drop(std::os::unix::net::UnixListener::bind(&path).expect("binds"));
    Door::bind(&path, false).expect("replaced");
    drop(dir);
}

#[tokio::test]
async fn predecessors_tell_what_is_left_and_hear_when_to_hurry() {
    let stage = Stage::new();
    let (left, told) = tokio::sync::watch::channel(Left {
        sessions: 3,
        ..Left::now()
    });
    let (_orders, passed_on) = mpsc::channel(1);
    let path = stage.open.path().to_owned();
    let mut reporter = Reporter::new(path, told, passed_on);
    let reporting = tokio::spawn(async move { reporter.hurried().await });
    let listed = async {
        while stage.predecessors.sessions() != 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(listed).await;
    assert!(!stage.predecessors.have_ended());
    left.send_modify(|left| left.sessions = 2);
    let fewer = async {
        while stage
            .predecessors
            .list()
            .first()
            .is_none_or(|one| one.sessions != 2)
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(fewer).await;
    stage.predecessors.hurry();
    soon(reporting).await.expect("hurries");
    let gone = async {
        while !stage.predecessors.have_ended() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    soon(gone).await;
}

/// Nobody but root and its own user finds it open, and whoever comes all the same is asked who he is.
#[tokio::test]
async fn strangers_are_sent_away() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::new();
    let path = stage.open.path().to_owned();
    let mode = std::fs::metadata(&path)
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    if !rustix::process::geteuid().is_root() {
        return; // Nobody else may become another.
    }
    let everybody = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(stage.dir.path(), everybody.clone()).expect("opened");
    std::fs::set_permissions(&path, everybody).expect("opened");
    // A thread has a user of its own; it ends with it.
    let stranger = tokio::task::spawn_blocking(move || {
        std::thread::spawn(move || {
            let nobody = rustix::process::Uid::from_raw(65_534);
            rustix::thread::set_thread_uid(nobody).expect("nobody");
            UnixStream::connect(&path)
        })
        .join()
    });
    let stream = soon(stranger).await.expect("ran").expect("no panic");
    let mut link = Link::of(stream.expect("connects")).expect("watched");
    let error = soon(link.receive(PATIENCE)).await.expect_err("no");
    assert!(error.to_string().contains("for root and"), "{error}");
    soon(look(stage.connect())).await.expect("we may");
}

#[tokio::test]
async fn a_successor_that_gives_up_says_why_and_one_that_serves_what_it_was_not_given_is_not_believed()
 {
    for (word, expected) in [
        (
            Message::Failed {
                why: "no address".into(),
            },
            "no address",
        ),
        (
            serde_json::from_str(r#"{"message":"serving","kept":[1]}"#).expect("a message"),
            "",
        ),
    ] {
        let mut stage = Stage::new();
        let stream = stage.connect();
        let taking = async {
            let mut link = asking(stream).await;
            for _ in ["welcome", "sockets", "complete"] {
                link.receive(PATIENCE).await.expect("said");
            }
            link.receive_bytes(PATIENCE).await.expect("memory");
            link.send(&word, &[], PATIENCE).await.expect("sent");
            link
        };
        let giving = give(&mut stage, sockets(1), PATIENCE);
        let (given, _link) = soon(async { tokio::join!(giving, taking) }).await;
        let error = given.expect_err("nobody serves").to_string();
        let turn = error.starts_with("the other one spoke out of turn");
        assert!(error == expected || turn && expected.is_empty(), "{error}");
    }
}

#[test]
fn predecessors_are_bounded_listed_by_age_and_awaited_unless_they_stay() {
    let all = Predecessors::default();
    let left = |since, sessions, stays| Left {
        since,
        sessions,
        stays,
        ..Left::now()
    };
    let entries: Vec<_> = std::iter::from_fn(|| all.enter()).take(100).collect();
    assert_eq!(entries.len(), 64);
    assert!(!all.have_ended(), "they have said nothing yet");
    let (first, second) = (&entries[0], &entries[1]);
    first.says(left(2000, 1, true));
    second.says(left(1000, 0, false));
    let since: Vec<_> = all.list().iter().map(|one| one.since).collect();
    assert_eq!(since, [1000, 2000]);
    entries[2].says(left(1500, 0, false));
    let since: Vec<_> = all.list().iter().map(|one| one.since).collect();
    assert_eq!(since, [1000, 1500, 2000]);
    let mut entries = entries;
    entries.truncate(2);
    entries[0].says(left(2000, 0, true));
    assert!(!all.have_ended(), "the second one does not stay");
    entries[0].says(left(2000, 1, true));
    entries.truncate(1);
    assert!(!all.have_ended(), "it stays, and has a session");
    entries[0].says(left(2000, 0, true));
    assert!(all.have_ended() && all.list().len() == 1);
}

#[test]
fn a_socket_goes_to_who_speaks_its_protocol() {
    let (described, one) = socket();
    let Described::Listener { wanted, .. } = described else {
        panic!("{described:?}");
    };
    let name = ListenerName::new("front");
    let mut inherited = Inherited::default();
    inherited.add(described, one);
    assert!(inherited.take(&name, wanted, Protocol::Udp).is_empty());
    assert!(inherited.take_admin(wanted).is_none(), "it is a listener's");
    assert_eq!(inherited.take(&name, wanted, Protocol::Tcp).len(), 1);
    // The service manager tells no names.
    let (_, two) = socket();
    let nameless = Described::listener("", wanted, wanted, Protocol::Tcp);
    inherited.add(nameless, two);
    assert!(inherited.take_admin(wanted).is_some());
}

/// A process 1 has nothing left, hears no more of hurry, and passes on what it is told.
#[tokio::test]
async fn a_process_that_stays_passes_orders_on_and_ends_with_its_successor() {
    let mut stage = Stage::new();
    let left = Left {
        stays: true,
        ..Left::now()
    };
    let (_left, told) = tokio::sync::watch::channel(left);
    let (orders, passed_on) = mpsc::channel(1);
    stage.predecessors.hurry();
    let reporter = Reporter::new(stage.open.path().to_owned(), told, passed_on);
    let mut outliving = tokio::spawn(reporter.outlive());
    orders.send(Order::Stop).await.expect("heard");
    match soon(stage.callers.recv()).await {
        Some(Caller::Order(Order::Stop)) => {}
        other => panic!("{other:?}"),
    }
    assert!(
        timeout(Duration::from_millis(20), &mut outliving)
            .await
            .is_err(),
        "the successor is there"
    );
    drop(stage);
    assert_eq!(soon(outliving).await.expect("no panic"), Outlived::Stopped);
}
