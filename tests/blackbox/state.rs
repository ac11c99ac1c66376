//! What outlives a howdah that was killed: sticky clients, orders, weights, verdicts; and what does not hinder its start.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown};
use std::path::Path;

use rustix::process::Signal;
use tempfile::TempDir;
use tokio::net::{TcpSocket, TcpStream};

use crate::eventually;
use crate::support::{Fault, Frame, Howdah, Site, StandInListener, TERM, at_once, raw, read_line};

/// A user that every machine has.
const NOBODY: u32 = 65534;
const AS_NOBODY: &str = "[global]\nuser = \"nobody\"\n";

fn config(file: &Path, servers: &[(&str, &StandInListener)], more: &str) -> String {
    let entry = |(name, standin): &(&str, &StandInListener)| {
        format!(
            "{{ name = \"{name}\", address = \"{}\" }}",
            standin.address()
        )
    };
    let servers: Vec<_> = servers.iter().map(entry).collect();
    format!(
        r#"
[state]
file = {file:?}

[[listener]]
name = "front"
bind = "127.0.0.1:0"
pool = "back"

[pool.back]
service = "tcp"
balance = "round-robin"
sticky = {{ by = "source-ip", ttl = "1h" }}
servers = [{}]
{more}
"#,
        servers.join(", ")
    )
}

fn client(number: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 9, number).into()
}

/// A session of that client, and the name of the server that answered.
async fn visit(front: SocketAddr, from: IpAddr) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from, 0)).unwrap();
    let mut stream = socket.connect(front).await.unwrap();
    name_of(&mut stream).await
}

async fn name_of(stream: &mut TcpStream) -> String {
    use tokio::io::AsyncWriteExt;
    stream.write_all(b"who\n").await.unwrap();
    read_line(stream).await.unwrap()
}

fn named(name: &str) -> StandInListener {
    raw::named(&Frame::default(), name).unwrap()
}

#[tokio::test]
async fn sticky_clients_orders_and_weights_outlive_a_howdah_that_was_killed() {
    let kept = TempDir::new().unwrap();
    let file = kept.path().join("state.json");
    let (a, b, c) = (named("a"), named("b"), named("c"));
    let config = config(
        &file,
        &[("a", &a), ("b", &b), ("c", &c)],
        "probe = \"none\"",
    );
    let mut first = Howdah::start(&config).await;
    first.ctl_ok(&["drain", "back/c", "--timeout", "2h"]).await;
    let front = first.address("front").await;
    let mut homes = BTreeMap::new();
    for number in 1..=12 {
        homes.insert(number, visit(front, client(number)).await);
    }
    // What changes by itself is written some seconds later, an order at once, and with it all the rest.
    first.ctl_ok(&["weight", "back/a", "7"]).await;
    at_once(async {
        eventually!(fs::read_to_string(&file).is_ok_and(|text| text.contains("\"weight\":7")));
    })
    .await;
    first.signal(Signal::KILL);
    first.exit().await;

    let second = Howdah::start(&config).await;
    let front = second.address("front").await;
    for (number, home) in &homes {
        assert_eq!(visit(front, client(*number)).await, *home, "{number}");
    }
    let drained = second.server("back", "c").await;
    assert_eq!(drained["admin"], "draining", "{drained}");
    let left = drained["ordered"]["seconds_left"].as_f64().unwrap();
    assert!(left > 7_000.0 && left <= 7_200.0, "{drained}");
    assert_eq!(second.server("back", "a").await["weight"], 7);
    let (_, events) = second.http("GET", "/api/v1/events", "").await;
    assert!(events.contains("(from the state file)"), "{events}");
    assert_eq!(
        second
            .metric("howdah_state_recalled_total", &[("what", "clients")])
            .await,
        12.0
    );
    assert_eq!(
        second
            .metric("howdah_state_recalled_total", &[("what", "orders")])
            .await,
        2.0
    );
}

