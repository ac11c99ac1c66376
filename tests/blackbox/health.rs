//! Probes through the real process: what makes a server up, alive or down, and how soon sessions follow.

use std::time::{Duration, Instant};

use ::howdah::standin::{
    Auth, Flavour, Flaw, Hive, HiveClient, HiveOptions, Hue, Impala, Transport, Wardrobe,
};
use tokio::io::AsyncWriteExt;

use crate::eventually;
use crate::support::{
    Certificates, Fault, Frame, Howdah, Site, exchange, raw, read_all, read_line,
};

/// A listener `front` before a pool `back` of that service, with a quick probe.
fn config(service: &str, servers: &[String], probe: &str) -> String {
    format!(
        r#"
[[listener]]
name = "front"
bind = "127.0.0.1:0"
pool = "back"

[pool.back]
service = "{service}"
servers = [{}]
[pool.back.probe]
interval = "100ms"
fast_interval = "20ms"
timeout = "500ms"
{probe}
"#,
        servers.join(", ")
    )
}

fn entry(name: &str, address: std::net::SocketAddr) -> String {
    format!("{{ name = \"{name}\", address = \"{address}\" }}")
}

fn hive(name: &str) -> Hive {
    Hive::start(&Frame::default(), HiveOptions::new(name)).unwrap()
}

/// What the status says of the last probe: health, reason.
async fn settled(howdah: &Howdah, health: &str, reason: &str) {
    eventually!({
        let server = howdah.server("back", "s").await;
        server["health"] == health && server["reason"] == reason
    });
}

#[tokio::test]
async fn a_killed_server_takes_no_session_and_takes_them_again_when_it_returns() {
    let (a, b) = (hive("a"), hive("b"));
    let servers = [
        entry("a", a.listener().address()),
        entry("b", b.listener().address()),
    ];
    let howdah = Howdah::start(&config("hiveserver2", &servers, "")).await;
    howdah.healthy("back", "a", "up").await;
    howdah.healthy("back", "b", "up").await;
    let front = howdah.address("front").await;
    let mut on_b = loop {
        let mut client = HiveClient::connect(front, "u").await.unwrap();
        if client.query("SELECT 1 x").await.unwrap() == ["b"] {
            break client;
        }
    };
    a.listener().switch().set(Fault::Dead);
    for _ in 0..20 {
        let mut client = HiveClient::connect(front, "u").await.unwrap();
        assert_eq!(client.query("SELECT who").await.unwrap(), ["b"]);
    }
    howdah.healthy("back", "a", "down").await;
    assert_eq!(
        on_b.query("SELECT who").await.unwrap(),
        ["b"],
        "others do not notice"
    );
    a.listener().switch().set(Fault::None);
    howdah.healthy("back", "a", "up").await;
    eventually!({
        let mut client = HiveClient::connect(front, "u").await.unwrap();
        client.query("SELECT who").await.unwrap() == ["a"]
    });
}

/// The one who finds out is a session: its failed connect must not wait for the next probe.
#[tokio::test]
async fn a_failed_connect_of_a_session_takes_the_server_out_within_a_second() {
    let (a, b) = (hive("a"), hive("b"));
    let servers = [
        entry("a", a.listener().address()),
        entry("b", b.listener().address()),
    ];
    let slow = config("hiveserver2", &servers, "").replace(
        "interval = \"100ms\"\nfast_interval = \"20ms\"",
        "interval = \"1h\"",
    );
    let howdah = Howdah::start(&slow).await;
    howdah.healthy("back", "a", "up").await;
    howdah.healthy("back", "b", "up").await;
    a.listener().switch().set(Fault::Dead);
    let front = howdah.address("front").await;
    // Held, so that least-connection turns to the dead one.
    let mut open = Vec::new();
    for _ in 0..2 {
        open.push(HiveClient::connect(front, "u").await.unwrap());
    }
    let begun = Instant::now();
    howdah.healthy("back", "a", "down").await;
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(2_500), "{took:?}");
}

