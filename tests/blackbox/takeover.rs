//! One howdah takes over from another, and nobody notices: under load, again and again, and beside those that fail on the way.

mod load;

use std::fs;
use std::future::pending;
use std::os::unix::net::UnixStream;

use ::howdah::handover::claim::{Claim, Confirmed, claim};
use ::howdah::handover::inherited::Inherited;
use ::howdah::handover::place;

use crate::eventually;
use crate::support::{Frame, Howdah, StandInListener, TERM, exchange, plain, program, raw, run};

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

/// Takeovers that ended so, by its own account.
async fn handovers(howdah: &Howdah, result: &str) -> f64 {
    howdah
        .metric("howdah_handover_total", &[("result", result)])
        .await
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
    assert_eq!(status["pid"], new.pid());
    let former = &status["predecessors"][0];
    assert_eq!(former["pid"], old.pid());
    assert_eq!(former["pools"][0]["name"], "front");
    assert_eq!(status["listeners"][0]["sessions_active"], 1, "{status}");
    assert_eq!(handovers(&new, "taken").await, 1.0);
    assert_eq!(new.metric("howdah_handover_seconds_count", &[]).await, 1.0);
    let left = [
        "howdah_handover_predecessors",
        "howdah_handover_predecessor_sessions",
    ];
    for gauge in left {
        assert_eq!(new.metric(gauge, &[]).await, 1.0, "{gauge}");
    }
    let text = new.ctl_ok(&["status"]).await;
    assert!(text.contains(&format!("process {}", old.pid())), "{text}");
    let events = new.ctl_ok(&["events"]).await;
    assert!(events.contains("took over from process"), "{events}");

    drop(session);
    assert_eq!(old.exit().await.code(), Some(0));
    eventually!(new.status().await["predecessors"].is_null());
    for gauge in left {
        assert_eq!(new.metric(gauge, &[]).await, 0.0, "{gauge}");
    }
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
    assert_eq!(handovers(&howdah, "failed").await, 1.0);
    howdah.configure(&good);
    let new = howdah.successor().await;
    exchange(&mut new.connect("front").await, "and now").await;
    assert_eq!(handovers(&new, "failed").await, 0.0);
}

/// Accepts, and says nothing.
fn silent() -> StandInListener {
    let open = raw::open(&Frame::default(), |visit| async move {
        let _open = visit;
        pending::<()>().await;
    });
    open.unwrap()
}

/// A listener for whose pool a successor waits until its patience is over.
fn late(silent: &StandInListener) -> String {
    let silent = silent.address();
    format!(
        r#"
[[listener]]
name = "late"
bind = "127.0.0.1:0"
pool = "late"

[pool.late]
service = "hiveserver2"
servers = ["{silent}"]
probe = {{ interval = "60s", timeout = "50s" }}
"#
    )
}

#[tokio::test]
async fn a_successor_that_is_killed_while_it_waits_for_a_server_had_no_session() {
    let (howdah, server) = front("").await;
    let silent = silent();
    let good = plain("front", &[server.address()], "");
    howdah.configure(&format!("{good}{}", late(&silent)));
    let killed = howdah.takeover();
    eventually!(silent.accepted() > 0);
    let mut sessions = Vec::new();
    for _ in 0..16 {
        let mut session = howdah.connect("front").await;
        exchange(&mut session, "before").await;
        sessions.push(session);
    }
    drop(killed);
    for session in &mut sessions {
        exchange(session, "after").await;
    }
    eventually!(handovers(&howdah, "failed").await == 1.0);
}

#[tokio::test]
async fn one_at_a_time_and_none_while_it_stops() {
    let (mut howdah, _server) = front("").await;
    let mut session = howdah.connect("front").await;
    exchange(&mut session, "one").await;
    let (first, inherited) = hanging(&howdah).await;
    let refused = claim(control(&howdah)).await.unwrap_err().to_string();
    assert!(refused.contains("another takes over from it"), "{refused}");
    assert_eq!(handovers(&howdah, "refused").await, 1.0);
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
