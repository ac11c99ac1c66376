//! Sessions without a pause, plain and in TLS, over servers that come and go, under a reload every ten seconds.
//!
//! No byte is lost or wrong, no connect fails, no cut answer looks whole; whoever loses its session was on a server
//! that was killed just then, and hears of it at once; memory and descriptors stay flat.
//!
//! `HOWDAH_TEST_SOAK_SECONDS` (two minutes; half an hour before a release) and `HOWDAH_TEST_SOAK_RATE`, sessions a
//! second (60; 500 on a machine of its own).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind::BrokenPipe};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::howdah::standin::{Bytes, Switch, Visit, Wardrobe};
use tokio::io::{AsyncReadExt, AsyncWriteExt, split};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{interval, sleep, timeout};
use tokio_rustls::TlsConnector;

use crate::eventually;
use crate::support::tls::over;
use crate::support::{Certificates, Fault, Frame, Howdah, Site, StandInListener, raw};

#[tokio::test]
async fn servers_come_and_go_and_nothing_is_lost() {
    LocalSet::new().run_until(soak()).await;
}

async fn soak() {
    let length = Duration::from_secs(number("HOWDAH_TEST_SOAK_SECONDS", 120));
    let rate = number("HOWDAH_TEST_SOAK_RATE", 60);
    let site = Site::new();
    let certificates = Certificates::new(&site);
    certificates.write(&site, "front", &["front.test"]);
    let fleet = Rc::new(Fleet::new(&certificates));
    let howdah = Rc::new(site.start(&fleet.config(None)).await);
    let fronts = [howdah.address("plain").await, howdah.address("tls").await];
    let connector = certificates.client().connector();
    warm(fronts, &connector).await;
    eventually!(howdah.status().await["listeners"][0]["sessions_active"] == 0);
    let sockets = sockets(howdah.pid());

    let begun = Instant::now();
    let fate = tokio::task::spawn_local(Rc::clone(&fleet).come_and_go(Rc::clone(&howdah)));
    let mut tick = interval(Duration::from_secs(1) / u32::try_from(rate).unwrap());
    let (mut running, mut memory) = (JoinSet::new(), 0);
    while begun.elapsed() < length {
        tick.tick().await;
        while running.try_join_next().is_some() {}
        if running.len() < AT_ONCE {
            let tls = fastrand::bool().then(|| connector.clone());
            let front = fronts[usize::from(tls.is_some())];
            running.spawn_local(Rc::clone(&fleet).session(front, tls));
        }
        if memory == 0 && begun.elapsed() > length / 4 {
            memory = howdah.memory();
        }
    }
    fate.abort();
    fleet.all_come_back(&howdah).await;
    while running.join_next().await.is_some() {}
    let after = howdah.memory();
    eventually!(self::sockets(howdah.pid()) <= sockets);

    let count = fleet.count.borrow().clone();
    let sessions: u64 = count.values().sum();
    println!(
        "{sessions} sessions in {:.0?}, {:.0} a second: {count:?}; {} deaths, {} reloads; memory {} KiB after a \
         quarter of it, {} KiB at the end",
        begun.elapsed(),
        sessions as f64 / begun.elapsed().as_secs_f64(),
        fleet.deaths().iter().sum::<u64>(),
        fleet.reloads.get(),
        memory / 1024,
        after / 1024
    );
    let faults = fleet.faults.borrow().clone();
    assert!(
        faults.is_empty(),
        "{} faults: {:#?}",
        faults.len(),
        &faults[..faults.len().min(20)]
    );
    assert!(
        count["whole"] > sessions / 2,
        "hardly any was whole: {count:?}"
    );
    assert!(
        after < memory + GROWTH,
        "grew from {memory} to {after} bytes"
    );
    let ended = howdah.metric("howdah_session_ended_total", &[]).await;
    assert_eq!(ended, (sessions + 2) as f64, "each session ends once");
    let internal = [("reason", "internal")];
    assert_eq!(
        howdah.metric("howdah_session_ended_total", &internal).await,
        0.0
    );
    for listener in howdah.status().await["listeners"].as_array().unwrap() {
        assert_eq!(listener["sessions_active"], 0, "{listener}");
    }
    assert!(!howdah.log().so_far().join("\n").contains("panicked"));
}

