//! A file that lists servers.

use std::fs;
use std::time::Duration;

use ::howdah::standin::{StandInListener, raw};
use tokio::io::AsyncWriteExt;

use super::{discovery, listed, pool, servers, up, who};
use crate::eventually;
use crate::support::{Frame, Howdah, Site, exchange, read_line, soon};

fn stand_in(name: &str) -> StandInListener {
    raw::named(&Frame::default(), name).unwrap()
}

/// Put in the place of the old one, as editors and Ansible do.
fn put(howdah: &Howdah, text: &str) {
    let new = howdah.dir().join("members.new");
    fs::write(&new, text).unwrap();
    fs::rename(new, howdah.dir().join("members.toml")).unwrap();
}

const FILE: &str = "file = \"members.toml\"";

#[tokio::test]
async fn a_file_that_appears_and_changes_is_followed_and_a_session_outlives_its_server() {
    let (a, b) = (stand_in("a"), stand_in("b"));
    let (at_a, at_b) = (a.address().to_string(), b.address().to_string());
    let howdah = Howdah::start(&listed("app", FILE, "")).await;
    let front = howdah.address("app").await;
    let (code, ready) = howdah.http("GET", "/readyz", "").await;
    assert_eq!(code, 503);
    assert!(
        ready.contains("has no server yet") && ready.contains("there is no such file"),
        "{ready}"
    );
    assert_eq!(discovery(&howdah, "app").await, ("stale".to_owned(), None));
    let mut refused = tokio::net::TcpStream::connect(front).await.unwrap();
    let _ = refused.write_all(b"?").await;
    assert!(
        soon(read_line(&mut refused)).await.is_err(),
        "nobody is there"
    );

    put(
        &howdah,
        &format!("servers = [\"{at_a}\", {{ name = \"b\", address = \"{at_b}\", weight = 3 }}]"),
    );
    eventually!(servers(&howdah, "app").await == up(&[&at_a, "b"]));
    assert_eq!(howdah.server("app", "b").await["weight"], 3);
    let (state, age) = discovery(&howdah, "app").await;
    assert!(
        state == "live" && age.is_some_and(|age| age < Duration::from_secs(2)),
        "{age:?}"
    );
    let mut long = howdah.connect("app").await;
    long.write_all(b"?").await.unwrap();
    let mine = read_line(&mut long).await.unwrap();
    let (gone, stays) = if mine == "a" {
        (&at_a, "b")
    } else {
        (&at_b, "a")
    };

    let left = if mine == "a" { &at_b } else { &at_a };
    put(&howdah, &format!("servers = [\"{left}\"]"));
    eventually!(
        servers(&howdah, "app")
            .await
            .iter()
            .all(|(name, health)| name == left && health == "up")
    );
    for _ in 0..4 {
        assert_eq!(who(&howdah, "app").await.unwrap(), stays);
    }
    exchange(&mut long, "still here").await;
    let departed = &pool(&howdah, "app").await["departed"];
    assert_eq!(departed[0]["address"], **gone);
    assert_eq!(
        (
            &departed[0]["sessions_active"],
            &departed[0]["seconds_left"]
        ),
        (&1.into(), &serde_json::Value::Null)
    );
    let table = howdah.ctl_ok(&["status"]).await;
    assert!(
        table.contains("listed by file") && table.contains("1 session, until they end"),
        "{table}"
    );
    drop(long);
    eventually!(pool(&howdah, "app").await["departed"].is_null());
}

