//! One cell: brings a session into its phase, lets the event happen, and judges what is seen.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::ends::{connect, unsent};
use super::ground::{Cell, DEADLINE, Ground, IDLE, SOON};
use super::peer::{MUCH, Orders, Peer, Seen, Then, Told};
use super::table::{Bytes, Event, Expectation, Phase, Sees, When, expect};

/// A session of which both sides are ours.
pub(crate) struct Session<'a> {
    ground: &'a Ground,
    cell: Cell,
    expected: Expectation,
    client: Peer,
    server: Peer,
    /// Where the client is, when it may vanish.
    away: Option<Ipv4Addr>,
    /// All that was wrong.
    faults: Vec<String>,
}

impl<'a> Session<'a> {
    /// Connected on both sides, in the cell's phase.
    pub(crate) async fn in_phase(ground: &'a Ground, cell: Cell) -> Result<Self, Vec<String>> {
        let session = timeout(PATIENCE, Self::open(ground, cell)).await;
        let mut session = match session {
            Ok(Ok(session)) => session,
            Ok(Err(error)) => return Err(vec![format!("no session: {error}")]),
            Err(_) => return Err(vec![format!("no session within {PATIENCE:?}")]),
        };
        session.reach(cell.phase).await;
        match session.faults.is_empty() {
            true => Ok(session),
            false => Err(session.faults),
        }
    }

    async fn open(ground: &'a Ground, cell: Cell) -> std::io::Result<Self> {
        let front = ground.howdah.address(&cell.name()).await;
        let elsewhere = ground.elsewhere.as_deref();
        let away = (cell.event == Event::ClientVanishes)
            .then(|| elsewhere.map(|elsewhere| elsewhere.address()))
            .flatten();
        let (client, server) = tokio::try_join!(
            connect(
                front,
                elsewhere.zip(away),
                ground.connector.as_ref(),
                cell.number
            ),
            ground
                .server(&cell)
                .end
                .accept(ground.acceptor.as_ref(), cell.number),
        )?;
        Ok(Self {
            ground,
            cell,
            expected: expect(cell.transport, cell.phase, cell.event).expect("a cell that can be"),
            client,
            server,
            away,
            faults: Vec::new(),
        })
    }

    async fn reach(&mut self, phase: Phase) {
        let (client, server) = (&self.client, &self.server);
        let reached = match phase {
            Phase::BeforeFirstByte => true,
            Phase::TurnAsked => self.asked().await,
            Phase::AmidAnswer => self.asked().await && says_much(server, client).await,
            Phase::AmidUpload => says_much(client, server).await,
            Phase::BothWays => says_much(client, server).await && says_much(server, client).await,
            Phase::Idle => {
                let answered = self.asked().await && self.answered().await;
                sleep(IDLE).await;
                answered
            }
            Phase::ClientEnded => {
                client.order(|orders| (orders.says, orders.then) = (QUESTION, Then::Ends));
                server.tells(PATIENCE, |told| told.seen.is_some()).await
            }
            Phase::ServerEnded => {
                let answer =
                    |orders: &mut Orders| (orders.says, orders.then) = (ANSWER, Then::Ends);
                let asked = self.asked().await;
                server.order(answer);
                asked && client.tells(PATIENCE, |told| told.seen.is_some()).await
            }
        };
        if !reached {
            let (client, server) = (client.told(), server.told());
            self.faults.push(format!(
                "never came so far: client {client:?}, server {server:?}"
            ));
        }
    }

    async fn asked(&self) -> bool {
        self.client.order(|orders| orders.says = QUESTION);
        self.server
            .tells(PATIENCE, |told| told.heard == QUESTION)
            .await
    }

    async fn answered(&self) -> bool {
        self.server.order(|orders| orders.says = ANSWER);
        self.client
            .tells(PATIENCE, |told| told.heard == ANSWER)
            .await
    }

