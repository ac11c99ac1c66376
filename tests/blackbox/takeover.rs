//! One howdah takes over from another, and nobody notices: under load, again and again, and beside those that fail on the way.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ::howdah::handover::claim::{Claim, Confirmed, claim};
use ::howdah::handover::inherited::Inherited;
use ::howdah::handover::place;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_rustls::TlsConnector;

use crate::eventually;
use crate::support::tls::over;
use crate::support::{
    Certificates, Frame, Howdah, Site, StandInListener, TERM, exchange, plain, program, raw, run,
};

/// A howdah in front of a server that echoes.
async fn front(more: &str) -> (Howdah, StandInListener) {
    let server = raw::echo(&Frame::default()).unwrap();
    let config = plain("front", &[server.address()], "");
    (Howdah::start(&format!("{more}\n{config}")).await, server)
}

/// A connection to its control socket.
fn control(howdah: &Howdah) -> UnixStream {
    let name = place::name(&howdah.configuration());
    UnixStream::connect(howdah.dir().join(name)).unwrap()
}

/// A successor that has got everything, and does nothing with it.
async fn hanging(howdah: &Howdah) -> (Claim, Inherited) {
    claim(control(howdah)).await.unwrap()
}

#[tokio::test]
async fn the_new_one_serves_and_the_old_one_drains_and_ends() {
    let (mut old, _server) = front("").await;
    let mut session = old.connect("front").await;
    exchange(&mut session, "before").await;
    let (address, admin) = (old.address("front").await, old.admin().await);

    let new = old.successor().await;
    assert_eq!(new.address("front").await, address);
    assert_eq!(new.admin().await, admin);
    for _ in 0..30 {
        assert_eq!(
            new.status().await["state"],
            "running",
            "the old one answers"
        );
    }
    exchange(&mut session, "during").await;
    let mut other = new.connect("front").await;
    exchange(&mut other, "by the new one").await;
    eventually!(new.status().await["predecessors"][0]["sessions"] == 1);
    let status = new.status().await;
    let former = &status["predecessors"][0];
    assert_eq!(former["pid"], old.pid());
    assert_eq!(former["pools"][0]["name"], "front");
    assert_eq!(status["listeners"][0]["sessions_active"], 1, "{status}");
    let text = new.ctl_ok(&["status"]).await;
    assert!(text.contains(&format!("process {}", old.pid())), "{text}");
    let events = new.ctl_ok(&["events"]).await;
    assert!(events.contains("took over from process"), "{events}");

    drop(session);
    assert_eq!(old.exit().await.code(), Some(0));
    eventually!(new.status().await["predecessors"].is_null());
    exchange(&mut other, "after").await;
    // The history is the new one's by now, with what the old one saw.
    assert!(!new.log().so_far().join("\n").contains("another howdah"));
}

#[tokio::test]
async fn who_starts_without_taking_over_is_told_how() {
    let server = raw::echo(&Frame::default()).unwrap();
    let port = crate::support::free_port();
    let config = plain("front", &[server.address()], "").replace(":0\"", &format!(":{port}\""));
    let howdah = Howdah::start(&config).await;
    let mut command = program();
    command
        .args(["run", "--config"])
        .arg(howdah.configuration());
    let output = run(command).await;
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("howdah run --takeover"), "{said}");
}

#[tokio::test]
async fn a_faulty_file_leaves_the_old_one_as_it_was() {
    let (howdah, server) = front("").await;
    let good = plain("front", &[server.address()], "");
    howdah.configure(&format!("{good}\n[pool.nonsense]\n"));
    let mut faulty = howdah.takeover();
    assert_eq!(faulty.exit().await.code(), Some(78));
    // An address that is not of this machine: the new one fails with the sockets in its hands.
    let elsewhere = good.replace(
        "bind = \"127.0.0.1:0\"",
        "bind = [\"127.0.0.1:0\", \"192.0.2.1:7\"]",
    );
    howdah.configure(&elsewhere);
    let mut failing = howdah.takeover();
    assert_eq!(failing.exit().await.code(), Some(1));
    let log = String::from_utf8(failing.log().all_of_it().await).unwrap();
    assert!(log.contains("192.0.2.1:7"), "{log}");
    let mut session = howdah.connect("front").await;
    exchange(&mut session, "still here").await;
    // It hears of the failure when the failing one has ended.
    let told =
        |events: String| events.contains("did not take over") && events.contains("192.0.2.1:7");
    eventually!(told(howdah.ctl_ok(&["events"]).await));
    howdah.configure(&good);
    let new = howdah.successor().await;
    exchange(&mut new.connect("front").await, "and now").await;
}