#[tokio::test]
async fn each_trouble_of_a_hive_has_its_own_reason() {
    let hive = hive("s");
    let servers = [entry("s", hive.listener().address())];
    let probe = "depth = \"session\"\ndeep_interval = \"100ms\"\nrise = 1\nfall = 1";
    let howdah = Howdah::start(&config("hiveserver2", &servers, probe)).await;
    howdah.healthy("back", "s", "up").await;
    let switch = hive.listener().switch();
    for (fault, reason) in [
        (Fault::Refuse, "connect-refused"),
        (Fault::Hang, "timeout"),
        (Fault::Reset, "reset"),
        (Fault::HalfClose, "closed"),
    ] {
        switch.set(fault);
        settled(&howdah, "down", reason).await;
        switch.set(Fault::None);
        howdah.healthy("back", "s", "up").await;
    }
    hive.set_refusal(Some(
        "Cannot open sessions on an inactive HS2 instance".into(),
    ));
    howdah.healthy("back", "s", "alive").await;
    hive.set_refusal(None);
    howdah.healthy("back", "s", "up").await;
}

#[tokio::test]
async fn an_answer_byte_by_byte_is_an_answer() {
    let hive = hive("s");
    hive.listener().switch().set(Fault::Dribble);
    let servers = [entry("s", hive.listener().address())];
    let patient = config("hiveserver2", &servers, "depth = \"session\"")
        .replace("timeout = \"500ms\"", "timeout = \"30s\"");
    let howdah = Howdah::start(&patient).await;
    howdah.healthy("back", "s", "up").await;
    assert!(hive.sessions_opened() > 0);
}

#[tokio::test]
async fn a_wrong_password_and_a_stranger_are_told_apart() {
    let mut options = HiveOptions::new("s");
    options.auth = Auth::Account {
        user: "howdah".into(),
        password: "right".into(),
    };
    let guarded = Hive::start(&Frame::default(), options).unwrap();
    let hue = Hue::start(&Frame::default(), "hue").unwrap();
    for (address, password, health, reason) in [
        (guarded.listener().address(), "right", "up", "ok"),
        (
            guarded.listener().address(),
            "wrong",
            "down",
            "bad-credentials",
        ),
        (hue.listener().address(), "right", "down", "speaks-http"),
    ] {
        let site = Site::new();
        site.write("probe.password", password);
        let probe = "username = \"howdah\"\npassword_file = \"probe.password\"";
        let howdah = site
            .start(&config("hiveserver2", &[entry("s", address)], probe))
            .await;
        settled(&howdah, health, reason).await;
    }
}

#[tokio::test]
async fn hive_is_asked_in_each_of_its_dialects() {
    for (auth, transport, probe) in [
        (
            Auth::NoSasl,
            Transport::Binary,
            "auth = \"nosasl\"\ndepth = \"query\"",
        ),
        (Auth::Anybody, Transport::Binary, "depth = \"query\""),
        (
            Auth::Anybody,
            Transport::Http,
            "transport = \"http\"\ndepth = \"query\"",
        ),
        (Auth::OnlyGssapi, Transport::Binary, ""),
    ] {
        let mut options = HiveOptions::new("s");
        (options.auth, options.transport) = (auth.clone(), transport);
        let hive = Hive::start(&Frame::default(), options).unwrap();
        let servers = [entry("s", hive.listener().address())];
        let howdah = Howdah::start(&config("hiveserver2", &servers, probe)).await;
        howdah.healthy("back", "s", "up").await;
        if probe.contains("query") {
            eventually!(hive.statements() > 0);
        }
    }
}