    /// The event. On return it has just happened.
    pub(crate) async fn meet(&mut self, event: Event) -> Instant {
        let (ground, cell) = (self.ground, self.cell);
        match event {
            Event::ServerEnds => self.end(&self.server, Then::Ends),
            Event::ServerEndsMute => self.end(&self.server, Then::EndsMute),
            Event::ClientEnds => self.end(&self.client, Then::Ends),
            Event::ClientEndsMute => self.end(&self.client, Then::EndsMute),
            Event::ServerResets => {
                self.server.says_no_more(LAST_WORDS);
                self.leave_the_machine(&self.server).await;
                self.server.order(|orders| orders.then = Then::Resets);
            }
            Event::ClientResets => self.client.order(|orders| orders.then = Then::Resets),
            Event::ServerVanishes => self.vanish(ground.server(&cell).away),
            Event::ClientVanishes => self.vanish(self.away),
            Event::ServerStops => self.server.order(|orders| orders.stopped = true),
            Event::ClientStops => self.client.order(|orders| orders.stopped = true),
            Event::Drain => ground.order(&cell, "drain", "").await,
            Event::Maintenance => ground.order(&cell, "maintenance", "").await,
            Event::Cut => {
                let begun = Instant::now();
                let timeout = format!("{{\"timeout\": \"{}ms\"}}", DEADLINE.as_millis());
                ground.order(&cell, "drain", &timeout).await;
                return begun;
            }
            Event::Silence => return self.fall_silent().await,
            // One for many cells: given by those who run them.
            Event::Removal | Event::Stop => {}
        }
        Instant::now()
    }

    fn end(&self, who: &Peer, how: Then) {
        who.says_no_more(LAST_WORDS);
        who.order(|orders| orders.then = how);
    }

    fn vanish(&self, address: Option<Ipv4Addr>) {
        let elsewhere = self.ground.elsewhere.as_deref();
        if let (Some(elsewhere), Some(address)) = (elsewhere, address) {
            elsewhere.vanish(address);
        }
    }

    /// Until howdah's kernel has all that was said: a reset takes away what is still on this side.
    async fn leave_the_machine(&self, who: &Peer) {
        let begun = Instant::now();
        loop {
            sleep(GLANCE).await;
            let all_said = who.said_all() && unsent(who.ends) == 0;
            if all_said || begun.elapsed() > PATIENCE {
                return;
            }
        }
    }

    /// Whoever has bytes to read stops to read them, until nothing moves any more; returns when they stopped.
    async fn fall_silent(&self) -> Instant {
        if matches!(self.cell.phase, Phase::AmidAnswer | Phase::BothWays) {
            self.client.order(|orders| orders.reads = false);
        }
        if matches!(self.cell.phase, Phase::AmidUpload | Phase::BothWays) {
            self.server.order(|orders| orders.reads = false);
        }
        let said = || (self.client.told().said, self.server.told().said);
        for peer in [&self.client, &self.server] {
            // Without the rests of a bulk: all that the buffers on the way take.
            peer.says_no_more(FLOOD);
        }
        let silenced = Instant::now();
        let (mut before, mut since) = (said(), silenced);
        while since.elapsed() < Duration::from_millis(300) && self.is_busy() {
            sleep(GLANCE).await;
            if said() != before {
                (before, since) = (said(), Instant::now());
            }
        }
        silenced
    }

    fn is_busy(&self) -> bool {
        use Phase::{AmidAnswer, AmidUpload, BothWays};
        matches!(self.cell.phase, AmidAnswer | AmidUpload | BothWays)
    }

    /// Judges what comes of it; returns all that is wrong.
    pub(crate) async fn judge(mut self, event: Instant) -> Vec<String> {
        match self.expected.when {
            When::Never => self.goes_on().await,
            _ => self.ends(event).await,
        }
        self.nothing_is_held().await;
        self.faults.dedup();
        self.faults
    }

    /// Nothing is seen for a while; then the session ends as any other.
    async fn goes_on(&mut self) {
        let before = (self.client.told(), self.server.told());
        sleep(WHILE).await;
        for (who, peer, before) in [
            ("client", &self.client, &before.0),
            ("server", &self.server, &before.1),
        ] {
            let now = peer.told();
            if (now.seen, now.broken) != (before.seen, before.broken) {
                self.faults.push(format!("the {who} saw {}", seen(&now)));
            }
        }
        if self.ground.line(&self.cell, Duration::ZERO).await.is_some() {
            self.faults.push("the session ended".to_owned());
        }
        for peer in [&self.client, &self.server] {
            peer.order(|orders| orders.stopped = false);
        }
        self.end_in_order().await;
    }

