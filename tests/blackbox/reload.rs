//! Reloads under load: nothing new is refused, nothing old is cut, nothing is lost.
//!
//! `HOWDAH_TEST_SECONDS` is how long the load lasts: 6 s by default, 30 s in the full run.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use ::howdah::standin::{Digest, Pattern, Serve, Switch};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet, LocalSet};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_rustls::TlsConnector;

use crate::eventually;
use crate::support::tls::{over, shown_name};
use crate::support::{
    Certificates, Fault, Frame, HUP, Howdah, PATIENCE, Site, StandInListener, TERM, exchange,
    free_port, plain, raw, read_line,
};

const PER_SECOND: u64 = 200;

fn seconds() -> u64 {
    std::env::var("HOWDAH_TEST_SECONDS").map_or(6, |text| text.parse().expect("a number"))
}

/// What the steps of the story change.
struct Story {
    servers: Vec<(SocketAddr, u16)>,
    certificate: &'static str,
    moving: Vec<u16>,
}

impl Story {
    fn config(&self) -> String {
        let servers: Vec<String> = self
            .servers
            .iter()
            .map(|(address, weight)| format!("{{ address = \"{address}\", weight = {weight} }}"))
            .collect();
        let moving: Vec<String> = self
            .moving
            .iter()
            .map(|port| format!("\"127.0.0.1:{port}\""))
            .collect();
        let name = self.certificate;
        format!(
            r#"
[global]
workers = 2

[[listener]]
name = "steady"
bind = "127.0.0.1:0"
pool = "back"

[[listener]]
name = "moving"
bind = [{}]
pool = "back"

[[listener]]
name = "secure"
bind = "127.0.0.1:0"
pool = "back"
[listener.tls]
certificates = [{{ cert = "{name}.crt", key = "{name}.key" }}]

[pool.back]
service = "tcp"
balance = "least-connection"
dial = "late"
servers = [{}]
[pool.back.probe]
interval = "200ms"
"#,
            moving.join(", "),
            servers.join(", ")
        )
    }
}

/// Where the load goes just now.
#[derive(Clone)]
struct Targets {
    steady: SocketAddr,
    secure: SocketAddr,
    moving: Rc<RefCell<SocketAddr>>,
    tls: TlsConnector,
}

/// 200 sessions per second until told to stop; every failure is kept.
struct Load {
    pacer: JoinHandle<Vec<String>>,
    begun: Rc<Cell<u64>>,
    stop: tokio::sync::oneshot::Sender<()>,
}

impl Load {
    fn start(targets: Targets) -> Self {
        let (stop, mut stopped) = tokio::sync::oneshot::channel();
        let begun = Rc::new(Cell::new(0));
        let count = Rc::clone(&begun);
        let pacer = tokio::task::spawn_local(async move {
            let mut tick = interval(Duration::from_secs(1) / u32::try_from(PER_SECOND).unwrap());
            tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let mut running = JoinSet::new();
            let mut failures = Vec::new();
            loop {
                tokio::select! {
                    _ = tick.tick() => {
                        count.set(count.get() + 1);
                        running.spawn_local(one(targets.clone(), count.get()));
                    }
                    Some(ended) = running.join_next() => failures.extend(ended.unwrap().err()),
                    _ = &mut stopped => break,
                }
            }
            while let Some(ended) = running.join_next().await {
                failures.extend(ended.unwrap().err());
            }
            failures
        });
        Self { pacer, begun, stop }
    }