/// Eight servers, each with a plain and a TLS port that live and die together.
struct Fleet {
    standins: Vec<[StandInListener; 2]>,
    /// How often each has died, and when it did last.
    deaths: Vec<Cell<(u64, Instant)>>,
    /// Those that are away now, by fault or by order.
    away: RefCell<Vec<usize>>,
    reloads: Cell<u64>,
    /// Sessions by their outcome.
    count: RefCell<BTreeMap<&'static str, u64>>,
    faults: RefCell<Vec<String>>,
}

impl Fleet {
    fn new(certificates: &Certificates) -> Self {
        let wardrobe = Wardrobe::new(&certificates.authority, &["back.test"]).unwrap();
        let tls = Frame {
            tls: Some(Arc::new(wardrobe)),
            ..Frame::default()
        };
        let standins = (0..SERVERS).map(|number| {
            let switch = Switch::new();
            let open = |frame| raw::open_with(frame, switch.clone(), move |v| serve(v, number));
            [open(&Frame::default()).unwrap(), open(&tls).unwrap()]
        });
        Self {
            standins: standins.collect(),
            deaths: vec![Cell::new((0, Instant::now())); usize::from(SERVERS)],
            away: RefCell::default(),
            reloads: Cell::new(0),
            count: RefCell::default(),
            faults: RefCell::default(),
        }
    }

    /// Without one of them, if so wanted; and with other weights each time.
    fn config(&self, without: Option<usize>) -> String {
        let servers = |side: usize| -> String {
            let all = self.standins.iter().enumerate();
            all.filter(|(number, _)| Some(*number) != without)
                .map(|(number, standins)| {
                    let (address, weight) = (standins[side].address(), fastrand::u8(1..5));
                    format!(
                        "{{ name = \"s{number}\", address = \"{address}\", weight = {weight} }}, "
                    )
                })
                .collect()
        };
        let probe = "{ type = \"tcp\", interval = \"500ms\", rise = 1, fall = 2 }";
        format!(
            r#"
[[listener]]
name = "plain"
bind = "127.0.0.1:0"
pool = "plain"

[[listener]]
name = "tls"
bind = "127.0.0.1:0"
pool = "tls"
tls = {{ certificates = [{{ cert = "front.crt", key = "front.key" }}] }}

[pool.plain]
service = "tcp"
dial = "late"
servers = [{}]
probe = {probe}

[pool.tls]
service = "tcp"
balance = "least-connection"
servers = [{}]
probe = {probe}
tls = {{ ca = "ca.crt", server_name = "back.test" }}

[admin]
bind = "127.0.0.1:0"

[log]
access = "access.log"
"#,
            servers(0),
            servers(1)
        )
    }

    /// Somebody is always ill, or on order, but never more than [`AWAY`] at once.
    async fn come_and_go(self: Rc<Self>, howdah: Rc<Howdah>) {
        for second in 1.. {
            sleep(Duration::from_secs(1)).await;
            if second % RELOAD_EVERY == 0 {
                self.reload(&howdah).await;
            }
            let free: Vec<usize> = {
                let away = self.away.borrow();
                (0..self.standins.len())
                    .filter(|one| !away.contains(one))
                    .collect()
            };
            if free.len() > self.standins.len() - AWAY {
                let number = free[fastrand::usize(..free.len())];
                self.away.borrow_mut().push(number);
                tokio::task::spawn_local(Rc::clone(&self).leave(number, Rc::clone(&howdah)));
            }
        }
    }

