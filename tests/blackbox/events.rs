//! What happened, asked for and followed: the API, the stream, and `howdah events`.

use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use ::howdah::standin::Hue;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::eventually;
use crate::support::lines::Lines;
use crate::support::{
    Fault, Frame, Howdah, StandInListener, at_once, exchange, free_address, named, plain, program,
    raw, soon,
};

/// A reader of `/api/v1/stream`.
struct Follower {
    body: BufReader<TcpStream>,
    /// Of all that was read.
    bytes: usize,
}

/// One message: what it is called, its id, its data.
#[derive(Debug)]
struct Message {
    event: String,
    id: Option<u64>,
    data: Value,
}

impl Follower {
    async fn open(admin: SocketAddr, query: &str, header: &str) -> Self {
        let mut stream = TcpStream::connect(admin).await.unwrap();
        let request = format!("GET /api/v1/stream{query} HTTP/1.0\r\n{header}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut all = Self {
            body: BufReader::new(stream),
            bytes: 0,
        };
        let head = all.line().await.unwrap();
        assert!(head.starts_with("HTTP/1.0 200"), "{head}");
        while !all.line().await.unwrap().is_empty() {}
        all
    }

    /// `None` at the end.
    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = soon(self.body.read_line(&mut line)).await;
        self.bytes += line.len();
        (read.unwrap_or(0) > 0).then(|| line.trim_end().to_owned())
    }

    /// The next message with data.
    async fn next(&mut self) -> Option<Message> {
        let (mut event, mut id, mut data) = (String::new(), None, Value::Null);
        loop {
            let line = self.line().await?;
            match line.split_once(": ") {
                Some(("event", word)) => word.clone_into(&mut event),
                Some(("id", number)) => id = number.parse().ok(),
                Some(("data", json)) => data = serde_json::from_str(json).unwrap(),
                _ if line.is_empty() && !data.is_null() => {
                    return Some(Message { event, id, data });
                }
                _ => {}
            }
        }
    }

    async fn find(&mut self, wanted: impl Fn(&Message) -> bool) -> Message {
        loop {
            let message = self.next().await.expect("the stream goes on");
            if wanted(&message) {
                return message;
            }
        }
    }
}

fn echo() -> StandInListener {
    raw::echo(&Frame::default()).unwrap()
}

fn probed(name: &str, servers: &[SocketAddr]) -> String {
    let probe =
        "{ type = \"tcp\", interval = \"300ms\", fast_interval = \"50ms\", timeout = \"250ms\" }";
    plain(name, servers, "").replace("probe = \"none\"", &format!("probe = {probe}"))
}