#[tokio::test]
async fn an_empty_a_broken_and_a_missing_file_leave_the_last_list_in_force() {
    let a = stand_in("a");
    let at = a.address().to_string();
    let site = Site::new();
    site.write("members.toml", &format!("servers = [\"{at}\"]"));
    let howdah = site.start(&listed("app", FILE, "")).await;
    eventually!(servers(&howdah, "app").await == up(&[&at]));
    let stale = async |error: &str| {
        let discovery = &pool(&howdah, "app").await["discovery"];
        let told = discovery["error"].as_str().unwrap_or_default();
        discovery["state"] == "stale" && told.contains(error)
    };
    let generation = howdah.log().so_far().len();
    for (text, error) in [
        ("servers = []", "it lists no server"),
        (
            "servers = [\"127.0.0.1:1\", { adress = \"127.0.0.1:2\" }]",
            "did you mean address?",
        ),
        ("servers = [\"127.0.0.1:1\"", "^"),
        ("", "lacks \"servers\""),
        ("servers = [\"127.0.0.1\"]", "has no port"),
    ] {
        put(&howdah, text);
        eventually!(stale(error).await);
        assert_eq!(servers(&howdah, "app").await, up(&[&at]), "{text}");
        assert_eq!(who(&howdah, "app").await.unwrap(), "a");
    }
    fs::remove_file(howdah.dir().join("members.toml")).unwrap();
    eventually!(stale("there is no such file").await);
    assert_eq!(who(&howdah, "app").await.unwrap(), "a");
    let table = howdah.ctl_ok(&["status"]).await;
    assert!(table.contains("STALE: the list is "), "{table}");
    assert_eq!(
        howdah
            .metric("howdah_discovery_stale", &[("pool", "app")])
            .await,
        1.0
    );
    let told = |word: &str| {
        let lines = howdah.log().so_far();
        lines[generation..]
            .iter()
            .filter(|line| line.contains(word))
            .count()
    };
    assert_eq!(
        told("no list of servers"),
        1,
        "once, however often it fails"
    );

    put(&howdah, &format!("servers = [\"{at}\"]"));
    eventually!(discovery(&howdah, "app").await.0 == "live");
    let again =
        |line: &serde_json::Value| (line["message"] == "servers are listed again").then_some(());
    howdah.log().find(0, again).await;
    assert_eq!(
        howdah
            .metric("howdah_discovery_members", &[("pool", "app")])
            .await,
        1.0
    );
}

#[tokio::test]
async fn a_reload_leaves_a_source_alone_and_another_source_takes_over_without_a_gap() {
    let (a, b) = (stand_in("a"), stand_in("b"));
    let (at_a, at_b) = (a.address().to_string(), b.address().to_string());
    let site = Site::new();
    site.write("members.toml", &format!("servers = [\"{at_a}\"]"));
    let howdah = site.start(&listed("app", FILE, "")).await;
    eventually!(servers(&howdah, "app").await == up(&[&at_a]));
    let read = howdah
        .metric("howdah_discovery_listings_total", &[("result", "changed")])
        .await;
    // Something else changed: the list is not even read anew.
    let more = "timeouts = { idle = \"1h\" }";
    let output = howdah.reload(&listed("app", FILE, more)).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(servers(&howdah, "app").await, up(&[&at_a]));
    assert_eq!(
        howdah
            .metric("howdah_discovery_listings_total", &[("result", "changed")])
            .await,
        read
    );

    // Another file, which is not there yet: the old list serves on.
    let output = howdah
        .reload(&listed("app", "file = \"others.toml\"", more))
        .await;
    assert!(output.status.success(), "{output:?}");
    eventually!(discovery(&howdah, "app").await.0 == "stale");
    assert_eq!(who(&howdah, "app").await.unwrap(), "a");
    fs::write(
        howdah.dir().join("others.toml"),
        format!("servers = [\"{at_b}\"]"),
    )
    .unwrap();
    eventually!(servers(&howdah, "app").await == up(&[&at_b]));
    assert_eq!(who(&howdah, "app").await.unwrap(), "b");
}

#[tokio::test]
async fn ten_thousand_servers_in_a_file_become_members_at_once() {
    let site = Site::new();
    let list = |count: u16| {
        let servers: Vec<String> = (0..count)
            .map(|n| format!("\"127.1.{}.{}:9\"", n / 250, n % 250 + 1))
            .collect();
        format!("servers = [{}]", servers.join(",\n"))
    };
    site.write("members.toml", &list(10_000));
    let config = listed("app", FILE, "").replace("probe = {", "probe = \"none\" #");
    let howdah = site.start(&config).await;
    let members = async || {
        howdah
            .metric("howdah_discovery_members", &[("pool", "app")])
            .await
    };
    eventually!(members().await == 10_000.0);
    put(&howdah, &list(9_999));
    eventually!(members().await == 9_999.0);
    let changed = [("pool", "app"), ("result", "changed")];
    assert_eq!(
        howdah
            .metric("howdah_discovery_listings_total", &changed)
            .await,
        2.0
    );
}
