use std::collections::HashMap;
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::json;

use super::*;
use crate::cli::top::model::{Focus, Sample, Target};
use crate::cli::top::state::{Action, News, Order};

fn server(name: &str, health: &str, admin: &str, sessions: u64) -> serde_json::Value {
    json!({"name": name, "address": name, "weight": 1, "health": health, "admin": admin, "on_offer": health == "up",
        "max_connections": 400, "sessions_active": sessions, "sessions_total": sessions,
        "reason": if health == "up" { "ok" } else { "connect-refused" }, "last_probe": null})
}

fn sample(at: Instant, more: u64) -> Sample {
    let status = json!({"version": "0.1.0", "uptime_seconds": 7261.5, "generation": 3,
    "listeners": [{"name": "hive", "bind": [], "sessions_active": 250, "sessions_total": 9}],
    "pools": [
        {"name": "hive", "service": "hiveserver2", "balance": "least-connection", "servers": [
            server("hs2-1.a-very-long-domain.example.com:10000", "up", "ready", 240 + more),
            server("hs2-2.example.com:10000", "down", "draining", 10)]},
        {"name": "impala", "service": "impala", "balance": "random", "servers": [
            server("impalad-1:21050", "up", "ready", 0)]},
    ]});
    let target = Target {
        pool: "hive".into(),
        server: Some("hs2-1.a-very-long-domain.example.com:10000".into()),
    };
    Sample {
        at,
        status: serde_json::from_value(status).expect("a status"),
        bytes: HashMap::from([(target, 2048 * more)]),
    }
}

fn state() -> State {
    let now = Instant::now();
    let mut state = State::new(sample(now, 0), String::new());
    let later = sample(now + Duration::from_secs(2), 24);
    state.hear(News::Sample(Box::new(later)));
    state
}

fn press(state: &mut State, keys: &str) -> Option<Action> {
    let mut last = None;
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            '\x1b' => KeyCode::Esc,
            '↓' => KeyCode::Down,
            other => KeyCode::Char(other),
        };
        last = state.press(KeyEvent::new(code, KeyModifiers::NONE));
    }
    last
}

fn shown(state: &mut State, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    terminal
        .draw(|frame| draw(state, frame, false))
        .expect("draws");
    let buffer = terminal.backend().buffer().clone();
    let cells = buffer.content().chunks(width.into());
    cells
        .map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>())
        .map(|line| line.trim_end().to_owned())
        .collect()
}

#[test]
fn an_overview_of_eighty_columns_has_every_column() {
    let lines = shown(&mut state(), 80, 10);
    assert_eq!(
        lines[0],
        "howdah 0.1.0, running, up 2h01m: 250 sessions, 12/s new, 24K/s"
    );
    assert_eq!(
        lines[1],
        "SERVER               HEALTH  ADMIN  WT SESSIONS         NEW/S  BYTES/S REASON"
    );
    assert!(
        lines[2].starts_with("hive ") && lines[2].contains("274/800"),
        "{}",
        lines[2]
    );
    assert!(
        lines[3].starts_with(" hs2-1.a-v…com:10000 up      ready   1 ███▍· 264/400"),
        "{}",
        lines[3]
    );
    assert!(
        lines[3].contains("   12.0") || lines[3].contains("    12 "),
        "{}",
        lines[3]
    );
    assert!(
        lines[4].contains(" down    drain   1 ▏···· 10/400"),
        "{}",
        lines[4]
    );
    assert!(lines[9].starts_with("q quit"), "{}", lines[9]);
}

/// Where there is nothing to be told, and where there is no room, servers have the line.
#[test]
fn one_line_tells_of_the_howdahs_around() {
    let mut state = state();
    let peer = |name: &str, state: &str| {
        json!({"name": name, "address": "10.0.0.2:1024", "state": state, "since": "2027-01-15T08:00:00.000Z",
            "entries_sent": 1, "entries_received": 2, "why": null})
    };
    let more = json!({"vips": [{"name": "front", "state": "master", "addresses": ["10.0.0.9"], "interface": "eth0",
            "priority": 150, "since": "2027-01-15T08:00:00.000Z", "why": "won"}],
        "peers": [peer("lb-2", "connected"), peer("lb-3", "away")],
        "predecessors": [{"pid": 7, "version": "0.1.0", "since": "2027-01-15T08:00:00.000Z", "sessions": 4, "seconds_left": 60}]});
    let mut status = serde_json::to_value(&state.sample.status).expect("JSON");
    for (key, value) in more.as_object().expect("an object") {
        status[key] = value.clone();
    }
    state.sample.status = serde_json::from_value(status).expect("a status");
    let lines = shown(&mut state, 80, 10);
    assert_eq!(
        lines[1],
        "vip front master; peers 1 of 2 connected; 4 sessions at predecessors"
    );
    assert!(lines[2].starts_with("SERVER "), "{}", lines[2]);
    assert!(shown(&mut state, 80, 9)[1].starts_with("SERVER "));
}