    /// Each side says its last and ends; then both must have everything.
    async fn end_in_order(&mut self) {
        self.end(&self.client, Then::Ends);
        self.server.says_no_more(0);
        self.server
            .tells(PATIENCE, |told| told.seen.is_some())
            .await;
        self.end(&self.server, Then::Ends);
        self.client
            .tells(PATIENCE, |told| told.seen.is_some())
            .await;
        let (client, server) = (self.client.told(), self.server.told());
        for (who, at, said) in [("client", &client, &server), ("server", &server, &client)] {
            if !matches!(at.seen, Some((Seen::End, _))) || at.broken.is_some() {
                self.faults
                    .push(format!("at last the {who} saw {}, not the end", seen(at)));
            }
            self.all_arrived(who, at, said);
        }
        if let Some(line) = self.line(SOON).await {
            self.counted(&line, "bytes_from_client", client.said);
            self.counted(&line, "bytes_from_server", server.said);
        }
    }

    fn counted(&mut self, line: &Value, field: &str, said: u64) {
        if line[field] != said {
            self.faults
                .push(format!("{field} is {} of {said}", line[field]));
        }
    }

    fn all_arrived(&mut self, who: &str, at: &Told, said: &Told) {
        if at.heard != said.said {
            self.faults
                .push(format!("the {who} has {} of {} bytes", at.heard, said.said));
        }
        if let Some(position) = at.wrong {
            self.faults
                .push(format!("the {who} heard a wrong byte before {position}"));
        }
    }

    /// Within its time each side sees what it should.
    async fn ends(&mut self, event: Instant) {
        let (earliest, latest) = self.expected.when.window(&self.cell);
        if self.cell.event == Event::Silence {
            // Who does not read sees nothing: howdah's own line tells when it was over.
            self.line(latest.saturating_sub(event.elapsed())).await;
            for peer in [&self.client, &self.server] {
                peer.order(|orders| orders.reads = true);
            }
            self.in_time(
                "the line came",
                Instant::now(),
                event,
                earliest,
                latest + SOON,
            );
        }
        let latest = latest
            + if self.cell.event == Event::Silence {
                SOON
            } else {
                Duration::ZERO
            };
        for (who, sees) in [
            ("client", self.expected.client),
            ("server", self.expected.server),
        ] {
            self.sees(who, sees, event, (earliest, latest)).await;
        }
        self.bytes_arrived();
        let half = self.expected.client == Sees::Nothing || self.expected.server == Sees::Nothing;
        let one_end = self.expected.client == Sees::End || self.expected.server == Sees::End;
        if half && one_end && self.expected.when == When::AtOnce {
            // The opposite direction went on; it ends here, and nothing of it is lost.
            return self.end_in_order().await;
        }
        self.line(SOON).await;
    }

    async fn sees(&mut self, who: &str, sees: Sees, event: Instant, window: (Duration, Duration)) {
        let peer = if who == "client" {
            &self.client
        } else {
            &self.server
        };
        let left = window.1.saturating_sub(event.elapsed());
        let end = |told: &Told| matches!(told.seen, Some((Seen::End, _)));
        let (right, at) = match sees {
            Sees::Nothing => return,
            Sees::End => {
                peer.tells(left, |told| told.seen.is_some()).await;
                let told = peer.told();
                (
                    end(&told) && told.broken.is_none(),
                    told.seen.map(|(_, at)| at),
                )
            }
            Sees::Reset => {
                peer.tells(left, |told| told.broken.is_some()).await;
                let told = peer.told();
                (told.broken.is_some(), told.broken)
            }
        };
        // The one that broke when it wrote reads what had come before, to its end.
        if sees == Sees::Reset && right {
            peer.tells(SOON, |told| told.seen.is_some()).await;
        }
        if !right {
            let text = seen(&peer.told());
            self.faults.push(format!(
                "the {who} saw {text}, not {sees:?}, within {:.1?}",
                window.1
            ));
        }
        if let (Some(at), true) = (at, right && self.cell.event != Event::Silence) {
            self.in_time(&format!("the {who} saw it"), at, event, window.0, window.1);
        }
    }