    /// One server is away for a while, in one way or another.
    async fn leave(self: Rc<Self>, number: usize, howdah: Rc<Howdah>) {
        let while_away = Duration::from_millis(fastrand::u64(1_000..4_000));
        match fastrand::u8(..4) {
            fault @ (0 | 1) => {
                // Connections that wait to be accepted die with either.
                let before = self.deaths[number].get().0;
                self.deaths[number].set((before + 1, Instant::now()));
                let fault = if fault == 0 {
                    Fault::Dead
                } else {
                    Fault::Refuse
                };
                self.standins[number][0].switch().set(fault);
                sleep(while_away).await;
                self.standins[number][0].switch().set(Fault::None);
            }
            order => {
                let word = if order == 2 { "drain" } else { "maintenance" };
                self.order(number, word, &howdah).await;
                sleep(while_away).await;
                self.order(number, "ready", &howdah).await;
            }
        }
        self.away.borrow_mut().retain(|&other| other != number);
    }

    /// To a server that a reload has just removed there is nothing to say.
    async fn order(&self, number: usize, word: &str, howdah: &Howdah) {
        for pool in ["plain", "tls"] {
            let target = format!("/api/v1/pools/{pool}/servers/s{number}/{word}");
            let (code, said) = howdah.http("POST", &target, "").await;
            assert!(matches!(code, 200 | 404), "{said}");
        }
    }

    /// Every second time all servers are in the file.
    async fn reload(&self, howdah: &Howdah) {
        let count = self.reloads.get() + 1;
        self.reloads.set(count);
        let without = (count % 2 == 1).then(|| fastrand::usize(..self.standins.len()));
        let output = howdah.reload(&self.config(without)).await;
        if !output.status.success() {
            self.fault(format!("a reload failed: {output:?}"));
        }
    }

    async fn all_come_back(&self, howdah: &Howdah) {
        for (number, standins) in self.standins.iter().enumerate() {
            standins[0].switch().set(Fault::None);
            self.order(number, "ready", howdah).await;
        }
    }

    fn fault(&self, text: String) {
        self.faults.borrow_mut().push(text);
    }

    fn deaths(&self) -> Vec<u64> {
        self.deaths.iter().map(|death| death.get().0).collect()
    }

    /// One client, and what became of it.
    async fn session(self: Rc<Self>, front: SocketAddr, tls: Option<TlsConnector>) {
        let before = self.deaths();
        let mut server = None;
        let kind = if tls.is_some() { "TLS" } else { "plain" };
        let talk = timeout(PATIENCE, talk(front, tls, &mut server)).await;
        let ended = talk.unwrap_or(Err(Lost::Silence));
        // And the client has heard of it at once.
        let died = |number: usize| {
            let (count, at) = self.deaths[number].get();
            count > before[number] && at.elapsed() < SOON
        };
        let excused = match server {
            Some(number) => died(number),
            None => (0..self.standins.len()).any(died),
        };
        let outcome = match ended {
            Ok(()) => "whole",
            Err(Lost::Reset(_)) if excused => "lost with its server",
            Err(lost) => {
                self.fault(format!("{kind}, server {server:?}: {lost:?}"));
                "at fault"
            }
        };
        *self.count.borrow_mut().entry(outcome).or_default() += 1;
    }
}

/// What must not happen, or only when the server died.
#[derive(Debug)]
#[expect(dead_code, reason = "read in the message of a failure")]
enum Lost {
    Connect(io::Error),
    Reset(io::Error),
    /// An answer was cut, and looks whole.
    Cut,
    Wrong,
    Silence,
}