/// Also what is ordered, and who comes, while the new one prepares; and its file is the old one's for as long as that serves.
#[tokio::test]
async fn a_takeover_hands_over_what_pools_remember() {
    let kept = TempDir::new().unwrap();
    let file = kept.path().join("state.json");
    let (a, b, c) = (named("a"), named("b"), named("c"));
    let with_file = config(
        &file,
        &[("a", &a), ("b", &b), ("c", &c)],
        "probe = \"none\"",
    );
    let table = format!("[state]\nfile = {file:?}\n");
    assert!(with_file.contains(&table));
    let mut first = Howdah::start(&with_file.replace(&table, "")).await;
    first.ctl_ok(&["drain", "back/c", "--timeout", "2h"]).await;
    let front = first.address("front").await;
    let mut homes = BTreeMap::new();
    for number in 1..=12 {
        homes.insert(number, visit(front, client(number)).await);
    }
    first.ctl_ok(&["weight", "back/a", "7"]).await;

    let mut second = first.successor().await;
    assert!(first.exit().await.success());
    for (number, home) in &homes {
        assert_eq!(visit(front, client(*number)).await, *home, "{number}");
    }
    let drained = second.server("back", "c").await;
    assert_eq!(drained["admin"], "draining", "{drained}");
    assert_eq!(second.server("back", "a").await["weight"], 7);
    let (_, events) = second.http("GET", "/api/v1/events", "").await;
    assert!(events.contains("(from the howdah before)"), "{events}");

    // This one has a file by its configuration, and cannot serve: nothing is written.
    second.configure(&with_file.replace("\"127.0.0.1:0\"", "[\"127.0.0.1:0\", \"192.0.2.1:7\"]"));
    assert!(!second.takeover().exit().await.success());
    assert!(!file.exists());
    second.configure(&with_file);
    let third = second.successor().await;
    assert!(second.exit().await.success());
    at_once(async {
        eventually!(fs::read_to_string(&file).is_ok_and(|text| text.contains("\"weight\":7")));
    })
    .await;
    assert_eq!(third.server("back", "c").await["admin"], "draining");
}

#[tokio::test]
async fn the_first_session_after_a_restart_waits_for_no_verdict() {
    let kept = TempDir::new().unwrap();
    let file = kept.path().join("state.json");
    let (a, asked) = (
        named("a"),
        raw::banner(&Frame::default(), "hello\n").unwrap(),
    );
    // A probe that hangs tells nothing for two minutes.
    let probe = format!(
        "probe = {{ type = \"exchange\", port = {}, steps = [{{ expect = \"^hello\" }}], interval = \"5m\", timeout = \"2m\" }}",
        asked.address().port()
    );
    let config = config(&file, &[("a", &a)], &probe);
    let mut first = Howdah::start(&config).await;
    first.healthy("back", "a", "up").await;
    first.signal(TERM);
    assert!(first.exit().await.success());

    asked.switch().set(Fault::Hang);
    let second = Howdah::start(&config).await;
    let front = second.address("front").await;
    assert_eq!(at_once(visit(front, client(1))).await, "a");
    let server = second.server("back", "a").await;
    assert_eq!(
        (&server["health"], &server["recalled"]),
        (&"up".into(), &true.into()),
        "{server}"
    );
    assert_eq!(server["reason"], "ok", "{server}");
    let text = second.ctl_ok(&["status"]).await;
    assert!(text.contains("none yet (from memory)"), "{text}");
}

#[tokio::test]
async fn a_damaged_file_is_set_aside_and_hinders_nobody() {
    let kept = TempDir::new().unwrap();
    let file = kept.path().join("state.json");
    fs::write(&file, "{\"format\":\"howdah-state\",\"version\":1,").unwrap();
    let a = named("a");
    let howdah = Howdah::start(&config(&file, &[("a", &a)], "probe = \"none\"")).await;
    assert_eq!(visit(howdah.address("front").await, client(1)).await, "a");
    let unread = howdah.status().await["state_file"]["unread"].to_string();
    assert!(
        unread.contains("is damaged: ") && unread.contains("state.json.damaged-"),
        "{unread}"
    );
    let text = howdah.ctl_ok(&["status"]).await;
    assert!(
        text.contains("the state file of the former howdah"),
        "{text}"
    );
    eventually!(fs::read_to_string(&file).is_ok_and(|text| text.contains("sha256")));
}