    /// Sessions that were begun, and what went wrong with any. On a machine that could not keep the pace it goes
    /// on until the number is right.
    async fn end(self) -> (u64, Vec<String>) {
        let patience = PATIENCE + Duration::from_secs(10 * seconds());
        let enough = async {
            while self.begun.get() < PER_SECOND * seconds() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(patience, enough).await.expect("enough sessions");
        self.stop.send(()).unwrap();
        let failures = self.pacer.await.unwrap();
        (self.begun.get(), failures)
    }
}

/// One session of the load: some kilobytes there and back, compared.
async fn one(targets: Targets, number: u64) -> Result<(), String> {
    let (address, secure) = match number % 4 {
        0 => (*targets.moving.borrow(), false),
        1 if number.is_multiple_of(5) => (targets.secure, true),
        _ => (targets.steady, false),
    };
    let fail =
        |what: &str, why: &dyn std::fmt::Display| format!("{number} to {address}: {what}: {why}");
    let work = async {
        let stream = TcpStream::connect(address)
            .await
            .map_err(|why| fail("connect", &why))?;
        if secure {
            let stream = over(&targets.tls, stream, "front.test")
                .await
                .map_err(|why| fail("handshake", &why))?;
            there_and_back(stream, number)
                .await
                .map_err(|why| fail("tls bytes", &why))
        } else {
            there_and_back(stream, number)
                .await
                .map_err(|why| fail("bytes", &why))
        }
    };
    match timeout(PATIENCE, work).await {
        Ok(result) => result,
        Err(_) => Err(fail("session", &"never ended")),
    }
}

async fn there_and_back(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    seed: u64,
) -> Result<(), String> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let offset = usize::try_from(seed * 104_729 % 900_000).unwrap();
    let length = 1_000 + usize::try_from(seed * 7_919 % 40_000).unwrap();
    let bytes = &some_bytes()[offset..offset + length];
    let mut sent = Digest::new();
    sent.update(bytes);
    let send = async {
        writer
            .write_all(bytes)
            .await
            .map_err(|why| format!("write: {why}"))?;
        writer
            .shutdown()
            .await
            .map_err(|why| format!("shutdown: {why}"))
    };
    let hear = async {
        let mut heard = Vec::new();
        reader.read_to_end(&mut heard).await.map(|_| heard)
    };
    let (sending, heard) = tokio::join!(send, hear);
    sending?;
    let heard = heard.map_err(|why| format!("read: {why}"))?;
    let mut back = Digest::new();
    back.update(&heard);
    if back.sum() != sent.sum() {
        return Err(format!("{} of {length} bytes came back right", heard.len()));
    }
    Ok(())
}

/// Made once: every session sends a piece of it.
fn some_bytes() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| Pattern::new(1).next(950_000).to_vec())
}

struct World {
    howdah: Howdah,
    certificates: Certificates,
    standins: Vec<StandInListener>,
    story: Story,
    targets: Targets,
}

