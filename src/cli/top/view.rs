//! What a state looks like: lines for a terminal of any size, from 80 by 24 on with every column. Pure.

mod close;
mod overview;
mod paint;
mod together;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier};
use ratatui::text::Line;
use ratatui::widgets::{Block, Clear, Paragraph};

use self::paint::{BOLD, DIM, Paint, rate};
use super::state::{Mode, State};
use crate::cli::ctl::session_table::{brief, bytes, elided};

/// Draws it all. `colour`: other than by bold and reverse.
pub(super) fn draw(state: &mut State, frame: &mut Frame<'_>, colour: bool) {
    let shared = together::line(&state.sample.status);
    // A small terminal has more use for its servers.
    let shared = shared.filter(|_| frame.area().height >= ROOM);
    let [head, with, body, message, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(u16::from(shared.is_some())),
        Constraint::Min(1),
        Constraint::Length(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let paint = Paint(colour);
    frame.render_widget(Paragraph::new(headline(state, head.width)), head);
    if let Some(shared) = shared {
        let shared = elided(&shared, with.width.into());
        frame.render_widget(Paragraph::new(shared), with);
    }
    match state.open.clone() {
        Some(target) => close::draw(state, &target, frame, body, paint),
        None => overview::draw(state, frame, body, paint),
    }
    frame.render_widget(Paragraph::new(said(state, paint)), message);
    frame.render_widget(Paragraph::new(hints(state)).style(DIM), keys);
    if state.mode == Mode::Help {
        help(frame);
    }
}

/// Who that is, and how it does as a whole.
fn headline(state: &State, width: u16) -> Line<'static> {
    let status = &state.sample.status;
    let sum = |of: fn(&super::model::Row) -> Option<f64>| {
        let pools = state.pools.iter().map(|pool| of(&pool.pool));
        pools.flatten().fold(0.0, |all, one| all + one)
    };
    let sessions: u64 = status.listeners.iter().map(|one| one.sessions_active).sum();
    let text = format!(
        "howdah {}, {}, up {}: {sessions} sessions, {}/s new, {}/s",
        status.version,
        status.state,
        brief(status.uptime_seconds),
        rate(Some(sum(|row| row.opened))),
        bytes(sum(|row| row.moved).max(0.0) as u64),
    );
    Line::styled(elided(&text, width.into()), BOLD)
}

/// What is asked, what came of an order, or that nobody answers.
fn said(state: &State, paint: Paint) -> Line<'static> {
    match (&state.mode, &state.message, &state.lost) {
        (Mode::Filter, ..) => Line::from(format!("filter: {}_", state.filter)),
        (Mode::Weight(text), ..) => Line::from(format!("weight, 1 to 256: {text}_")),
        (Mode::Confirm(target, order), ..) => {
            let text = format!("{} [y/n]", order.question(target));
            Line::styled(text, BOLD.add_modifier(Modifier::REVERSED))
        }
        (_, Some((text, good)), _) => {
            let tone = if *good { Color::Green } else { Color::Red };
            Line::styled(text.clone(), paint.with(tone).add_modifier(Modifier::BOLD))
        }
        (_, None, Some(lost)) => Line::styled(lost.clone(), paint.with(Color::Red)),
        (_, None, None) if !state.filter.is_empty() => {
            Line::from(format!("filter: {} (Esc clears it)", state.filter))
        }
        _ => Line::default(),
    }
}

fn hints(state: &State) -> &'static str {
    match (&state.mode, &state.open) {
        (Mode::Filter, _) => "Enter keep  Esc clear",
        (Mode::Weight(_), _) => "Enter go on  Esc leave",
        (Mode::Confirm(..), _) => "y do it  any other key: nothing",
        (_, None) => {
            "q quit  Enter open  / filter  s sort  d drain  r ready  m maintenance  w weight  ? help"
        }
        (_, Some(_)) => {
            "q quit  Esc back  x end session  d drain  r ready  m maintenance  w weight  ? help"
        }
    }
}

fn help(frame: &mut Frame<'_>) {
    let area = frame.area();
    let (width, height) = (area.width.min(66), area.height.min(HELP.len() as u16 + 2));
    let place = Rect {
        x: (area.width - width) / 2,
        y: (area.height - height) / 2,
        width,
        height,
    };
    let lines: Vec<Line<'_>> = HELP.iter().map(|line| Line::from(*line)).collect();
    frame.render_widget(Clear, place);
    let text = Paragraph::new(lines).block(Block::bordered().title(" keys "));
    frame.render_widget(text, place);
}

/// Lines of a terminal that has one for the howdahs around this one.
const ROOM: u16 = 10;

const HELP: &[&str] = &[
    "up down PgUp PgDn Home End   move (j and k too)",
    "Enter   a server closely: probes, events, its sessions",
    "Esc     back; in the overview: no filter any more",
    "/       filter by name, health, admin state or reason",
    "s  < >  sort by the next column, the one before; S turns it round",
    "d r m   drain, ready, maintenance: asks once",
    "w       change the weight: asks once",
    "x       end the session that is marked: asks once",
    "q       quit (Ctrl-C too)",
    "",
    "NEW/S   sessions that began, in a second",
    "BYTES/S both ways together",
    "A bar is full at the limit of the server (max_connections);",
    "without one there is no bar.",
];

#[cfg(test)]
mod tests;
