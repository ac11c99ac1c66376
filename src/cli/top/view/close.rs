//! One pool or server closely: how it is, its last probes and events, and its sessions.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::paint::{BOLD, DIM, Paint, cell, number, styled, window};
use crate::admin::sessions::Session;
use crate::admin::status::ServerStatus;
use crate::cli::ctl::session_table::{brief, bytes};
use crate::cli::top::model::{History, Target};
use crate::cli::top::state::State;

pub(super) fn draw(
    state: &mut State,
    target: &Target,
    frame: &mut Frame<'_>,
    area: Rect,
    paint: Paint,
) {
    let about = about(state, target, paint);
    let most = (area.height / 2).max(3);
    let height = u16::try_from(about.len()).unwrap_or(most).min(most);
    let [top, head, body] = Layout::vertical([
        Constraint::Length(height),
        Constraint::Length(1),
        Constraint::Min(1),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(about), top);
    frame.render_widget(Paragraph::new(heads()).style(DIM), head);
    let all = state.sessions();
    let here = all
        .iter()
        .position(|one| Some(&one.id) == state.session.as_ref());
    let lines: Vec<Line<'static>> = all
        .iter()
        .enumerate()
        .map(|(place, one)| line(one, Some(place) == here))
        .collect();
    let lines = match (lines.is_empty(), &state.focus.sessions) {
        (true, None) => vec![Line::from("asking ...")],
        (true, Some(_)) => vec![Line::from("no sessions")],
        _ => lines,
    };
    let lines = window(lines, here.unwrap_or(0), body.height, &mut state.scroll);
    frame.render_widget(Paragraph::new(lines), body);
}

fn about(state: &State, target: &Target, paint: Paint) -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled(target.to_string(), BOLD)];
    let mut pools = state.sample.status.pools.iter();
    let Some(pool) = pools.find(|pool| pool.name == target.pool) else {
        lines.push(Line::from("is not there any more"));
        return lines;
    };
    let Some(name) = &target.server else {
        let (taking, waiting) = pool.serving();
        lines.push(Line::from(format!(
            "{}, {}: {taking} of {} servers take sessions, {waiting} backups stand by, {} sessions wait",
            pool.service,
            pool.balance,
            pool.servers.len(),
            pool.queue
        )));
        return lines;
    };
    match pool.servers.iter().find(|one| one.name == *name) {
        Some(server) => lines.extend(server_lines(server, paint)),
        None => lines.push(Line::from("is not there any more")),
    }
    if let Some(history) = &state.focus.history {
        lines.extend(history_lines(history, paint));
    }
    lines
}

fn server_lines(server: &ServerStatus, paint: Paint) -> Vec<Line<'static>> {
    let limit = match server.max_connections {
        Some(limit) => format!(" of {limit}"),
        None => String::new(),
    };
    let since = match &server.since {
        Some(since) => format!(" since {since}"),
        None => String::new(),
    };
    let mut lines = vec![Line::from(vec![
        styled(
            format!("{}{since}", server.health),
            paint.of(&server.health),
        ),
        styled(format!(", {}", server.admin), paint.of(&server.admin)),
        styled(
            format!(
                ", weight {}, {}{limit} sessions, at {}",
                server.weight, server.sessions_active, server.address
            ),
            Style::new(),
        ),
    ])];
    if let Some(last) = &server.last_probe {
        let reason = server.reason.as_deref().unwrap_or_default();
        let detail = match last.detail.as_str() {
            "" => String::new(),
            detail => format!(": {detail}"),
        };
        lines.push(Line::from(format!(
            "last probe {}, {reason}{detail}, in {:.1} ms, at {}",
            last.verdict,
            last.duration_seconds * 1e3,
            last.at
        )));
    }
    lines
}

/// A letter a probe, and the last events.
fn history_lines(history: &History, paint: Paint) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if !history.probes.is_empty() {
        let mut spans = vec![styled("probes ".into(), DIM)];
        for probe in &history.probes {
            let mark = match probe.verdict.as_str() {
                "up" => "▮",
                "alive" => "▯",
                "down" => "x",
                _ => "?",
            };
            spans.push(styled(mark.into(), paint.of(&probe.verdict)));
        }
        lines.push(Line::from(spans));
    }
    let first = history.transitions.len().saturating_sub(EVENTS);
    for one in &history.transitions[first..] {
        let why = match &one.reason {
            Some(reason) => format!(" ({reason})"),
            None => String::new(),
        };
        lines.push(Line::from(format!("{} {}{why}", one.at, one.text)));
    }
    lines
}

fn heads() -> String {
    format!(
        "{} {} {} {} {} {} PICK",
        cell("SESSION", 16),
        cell("CLIENT", 21),
        number("AGE", 6),
        number("IDLE", 6),
        number("SENT", 5),
        number("GOT", 5),
    )
}

fn line(one: &Session, here: bool) -> Line<'static> {
    let pick = one.pick.as_deref().unwrap_or(&one.stage);
    let text = format!(
        "{} {} {} {} {} {} {}",
        cell(&one.id, 16),
        cell(&one.client, 21),
        number(&brief(one.age_seconds), 6),
        number(&brief(one.idle_seconds), 6),
        number(&bytes(one.bytes_from_client), 5),
        number(&bytes(one.bytes_from_server), 5),
        cell(pick, 16),
    );
    match here {
        true => Line::styled(text, Style::new().add_modifier(Modifier::REVERSED)),
        false => Line::from(text),
    }
}

const EVENTS: usize = 5;
