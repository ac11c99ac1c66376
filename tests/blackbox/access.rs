//! The line of each session, against the contract.

use tokio::io::AsyncWriteExt;

use crate::support::{Frame, Howdah, Site, exchange, plain, raw, read_all};
use serde_json::Value;

const FIELDS: [&str; 18] = [
    "time",
    "session",
    "listener",
    "client",
    "pool",
    "server",
    "sni",
    "tls",
    "bytes_from_client",
    "bytes_from_server",
    "duration_seconds",
    "connect_seconds",
    "first_byte_seconds",
    "attempts",
    "pick",
    "stage",
    "reason",
    "protocol",
];

#[tokio::test]
async fn a_line_has_every_field_and_true_values() {
    let server = raw::echo(&Frame::default()).unwrap();
    let mut howdah = Howdah::start(&plain("echo", &[server.address()], "")).await;
    let mut client = howdah.connect("echo").await;
    let me = client.local_addr().unwrap();
    exchange(&mut client, "abc").await;
    drop(client);
    let line = howdah.ended().await;
    let names: Vec<&String> = line.as_object().unwrap().keys().collect();
    assert_eq!(names.len(), FIELDS.len(), "{line}");
    for field in FIELDS {
        assert!(line.get(field).is_some(), "{field} is missing: {line}");
    }
    assert_eq!(line["listener"], "echo");
    assert_eq!(line["client"], me.to_string());
    assert_eq!(line["pool"], "echo");
    assert_eq!(line["server"], server.address().to_string());
    assert_eq!(line["attempts"], 1);
    assert_eq!(line["pick"], "only-one");
    assert_eq!(
        (&line["stage"], &line["reason"]),
        (&"relay".into(), &"client-closed".into())
    );
    let time = line["time"].as_str().unwrap();
    assert!(time.ends_with('Z') && time.contains('T'), "{time}");
    let seconds = |field: &str| {
        line[field]
            .as_f64()
            .unwrap_or_else(|| panic!("{field}: {line}"))
    };
    assert!(seconds("connect_seconds") <= seconds("duration_seconds"));
    assert!(seconds("first_byte_seconds") <= seconds("duration_seconds"));
}

#[tokio::test]
async fn picks_are_named() {
    let standins = [
        raw::echo(&Frame::default()).unwrap(),
        raw::echo(&Frame::default()).unwrap(),
    ];
    let servers = [standins[0].address(), standins[1].address()];
    for pick in [
        "round-robin",
        "least-connection",
        "response-time",
        "random",
        "source-hash",
    ] {
        let config = plain("pair", &servers, &format!("balance = \"{pick}\""));
        let mut howdah = Howdah::start(&config).await;
        let mut client = howdah.connect("pair").await;
        exchange(&mut client, "x").await;
        drop(client);
        assert_eq!(howdah.ended().await["pick"], pick);
    }
}

#[tokio::test]
async fn a_denied_client_is_told_in_a_line() {
    let server = raw::echo(&Frame::default()).unwrap();
    for rule in ["deny = [\"127.0.0.0/8\"]", "allow = [\"192.0.2.0/24\"]"] {
        let config = plain("echo", &[server.address()], "")
            .replace("pool = \"echo\"\n", &format!("pool = \"echo\"\n{rule}\n"));
        let mut howdah = Howdah::start(&config).await;
        let mut client = howdah.connect("echo").await;
        let _ = client.write_all(b"x").await;
        let _ = read_all(&mut client).await;
        let line = howdah.ended().await;
        assert_eq!(
            (&line["stage"], &line["reason"]),
            (&"admit".into(), &"denied".into())
        );
        assert!(line["server"].is_null() && line["pick"].is_null());
    }
    assert_eq!(server.accepted(), 0);
}

/// Rotated away and reloaded, the file is opened anew.
#[tokio::test]
async fn a_file_follows_a_rotation() {
    let server = raw::echo(&Frame::default()).unwrap();
    let site = Site::new();
    let path = site.path().join("access.log");
    let config = plain("echo", &[server.address()], "")
        + &format!(
            "[admin]\nbind = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\naccess = \"{}\"\n",
            path.display()
        );
    let howdah = site.start(&config).await;
    let one = async || {
        let mut client = howdah.connect("echo").await;
        exchange(&mut client, "x").await;
    };
    let lines = || {
        std::fs::read_to_string(&path)
            .unwrap_or_default()
            .lines()
            .count()
    };
    one().await;
    crate::eventually!(lines() == 1);
    std::fs::rename(&path, path.with_extension("1")).unwrap();
    let output = howdah.reload(&config).await;
    assert!(output.status.success(), "{output:?}");
    one().await;
    crate::eventually!(lines() == 1);
}

/// Lines of ends stay as they are, and each kind can be told from the others.
#[tokio::test]
async fn a_start_and_each_while_of_a_long_session_have_a_line_when_wished() {
    let server = raw::echo(&Frame::default()).unwrap();
    let wished =
        "[admin]\nbind = \"127.0.0.1:0\"\n[log]\naccess_start = true\naccess_every = \"1s\"\n";
    let config = plain("one", &[server.address()], "");
    let mut howdah = Howdah::start(&format!("{config}{wished}")).await;
    let mut client = howdah.connect("one").await;
    exchange(&mut client, "four").await;
    let start = howdah.ended_where(|line| line["event"] == "start").await;
    assert_eq!(start["server"], server.address().to_string());
    assert_eq!(
        (&start["stage"], &start["reason"]),
        (&"relay".into(), &Value::Null)
    );
    let lasting = howdah.ended_where(|line| line["event"] == "lasting").await;
    assert_eq!(lasting["session"], start["session"]);
    assert_eq!(lasting["bytes_from_client"], 4);
    assert!(
        lasting["duration_seconds"].as_f64() >= Some(1.0),
        "{lasting}"
    );
    drop(client);
    let end = howdah
        .ended_where(|line| line["reason"] == "client-closed")
        .await;
    assert_eq!(end["session"], start["session"]);
    assert!(end.get("event").is_none(), "{end}");
}
