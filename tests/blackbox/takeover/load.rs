//! A load that notices whatever is refused, cut or lost, over takeovers in a row, each after a successor that fails.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ::howdah::handover::place;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_rustls::TlsConnector;

use super::{control, hanging, late, silent};
use crate::eventually;
use crate::support::tls::over;
use crate::support::{Certificates, Frame, Howdah, PATIENCE, Site, StandInListener, plain, raw};

/// What everybody in the load shares.
#[derive(Default)]
struct Load {
    over: AtomicBool,
    short: AtomicU64,
    bytes: AtomicU64,
    datagrams: AtomicU64,
    /// Each with how often.
    faults: Mutex<BTreeMap<String, usize>>,
}

impl Load {
    fn fault(&self, what: impl Into<String>) {
        let mut faults = self.faults.lock().unwrap();
        *faults.entry(what.into()).or_default() += 1;
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Sends bytes that differ each time, and wants the same back.
    async fn echo(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        size: usize,
    ) -> io::Result<()> {
        let mut bytes = vec![0; size];
        fastrand::fill(&mut bytes);
        stream.write_all(&bytes).await?;
        stream.flush().await?;
        let mut heard = vec![0; size];
        stream.read_exact(&mut heard).await?;
        self.bytes.fetch_add(size as u64, Ordering::Relaxed);
        match heard == bytes {
            true => Ok(()),
            false => Err(io::Error::other("other bytes came back")),
        }
    }

    async fn session(self: Arc<Self>, front: SocketAddr, tls: Option<TlsConnector>, long: bool) {
        let what = if long { "long" } else { "short" };
        let journey = async {
            let stream = within(TcpStream::connect(front)).await?;
            stream.set_nodelay(true)?;
            match tls {
                Some(connector) => {
                    let mut stream = within(over(&connector, stream, "front.test")).await?;
                    self.talk(&mut stream, long).await?;
                    stream.shutdown().await
                }
                None => {
                    let mut stream = stream;
                    self.talk(&mut stream, long).await
                }
            }
        };
        if let Err(error) = journey.await {
            self.fault(format!("a {what} session: {error}"));
        }
        self.short.fetch_add(u64::from(!long), Ordering::Relaxed);
    }

    async fn talk(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        long: bool,
    ) -> io::Result<()> {
        within(self.echo(stream, 256)).await?;
        while long && !self.is_over() {
            within(self.echo(stream, 4096)).await?;
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// One after the other, in TLS or not.
    async fn short_ones(self: Arc<Self>, rate: u32, fronts: [SocketAddr; 2], tls: TlsConnector) {
        let mut tick = interval(Duration::from_secs(1) / rate);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut all = JoinSet::new();
        while !self.is_over() {
            tick.tick().await;
            while all.try_join_next().is_some() {}
            if all.len() >= AT_ONCE {
                // This machine has had its share.
                continue;
            }
            let tls = fastrand::bool().then(|| tls.clone());
            let front = fronts[usize::from(tls.is_some())];
            all.spawn(Arc::clone(&self).session(front, tls, false));
        }
        while all.join_next().await.is_some() {}
    }

    /// One question after the other; each wants its answer.
    async fn ask(self: Arc<Self>, front: SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(front).await.unwrap();
        while !self.is_over() {
            let question = fastrand::u64(..).to_be_bytes();
            socket.send(&question).await.unwrap();
            let mut answer = [0; 64];
            match within(socket.recv(&mut answer)).await {
                Ok(count) if answer[..count] == question => {}
                other => self.fault(format!("a datagram: {other:?}")),
            }
            self.datagrams.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// What waits longer was left in a queue that nobody reads, or lost; the time is for a busy machine.
async fn within<T>(what: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, what).await?
}

async fn echo_of_datagrams() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut room = [0; 2048];
        while let Ok((count, from)) = socket.recv_from(&mut room).await {
            let _ = socket.send_to(&room[..count], from).await;
        }
    });
    address
}

/// Which of the steps a successor fails at.
struct Failing {
    good: String,
    /// Never answers: who has it in the file prepares until its patience is over.
    silent: StandInListener,
}

impl Failing {
    /// One that fails, in one of [`WAYS`] ways; it is gone when this returns.
    async fn fail(&self, howdah: &Howdah, way: u32) {
        match way % WAYS {
            0 => drop(control(howdah)),
            1 => control(howdah)
                .write_all(b"GET / HTTP/1.1\r\n\r\n")
                .unwrap(),
            2 => {
                let hello =
                    br#"{"message":"hello","protocol":1,"version":"0","pid":1,"wants":"takeover"}"#;
                let mut stream = control(howdah);
                stream
                    .write_all(&u32::try_from(hello.len()).unwrap().to_be_bytes())
                    .unwrap();
                stream.write_all(&[0]).unwrap();
                stream.write_all(hello).unwrap();
            }
            3 => drop(hanging(howdah).await),
            4 => hanging(howdah).await.0.failed("on purpose").await,
            5 => {
                let (claim, inherited) = hanging(howdah).await;
                drop(inherited);
                let path = howdah.dir().join(place::name(&howdah.configuration()));
                let confirmed = claim.serving(vec![usize::MAX], false, &path).await;
                assert!(
                    format!("{confirmed:?}").starts_with("GoesOn"),
                    "{confirmed:?}"
                );
            }
            6 => self.without_an_address(howdah).await,
            7 => self.killed_at_any_moment(howdah).await,
            _ => self.killed_with_all_in_its_hands(howdah).await,
        }
    }

    /// The real program, with the sockets in its hands: its file has an address that is not of this machine.
    async fn without_an_address(&self, howdah: &Howdah) {
        let elsewhere =
            "[[listener]]\nname = \"elsewhere\"\nbind = \"192.0.2.1:7\"\npool = \"front\"\n";
        howdah.configure(&format!("{}{elsewhere}", self.good));
        let mut failing = howdah.takeover();
        let code = failing.exit().await.code();
        howdah.configure(&self.good);
        assert_eq!(code, Some(1), "{}", failing.log().tail());
    }

    /// The real program, killed while it starts, asks, opens or waits.
    async fn killed_at_any_moment(&self, howdah: &Howdah) {
        self.wait_for_the_silent_one(howdah);
        let killed = howdah.takeover();
        sleep(Duration::from_millis(fastrand::u64(..100))).await;
        drop(killed);
        howdah.configure(&self.good);
    }

    /// The real program, killed while it waits for a server's first answer, with every address open.
    async fn killed_with_all_in_its_hands(&self, howdah: &Howdah) {
        self.wait_for_the_silent_one(howdah);
        let asked = self.silent.accepted();
        let killed = howdah.takeover();
        eventually!(
            self.silent.accepted() > asked
                || killed.log().so_far().join("\n").contains("try again")
        );
        // So that sessions come meanwhile.
        sleep(Duration::from_millis(200)).await;
        drop(killed);
        howdah.configure(&self.good);
    }

    fn wait_for_the_silent_one(&self, howdah: &Howdah) {
        howdah.configure(&format!("{}{}", self.good, late(&self.silent)));
    }
}

/// In which a successor fails.
const WAYS: u32 = 9;

/// How much, for how long.
struct Form {
    seconds: u64,
    /// Short sessions a second.
    rate: u32,
    long: u64,
    takeovers: u32,
}

impl Form {
    fn asked() -> Self {
        let seconds =
            std::env::var("HOWDAH_TEST_TAKEOVER_SECONDS").map_or(5, |text| text.parse().unwrap());
        let (rate, long, takeovers) = match seconds {
            ..60 => (60, 12, 4),
            _ => (500, 200, 20),
        };
        Self {
            seconds,
            rate,
            long,
            takeovers,
        }
    }

    /// Whoever takes over next, after one that fails each time.
    async fn take_over(&self, first: Howdah, failing: &Failing) -> Vec<Howdah> {
        let mut howdahs = vec![first];
        let begun = Instant::now();
        let each = Duration::from_secs(self.seconds) / self.takeovers;
        for number in 1..=self.takeovers {
            let newest = howdahs.last().unwrap();
            // The short form has room for the last ways alone: those of the real program.
            failing.fail(newest, number + 5).await;
            let next = begun + each * number;
            sleep(next.saturating_duration_since(Instant::now()) / 2).await;
            // One that fails may still be on its way out.
            let successor = loop {
                let mut successor = newest.takeover();
                if serves(&mut successor).await {
                    break successor;
                }
                let log = String::from_utf8(successor.log().all_of_it().await).unwrap();
                assert!(log.contains("try again"), "{log}");
            };
            howdahs.push(successor);
            sleep(next.saturating_duration_since(Instant::now())).await;
        }
        howdahs
    }
}

/// Plain, TLS and UDP: none refused, none cut, none left in a backlog that nobody reads, no descriptor left.
#[tokio::test]
async fn nobody_notices() {
    let form = Form::asked();
    let site = Site::new();
    let certificates = Certificates::new(&site);
    certificates.write(&site, "front", &["front.test"]);
    let server = raw::echo(&Frame::default()).unwrap();
    let failing = Failing {
        good: config(server.address(), echo_of_datagrams().await),
        silent: silent(),
    };
    let first = site.start(&failing.good).await;
    first.serves().await;
    let fronts = [first.address("front").await, first.address("tls").await];
    let connector = certificates.client().connector();
    let listening = at_rest(&first).await;

    let load = Arc::new(Load::default());
    let mut running = JoinSet::new();
    for one in 0..form.long {
        let tls = (one % 2 == 1).then(|| connector.clone());
        let front = fronts[usize::from(tls.is_some())];
        running.spawn(Arc::clone(&load).session(front, tls, true));
    }
    running.spawn(Arc::clone(&load).ask(first.address("udp").await));
    running.spawn(Arc::clone(&load).short_ones(form.rate, fronts, connector));
    let begun = Instant::now();
    let mut howdahs = form.take_over(first, &failing).await;
    load.over.store(true, Ordering::Relaxed);
    while running.join_next().await.is_some() {}
    let took = begun.elapsed();

    let newest = howdahs.pop().unwrap();
    for old in &mut howdahs {
        assert_eq!(old.exit().await.code(), Some(0));
        let log = old.log().so_far().join("\n");
        assert!(!log.contains("panicked"), "{log}");
    }
    let count = |one: &AtomicU64| one.load(Ordering::Relaxed);
    println!(
        "{} takeovers and as many that failed in {took:.0?}: {} short sessions, {} long ones, {} bytes echoed, {} datagrams answered",
        form.takeovers,
        count(&load.short),
        form.long,
        count(&load.bytes),
        count(&load.datagrams)
    );
    let faults = load.faults.lock().unwrap().clone();
    assert!(
        faults.is_empty(),
        "{faults:#?}\nends by howdah's own account: {:#?}",
        ends(howdahs.iter().chain([&newest]))
    );
    // Far below the rate, for a machine that has other work.
    assert!(count(&load.short) > 5 * form.seconds);
    eventually!(sockets(newest.pid()) <= listening);
}

fn config(server: SocketAddr, datagrams: SocketAddr) -> String {
    format!(
        "[global]\nmax_connections = 5000\n{}\n\
         [[listener]]\nname = \"tls\"\nbind = \"127.0.0.1:0\"\npool = \"front\"\n\
         tls = {{ certificates = [{{ cert = \"front.crt\", key = \"front.key\" }}] }}\n\
         [[listener]]\nname = \"udp\"\nbind = \"127.0.0.1:0\"\nprotocol = \"udp\"\npool = \"udp\"\n\
         [pool.udp]\nservice = \"udp\"\nprobe = \"none\"\nservers = [\"{datagrams}\"]\ntimeouts = {{ udp_idle = \"500ms\" }}\n",
        plain("front", &[server], "")
    )
}

/// How sessions ended that no client ended, and how many.
fn ends<'a>(howdahs: impl Iterator<Item = &'a Howdah>) -> BTreeMap<String, usize> {
    let mut ends = BTreeMap::new();
    for howdah in howdahs {
        for line in howdah.access_lines() {
            let (reason, stage) = (&line["reason"], &line["stage"]);
            if reason != "client-closed" && line["listener"] != "udp" {
                let one = format!("process {}: {reason} at {stage}", howdah.pid());
                *ends.entry(one).or_default() += 1;
            }
        }
    }
    ends
}

/// Short sessions at once; what comes faster than they end would only wait at the server.
const AT_ONCE: usize = 200;

/// Waits until it serves, or has ended.
async fn serves(howdah: &mut Howdah) -> bool {
    loop {
        if howdah.log().so_far().join("\n").contains("howdah is ready") {
            return true;
        }
        if howdah.has_ended() {
            return false;
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// Its sockets, without that of the question which this asks: its admin thread, of a low priority, has all of its own when it answers.
async fn at_rest(howdah: &Howdah) -> usize {
    howdah.status().await;
    let mut least = usize::MAX;
    for _ in 0..20 {
        least = least.min(sockets(howdah.pid()));
        sleep(Duration::from_millis(10)).await;
    }
    least
}

fn sockets(pid: u32) -> usize {
    let all = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = all
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok());
    links
        .filter(|link| link.to_string_lossy().starts_with("socket:"))
        .count()
}