async fn events(howdah: &Howdah, query: &str) -> Vec<Value> {
    let (code, body) = howdah
        .http("GET", &format!("/api/v1/events{query}"), "")
        .await;
    assert_eq!(code, 200, "{body}");
    let page: Value = serde_json::from_str(&body).unwrap();
    page["events"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_death_is_on_the_stream_within_two_seconds() {
    let (a, b) = (echo(), echo());
    let howdah = Howdah::start(&probed("echo", &[a.address(), b.address()])).await;
    let name = a.address().to_string();
    howdah.healthy("echo", &name, "up").await;
    let mut stream = Follower::open(howdah.admin().await, "", "").await;
    let head = at_once(stream.find(|one| one.event == "head")).await;
    assert_eq!(head.data["state"], "running");
    assert!(head.data.get("pools").is_none(), "{head:?}");
    let listener = at_once(stream.find(|one| one.event == "listener")).await;
    assert_eq!(listener.data["name"], "echo");
    at_once(stream.find(|one| one.event == "pool")).await;
    let died = Instant::now();
    a.switch().set(Fault::Dead);
    let is_down = |pool: &Value| pool["servers"][0]["health"] == "down";
    let (mut told, mut shown) = (None, None);
    while told.is_none() || shown.is_none() {
        let message = at_once(stream.next()).await.expect("the stream goes on");
        match message.event.as_str() {
            "event" => told = Some((died.elapsed(), message)),
            "pool" if is_down(&message.data) => shown = Some(died.elapsed()),
            _ => {}
        }
    }
    let (told_after, told) = told.unwrap();
    let shown_after = shown.unwrap();
    assert!(
        told_after < Duration::from_secs(2),
        "told after {told_after:?}"
    );
    assert!(
        shown_after < Duration::from_secs(2),
        "shown after {shown_after:?}"
    );
    let event = &told.data;
    assert_eq!(
        (&event["kind"], &event["severity"]),
        (&"health".into(), &"warning".into())
    );
    assert_eq!(
        (&event["from"], &event["to"]),
        (&"up".into(), &"down".into())
    );
    assert_eq!(
        (&event["pool"], &event["server"]),
        (&"echo".into(), &name.clone().into())
    );
    assert!(
        event["former_seconds"].as_f64().unwrap() > 0.0 && event["reason"] == "connect-refused"
    );
    assert_eq!(told.id, event["seq"].as_u64());
    // Who comes again gets what it missed, and nothing twice.
    drop(stream);
    a.switch().set(Fault::None);
    howdah.healthy("echo", &name, "up").await;
    let again = format!("Last-Event-ID: {}\r\n", told.id.unwrap());
    let mut stream = Follower::open(howdah.admin().await, "?only=events", &again).await;
    let next = at_once(stream.next()).await.unwrap();
    assert_eq!(
        (&next.data["to"], next.event.as_str()),
        (&"up".into(), "event")
    );
}

#[tokio::test]
async fn who_did_what_is_told_in_order() {
    let (a, b) = (echo(), echo());
    let config = probed("echo", &[a.address(), b.address()]);
    let howdah = Howdah::start(&config).await;
    let (name, other) = (a.address().to_string(), b.address().to_string());
    howdah.healthy("echo", &name, "up").await;
    howdah.healthy("echo", &other, "up").await;
    let server = format!("echo/{name}");
    howdah.ctl_ok(&["drain", &server, "--timeout", "30m"]).await;
    howdah.ctl_ok(&["ready", &server]).await;
    howdah.ctl_ok(&["weight", &server, "7"]).await;
    let reload = howdah.reload(&config.replace("300ms", "400ms")).await;
    assert!(reload.status.success(), "{reload:?}");
    let faulty = howdah.reload("nonsense = 1\n").await;
    assert_eq!(faulty.status.code(), Some(78), "{faulty:?}");
    let all = events(&howdah, "").await;
    let kinds: Vec<_> = all
        .iter()
        .map(|one| one["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds[0], "start");
    let after = kinds.iter().position(|kind| *kind == "order").unwrap();
    assert_eq!(
        kinds[after..],
        ["order", "order", "weight", "reload", "reload-refused"]
    );
    let seqs: Vec<_> = all.iter().map(|one| one["seq"].as_u64().unwrap()).collect();
    assert!(seqs.is_sorted_by(|one, next| one < next), "{seqs:?}");
    let [drain, ready, weight, reload, refused] = &all[after..] else {
        unreachable!("five")
    };
    let uid = rustix::process::geteuid().as_raw();
    let by = drain["by"].as_str().unwrap();
    assert!(
        by.starts_with(&format!("uid {uid} from 127.0.0.1:")),
        "{by}"
    );
    assert_eq!(
        (&drain["from"], &drain["to"]),
        (&"ready".into(), &"draining".into())
    );
    assert!(drain["text"].as_str().unwrap().contains("30m"), "{drain}");
    assert_eq!(
        (&ready["from"], &ready["to"]),
        (&"draining".into(), &"ready".into())
    );
    assert_eq!((&weight["from"], &weight["to"]), (&"1".into(), &"7".into()));
    assert_eq!(
        (&reload["to"], reload["changes"].as_array().map(Vec::len)),
        (&"2".into(), Some(1))
    );
    assert_eq!(refused["severity"], "error");

    // Filters.
    let healths = events(&howdah, "?kind=health&pool=echo").await;
    assert_eq!(healths.len(), 2, "{healths:?}");
    let of_server = events(&howdah, &format!("?server={name}&since=1h&limit=1")).await;
    assert_eq!(of_server[0]["kind"], "weight");
    let later = events(&howdah, &format!("?after={}", weight["seq"])).await;
    assert_eq!(later.len(), 2, "{later:?}");
    assert_eq!(events(&howdah, "?severity=error").await.len(), 1);
    assert_eq!(events(&howdah, "?listener=none").await.len(), 0);
    let (code, fault) = howdah.http("GET", "/api/v1/events?kind=weather", "").await;
    assert!(code == 400 && fault.contains("kind"), "{code} {fault}");

    // The command.
    let table = howdah.ctl_ok(&["events", "--kind", "order"]).await;
    assert_eq!(table.lines().count(), 2, "{table}");
    assert!(
        table.contains(&format!("order           {server}  server is draining")),
        "{table}"
    );
    let json = howdah.ctl_ok(&["events", "--since", "1h", "--json"]).await;
    let lines: Vec<Value> = json
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines, all);
}

#[tokio::test]
async fn a_listener_that_reaches_nobody_is_told_and_that_it_does_again() {
    let server = echo();
    let howdah = Howdah::start(&probed("echo", &[server.address()])).await;
    howdah
        .healthy("echo", &server.address().to_string(), "up")
        .await;
    let mut stream = Follower::open(howdah.admin().await, "?only=events", "").await;
    let about_listener = |one: &Message| one.data["kind"] == "listener";
    server.switch().set(Fault::Dead);
    let event = at_once(stream.find(about_listener)).await.data;
    assert_eq!(
        (&event["to"], &event["severity"]),
        (&"unreachable".into(), &"error".into())
    );
    assert_eq!(event["listener"], "echo");
    server.switch().set(Fault::None);
    let event = at_once(stream.find(about_listener)).await.data;
    assert_eq!(
        (&event["from"], &event["to"]),
        (&"unreachable".into(), &"reachable".into())
    );
    assert!(event["former_seconds"].as_f64().unwrap() > 0.0, "{event}");
}

#[tokio::test]
async fn sessions_that_a_drain_ends_are_one_event() {
    let (a, b) = (echo(), echo());
    let howdah = Howdah::start(&plain("echo", &[a.address(), b.address()], "")).await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = howdah.connect("echo").await;
        exchange(&mut client, "x").await;
        clients.push(client);
    }
    let name = a.address().to_string();
    let server = format!("echo/{name}");
    howdah
        .ctl_ok(&["drain", &server, "--timeout", "100ms"])
        .await;
    eventually!(howdah.server("echo", &name).await["sessions_active"] == 0);
    let ended = events(&howdah, "?kind=session-ended").await;
    assert_eq!(ended.len(), 1, "{ended:?}");
    assert_eq!(
        (&ended[0]["reason"], &ended[0]["server"]),
        (&"drained".into(), &name.into())
    );
    assert!(
        ended[0]["text"].as_str().unwrap().contains("(2 open)"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_server_has_a_past() {
    let (a, b) = (echo(), echo());
    let howdah = Howdah::start(&probed("echo", &[a.address(), b.address()])).await;
    let name = a.address().to_string();
    howdah.healthy("echo", &name, "up").await;
    a.switch().set(Fault::Dead);
    howdah.healthy("echo", &name, "down").await;
    a.switch().set(Fault::None);
    howdah.healthy("echo", &name, "up").await;
    let target = format!("/api/v1/pools/echo/servers/{name}/history");
    let (code, body) = howdah.http("GET", &target, "").await;
    assert_eq!(code, 200, "{body}");
    let past: Value = serde_json::from_str(&body).unwrap();
    let to: Vec<_> = (past["transitions"].as_array().unwrap().iter())
        .map(|event| event["to"].as_str().unwrap())
        .collect();
    assert_eq!(to, ["up", "down", "up"]);
    let probes = past["probes"].as_array().unwrap();
    let verdict = |probe: &Value| probe["verdict"].as_str().unwrap().to_owned();
    let verdicts: Vec<_> = probes.iter().map(verdict).collect();
    assert!(
        verdicts.contains(&"down".to_owned()) && verdicts.last().unwrap() == "up",
        "{verdicts:?}"
    );
    let failed = probes
        .iter()
        .rfind(|probe| probe["verdict"] == "down")
        .unwrap();
    assert_eq!(failed["reason"], "connect-refused");
    assert_eq!(failed["steps"][0]["what"], "connect");
    assert!(
        failed["steps"][0]["seconds"].is_number() && failed["at"].is_string(),
        "{failed}"
    );
    let (code, _) = howdah
        .http("GET", "/api/v1/pools/echo/servers/nobody/history", "")
        .await;
    assert_eq!(code, 404);
}

#[tokio::test]
async fn time_lines_show_what_sessions_did_and_survive_a_reload() {
    let (a, b) = (echo(), echo());
    let config = plain("echo", &[a.address()], "");
    let howdah = Howdah::start(&config).await;
    let mut client = howdah.connect("echo").await;
    exchange(&mut client, "hello").await;
    let lines = async || {
        let (code, body) = howdah.http("GET", "/api/v1/timelines?pool=echo", "").await;
        assert_eq!(code, 200, "{body}");
        serde_json::from_str::<Value>(&body).unwrap()
    };
    let newest = |list: &Value| list.as_array().and_then(|all| all.last().cloned());
    // Whatever the sessions did is in the steps together.
    let sum = |list: &Value| -> f64 {
        let all = list.as_array().unwrap().iter();
        all.filter_map(Value::as_f64).sum()
    };
    eventually!(newest(&lines().await["pools"][0]["servers"][0]["sessions"]) == Some(1.into()));
    let first = lines().await;
    assert_eq!(first["step_seconds"], 10.0);
    let server = &first["pools"][0]["servers"][0];
    assert_eq!(server["name"], a.address().to_string());
    assert_eq!(sum(&server["opened"]), 1.0);
    assert!(sum(&server["connect_seconds"]) > 0.0, "{server}");
    let count = server["sessions"].as_array().unwrap().len();
    howdah
        .reload(&plain("echo", &[a.address(), b.address()], ""))
        .await;
    eventually!(
        lines().await["pools"][0]["servers"]
            .as_array()
            .unwrap()
            .len()
            == 2
    );
    let after = lines().await;
    let own = named(&after["pools"][0]["servers"], &a.address().to_string());
    assert!(own["sessions"].as_array().unwrap().len() > count, "{own}");
    assert_eq!(sum(&own["opened"]), 1.0);
    let (code, fault) = howdah.http("GET", "/api/v1/timelines?pool=none", "").await;
    assert!(code == 404 && fault.contains("none"), "{code} {fault}");
}

/// `howdah events --follow`, killed when the test is over.
struct Following(Child);

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn following_goes_on_through_a_restart() {
    let server = echo();
    let admin = free_address();
    let config = probed("echo", &[server.address()]);
    let config = format!(
        "{config}\n[admin]\nbind = \"{admin}\"\n[log]\nformat = \"json\"\naccess = \"off\"\n"
    );
    let howdah = Howdah::start(&config).await;
    howdah
        .healthy("echo", &server.address().to_string(), "up")
        .await;
    let mut command = program();
    command.args([
        "events",
        "--follow",
        "--json",
        "--admin",
        &format!("http://{admin}"),
    ]);
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut following = Following(child.unwrap());
    let lines = Lines::of(following.0.stdout.take().unwrap());
    let said = Lines::of(following.0.stderr.take().unwrap());
    let is = |kind: &'static str| {
        move |line: &Value| (line["kind"] == kind).then(|| line["seq"].as_u64())
    };
    let (first, _) = at_once(lines.find(0, is("start"))).await;
    drop(howdah);
    let says = |text: &'static str| move |line: &Value| line.as_str()?.contains(text).then_some(());
    at_once(said.find(0, says("the connection has ended"))).await;
    let howdah = Howdah::start(&config).await;
    at_once(said.find(0, says("it answers again"))).await;
    let (second, _) = at_once(lines.find(first, is("start"))).await;
    // All that happens from the start on is there, and each of it once.
    howdah
        .healthy("echo", &server.address().to_string(), "up")
        .await;
    at_once(lines.find(second, is("health"))).await;
    let seqs: Vec<_> = lines.so_far();
    let seqs = seqs
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64());
    let seqs: Vec<_> = seqs.collect();
    assert!(seqs.is_sorted_by(|one, next| one < next), "{seqs:?}");
}

#[tokio::test]
async fn a_crowded_address_ends_the_oldest_stream_and_answers_the_newcomer() {
    let server = echo();
    let howdah = Howdah::start(&plain("echo", &[server.address()], "")).await;
    let admin = howdah.admin().await;
    let mut streams = Vec::new();
    for _ in 0..64 {
        let mut stream = Follower::open(admin, "?only=events", "").await;
        stream.line().await.expect("a greeting");
        streams.push(stream);
    }
    assert_eq!(at_once(howdah.status()).await["pools"][0]["name"], "echo");
    let oldest = &mut streams[0];
    assert!(at_once(oldest.next()).await.is_none());
    // The others go on.
    howdah
        .ctl_ok(&["weight", &format!("echo/{}", server.address()), "2"])
        .await;
    let event = at_once(streams[60].next())
        .await
        .expect("the stream goes on");
    assert_eq!(event.data["kind"], "weight");
}

/// What the page of a large platform costs: said, and bounded.
#[tokio::test]
async fn fifty_pools_of_twenty_servers_are_cheap_to_follow() {
    let hues: Vec<_> = (0..20)
        .map(|_| Hue::start(&Frame::default(), "hue").unwrap())
        .collect();
    let servers: Vec<_> = hues
        .iter()
        .map(|hue| format!("\"{}\"", hue.listener().address()))
        .collect();
    let servers = servers.join(", ");
    let mut config =
        "[[listener]]\nname = \"front\"\nbind = \"127.0.0.1:0\"\npool = \"p0\"\n".to_owned();
    for number in 0..50 {
        config += &format!(
            "[pool.p{number}]\nservice = \"hue\"\nservers = [{servers}]\nprobe = {{ type = \"hue\", interval = \"5s\" }}\n"
        );
    }
    let howdah = Howdah::start(&config).await;
    eventually!(howdah.metric("howdah_health_probes_total", &[]).await >= 1_000.0);
    let cpu = async || howdah.metric("howdah_process_cpu_seconds_total", &[]).await;
    let pause = || tokio::time::sleep(MEASURED);
    let before = cpu().await;
    pause().await;
    let quiet = cpu().await - before;
    let mut stream = Follower::open(howdah.admin().await, "", "").await;
    let mut pools = 0;
    while pools < 50 {
        let message = at_once(stream.next()).await.expect("the stream goes on");
        pools += usize::from(message.event == "pool");
    }
    let (whole, before) = (stream.bytes, cpu().await);
    let read = async { while stream.next().await.is_some() {} };
    let _ = tokio::time::timeout(MEASURED, read).await;
    let busy = cpu().await - before;
    let seconds = MEASURED.as_secs_f64();
    let rate = (stream.bytes - whole) as f64 / seconds;
    println!(
        "the whole state is {whole} bytes; then {rate:.0} bytes a second; processor: {:.1} % of one, and {:.1} % with nobody looking",
        busy / seconds * 100.0,
        quiet / seconds * 100.0
    );
    assert!(rate < 250_000.0, "{rate} bytes a second");
    assert!(busy - quiet < 0.3 * seconds, "{busy} and {quiet} seconds");
}

/// Twice the time after which ages are sent again.
const MEASURED: Duration = Duration::from_secs(12);
