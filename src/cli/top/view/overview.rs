//! All pools and servers, a line each.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::paint::{BOLD, DIM, Paint, cell, number, rate, styled, window};
use crate::cli::ctl::session_table::bytes;
use crate::cli::top::model::Row;
use crate::cli::top::state::{Column, State};

pub(super) fn draw(state: &mut State, frame: &mut Frame<'_>, area: Rect, paint: Paint) {
    let [head, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(1)]).areas(area);
    let name = name_width(area.width);
    frame.render_widget(Paragraph::new(heads(state, name)).style(DIM), head);
    let rows = state.rows();
    let here = rows.iter().position(|row| row.target == state.cursor);
    let here = here.unwrap_or(0);
    let lines: Vec<Line<'static>> = rows
        .iter()
        .enumerate()
        .map(|(place, row)| line(row, name, area.width, paint, place == here))
        .collect();
    let lines = match lines.is_empty() {
        true => vec![Line::from("no server matches the filter")],
        false => lines,
    };
    let lines = window(lines, here, body.height, &mut state.scroll);
    frame.render_widget(Paragraph::new(lines), body);
}

/// Twenty columns at a terminal of eighty; of a wider one, half of what is more.
fn name_width(width: u16) -> usize {
    let spare = usize::from(width).saturating_sub(80);
    (20 + spare / 2).min(44)
}

fn heads(state: &State, name: usize) -> String {
    let head = |text: &str, column: Column| match (state.sort == column, state.reversed) {
        (true, false) => format!("{text}▾"),
        (true, true) => format!("{text}▴"),
        _ => text.to_owned(),
    };
    format!(
        "{} {} {} {} {} {} {} REASON",
        cell(&head("SERVER", Column::Name), name),
        cell(&head("HEALTH", Column::Health), 7),
        cell("ADMIN", 5),
        number("WT", 3),
        cell(&head("SESSIONS", Column::Sessions), 15),
        number(&head("NEW/S", Column::Opened), 6),
        number(&head("BYTES/S", Column::Moved), 8),
    )
}

fn line(row: &Row, name: usize, width: u16, paint: Paint, here: bool) -> Line<'static> {
    let is_pool = row.target.server.is_none();
    let shown = match &row.target.server {
        Some(server) => format!(" {server}"),
        None => row.target.pool.clone(),
    };
    let weight = row
        .weight
        .map(|weight| weight.to_string())
        .unwrap_or_default();
    let taken = name + 7 + 5 + 3 + 15 + 6 + 8 + 7;
    let rest = usize::from(width).saturating_sub(taken);
    let moved = row
        .moved
        .map_or("-".into(), |moved| bytes(moved.max(0.0) as u64));
    let spans = vec![
        styled(
            cell(&shown, name) + " ",
            if is_pool { BOLD } else { Style::new() },
        ),
        styled(cell(&row.health, 7) + " ", paint.of(&row.health)),
        styled(cell(short(&row.admin), 5) + " ", paint.of(&row.admin)),
        styled(number(&weight, 3) + " ", Style::new()),
        styled(cell(&bar(row.sessions, row.limit), 15) + " ", Style::new()),
        styled(number(&rate(row.opened), 6) + " ", Style::new()),
        styled(number(&moved, 8) + " ", Style::new()),
        styled(begun(&row.reason, rest), Style::new()),
    ];
    let line = Line::from(spans);
    match (here, is_pool) {
        (true, _) => line.patch_style(Style::new().add_modifier(Modifier::REVERSED)),
        (false, true) => line.patch_style(BOLD),
        _ => line,
    }
}

/// A sentence as far as it fits.
fn begun(text: &str, width: usize) -> String {
    let text: String = text
        .chars()
        .map(|one| if one.is_control() { '?' } else { one })
        .collect();
    if text.chars().count() <= width {
        return text;
    }
    let head: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{head}…")
}

/// Five columns, as the width is dear.
fn short(admin: &str) -> &str {
    match admin {
        "draining" => "drain",
        "maintenance" => "maint",
        other => other,
    }
}

/// Sessions against their limit, where there is one.
fn bar(sessions: u64, limit: Option<u64>) -> String {
    let Some(limit) = limit.filter(|limit| *limit > 0) else {
        return format!("{:5} {sessions}", "");
    };
    let eighths = (sessions.min(limit) * 40).div_ceil(limit);
    let (full, part) = (eighths / 8, eighths % 8);
    let mut bar = "█".repeat(usize::try_from(full).unwrap_or(5));
    if let Some(one) = usize::try_from(part).ok().and_then(|part| PARTS.get(part)) {
        bar.push_str(one);
    }
    format!("{bar:·<5} {sessions}/{limit}")
}

const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
