//! What the views share: cells of a width, numbers of few digits, and colours, or none.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use crate::cli::ctl::session_table::elided;

/// Colours, or none.
#[derive(Clone, Copy)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    pub(super) fn with(self, colour: Color) -> Style {
        match self.0 {
            true => Style::new().fg(colour),
            false => Style::new(),
        }
    }

    /// Of a health or an admin state.
    pub(super) fn of(self, word: &str) -> Style {
        match word {
            "up" => self.with(Color::Green),
            "down" => self.with(Color::Red).add_modifier(Modifier::BOLD),
            "alive" | "draining" | "maintenance" => self.with(Color::Yellow),
            _ => Style::new(),
        }
    }
}

/// Lines that fit, with the one of number `cursor` among them.
pub(super) fn window<'a>(
    lines: Vec<Line<'a>>,
    cursor: usize,
    height: u16,
    scroll: &mut usize,
) -> Vec<Line<'a>> {
    let height = usize::from(height).max(1);
    let most = lines.len().saturating_sub(height);
    *scroll = (*scroll)
        .clamp(cursor.saturating_sub(height - 1), cursor)
        .min(most);
    lines.into_iter().skip(*scroll).take(height).collect()
}

/// A cell of that width.
pub(super) fn cell(text: &str, width: usize) -> String {
    format!("{:width$}", elided(text, width))
}

pub(super) fn number(text: &str, width: usize) -> String {
    format!("{:>width$}", elided(text, width))
}

/// A few digits, or a dash where it is not known yet.
pub(super) fn rate(value: Option<f64>) -> String {
    match value {
        None => "-".into(),
        Some(value) if value < 9.95 => format!("{value:.1}"),
        Some(value) => format!("{value:.0}"),
    }
}

pub(super) fn styled(text: String, style: Style) -> Span<'static> {
    Span::styled(text, style)
}

pub(super) const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
pub(super) const DIM: Style = Style::new().add_modifier(Modifier::DIM);