#[tokio::test]
async fn an_impala_that_shuts_down_is_alive_and_gets_no_session() {
    let mut options = HiveOptions::new("impalad-1");
    options.flavour = Flavour::Impala;
    options.auth = Auth::NoSasl;
    let impala = Impala::start(&Frame::default(), Frame::default().bind, options).unwrap();
    let probe = format!("port = {}", impala.web().address().port());
    let servers = [entry("s", impala.listener().address())];
    let mut howdah = Howdah::start(&config("impala", &servers, &probe)).await;
    howdah.healthy("back", "s", "up").await;
    let stream = howdah.connect("front").await;
    let mut running = HiveClient::over(Box::new(stream), None).await.unwrap();
    impala.set_quiescing(true);
    howdah.healthy("back", "s", "alive").await;
    let mut late = howdah.connect("front").await;
    let _ = late.write_all(b"x").await;
    let _ = read_all(&mut late).await;
    assert_eq!(howdah.ended().await["reason"], "no-server");
    impala.set_quiescing(false);
    assert_eq!(
        running.query("SELECT who").await.unwrap(),
        ["impalad-1"],
        "lives on"
    );
    howdah.healthy("back", "s", "up").await;
    impala.set_healthy(false);
    howdah.healthy("back", "s", "down").await;
}

/// The web server that the probe asks answers all the time.
#[tokio::test]
async fn an_impala_whose_session_port_is_dead_is_down_though_its_web_server_answers() {
    let options = || {
        let mut options = HiveOptions::new("impalad-1");
        options.flavour = Flavour::Impala;
        options.auth = Auth::NoSasl;
        options
    };
    // Of two stand-ins, as the ports of one fail together.
    let web = Impala::start(&Frame::default(), Frame::default().bind, options()).unwrap();
    let sessions = Hive::start(&Frame::default(), options()).unwrap();
    let probe = format!("port = {}", web.web().address().port());
    let servers = [entry("s", sessions.listener().address())];
    let howdah = Howdah::start(&config("impala", &servers, &probe)).await;
    howdah.healthy("back", "s", "up").await;
    sessions.listener().switch().set(Fault::Refuse);
    let mut client = howdah.connect("front").await;
    let _ = client.write_all(b"x").await;
    let _ = read_all(&mut client).await;
    howdah.healthy("back", "s", "down").await;
    let port = sessions.listener().address().port();
    let says = format!("but port {port} takes no sessions");
    eventually!({
        let server = howdah.server("back", "s").await;
        server["last_probe"]["detail"].to_string().contains(&says)
    });
    sessions.listener().switch().set(Fault::None);
    howdah.healthy("back", "s", "up").await;
}

#[tokio::test]
async fn hue_is_judged_by_its_status() {
    let hue = Hue::start(&Frame::default(), "hue-1").unwrap();
    let servers = [entry("s", hue.listener().address())];
    let howdah = Howdah::start(&config("hue", &servers, "rise = 1\nfall = 1")).await;
    howdah.healthy("back", "s", "up").await;
    hue.set_alive_status(500);
    eventually!(howdah.server("back", "s").await["health"] != "up");
    hue.set_alive_status(301);
    eventually!({
        let server = howdah.server("back", "s").await;
        server["health"] == "alive" || server["health"] == "down"
    });
    hue.set_alive_status(200);
    howdah.healthy("back", "s", "up").await;
}

#[tokio::test]
async fn a_flawed_certificate_is_named() {
    let site = Site::new();
    let certificates = Certificates::new(&site);
    let wardrobe = Wardrobe::new(&certificates.authority, &["back.test"]).unwrap();
    let frame = Frame {
        tls: Some(std::sync::Arc::new(wardrobe)),
        ..Frame::default()
    };
    let server = raw::echo(&frame).unwrap();
    let probe = "type = \"tls\"\nrise = 1\nfall = 1\n[pool.back.tls]\nca = \"ca.crt\"\nserver_name = \"back.test\"";
    let howdah = site
        .start(&config("tcp", &[entry("s", server.address())], probe))
        .await;
    howdah.healthy("back", "s", "up").await;
    for (flaw, reason) in [
        (Flaw::Name, "certificate-name"),
        (Flaw::Expired, "certificate-expired"),
    ] {
        server.switch().set(Fault::BadCertificate(flaw));
        settled(&howdah, "down", reason).await;
    }
    server.switch().set(Fault::BadCertificate(Flaw::Stranger));
    eventually!({
        let server = howdah.server("back", "s").await;
        let reason = server["reason"].as_str().unwrap_or_default().to_owned();
        server["health"] == "down"
            && !reason.is_empty()
            && reason != "certificate-name"
            && reason != "certificate-expired"
    });
}