#[tokio::test]
async fn a_full_disk_costs_nothing_but_the_memory() {
    let kept = TempDir::new().unwrap();
    let file = kept.path().join("state.json");
    let a = named("a");
    let site = Site::new().with_full_disk(kept.path());
    let mut howdah = site
        .start(&config(&file, &[("a", &a)], "probe = \"none\""))
        .await;
    eventually!(howdah.status().await["state_file"]["error"].is_string());
    let error = howdah.status().await["state_file"]["error"].to_string();
    assert!(error.contains("No space left on device"), "{error}");
    for _ in 0..3 {
        howdah.ctl_ok(&["maintenance", "back/a"]).await;
        howdah.ctl_ok(&["ready", "back/a"]).await;
    }
    let mut stream = howdah.connect("front").await;
    assert_eq!(name_of(&mut stream).await, "a");
    eventually!(
        howdah
            .metric("howdah_state_writes_total", &[("result", "failed")])
            .await
            >= 2.0
    );
    let (_, events) = howdah.http("GET", "/api/v1/events?kind=state", "").await;
    assert_eq!(events.matches("cannot be written").count(), 1, "{events}");
    drop(stream);
    howdah.signal(TERM);
    assert!(howdah.exit().await.success());
}

/// A howdah whose state file cannot be kept serves, and says in its status why.
async fn without(site: Site, file: &Path, more: &str) -> (Howdah, StandInListener, String) {
    let a = named("a");
    let config = config(file, &[("a", &a)], "probe = \"none\"");
    let howdah = site.start(&format!("{more}{config}")).await;
    assert_eq!(visit(howdah.address("front").await, client(1)).await, "a");
    eventually!(howdah.status().await["state_file"]["error"].is_string());
    let error = howdah.status().await["state_file"]["error"].to_string();
    assert_eq!(howdah.metric("howdah_state_kept", &[]).await, 0.0);
    (howdah, a, error)
}

/// One that the user nobody may read, and the other folder with it.
fn site_of_nobody(other: &Path) -> Site {
    let site = Site::new();
    for folder in [site.path(), other] {
        fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    }
    site
}

async fn order(howdah: &Howdah) {
    howdah.ctl_ok(&["weight", "back/a", "7"]).await;
}

#[tokio::test]
async fn a_folder_that_is_missing_is_made_for_its_owner_alone() {
    let kept = TempDir::new().unwrap();
    let folder = kept.path().join("howdah");
    let file = folder.join("state.json");
    let a = named("a");
    let mut config = config(&file, &[("a", &a)], "probe = \"none\"");
    let (mut site, mut owner) = (Site::new(), rustix::process::geteuid().as_raw());
    if owner == 0 {
        (site, owner) = (site_of_nobody(kept.path()), NOBODY);
        config = format!("{AS_NOBODY}{config}");
    }
    let howdah = site.start(&config).await;
    eventually!(howdah.metric("howdah_state_kept", &[]).await == 1.0);
    let folder = file.parent().unwrap().metadata().unwrap();
    assert_eq!((folder.mode() & 0o7777, folder.uid()), (0o700, owner));
    assert_eq!(file.metadata().unwrap().uid(), owner);
}

/// The locks of the first howdah do not reach into a folder that was not there; those of its successor do.
#[tokio::test]
async fn a_folder_that_cannot_be_made_is_no_reason_not_to_start() {
    let kept = TempDir::new().unwrap();
    let folder = kept.path().join("no/such");
    let file = folder.join("state.json");
    let (mut howdah, _a, error) = without(Site::new(), &file, "").await;
    assert!(error.contains("make the folder: install -d "), "{error}");
    assert!(error.contains("howdah upgrade"), "{error}");
    let said = howdah.log().so_far().join("\n");
    assert!(
        said.contains("lies in a folder that does not exist"),
        "{said}"
    );

    fs::create_dir_all(&folder).unwrap();
    order(&howdah).await;
    let stays = async || howdah.status().await["state_file"]["error"].to_string();
    eventually!(stays().await.contains("locked itself in"));
    let successor = howdah.successor().await;
    assert!(howdah.exit().await.success());
    eventually!(successor.metric("howdah_state_kept", &[]).await == 1.0);
    assert!(file.exists());
}