async fn world() -> World {
    let site = Site::new();
    let certificates = Certificates::new(&site);
    certificates.write(&site, "first", &["first.test", "front.test"]);
    certificates.write(&site, "second", &["second.test", "front.test"]);
    let standins: Vec<StandInListener> = (0..4)
        .map(|_| raw::echo(&Frame::default()).unwrap())
        .collect();
    let story = Story {
        servers: standins[..3]
            .iter()
            .map(|standin| (standin.address(), 1))
            .collect(),
        certificate: "first",
        moving: vec![free_port()],
    };
    let howdah = site.start(&story.config()).await;
    for (address, _) in &story.servers {
        howdah.healthy("back", &address.to_string(), "up").await;
    }
    let targets = Targets {
        steady: howdah.address("steady").await,
        secure: howdah.address("secure").await,
        moving: Rc::new(RefCell::new(at(story.moving[0]))),
        tls: certificates.client().connector(),
    };
    World {
        howdah,
        certificates,
        standins,
        story,
        targets,
    }
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A few sessions from before, on each listener.
async fn old_sessions(targets: &Targets) -> Vec<TcpStream> {
    let mut old = Vec::new();
    let addresses = [targets.steady, *targets.moving.borrow()];
    for _ in 0..6 {
        for address in addresses {
            let mut stream = TcpStream::connect(address).await.unwrap();
            exchange(&mut stream, "from before").await;
            old.push(stream);
        }
    }
    old
}

async fn reload_ok(howdah: &Howdah, config: &str) {
    let output = howdah.reload(config).await;
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn reloads_under_load_lose_nothing() {
    let local = LocalSet::new();
    local.run_until(changes_under_load()).await;
}

async fn changes_under_load() {
    let mut world = world().await;
    let mut old = old_sessions(&world.targets).await;
    let started = Instant::now();
    let load = Load::start(world.targets.clone());
    let step = Duration::from_secs(seconds()) / 6;

    sleep(step).await;
    let added = world.standins[3].address();
    world.story.servers.push((added, 2));
    reload_ok(&world.howdah, &world.story.config()).await;
    world.howdah.healthy("back", &added.to_string(), "up").await;

    sleep(step).await;
    let removed = world.story.servers.remove(0).0;
    world.story.servers[0].1 = 5;
    reload_ok(&world.howdah, &world.story.config()).await;

    // By now whoever was on the way to the removed one has arrived.
    sleep(step).await;
    let before = world.standins[0].accepted();
    world.story.certificate = "second";
    reload_ok(&world.howdah, &world.story.config()).await;
    let stream = world.howdah.connect("secure").await;
    let stream = over(
        &world.certificates.client().connector(),
        stream,
        "front.test",
    )
    .await
    .unwrap();
    assert_eq!(shown_name(&stream), "second.test");

    // A port moves as its clients do: both are open for a while.
    sleep(step).await;
    world.story.moving.push(free_port());
    reload_ok(&world.howdah, &world.story.config()).await;
    let (gone, new) = (world.story.moving.remove(0), world.story.moving[0]);
    *world.targets.moving.borrow_mut() = at(new);
    sleep(Duration::from_millis(500)).await;
    reload_ok(&world.howdah, &world.story.config()).await;
    eventually!(TcpStream::connect(at(gone)).await.is_err());

    sleep(step).await;
    let (begun, failures) = load.end().await;
    assert!(
        failures.is_empty(),
        "{} of {begun} failed: {failures:#?}",
        failures.len()
    );
    println!("{begun} sessions in {:?}, none failed", started.elapsed());
    for stream in &mut old {
        exchange(stream, "and still here").await;
    }
    assert_eq!(
        world.standins[0].accepted(),
        before,
        "{removed} is out and not even probed"
    );
    assert!(world.standins[3].accepted() > 0);
    drop(old);
}

#[tokio::test]
async fn faulty_reloads_under_load_change_nothing() {
    let local = LocalSet::new();
    local.run_until(faults_under_load()).await;
}

async fn faults_under_load() {
    let world = world().await;
    let mut old = old_sessions(&world.targets).await;
    let generation = world.howdah.status().await["generation"].clone();
    let load = Load::start(world.targets.clone());
    let step = Duration::from_secs(seconds()) / 6;
    let good = world.story.config();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port_in_use = good.replace(
        "[[listener]]\nname = \"secure\"\nbind = \"127.0.0.1:0\"",
        &format!(
            "[[listener]]\nname = \"secure\"\nbind = \"{}\"",
            taken.local_addr().unwrap()
        ),
    );
    let mut told = 0;
    for (faulty, word) in [
        ("this is no TOML".to_owned(), "howdah.toml"),
        (
            good.replace("least-connection", "leastcon"),
            "least-connection",
        ),
        (good.replace("first.crt", "missing.crt"), "missing.crt"),
        (port_in_use, "in use"),
    ] {
        sleep(step).await;
        let output = world.howdah.reload(&faulty).await;
        assert!(matches!(output.status.code(), Some(1 | 78)), "{output:?}");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains(word), "{word:?} is not in: {said}");
        world.howdah.signal(HUP);
        told += 2;
        eventually!(world.howdah.metric("howdah_app_reloads_total", &[]).await >= f64::from(told));
    }
    sleep(step).await;
    let (begun, failures) = load.end().await;
    assert!(
        failures.is_empty(),
        "{} of {begun} failed: {failures:#?}",
        failures.len()
    );
    for stream in &mut old {
        exchange(stream, "and still here").await;
    }
    assert_eq!(world.howdah.status().await["generation"], generation);
    let back = world.howdah.reload(&good).await;
    assert!(back.status.success(), "{back:?}");
}

#[tokio::test]
async fn a_signal_reloads_too() {
    let (a, b) = (
        raw::named(&Frame::default(), "a").unwrap(),
        raw::named(&Frame::default(), "b").unwrap(),
    );
    let howdah = Howdah::start(&plain("front", &[a.address()], "")).await;
    let mut client = howdah.connect("front").await;
    client.write_all(b"?").await.unwrap();
    assert_eq!(read_line(&mut client).await.unwrap(), "a");
    let text = std::fs::read_to_string(howdah.dir().join("howdah.toml")).unwrap();
    let text = text.replace(&a.address().to_string(), &b.address().to_string());
    std::fs::write(howdah.dir().join("howdah.toml"), text).unwrap();
    howdah.signal(HUP);
    eventually!({
        let mut client = howdah.connect("front").await;
        client.write_all(b"?").await.unwrap();
        read_line(&mut client).await.unwrap() == "b"
    });
    exchange(&mut client, "a's session lives on").await;
}

/// What did not change keeps its state: counters, orders, sticky entries.
#[tokio::test]
async fn what_a_reload_does_not_touch_stays() {
    let standins = [
        raw::named(&Frame::default(), "a").unwrap(),
        raw::named(&Frame::default(), "b").unwrap(),
    ];
    let servers: Vec<SocketAddr> = standins.iter().map(StandInListener::address).collect();
    let config = plain("front", &servers, "sticky = { by = \"source-ip\" }");
    let howdah = Howdah::start(&config).await;
    let visit = async || {
        let mut client = howdah.connect("front").await;
        client.write_all(b"?").await.unwrap();
        read_line(&mut client).await.unwrap()
    };
    let home = visit().await;
    let other = servers
        .iter()
        .zip(["a", "b"])
        .find(|(_, name)| *name != home)
        .unwrap()
        .0;
    howdah
        .ctl_ok(&["maintenance", &format!("front/{other}")])
        .await;
    let address = howdah.address("front").await;
    let more = config.replace("[pool.front]", "max_connections = 100\n\n[pool.front]");
    reload_ok(&howdah, &more).await;
    assert_eq!(howdah.address("front").await, address, "the same socket");
    howdah.ctl_ok(&["ready", &format!("front/{other}")]).await;
    for _ in 0..6 {
        assert_eq!(visit().await, home, "sticky");
    }
    let status = howdah.status().await;
    assert_eq!(status["listeners"][0]["sessions_total"], 7);
}

#[tokio::test]
async fn a_removed_listener_lets_its_sessions_end() {
    let server = raw::echo(&Frame::default()).unwrap();
    let both = plain("one", &[server.address()], "") + &plain("two", &[server.address()], "");
    let howdah = Howdah::start(&both).await;
    let mut old = howdah.connect("two").await;
    exchange(&mut old, "before").await;
    let address = howdah.address("two").await;
    reload_ok(&howdah, &plain("one", &[server.address()], "")).await;
    eventually!(TcpStream::connect(address).await.is_err());
    exchange(&mut old, "after").await;
    let mut new = howdah.connect("one").await;
    exchange(&mut new, "new").await;
    let mut last = Vec::new();
    old.shutdown().await.unwrap();
    old.read_to_end(&mut last).await.unwrap();
    assert!(last.is_empty());
}

/// Servers that are probed, and slowly: a verdict on a new one takes its time.
fn probed(listener: &str, servers: &str) -> String {
    format!(
        r#"
[[listener]]
name = "{listener}"
bind = "127.0.0.1:0"
pool = "{listener}"

[pool.{listener}]
service = "tcp"
servers = [{servers}]
dial = "at-once"
probe = {{ type = "http", interval = "200ms", timeout = "3s" }}
"#
    )
}

/// Answers probes after that long, and sessions at once.
fn slow_to_probe(frame: &Frame, delay: Duration) -> StandInListener {
    let serve: Serve = std::sync::Arc::new(move |mut visit| {
        Box::pin(async move {
            let mut first = [0];
            if visit.stream.read_exact(&mut first).await.is_err() {
                return;
            }
            if first == *b"G" {
                sleep(delay).await;
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                let _ = visit.stream.write_all(answer).await;
            } else {
                let _ = visit.stream.write_all(&first).await;
            }
        })
    });
    StandInListener::open(frame, Switch::new(), serve).unwrap()
}

/// How many of many sessions in a row were not served.
async fn refused(howdah: &Howdah, listener: &str, meanwhile: impl Future<Output = ()>) -> usize {
    let mut meanwhile = std::pin::pin!(meanwhile);
    let (mut over, mut refused) = (false, 0);
    for number in 0.. {
        let visit = async {
            let mut client = howdah.connect(listener).await;
            client.write_all(b"?").await?;
            client.read_u8().await
        };
        tokio::select! {
            () = &mut meanwhile, if !over => over = true,
            served = timeout(PATIENCE, visit) => refused += usize::from(!matches!(served, Ok(Ok(_)))),
        }
        if over && number > 20 {
            break;
        }
        sleep(Duration::from_millis(5)).await;
    }
    refused
}

/// New addresses, new addresses under the same names, and other names: each replaces every server of the pool.
#[tokio::test]
async fn a_reload_that_replaces_every_server_refuses_nobody() {
    let slow = Duration::from_millis(600);
    let standins: Vec<StandInListener> = (0..4)
        .map(|_| slow_to_probe(&Frame::default(), slow))
        .collect();
    let pair = |names: [&str; 2], standins: &[StandInListener]| {
        let one = |(name, standin): (&str, &StandInListener)| {
            format!(
                "{{ name = \"{name}\", address = \"{}\" }}",
                standin.address()
            )
        };
        let servers: Vec<String> = names.into_iter().zip(standins).map(one).collect();
        probed("front", &servers.join(", "))
    };
    let howdah = Howdah::start(&pair(["a", "b"], &standins[..2])).await;
    howdah.healthy("front", "a", "up").await;
    howdah.healthy("front", "b", "up").await;
    for (names, standins, what) in [
        (["c", "d"], &standins[2..], "other names, other addresses"),
        (
            ["c", "d"],
            &standins[..2],
            "the same names, other addresses",
        ),
        (
            ["a", "b"],
            &standins[..2],
            "other names, the same addresses",
        ),
    ] {
        let reload = async {
            reload_ok(&howdah, &pair(names, standins)).await;
            howdah.healthy("front", names[0], "up").await;
            howdah.healthy("front", names[1], "up").await;
        };
        assert_eq!(refused(&howdah, "front", reload).await, 0, "{what}");
    }
}

/// A pool whose servers say nothing keeps its own listener waiting, for as long as a probe may take, and nobody else's.
#[tokio::test]
async fn a_mute_pool_delays_neither_other_listeners_nor_a_stop() {
    let mute = raw::echo(&Frame::default()).unwrap();
    mute.switch().set(Fault::Hang);
    let good = raw::echo(&Frame::default()).unwrap();
    let config = plain("good", &[good.address()], "")
        + &probed("mute", &format!("\"{}\"", mute.address())).replace("\"3s\"", "\"5m\"");
    let begun = Instant::now();
    let mut howdah = timeout(Duration::from_secs(10), Howdah::start(&config))
        .await
        .expect("a listener");
    let mut client = howdah.connect("good").await;
    exchange(&mut client, "served at once").await;
    let (code, why) = howdah.http("GET", "/readyz", "").await;
    assert_eq!(code, 503, "{why}");
    assert!(why.contains("mute"), "{why}");
    howdah
        .ctl_ok(&["drain", &format!("good/{}", good.address())])
        .await;
    drop(client);
    howdah.signal(TERM);
    let exit = timeout(Duration::from_secs(10), howdah.exit()).await;
    assert_eq!(exit.expect("a stop is heard").code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(30));
}

/// Who connects before the first verdict waits for it.
#[tokio::test]
async fn nobody_is_refused_at_a_start_because_no_server_was_asked_yet() {
    let server = slow_to_probe(&Frame::default(), Duration::from_millis(700));
    let port = free_port();
    let config = probed("front", &format!("\"{}\"", server.address()))
        .replace("127.0.0.1:0\"\npool", &format!("127.0.0.1:{port}\"\npool"));
    let site = Site::new();
    let early = async {
        let mut client = loop {
            match TcpStream::connect(at(port)).await {
                Ok(client) => break client,
                Err(_) => sleep(Duration::from_millis(2)).await,
            }
        };
        client.write_all(b"?").await.unwrap();
        client.read_u8().await
    };
    let (howdah, heard) = tokio::join!(site.start(&config), timeout(PATIENCE, early));
    assert_eq!(heard.expect("an answer").ok(), Some(b'?'));
    drop(howdah);
}

fn two_ports(a: (&str, u16, &str), b: (&str, u16, &str), server: SocketAddr) -> String {
    let listener = |(name, port, more): (&str, u16, &str)| {
        format!(
            "[[listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:{port}\"\npool = \"back\"\n{more}\n"
        )
    };
    format!(
        "{}{}[pool.back]\nservice = \"tcp\"\nprobe = \"none\"\nservers = [\"{server}\"]\n",
        listener(a),
        listener(b)
    )
}

const CLOSED: &str = "deny = \"127.0.0.0/8\"";

/// The first session after the reload follows the rules of the listener that has the port now.
#[tokio::test]
async fn a_port_that_changes_hands_has_the_new_rules_at_once() {
    let server = raw::echo(&Frame::default()).unwrap();
    let (one, other) = (free_port(), free_port());
    let config = |open: u16, closed: u16| {
        two_ports(
            ("open", open, ""),
            ("closed", closed, CLOSED),
            server.address(),
        )
    };
    let howdah = Howdah::start(&config(one, other)).await;
    howdah.address("closed").await;
    for round in 0..4 {
        let (open, closed) = if round % 2 == 0 {
            (other, one)
        } else {
            (one, other)
        };
        reload_ok(&howdah, &config(open, closed)).await;
        for _ in 0..20 {
            let mut client = TcpStream::connect(at(open)).await.unwrap();
            exchange(&mut client, "welcome").await;
            let mut client = TcpStream::connect(at(closed)).await.unwrap();
            let _ = client.write_all(b"may I?").await;
            let heard = timeout(PATIENCE, client.read_u8()).await.expect("an end");
            assert!(heard.is_err(), "round {round}: the old rules");
        }
    }
}

/// Both within the half second in which the old socket still takes late clients.
#[tokio::test]
async fn an_address_that_is_given_back_or_widened_is_not_in_use_by_ourselves() {
    let server = raw::echo(&Frame::default()).unwrap();
    let (keeps, port) = (free_port(), free_port());
    let config = |second: Option<&str>| {
        let both = two_ports(("one", keeps, ""), ("two", port, ""), server.address());
        match second {
            Some(host) => both.replace(&format!("127.0.0.1:{port}"), &format!("{host}:{port}")),
            None => {
                let (first, rest) = both.split_once("[[listener]]\nname = \"two\"").unwrap();
                format!("{first}{}", &rest[rest.find("[pool").unwrap()..])
            }
        }
    };
    let howdah = Howdah::start(&config(Some("127.0.0.1"))).await;
    howdah.address("two").await;
    for (step, host) in [
        (1, None),
        (2, Some("127.0.0.1")),
        (3, Some("0.0.0.0")),
        (4, Some("127.0.0.1")),
        (5, None),
        (6, Some("0.0.0.0")),
    ] {
        let output = howdah.reload(&config(host)).await;
        assert!(output.status.success(), "step {step}: {output:?}");
        if host.is_some() {
            let mut client = TcpStream::connect(at(port)).await.unwrap();
            exchange(&mut client, "served").await;
        }
    }
    sleep(Duration::from_secs(1)).await;
    let mut client = TcpStream::connect(at(port)).await.unwrap();
    exchange(&mut client, "still served").await;
}

/// What needs a restart is told by each reload until the restart, or until the file says what runs.
#[tokio::test]
async fn a_setting_that_waits_for_a_restart_is_not_forgotten() {
    let server = raw::echo(&Frame::default()).unwrap();
    let config = |workers: u8, level: &str| {
        plain("front", &[server.address()], "")
            + &format!(
                "\n[global]\nworkers = {workers}\n[log]\nlevel = \"{level}\"\naccess = \"stdout\"\n[admin]\nbind = \"127.0.0.1:0\"\n"
            )
    };
    let howdah = Howdah::start(&config(1, "info")).await;
    for (workers, level, waits) in [
        (2, "info", true),
        (2, "info", true),
        (2, "debug", true),
        (1, "debug", false),
        (2, "debug", true),
    ] {
        let output = howdah.reload(&config(workers, level)).await;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(
            said.contains("global.workers needs a restart"),
            waits,
            "{said}"
        );
    }
}
