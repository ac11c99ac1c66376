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
    frame.render_widget(
        Paragraph::new(heads(state, name, area.width)).style(DIM),
        head,
    );
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
    let width = usize::from(width);
    if width < WHOLE {
        return NARROW;
    }
    (20 + (width - WHOLE) / 2).min(44)
}

/// The columns that a terminal of that width has, after the name; the reason has the rest.
fn columns(width: u16) -> Vec<Cells> {
    let width = usize::from(width);
    let mut columns = COLUMNS.to_vec();
    for spared in SPARED {
        let taken: usize = columns.iter().map(|column| column.width() + 1).sum();
        if width >= WHOLE || NARROW + taken <= width {
            break;
        }
        columns.retain(|column| *column != spared);
    }
    columns
}

/// For the reason; `None`: not enough for a word.
fn rest(name: usize, width: u16) -> Option<usize> {
    let taken: usize = columns(width).iter().map(|column| column.width() + 1).sum();
    let rest = usize::from(width).saturating_sub(name + 1 + taken);
    (rest >= "REASON".len()).then_some(rest)
}

/// A column, but for the name and the reason.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cells {
    Health,
    Admin,
    Weight,
    Sessions,
    Opened,
    Moved,
}

impl Cells {
    fn width(self) -> usize {
        match self {
            Self::Health => 7,
            Self::Admin => 5,
            Self::Weight => 3,
            Self::Sessions => 15,
            Self::Opened => 6,
            Self::Moved => 8,
        }
    }

    fn fill(self, text: &str) -> String {
        match self {
            Self::Health | Self::Admin | Self::Sessions => cell(text, self.width()),
            Self::Weight | Self::Opened | Self::Moved => number(text, self.width()),
        }
    }
}

fn heads(state: &State, name: usize, width: u16) -> String {
    let head = |text: &str, column: Column| match (state.sort == column, state.reversed) {
        (true, false) => format!("{text}▾"),
        (true, true) => format!("{text}▴"),
        _ => text.to_owned(),
    };
    let of = |column: Cells| {
        let text = match column {
            Cells::Health => head("HEALTH", Column::Health),
            Cells::Admin => "ADMIN".into(),
            Cells::Weight => "WT".into(),
            Cells::Sessions => head("SESSIONS", Column::Sessions),
            Cells::Opened => head("NEW/S", Column::Opened),
            Cells::Moved => head("BYTES/S", Column::Moved),
        };
        column.fill(&text)
    };
    let mut heads = vec![cell(&head("SERVER", Column::Name), name)];
    heads.extend(columns(width).into_iter().map(of));
    heads.extend(rest(name, width).map(|_| "REASON".into()));
    heads.join(" ")
}

fn line(row: &Row, name: usize, width: u16, paint: Paint, here: bool) -> Line<'static> {
    let is_pool = row.target.server.is_none();
    let shown = match &row.target.server {
        Some(server) => format!(" {server}"),
        None => row.target.pool.clone(),
    };
    let tone = if is_pool { BOLD } else { Style::new() };
    let mut spans = vec![styled(cell(&shown, name) + " ", tone)];
    let cells = columns(width).into_iter().map(|column| {
        let (text, tone) = content(row, column, paint);
        styled(column.fill(&text) + " ", tone)
    });
    spans.extend(cells);
    let reason = rest(name, width).map(|rest| begun(&row.reason, rest));
    spans.extend(reason.map(|reason| styled(reason, Style::new())));
    let line = Line::from(spans);
    match (here, is_pool) {
        (true, _) => line.patch_style(Style::new().add_modifier(Modifier::REVERSED)),
        (false, true) => line.patch_style(BOLD),
        _ => line,
    }
}

fn content(row: &Row, column: Cells, paint: Paint) -> (String, Style) {
    let moved = |moved: f64| bytes(moved.max(0.0) as u64);
    match column {
        Cells::Health => (row.health.clone(), paint.of(&row.health)),
        Cells::Admin => (short(&row.admin).into(), paint.of(&row.admin)),
        Cells::Weight => {
            let weight = row.weight.map(|weight| weight.to_string());
            (weight.unwrap_or_default(), Style::new())
        }
        Cells::Sessions => (bar(row.sessions, row.limit), Style::new()),
        Cells::Opened => (rate(row.opened), Style::new()),
        Cells::Moved => (row.moved.map_or("-".into(), moved), Style::new()),
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

/// So wide a terminal has all of them.
const WHOLE: usize = 80;
/// The name's width in a smaller one.
const NARROW: usize = 14;
const COLUMNS: [Cells; 6] = [
    Cells::Health,
    Cells::Admin,
    Cells::Weight,
    Cells::Sessions,
    Cells::Opened,
    Cells::Moved,
];
/// Those that go in a smaller one, the first to go first.
const SPARED: [Cells; 4] = [Cells::Moved, Cells::Opened, Cells::Weight, Cells::Admin];
const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
