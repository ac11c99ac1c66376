//! `howdah check --connect` and `--json`: a configuration against the servers that it names.

use ::howdah::standin::{Auth, Flavour, Hive, HiveOptions, Impala};
use serde_json::Value;
use std::net::SocketAddr;

use crate::support::{Frame, Site, free_port, program, run};

/// Exit code, standard output and error.
async fn check(site: &Site, more: &[&str]) -> (Option<i32>, String, String) {
    let mut command = program();
    let file = site.path().join("howdah.toml");
    command.args(["check", "--config", file.to_str().unwrap()]);
    command.args(more);
    let output = run(command).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn listed(name: &str, service: &str, servers: &str, more: &str) -> String {
    format!(
        "[[listener]]\nname = \"{name}\"\nbind = \"127.0.0.1:0\"\npool = \"{name}\"\n\
         [pool.{name}]\nservice = \"{service}\"\n{servers}\n{more}\n"
    )
}

#[tokio::test]
async fn every_server_is_asked_as_its_pool_asks() {
    let hives: Vec<_> = ["hs2-1", "hs2-2"]
        .map(|name| Hive::start(&Frame::default(), HiveOptions::new(name)).unwrap())
        .into();
    let frame = Frame::default();
    let options = HiveOptions {
        auth: Auth::NoSasl,
        flavour: Flavour::Impala,
        ..HiveOptions::new("impalad-1")
    };
    let impala = Impala::start(&frame, frame.bind, options).unwrap();
    let site = Site::new();
    let members = format!("servers = [\"{}\"]\n", hives[1].listener().address());
    site.write("members.toml", &members);
    let web = impala.web().address().port();
    let good = listed(
        "hive",
        "hiveserver2",
        &format!("servers = [\"{}\"]", hives[0].listener().address()),
        "discover = { file = \"members.toml\" }\nprobe = { type = \"hiveserver2\", depth = \"query\" }",
    ) + &listed(
        "impala",
        "impala",
        &format!("servers = [\"{}\"]", impala.listener().address()),
        &format!("probe = {{ type = \"impala\", port = {web} }}"),
    );
    site.write("howdah.toml", &good);
    let (code, out, err) = check(&site, &["--connect"]).await;
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("3 asked: 3 up, 0 alive, 0 down"), "{out}");

    // The web server answers, and where sessions go nobody does.
    let nobody: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let bad = good.replace(
        &impala.listener().address().to_string(),
        &nobody.to_string(),
    );
    site.write("howdah.toml", &bad);
    hives[1].set_refusal(Some("no".into()));
    let (code, out, err) = check(&site, &["--connect"]).await;
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(out.contains("where sessions go"), "{out}");
    assert!(
        out.contains("pool impala has no server that is up"),
        "{out}"
    );
    assert!(out.contains("3 asked: 1 up, 0 alive, 2 down"), "{out}");

    let (code, out, err) = check(&site, &["--connect", "--json"]).await;
    assert_eq!((code, err.as_str()), (Some(1), "\n"), "{out}");
    let said: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(said["usable"], true);
    let servers = said["connected"]["servers"].as_array().unwrap();
    let of = |pool: &str| servers.iter().filter(|one| one["pool"] == pool).count();
    assert_eq!((of("hive"), of("impala")), (2, 1), "{said}");
    let down = servers.iter().find(|one| one["pool"] == "impala").unwrap();
    assert_eq!(down["reason"], "connect-refused");
    assert!(
        down["seconds"].is_number() && down["fine"] == false,
        "{down}"
    );
}

/// Forty servers of which one hangs take as long as that one.
#[tokio::test]
async fn servers_are_asked_side_by_side_and_a_source_that_is_silent_is_told() {
    let site = Site::new();
    let servers: Vec<String> = (1..=40)
        .map(|number| format!("\"127.0.0.{number}:1\""))
        .collect();
    let config = listed(
        "many",
        "tcp",
        &format!("servers = [{}]", servers.join(", ")),
        "",
    ) + &listed("found", "livy", "", "discover = { file = \"nobody.toml\" }");
    site.write("howdah.toml", &config);
    let (code, out, _) = check(&site, &["--connect"]).await;
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("40 asked: 0 up, 0 alive, 40 down"), "{out}");
    assert!(
        out.contains("nobody.toml lists nobody: there is no such file"),
        "{out}"
    );
    let widest = out.lines().skip_while(|line| !line.starts_with("SERVER"));
    let widest = widest.map(|line| line.chars().count()).max();
    assert!(widest.is_some_and(|widest| widest <= 100), "{out}");
}

#[tokio::test]
async fn faults_are_json_for_programs() {
    let site = Site::new();
    site.write("howdah.toml", &listed("a", "hive", "servers = [\"x\"]", ""));
    let (code, out, err) = check(&site, &["--json"]).await;
    assert_eq!((code, err.as_str()), (Some(78), "\n"), "{out}");
    let said: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(said["usable"], false);
    let fault = &said["faults"][0];
    assert_eq!(
        (&fault["severity"], &fault["line"]),
        (&"error".into(), &6.into())
    );
    assert!(fault["fix"].to_string().contains("hiveserver2"), "{fault}");
}

#[tokio::test]
async fn what_outlives_it_and_what_it_has_with_others_is_shown() {
    let site = Site::new();
    let more = r#"
[state]
file = "state.json"

[vip.front]
addresses = ["192.0.2.10/24"]
interface = "eth0"
router_id = 51
priority = 150
advert_interval = "200ms"
track = ["hive"]

[cluster]
name = "lb-1"
zookeeper = ["zk1.example.com:2181"]
path = "/howdah/front"

[cluster.peers]
bind = "127.0.0.1:1024"
peers = { lb-2 = "192.0.2.2:1024" }
"#;
    let sticky = "sticky = { by = \"source-ip\", ttl = \"30m\" }";
    let servers = "servers = [\"hs2-1.example.com\"]";
    let config = listed("hive", "hiveserver2", servers, sticky) + more;
    site.write("howdah.toml", &config);
    let (code, out, err) = check(&site, &[]).await;
    assert_eq!(code, Some(0), "{out}{err}");
    for line in [
        "vip          front: 192.0.2.10/24 on eth0, router id 51, priority 150, every 200ms, while hive can serve\n",
        "cluster      lb-1, active-active by ZooKeeper\n",
        "peers        lb-1 on 127.0.0.1:1024, with lb-2 at 192.0.2.2:1024\n",
    ] {
        assert!(out.contains(line), "{line}{out}");
    }
    assert!(out.contains("/state.json\n"), "{out}");
}