#[tokio::test]
async fn one_at_a_time_and_none_while_it_stops() {
    let (mut howdah, _server) = front("").await;
    let mut session = howdah.connect("front").await;
    exchange(&mut session, "one").await;
    let (first, inherited) = hanging(&howdah).await;
    let refused = claim(control(&howdah)).await.unwrap_err().to_string();
    assert!(refused.contains("another takes over from it"), "{refused}");
    drop((first, inherited));
    let failed = |log: String| log.contains("a takeover failed: everything is as it was");
    eventually!(failed(howdah.log().so_far().join("\n")));
    drop(hanging(&howdah).await);
    howdah.signal(TERM);
    eventually!(howdah.status().await["state"] == "draining");
    let refused = claim(control(&howdah)).await.unwrap_err().to_string();
    assert!(refused.contains("it stops"), "{refused}");
    exchange(&mut session, "two").await;
    drop(session);
    assert_eq!(howdah.exit().await.code(), Some(0));
    assert!(place::find(&howdah.configuration(), None).is_none());
    let left: Vec<_> = fs::read_dir(howdah.dir()).unwrap().flatten().collect();
    let names = left.iter().map(|entry| entry.file_name());
    let names: Vec<_> = names
        .filter(|name| name.to_string_lossy().contains(".sock"))
        .collect();
    assert!(names.is_empty(), "{names:?}");
}

#[tokio::test]
async fn what_is_ordered_while_the_new_one_prepares_is_handed_over_too() {
    let (howdah, _server) = front("").await;
    let (claim, inherited) = hanging(&howdah).await;
    let server = howdah.status().await["pools"][0]["servers"][0]["name"].clone();
    let server = format!("front/{}", server.as_str().unwrap());
    howdah.ctl_ok(&["drain", &server]).await;
    let path = howdah.dir().join(place::name(&howdah.configuration()));
    let Confirmed::Yielded(mut yielded) = claim.serving(inherited.settle(), false, &path).await
    else {
        panic!("the old one goes on");
    };
    let memory = ::howdah::state::decode(&yielded.memory.take().unwrap()).unwrap();
    assert_eq!(memory.pools["front"].orders[0].admin, "draining");
    yielded.settled().await;
}

/// `STOP` of the newest waits for what the older ones still carry; a second one hurries them all.
#[tokio::test]
async fn a_stop_is_that_of_all_generations() {
    let (mut first, _server) = front("").await;
    let mut sessions = vec![first.connect("front").await];
    exchange(&mut sessions[0], "first").await;
    let mut second = first.successor().await;
    sessions.push(second.connect("front").await);
    exchange(&mut sessions[1], "second").await;
    let mut third = second.successor().await;
    // The first reports to the third by now.
    eventually!(
        third.status().await["predecessors"]
            .as_array()
            .is_some_and(|all| all.len() == 2)
    );
    third.signal(TERM);
    eventually!(third.status().await["state"] == "draining");
    drop(sessions.pop());
    assert_eq!(second.exit().await.code(), Some(0));
    exchange(&mut sessions[0], "the first one's").await;
    assert!(!third.has_ended() && !first.has_ended());
    third.signal(TERM);
    assert_eq!(first.exit().await.code(), Some(0));
    assert_eq!(third.exit().await.code(), Some(0));
}