/// Learns which server it is, says something and hears it back, a few times, and ends in order.
async fn talk(
    front: SocketAddr,
    tls: Option<TlsConnector>,
    server: &mut Option<usize>,
) -> Result<(), Lost> {
    let stream = TcpStream::connect(front).await.map_err(Lost::Connect)?;
    let stream: Box<dyn Bytes> = match tls {
        None => Box::new(stream),
        Some(tls) => {
            let secure = over(&tls, stream, "front.test").await;
            Box::new(secure.map_err(Lost::Connect)?)
        }
    };
    let (mut reader, mut writer) = split(stream);
    let first = if fastrand::u8(..5) == 0 { SLOWLY } else { b'?' };
    writer.write_all(&[first]).await.map_err(Lost::Reset)?;
    writer.flush().await.map_err(Lost::Reset)?;
    let mut name = [0];
    hear(&mut reader, &mut name).await?;
    *server = Some(usize::from(name[0]));
    for _ in 0..fastrand::u8(1..5) {
        let mut said = vec![0; [10, 1_000, 20_000, 100_000][fastrand::usize(..4)]];
        fastrand::fill(&mut said);
        let mut heard = vec![0; said.len()];
        let say = async {
            writer.write_all(&said).await.map_err(Lost::Reset)?;
            writer.flush().await.map_err(Lost::Reset)
        };
        match tokio::join!(say, hear(&mut reader, &mut heard)) {
            (Ok(()), heard_it) => heard_it?,
            // After an end in order a write is a broken pipe; a reset has a name of its own.
            (Err(Lost::Reset(error)), Err(Lost::Cut)) if error.kind() == BrokenPipe => {
                return Err(Lost::Cut);
            }
            // The kernel tells of a reset once: whoever heard of it when writing reads an end.
            (Err(lost), _) => return Err(lost),
        }
        if heard != said {
            return Err(Lost::Wrong);
        }
        sleep(Duration::from_millis(fastrand::u64(..400))).await;
    }
    writer.shutdown().await.map_err(Lost::Reset)?;
    match reader.read(&mut name).await {
        Ok(0) => Ok(()),
        Ok(_) => Err(Lost::Wrong),
        Err(error) => Err(Lost::Reset(error)),
    }
}

/// Fills `room`; an end in order before that is a cut answer that looks whole.
async fn hear(
    reader: &mut (impl tokio::io::AsyncRead + Unpin),
    room: &mut [u8],
) -> Result<(), Lost> {
    let mut filled = 0;
    while filled < room.len() {
        match reader.read(&mut room[filled..]).await {
            Ok(0) => return Err(Lost::Cut),
            Ok(got) => filled += got,
            Err(error) => return Err(Lost::Reset(error)),
        }
    }
    Ok(())
}

/// Answers its number to the first byte, and all that follows with the same, where asked so after a pause, in which the
/// client does nothing but wait.
async fn serve(mut visit: Visit, number: u8) {
    let Ok(asked) = visit.stream.read_u8().await else {
        return;
    };
    if visit.stream.write_all(&[number]).await.is_err() {
        return;
    }
    if asked == SLOWLY {
        sleep(THOUGHT).await;
    }
    let (mut reader, mut writer) = split(visit.stream);
    let _ = tokio::io::copy(&mut reader, &mut writer).await;
    let _ = writer.shutdown().await;
}

/// The first session of each kind, which may open what all later ones share.
async fn warm(fronts: [SocketAddr; 2], connector: &TlsConnector) {
    for tls in [None, Some(connector.clone())] {
        let front = fronts[usize::from(tls.is_some())];
        timeout(PATIENCE, talk(front, tls, &mut None))
            .await
            .expect("in time")
            .expect("whole");
    }
}

/// Open sockets; pipes are kept for the next bulk, a bounded number.
fn sockets(pid: u32) -> usize {
    let all = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    all.flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count()
}

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is a number")),
        Err(_) => default,
    }
}

/// For a reset to reach the client, and for the client to look: it pauses for up to 400 ms.
const SOON: Duration = Duration::from_secs(5);
/// The first byte of a client that asks for a long answer, and how long that takes.
const SLOWLY: u8 = b'!';
const THOUGHT: Duration = Duration::from_secs(3);
const SERVERS: u8 = 8;
/// Of eight, so that the others can bear the load.
const AWAY: usize = 3;
const RELOAD_EVERY: u32 = 10;
/// Sessions at once; a machine that cannot keep up starts fewer.
const AT_ONCE: usize = 1_500;
/// Twice what the longest session needs, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(30);
/// Of three quarters of the time: less than a KiB for each of a thousand sessions would show within minutes.
const GROWTH: u64 = 24 << 20;
