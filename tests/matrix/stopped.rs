//! A process that is really stopped, where the matrix has peers that merely do nothing.
//!
//! Two howdahs in a row carry one session: to the first the second is the server, to the second the first is the
//! client. One of them is stopped by SIGSTOP amid a bulk both ways, and told to go on by SIGCONT.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::time::sleep;

use super::ends::{ServerEnd, connect};
use super::peer::{MUCH, Peer, Seen, Then};
use crate::support::{Howdah, plain};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Client,
    Server,
}

/// Back-pressure holds while it is stopped, nobody gives up, and every byte arrives in the end.
pub(crate) async fn goes_on(which: Which) {
    let end = ServerEnd::here().unwrap();
    let second = Howdah::start(&plain("way", &[end.address], "")).await;
    let middle = second.address("way").await;
    let first = Howdah::start(&plain("way", &[middle], "")).await;
    let front = first.address("way").await;
    let (client, server) =
        tokio::try_join!(connect(front, None, None, 1), end.accept(None, 1)).unwrap();
    for (speaker, listener) in [(&client, &server), (&server, &client)] {
        speaker.order(|orders| orders.says = FLOOD);
        assert!(listener.tells(PATIENCE, |told| told.heard > MUCH).await);
    }
    let (stopped, living) = match which {
        Which::Client => (&first, &second),
        Which::Server => (&second, &first),
    };
    stopped.signal(Signal::STOP);
    let memory = living.memory();
    let (before, after) = nothing_moves(&client, &server).await;
    assert_eq!(before, after, "something got past a stopped {which:?}");
    assert!(
        living.memory() < memory + (4 << 20),
        "back-pressure is the kernel's"
    );
    assert!(living.access().so_far().is_empty(), "the session ended");
    stopped.signal(Signal::CONT);
    for peer in [&client, &server] {
        peer.order(|orders| orders.then = Then::Ends);
    }
    for (peer, name) in [(&client, "client"), (&server, "server")] {
        let whole = peer.tells(PATIENCE, |told| told.seen.is_some()).await;
        let told = peer.told();
        let ended = matches!(told.seen, Some((Seen::End, _)));
        assert!(whole && ended && told.wrong.is_none(), "{name}: {told:?}");
        assert_eq!(told.heard, FLOOD, "{name}");
    }
}

/// Bytes heard when the buffers are full, and a while later.
async fn nothing_moves(client: &Peer, server: &Peer) -> ((u64, u64), (u64, u64)) {
    let heard = || (client.told().heard, server.told().heard);
    let (mut last, mut since, begun) = (heard(), Instant::now(), Instant::now());
    while since.elapsed() < WHILE && begun.elapsed() < PATIENCE {
        sleep(Duration::from_millis(20)).await;
        if heard() != last {
            (last, since) = (heard(), Instant::now());
        }
    }
    sleep(WHILE).await;
    (last, heard())
}

/// More than all buffers on the way take.
const FLOOD: u64 = 48 << 20;
const WHILE: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(30);