#[tokio::test]
async fn upgrade_starts_the_new_one_in_the_background_and_the_log_goes_on() {
    let (mut old, _server) = front("").await;
    let mut command = program();
    command
        .args(["upgrade", "--config"])
        .arg(old.configuration());
    command.env("RUNTIME_DIRECTORY", old.dir());
    let output = run(command).await;
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("nothing to do"), "{said}");

    let mut command = program();
    command
        .args(["upgrade", "--force", "--config"])
        .arg(old.configuration());
    command.env("RUNTIME_DIRECTORY", old.dir());
    let output = run(command).await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(said.contains("took over from process"), "{said}");
    assert_eq!(old.exit().await.code(), Some(0));
    // Its log and its access lines go where those of the old one went.
    eventually!((old.log().so_far().join("\n")).contains("took over: the old howdah drains"));
    exchange(&mut old.connect("front").await, "hello").await;
    assert_eq!(old.ended().await["listener"], "front");
    let runtime = tokio::task::spawn_blocking({
        let file = old.configuration();
        let dir = old.dir().to_owned();
        move || {
            let stream = UnixStream::connect(dir.join(place::name(&file))).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime
                .unwrap()
                .block_on(::howdah::handover::claim::look(stream))
                .unwrap()
                .pid
        }
    });
    let pid =
        rustix::process::Pid::from_raw(i32::try_from(runtime.await.unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, TERM).unwrap();
    eventually!(rustix::process::test_kill_process(pid).is_err());
}

/// What everybody in the load shares.
#[derive(Default)]
struct Load {
    over: AtomicBool,
    short: AtomicU64,
    bytes: AtomicU64,
    datagrams: AtomicU64,
    faults: Mutex<Vec<String>>,
}