#[tokio::test]
async fn a_howdah_without_locks_keeps_its_state_as_soon_as_there_is_a_folder() {
    let kept = TempDir::new().unwrap();
    let folder = kept.path().join("no/such");
    let file = folder.join("state.json");
    let unlocked = "[global]\nconfine = \"off\"\n";
    let (howdah, _a, error) = without(Site::new(), &file, unlocked).await;
    assert!(!error.contains("howdah upgrade"), "{error}");
    fs::create_dir_all(&folder).unwrap();
    order(&howdah).await;
    eventually!(howdah.metric("howdah_state_kept", &[]).await == 1.0);
    assert!(howdah.status().await["state_file"]["error"].is_null());
    let (_, events) = howdah.http("GET", "/api/v1/events?kind=state", "").await;
    assert!(events.contains("is written again"), "{events}");
}

#[tokio::test]
async fn a_read_only_file_system_costs_nothing_but_the_memory() {
    let kept = TempDir::new().unwrap();
    let file = kept.path().join("state.json");
    let site = Site::new().with_read_only(kept.path());
    let (mut howdah, _a, error) = without(site, &file, "").await;
    assert!(error.contains("Read-only file system"), "{error}");
    assert!(error.contains("ReadWritePaths="), "{error}");
    howdah.signal(TERM);
    assert!(howdah.exit().await.success());
}

#[tokio::test]
async fn a_folder_in_the_place_of_the_file_stays_what_it_is() {
    let kept = TempDir::new().unwrap();
    let file = kept.path().join("state.json");
    fs::create_dir(&file).unwrap();
    let (_howdah, _a, error) = without(Site::new(), &file, "").await;
    assert!(error.contains("state.json/state.json"), "{error}");
    assert!(file.is_dir());
    assert_eq!(
        fs::read_dir(kept.path()).unwrap().count(),
        1,
        "nothing else"
    );
}

/// As would a device: `/dev/null` is one.
#[tokio::test]
async fn a_pipe_in_the_place_of_the_file_stays_what_it_is() {
    let kept = TempDir::new().unwrap();
    let file = kept.path().join("state.json");
    let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU);
    rustix::fs::mknodat(rustix::fs::CWD, &file, kind, mode, 0).unwrap();
    let (_howdah, _a, error) = without(Site::new(), &file, "[global]\nconfine = \"off\"\n").await;
    assert!(
        error.contains("a device, pipe or socket is there"),
        "{error}"
    );
    assert!(file.metadata().unwrap().file_type().is_fifo());
}

#[tokio::test]
async fn a_file_of_another_user_is_set_aside_and_not_lost() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can become another user");
        return;
    }
    let kept = TempDir::new().unwrap();
    chown(kept.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    let file = kept.path().join("state.json");
    fs::write(&file, "of root").unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let a = named("a");
    let config = config(&file, &[("a", &a)], "probe = \"none\"");
    let site = site_of_nobody(kept.path());
    let howdah = site.start(&format!("{AS_NOBODY}{config}")).await;
    eventually!(howdah.metric("howdah_state_kept", &[]).await == 1.0);
    let unread = howdah.status().await["state_file"]["unread"].to_string();
    assert!(unread.contains("Permission denied"), "{unread}");
    let aside = unread.split(' ').next_back().unwrap().trim_matches('"');
    assert_eq!(fs::read(aside).unwrap(), b"of root", "{unread}");
    assert_eq!(file.metadata().unwrap().uid(), NOBODY);
}

#[tokio::test]
async fn a_folder_of_another_user_costs_nothing_but_the_memory() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can become another user");
        return;
    }
    let kept = TempDir::new().unwrap();
    let file = kept.path().join("state.json");
    let (_howdah, _a, error) = without(site_of_nobody(kept.path()), &file, AS_NOBODY).await;
    assert!(error.contains(&format!("chown {NOBODY} ")), "{error}");
}

#[tokio::test]
async fn a_file_larger_than_any_is_set_aside_unread() {
    let kept = TempDir::new().unwrap();
    let file = kept.path().join("state.json");
    fs::File::create(&file)
        .unwrap()
        .set_len((64 << 20) + 1)
        .unwrap();
    let a = named("a");
    let howdah = Howdah::start(&config(&file, &[("a", &a)], "probe = \"none\"")).await;
    eventually!(howdah.metric("howdah_state_kept", &[]).await == 1.0);
    let unread = howdah.status().await["state_file"]["unread"].to_string();
    assert!(unread.contains("is larger than 64 MiB"), "{unread}");
    let aside = unread.split(' ').next_back().unwrap().trim_matches('"');
    assert!(Path::new(aside).exists(), "{unread}");
}