#[test]
fn forty_columns_have_health_and_sessions() {
    let lines = shown(&mut state(), 40, 10);
    assert_eq!(lines[1], "SERVER         HEALTH  SESSIONS");
    assert!(
        lines[3].contains("…") && lines[3].contains(" up      ███▍· 264/400"),
        "{}",
        lines[3]
    );
    let lines = shown(&mut state(), 60, 10);
    assert_eq!(
        lines[1],
        "SERVER         HEALTH  ADMIN  WT SESSIONS         NEW/S"
    );
}

#[test]
fn any_size_is_drawn() {
    for (width, height) in [(1, 1), (3, 2), (20, 5), (80, 24), (200, 60)] {
        let mut state = state();
        shown(&mut state, width, height);
        press(&mut state, "?");
        shown(&mut state, width, height);
        press(&mut state, "x\n");
        shown(&mut state, width, height);
    }
}

#[test]
fn the_cursor_stays_on_its_server_and_in_sight() {
    let mut state = state();
    press(&mut state, "↓↓↓");
    assert_eq!(state.cursor.server.as_deref(), Some("impalad-1:21050"));
    let lines = shown(&mut state, 80, 6);
    assert!(
        lines[2..4].iter().any(|line| line.contains("impalad-1")),
        "{lines:?}"
    );
    press(&mut state, "s");
    state.hear(News::Sample(Box::new(sample(Instant::now(), 30))));
    assert_eq!(state.cursor.server.as_deref(), Some("impalad-1:21050"));
}

#[test]
fn a_filter_leaves_what_matches_with_its_pool() {
    let mut state = state();
    press(&mut state, "/refused\n");
    let names: Vec<String> = state
        .rows()
        .iter()
        .map(|row| row.target.to_string())
        .collect();
    assert_eq!(names, ["hive", "hive/hs2-2.example.com:10000"]);
    press(&mut state, "\x1b");
    assert_eq!(state.rows().len(), 5);
}

#[test]
fn columns_sort_and_turn_round() {
    let mut state = state();
    press(&mut state, "sss");
    assert!(shown(&mut state, 80, 10)[1].contains("SESSIONS▾"));
    let first = |state: &State| state.rows()[1].sessions;
    assert_eq!(first(&state), 264);
    press(&mut state, "S");
    assert_eq!(first(&state), 10);
}

#[test]
fn an_order_is_asked_once_and_given_once() {
    let mut state = state();
    let target = state.cursor.clone();
    assert_eq!(press(&mut state, "d"), None);
    let lines = shown(&mut state, 80, 10);
    assert!(lines[8].starts_with("Drain hive/hs2-1"), "{}", lines[8]);
    assert_eq!(press(&mut state, "n"), None);
    assert_eq!(press(&mut state, "y"), None, "asked no more");
    assert_eq!(
        press(&mut state, "dy"),
        Some(Action::Give(target.clone(), Order::Drain))
    );
    assert_eq!(press(&mut state, "w300\n"), None);
    assert_eq!(
        press(&mut state, "w30\ny"),
        Some(Action::Give(target, Order::Weight(30)))
    );
    state.hear(News::Failed("commands need the admin token".into()));
    assert!(shown(&mut state, 80, 10)[8].contains("need the admin token"));
}

#[test]
fn a_server_is_opened_and_a_session_of_it_ended() {
    let mut state = state();
    let target = state.cursor.clone();
    let look = Action::Look(Some(target.clone()));
    assert_eq!(press(&mut state, "\n"), Some(look));
    let session = |id: &str| {
        json!({"id": id, "listener": "hive", "protocol": "tcp", "client": "10.1.2.3:40000",
        "pool": "hive", "server": "x", "stage": "relay", "pick": "sticky", "age_seconds": 5.0, "idle_seconds": 1.0,
        "bytes_from_client": 10, "bytes_from_server": 20})
    };
    let list =
        json!({"total": 2, "sessions": [session("000000000000000a"), session("000000000000000b")]});
    let focus = Focus {
        sessions: Some(serde_json::from_value(list).expect("sessions")),
        history: serde_json::from_value(json!({"probes": [{"verdict": "up"}, {"verdict": "down"}],
            "transitions": [{"at": "2027-01-15T08:00:00.000Z", "text": "server is down", "reason": "timeout"}]}))
        .ok(),
    };
    state.hear(News::Close(target.clone(), focus));
    let lines = shown(&mut state, 80, 24).join("\n");
    for part in [
        "probes ▮x",
        "server is down (timeout)",
        "000000000000000b 10.1.2.3:40000",
    ] {
        assert!(lines.contains(part), "{part}: {lines}");
    }
    let end = Action::Give(target, Order::End("000000000000000b".into()));
    assert_eq!(press(&mut state, "↓xy"), Some(end));
    assert_eq!(press(&mut state, "\x1b"), Some(Action::Look(None)));
}