#[tokio::test]
async fn a_new_server_gets_nothing_before_its_first_verdict() {
    let server = raw::named(&Frame::default(), "s").unwrap();
    server.switch().set(Fault::Hang);
    let servers = [entry("s", server.address())];
    let probe = "type = \"hiveserver2\"";
    let mut howdah = Howdah::start(&config("tcp", &servers, probe)).await;
    let mut client = howdah.connect("front").await;
    let _ = client.write_all(b"?").await;
    let _ = read_all(&mut client).await;
    assert_eq!(howdah.ended().await["reason"], "no-server");
}

#[tokio::test]
async fn each_change_of_health_is_one_line_with_its_reason() {
    let server = raw::echo(&Frame::default()).unwrap();
    let servers = [entry("s", server.address())];
    let howdah = Howdah::start(&config("tcp", &servers, "")).await;
    howdah.healthy("back", "s", "up").await;
    let from = howdah.log().so_far().len();
    server.switch().set(Fault::Refuse);
    howdah.healthy("back", "s", "down").await;
    let (_, line) = howdah
        .log()
        .find(from, |line| {
            let text = line.to_string();
            (text.contains("connect-refused") && text.contains("\"back\"")).then_some(text)
        })
        .await;
    assert!(line.contains("down"), "{line}");
    let mentions = |lines: &[String]| {
        lines
            .iter()
            .filter(|line| line.contains("connect-refused"))
            .count()
    };
    let told = mentions(&howdah.log().so_far()[from..]);
    let probes = |metric: f64| metric;
    let seen = probes(howdah.metric("howdah_health_probes_total", &[]).await);
    eventually!(howdah.metric("howdah_health_probes_total", &[]).await > seen + 5.0);
    assert_eq!(
        mentions(&howdah.log().so_far()[from..]),
        told,
        "one line, not one per probe"
    );
}

/// The probe of `tcp` ends with FIN: the server's next read is an end, not an error.
#[tokio::test]
async fn probes_end_without_a_reset() {
    let (server, mut heard) = raw::recorder(&Frame::default()).unwrap();
    let servers = [entry("s", server.address())];
    let howdah = Howdah::start(&config("tcp", &servers, "")).await;
    howdah.healthy("back", "s", "up").await;
    assert_eq!(heard.recv().await.unwrap().unwrap(), b"", "nothing said");
    let mut client = howdah.connect("front").await;
    client.write_all(b"?").await.unwrap();
    client.shutdown().await.unwrap();
    loop {
        if heard.recv().await.unwrap().unwrap() == b"?" {
            break;
        }
    }
}

#[tokio::test]
async fn names_are_resolved() {
    let server = raw::named(&Frame::default(), "local").unwrap();
    let servers = [format!("\"localhost:{}\"", server.address().port())];
    let howdah = Howdah::start(&config("tcp", &servers, "")).await;
    let name = format!("localhost:{}", server.address().port());
    howdah.healthy("back", &name, "up").await;
    let mut client = howdah.connect("front").await;
    client.write_all(b"?").await.unwrap();
    assert_eq!(read_line(&mut client).await.unwrap(), "local");
    exchange(&mut client, "through").await;
}