    fn in_time(
        &mut self,
        what: &str,
        at: Instant,
        event: Instant,
        earliest: Duration,
        latest: Duration,
    ) {
        let after = at.saturating_duration_since(event);
        if after < earliest || after > latest {
            self.faults.push(format!(
                "{what} after {after:.1?}, not {earliest:.1?} to {latest:.1?}"
            ));
        }
    }

    fn bytes_arrived(&mut self) {
        let (client, server) = (self.client.told(), self.server.told());
        for (who, sees, at, said) in [
            ("client", self.expected.client, &client, &server),
            ("server", self.expected.server, &server, &client),
        ] {
            if sees != Sees::Nothing && self.expected.bytes == Bytes::All {
                self.all_arrived(who, at, said);
            } else if let Some(position) = at.wrong {
                self.faults
                    .push(format!("the {who} heard a wrong byte before {position}"));
            }
        }
    }

    /// The access line, with the reason that is due.
    async fn line(&mut self, patience: Duration) -> Option<Value> {
        let line = self.ground.line(&self.cell, patience).await;
        match &line {
            None => self
                .faults
                .push(format!("no access line within {patience:.1?}")),
            Some(line) if line["reason"] != self.expected.reason => {
                let (is, due) = (&line["reason"], self.expected.reason);
                self.faults.push(format!("reason {is}, not {due}"));
            }
            Some(_) => {}
        }
        line
    }

    /// Lease and slot are given back. (A howdah that was told to stop has nobody left to ask.)
    async fn nothing_is_held(&mut self) {
        if self.cell.event == Event::Stop {
            return;
        }
        let begun = Instant::now();
        loop {
            let (slot, lease) = self.ground.held(&self.cell).await;
            if (slot, lease) == (0, 0) {
                return;
            }
            if begun.elapsed() > SOON {
                let kernel = kernel_of(self.ground.server(&self.cell).end.address);
                return self.faults.push(format!(
                    "slot {slot} and lease {lease} are held; to the server: {kernel}"
                ));
            }
            sleep(GLANCE * 10).await;
        }
    }
}

/// What the kernel knows of connections to there, timers included: who holds a session up.
fn kernel_of(server: SocketAddr) -> String {
    let all = std::process::Command::new("ss")
        .args(["-tnoei", "dst", &server.to_string()])
        .output();
    all.map_or_else(
        |error| format!("ss: {error}"),
        |all| String::from_utf8_lossy(&all.stdout).trim().to_owned(),
    )
}

async fn says_much(speaker: &Peer, listener: &Peer) -> bool {
    speaker.order(|orders| orders.says = u64::MAX);
    listener.tells(PATIENCE, |told| told.heard >= MUCH).await
}

fn seen(told: &Told) -> String {
    match (told.seen, told.broken) {
        (None, None) => "nothing".to_owned(),
        (Some((Seen::End, _)), None) => "an end".to_owned(),
        (Some((Seen::End, _)), Some(_)) => "an end, then a reset".to_owned(),
        (Some((Seen::Reset(kind), _)), _) => format!("a reset ({kind:?})"),
        (None, Some(_)) => "a reset when it wrote".to_owned(),
    }
}

const QUESTION: u64 = 1_000;
const ANSWER: u64 = 5_000;
/// What is said with an end or a reset close behind it, while the other side has still to hear it.
const LAST_WORDS: u64 = 600_000;

/// More than the buffers between two peers of which one does not read.
const FLOOD: u64 = 256 << 20;

/// How long a session that goes on is watched.
const WHILE: Duration = Duration::from_millis(700);

/// For what is not the matter of the test.
const PATIENCE: Duration = Duration::from_secs(20);

const GLANCE: Duration = Duration::from_millis(5);