impl Load {
    fn fault(&self, what: impl Into<String>) {
        self.faults.lock().unwrap().push(what.into());
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Sends bytes that differ each time, and wants the same back.
    async fn echo(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        size: usize,
    ) -> std::io::Result<()> {
        let mut bytes = vec![0; size];
        fastrand::fill(&mut bytes);
        stream.write_all(&bytes).await?;
        stream.flush().await?;
        let mut heard = vec![0; size];
        stream.read_exact(&mut heard).await?;
        self.bytes.fetch_add(size as u64, Ordering::Relaxed);
        match heard == bytes {
            true => Ok(()),
            false => Err(std::io::Error::other("other bytes came back")),
        }
    }

    async fn session(self: Arc<Self>, front: SocketAddr, tls: Option<TlsConnector>, long: bool) {
        let what = if long { "long" } else { "short" };
        let journey = async {
            let stream = TcpStream::connect(front).await?;
            stream.set_nodelay(true)?;
            match tls {
                Some(connector) => {
                    let mut stream = over(&connector, stream, "front.test").await?;
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
    ) -> std::io::Result<()> {
        self.echo(stream, 256).await?;
        while long && !self.is_over() {
            self.echo(stream, 4096).await?;
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// One question after the other; each wants its answer.
    async fn ask(self: Arc<Self>, front: SocketAddr) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(front).await.unwrap();
        while !self.is_over() {
            let question = fastrand::u64(..).to_be_bytes();
            socket.send(&question).await.unwrap();
            let mut answer = [0; 64];
            match timeout(Duration::from_secs(5), socket.recv(&mut answer)).await {
                Ok(Ok(count)) if answer[..count] == question => {}
                other => self.fault(format!("a datagram: {other:?}")),
            }
            self.datagrams.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(10)).await;
        }
    }
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

/// One that fails: says `what`, and is gone.
async fn fail(howdah: &Howdah, step: u64) {
    match step % 6 {
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
        _ => {
            let (claim, inherited) = hanging(howdah).await;
            drop(inherited);
            let path = howdah.dir().join(place::name(&howdah.configuration()));
            let confirmed = claim.serving(vec![usize::MAX], false, &path).await;
            assert!(
                format!("{confirmed:?}").starts_with("GoesOn"),
                "{confirmed:?}"
            );
        }
    }
}

/// Plain, TLS and UDP: none refused, none cut, none left in a backlog that nobody reads, no descriptor left.
#[tokio::test]
async fn nobody_notices_under_load() {
    let seconds =
        std::env::var("HOWDAH_TEST_TAKEOVER_SECONDS").map_or(5, |text| text.parse().unwrap());
    let whole = seconds >= 60;
    let (rate, long, takeovers) = if whole { (500, 200, 20) } else { (60, 12, 4) };
    let site = Site::new();
    let certificates = Certificates::new(&site);
    certificates.write(&site, "front", &["front.test"]);
    let (server, datagrams) = (
        raw::echo(&Frame::default()).unwrap(),
        echo_of_datagrams().await,
    );
    let mut howdahs = vec![
        site.start(&format!(
            "[global]\nmax_connections = 5000\n{}{}\n\
         [[listener]]\nname = \"tls\"\nbind = \"127.0.0.1:0\"\npool = \"front\"\n\
         tls = {{ certificates = [{{ cert = \"front.crt\", key = \"front.key\" }}] }}\n\
         [[listener]]\nname = \"udp\"\nbind = \"127.0.0.1:0\"\nprotocol = \"udp\"\npool = \"udp\"\n\
         [pool.udp]\nservice = \"udp\"\nprobe = \"none\"\nservers = [\"{datagrams}\"]\ntimeouts = {{ udp_idle = \"500ms\" }}\n",
            plain("front", &[server.address()], ""),
            ""
        ))
        .await,
    ];
    let first = &howdahs[0];
    first.serves().await;
    let fronts = [first.address("front").await, first.address("tls").await];
    let udp = first.address("udp").await;
    let connector = certificates.client().connector();
    let listening = sockets(first.pid());

    let load = Arc::new(Load::default());
    let mut running = JoinSet::new();
    let tls = |one: u64| (one % 2 == 1).then(|| connector.clone());
    for one in 0..long {
        running.spawn(Arc::clone(&load).session(fronts[usize::from(one % 2 == 1)], tls(one), true));
    }
    running.spawn(Arc::clone(&load).ask(udp));
    let short = {
        let (load, connector) = (Arc::clone(&load), connector.clone());
        tokio::spawn(async move {
            let mut tick = interval(Duration::from_secs(1) / rate);
            tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
            let mut all = JoinSet::new();
            while !load.is_over() {
                tick.tick().await;
                while all.try_join_next().is_some() {}
                if all.len() >= AT_ONCE {
                    // This machine has had its share.
                    continue;
                }
                let tls = fastrand::bool().then(|| connector.clone());
                let front = fronts[usize::from(tls.is_some())];
                all.spawn(Arc::clone(&load).session(front, tls, false));
            }
            while all.join_next().await.is_some() {}
        })
    };
    let begun = Instant::now();
    let each = Duration::from_secs(seconds) / takeovers;
    for number in 1..=takeovers {
        let newest = howdahs.last().unwrap();
        fail(newest, u64::from(number)).await;
        let next = begun + each * number;
        sleep(next.saturating_duration_since(Instant::now()) / 2).await;
        // One that fails may still be on its way out.
        let successor = loop {
            let mut successor = newest.takeover();
            let served = serves(&mut successor).await;
            if served {
                break successor;
            }
            let log = String::from_utf8(successor.log().all_of_it().await).unwrap();
            assert!(log.contains("try again"), "{log}");
        };
        howdahs.push(successor);
        sleep(next.saturating_duration_since(Instant::now())).await;
    }
    load.over.store(true, Ordering::Relaxed);
    while running.join_next().await.is_some() {}
    short.await.unwrap();

    let newest = howdahs.pop().unwrap();
    for mut old in howdahs {
        assert_eq!(old.exit().await.code(), Some(0));
        let log = old.log().so_far().join("\n");
        assert!(!log.contains("panicked"), "{log}");
    }
    let count = |one: &AtomicU64| one.load(Ordering::Relaxed);
    println!(
        "{takeovers} takeovers and as many that failed in {:.0?}: {} short sessions, {long} long ones, {} bytes echoed, {} datagrams answered",
        begun.elapsed(),
        count(&load.short),
        count(&load.bytes),
        count(&load.datagrams)
    );
    let faults = load.faults.lock().unwrap().clone();
    assert!(
        faults.is_empty(),
        "{} faults: {:#?}",
        faults.len(),
        &faults[..faults.len().min(20)]
    );
    assert!(count(&load.short) > seconds * u64::from(rate) / 8);
    eventually!(sockets(newest.pid()) <= listening);
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

fn sockets(pid: u32) -> usize {
    let all = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = all
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok());
    links
        .filter(|link| link.to_string_lossy().starts_with("socket:"))
        .count()
}