/// With a probe that only connects, a server that accepts and breaks kept a third of all sessions.
#[tokio::test]
async fn a_server_that_accepts_and_serves_nobody_costs_a_few_sessions_not_a_third() {
    let named = |name: &str| raw::named(&Frame::default(), name).unwrap();
    let (a, b, c) = (named("a"), named("b"), named("c"));
    let servers = [
        entry("a", a.address()),
        entry("b", b.address()),
        entry("c", c.address()),
    ];
    for (limit, expected) in [(0, 30..=36), (50, 0..=0)] {
        c.switch().set(Fault::None);
        let probe = format!("quarantine = \"10m\"\nobserve_limit = {limit}");
        let howdah = Howdah::start(&config("tcp", &servers, &probe)).await;
        for name in ["a", "b", "c"] {
            howdah.healthy("back", name, "up").await;
        }
        c.switch().set(Fault::Reset);
        let few = lost(&howdah, 9).await;
        assert!(few >= 3 || limit > 0, "{few} of 9");
        let cause = if limit == 0 { "spared" } else { "sessions" };
        let labels = [("server", "c"), ("cause", cause)];
        eventually!(
            howdah
                .metric("howdah_health_quarantines_total", &labels)
                .await
                > 0.5
        );
        if limit > 0 {
            howdah.healthy("back", "c", "down").await;
        }
        let many = lost(&howdah, 100).await;
        assert!(expected.contains(&many), "{limit}: {many} of 100");
        if limit > 0 {
            eventually!(howdah.server("back", "c").await["reason"] == "quarantined");
        }
    }
}

/// How many of so many sessions, one after the other, got no answer.
async fn lost(howdah: &Howdah, sessions: u32) -> u32 {
    let mut lost = 0;
    for _ in 0..sessions {
        let mut client = howdah.connect("front").await;
        let asked = client.write_all(b"?").await.is_ok();
        lost += u32::from(!asked || read_line(&mut client).await.is_err());
    }
    lost
}

/// What comes of it by time alone: the server gets sessions again, and holds.
#[tokio::test]
async fn a_server_that_serves_again_comes_back_after_its_quarantine() {
    let named = |name: &str| raw::named(&Frame::default(), name).unwrap();
    let (a, b) = (named("a"), named("b"));
    let servers = [entry("a", a.address()), entry("b", b.address())];
    let howdah = Howdah::start(&config("tcp", &servers, "quarantine = \"500ms\"")).await;
    howdah.healthy("back", "a", "up").await;
    howdah.healthy("back", "b", "up").await;
    b.switch().set(Fault::Reset);
    eventually!({
        let mut client = howdah.connect("front").await;
        let _ = client.write_all(b"?").await;
        let _ = read_line(&mut client).await;
        howdah.server("back", "b").await["health"] == "down"
    });
    b.switch().set(Fault::None);
    howdah.healthy("back", "b", "up").await;
    eventually!({
        let mut client = howdah.connect("front").await;
        client.write_all(b"?").await.unwrap();
        read_line(&mut client).await.unwrap() == "b"
    });
}

/// A client whose bytes make every server hang up must not empty the pool.
#[tokio::test]
async fn sessions_that_fail_everywhere_leave_half_of_the_servers_in() {
    let servers: Vec<_> = (0..4)
        .map(|_| raw::echo(&Frame::default()).unwrap())
        .collect();
    let names = ["a", "b", "c", "d"];
    let entries: Vec<String> = (names.iter().zip(&servers))
        .map(|(name, server)| entry(name, server.address()))
        .collect();
    let howdah = Howdah::start(&config("tcp", &entries, "quarantine = \"10m\"")).await;
    for name in names {
        howdah.healthy("back", name, "up").await;
    }
    for server in &servers {
        server.switch().set(Fault::Reset);
    }
    let spared = [("cause", "spared")];
    eventually!({
        let mut client = howdah.connect("front").await;
        let _ = client.write_all(b"?").await;
        let _ = read_all(&mut client).await;
        howdah
            .metric("howdah_health_quarantines_total", &spared)
            .await
            >= 2.0
    });
    let mut up = 0;
    for name in names {
        up += u32::from(howdah.server("back", name).await["health"] == "up");
    }
    assert_eq!(up, 2);
}

/// A session on a server that stops to take connections, and goes down for it: what `on_down` makes of it.
async fn on_down(
    word: &str,
) -> (
    Howdah,
    tokio::net::TcpStream,
    ::howdah::standin::StandInListener,
) {
    let server = raw::named(&Frame::default(), "s").unwrap();
    let servers = [entry("s", server.address())];
    let settings = format!(
        "[global]\ndrain_timeout = \"3s\"\n{}",
        config("tcp", &servers, "").replace(
            "service = \"tcp\"\n",
            &format!("service = \"tcp\"\non_down = \"{word}\"\n"),
        )
    );
    let howdah = Howdah::start(&settings).await;
    howdah.healthy("back", "s", "up").await;
    let mut client = howdah.connect("front").await;
    client.write_all(b"?").await.unwrap();
    assert_eq!(read_line(&mut client).await.unwrap(), "s");
    server.switch().set(Fault::Refuse);
    howdah.healthy("back", "s", "down").await;
    (howdah, client, server)
}

#[tokio::test]
async fn sessions_of_a_server_that_is_down_go_on_unless_told_otherwise() {
    let (_howdah, mut client, _server) = on_down("keep").await;
    exchange(&mut client, "still here").await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    exchange(&mut client, "and here").await;
}

#[tokio::test]
async fn sessions_of_a_server_that_goes_down_end_at_once_where_the_pool_says_so() {
    let (mut howdah, mut client, _server) = on_down("reset").await;
    let end = tokio::time::timeout(Duration::from_secs(5), read_all(&mut client)).await;
    end.expect("the client hears of it").ok();
    assert_eq!(howdah.ended().await["reason"], "server-down");
}

#[tokio::test]
async fn sessions_of_a_server_that_stays_down_end_after_the_drain_time() {
    let (mut howdah, mut client, server) = on_down("drain").await;
    exchange(&mut client, "for a while").await;
    let end = tokio::time::timeout(Duration::from_secs(10), read_all(&mut client)).await;
    end.expect("the client hears of it").ok();
    assert_eq!(howdah.ended().await["reason"], "drained");
    server.switch().set(Fault::None);
    howdah.healthy("back", "s", "up").await;
    let mut second = howdah.connect("front").await;
    second.write_all(b"?").await.unwrap();
    assert_eq!(read_line(&mut second).await.unwrap(), "s");
    server.switch().set(Fault::Refuse);
    howdah.healthy("back", "s", "down").await;
    server.switch().set(Fault::None);
    howdah.healthy("back", "s", "up").await;
    tokio::time::sleep(Duration::from_millis(3500)).await;
    exchange(&mut second, "it came back in time").await;
}

#[tokio::test]
async fn panic_is_seen_in_status_metrics_and_log() {
    let servers: Vec<_> = (0..3)
        .map(|_| raw::echo(&Frame::default()).unwrap())
        .collect();
    let names = ["a", "b", "c"];
    let entries: Vec<String> = (names.iter().zip(&servers))
        .map(|(name, server)| entry(name, server.address()))
        .collect();
    let settings = config("tcp", &entries, "").replace(
        "service = \"tcp\"\n",
        "service = \"tcp\"\npanic_threshold = 50\n",
    );
    let howdah = Howdah::start(&settings).await;
    for name in names {
        howdah.healthy("back", name, "up").await;
    }
    servers[0].switch().set(Fault::Refuse);
    howdah.healthy("back", "a", "down").await;
    assert_eq!(howdah.status().await["pools"][0]["panic"], false);
    servers[1].switch().set(Fault::Refuse);
    eventually!(howdah.status().await["pools"][0]["panic"] == true);
    assert!(howdah.metric("howdah_pool_panic", &[]).await > 0.5);
    let told = |words: &str| {
        howdah
            .log()
            .so_far()
            .iter()
            .any(|line| line.contains(words))
    };
    eventually!(told("too few servers are up"));
    servers[0].switch().set(Fault::None);
    eventually!(howdah.status().await["pools"][0]["panic"] == false);
    assert!(howdah.metric("howdah_pool_panic", &[]).await < 0.5);
    eventually!(told("enough servers are up again"));
}
