//! What is looked at, and what a key does to it: pure.

use std::cmp::Ordering;
use std::fmt;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::model::{Focus, PoolRows, Row, Sample, Target, rows};
use crate::admin::sessions::Session;

/// What the admin server said.
pub(super) enum News {
    Sample(Box<Sample>),
    Close(Target, Focus),
    /// An order was carried out.
    Done(String),
    /// An order was not.
    Failed(String),
    /// There was no answer.
    Lost(String),
}

/// What a key wants of the admin server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Quit,
    /// News of this one too, from now on.
    Look(Option<Target>),
    Give(Target, Order),
}

/// What can be ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Drain,
    Maintenance,
    Ready,
    Weight(u16),
    /// The session of that number.
    End(String),
}

impl Order {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Maintenance => "maintenance",
            Self::Ready => "ready",
            Self::Weight(_) => "weight",
            Self::End(_) => "end",
        }
    }

    /// What is asked before.
    pub(super) fn question(&self, target: &Target) -> String {
        match self {
            Self::Drain => format!("Drain {target}: no new sessions, the present ones end?"),
            Self::Maintenance => format!("Take {target} out for maintenance: no new sessions?"),
            Self::Ready => format!("Put {target} back to work?"),
            Self::Weight(weight) => format!("Give {target} the weight {weight}?"),
            Self::End(id) => format!("End session {id}?"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.server {
            Some(server) => write!(f, "{}/{server}", self.pool),
            None => f.write_str(&self.pool),
        }
    }
}

/// What keys do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Browse,
    Filter,
    /// A number is typed for that server.
    Weight(String),
    Confirm(Target, Order),
    Help,
}

/// By what rows are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// As the file has them.
    File,
    Name,
    Health,
    Sessions,
    Opened,
    Moved,
}

const COLUMNS: [Column; 6] = [
    Column::File,
    Column::Name,
    Column::Health,
    Column::Sessions,
    Column::Opened,
    Column::Moved,
];

/// See the module.
pub(super) struct State {
    pub(super) sample: Sample,
    pub(super) pools: Vec<PoolRows>,
    pub(super) filter: String,
    pub(super) sort: Column,
    pub(super) reversed: bool,
    pub(super) mode: Mode,
    /// The row that keys mean.
    pub(super) cursor: Target,
    /// Looked at closely.
    pub(super) open: Option<Target>,
    pub(super) focus: Focus,
    /// The session that keys mean, by its number.
    pub(super) session: Option<String>,
    /// What came of the last order, and whether it is good news.
    pub(super) message: Option<(String, bool)>,
    /// Since when nobody answers, in words.
    pub(super) lost: Option<String>,
    /// First line that is shown; the view keeps the cursor in sight.
    pub(super) scroll: usize,
}

impl State {
    pub(super) fn new(sample: Sample, filter: String) -> Self {
        let pools = rows(&sample, None);
        let mut state = Self {
            sample,
            pools,
            filter,
            sort: Column::File,
            reversed: false,
            mode: Mode::Browse,
            cursor: Target::default(),
            open: None,
            focus: Focus::default(),
            session: None,
            message: None,
            lost: None,
            scroll: 0,
        };
        state.keep_cursor();
        state
    }

    pub(super) fn hear(&mut self, news: News) {
        match news {
            News::Sample(sample) => {
                self.pools = rows(&sample, Some(&self.sample));
                self.sample = *sample;
                self.lost = None;
                self.keep_cursor();
            }
            News::Close(target, focus) if self.open.as_ref() == Some(&target) => {
                self.focus = focus;
                self.keep_session();
            }
            News::Close(..) => {}
            News::Done(text) => self.message = Some((text, true)),
            News::Failed(text) => self.message = Some((text, false)),
            News::Lost(text) => self.lost = Some(text),
        }
    }

    /// The rows that the filter lets through: each pool, then its servers as they are sorted.
    pub(super) fn rows(&self) -> Vec<&Row> {
        let mut all = Vec::new();
        for pool in &self.pools {
            let whole = self.lets(&pool.pool);
            let wanted = |row: &&Row| whole || self.lets(row);
            let mut servers: Vec<&Row> = pool.servers.iter().filter(wanted).collect();
            if servers.is_empty() && !whole {
                continue;
            }
            servers.sort_by(|one, other| self.order(one, other));
            all.push(&pool.pool);
            all.extend(servers);
        }
        all
    }

    fn lets(&self, row: &Row) -> bool {
        let wanted = self.filter.to_lowercase();
        let has = |text: &str| text.to_lowercase().contains(&wanted);
        let name = row.target.server.as_deref().unwrap_or(&row.target.pool);
        wanted.is_empty()
            || [name, &row.health, &row.admin, &row.reason]
                .into_iter()
                .any(has)
    }

    /// Numbers begin with the largest, words with the first.
    fn order(&self, one: &Row, other: &Row) -> Ordering {
        let rate = |one: Option<f64>| one.unwrap_or(-1.0);
        let order = match self.sort {
            Column::File => Ordering::Equal,
            Column::Name => one.target.cmp(&other.target),
            Column::Health => (&one.health, &one.admin).cmp(&(&other.health, &other.admin)),
            Column::Sessions => other.sessions.cmp(&one.sessions),
            Column::Opened => rate(other.opened).total_cmp(&rate(one.opened)),
            Column::Moved => rate(other.moved).total_cmp(&rate(one.moved)),
        };
        if self.reversed {
            order.reverse()
        } else {
            order
        }
    }

    pub(super) fn sessions(&self) -> &[Session] {
        self.focus
            .sessions
            .as_ref()
            .map_or(&[], |list| &list.sessions)
    }

    /// What a key press does.
    pub(super) fn press(&mut self, key: KeyEvent) -> Option<Action> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Some(Action::Quit);
        }
        match self.mode.clone() {
            Mode::Browse => self.browse(key.code),
            Mode::Help => {
                self.mode = Mode::Browse;
                None
            }
            Mode::Filter => {
                self.type_filter(key.code);
                None
            }
            Mode::Weight(text) => {
                self.type_weight(text, key.code);
                None
            }
            Mode::Confirm(target, order) => {
                self.mode = Mode::Browse;
                match key.code {
                    KeyCode::Char('y' | 'Y') | KeyCode::Enter => {
                        self.message = Some((format!("{} ...", order.word()), true));
                        Some(Action::Give(target, order))
                    }
                    _ => {
                        self.message = Some(("nothing was done".into(), true));
                        None
                    }
                }
            }
        }
    }

    fn browse(&mut self, key: KeyCode) -> Option<Action> {
        self.message = None;
        match key {
            KeyCode::Char('q') => return Some(Action::Quit),
            KeyCode::Char('?' | 'h') => self.mode = Mode::Help,
            KeyCode::Char('/') => self.mode = Mode::Filter,
            KeyCode::Up | KeyCode::Char('k') => self.step(-1),
            KeyCode::Down | KeyCode::Char('j') => self.step(1),
            KeyCode::PageUp => self.step(-PAGE),
            KeyCode::PageDown => self.step(PAGE),
            KeyCode::Home => self.step(isize::MIN),
            KeyCode::End => self.step(isize::MAX),
            KeyCode::Char('<' | ',') => self.turn_sort(COLUMNS.len() - 1),
            KeyCode::Char('>' | '.' | 's') => self.turn_sort(1),
            KeyCode::Char('S') => self.reversed = !self.reversed,
            KeyCode::Enter | KeyCode::Right if self.open.is_none() => return self.drill(),
            KeyCode::Esc | KeyCode::Left | KeyCode::Backspace => return self.leave(),
            KeyCode::Char('d') => self.want(Order::Drain),
            KeyCode::Char('m') => self.want(Order::Maintenance),
            KeyCode::Char('r') => self.want(Order::Ready),
            KeyCode::Char('w') if self.server().is_some() => {
                self.mode = Mode::Weight(String::new())
            }
            KeyCode::Char('x') => match (&self.session, &self.open) {
                (Some(id), Some(target)) => {
                    self.mode = Mode::Confirm(target.clone(), Order::End(id.clone()));
                }
                _ => self.hint("open a pool or a server with Enter, and choose a session to end"),
            },
            _ => {}
        }
        None
    }

    /// The server that an order would be for.
    fn server(&self) -> Option<&Target> {
        let target = self.open.as_ref().unwrap_or(&self.cursor);
        target.server.as_ref().map(|_| target)
    }

    fn want(&mut self, order: Order) {
        match self.server().cloned() {
            Some(target) => self.mode = Mode::Confirm(target, order),
            None => self.hint("orders are for servers: choose one"),
        }
    }

    fn hint(&mut self, text: &str) {
        self.message = Some((text.into(), false));
    }

    fn drill(&mut self) -> Option<Action> {
        self.open = Some(self.cursor.clone());
        (self.focus, self.session, self.scroll) = (Focus::default(), None, 0);
        Some(Action::Look(self.open.clone()))
    }

    fn leave(&mut self) -> Option<Action> {
        self.scroll = 0;
        if self.open.take().is_some() {
            self.session = None;
            return Some(Action::Look(None));
        }
        self.filter.clear();
        self.keep_cursor();
        None
    }

    fn turn_sort(&mut self, by: usize) {
        let now = COLUMNS.iter().position(|column| *column == self.sort);
        let next = (now.unwrap_or(0) + by) % COLUMNS.len();
        self.sort = COLUMNS[next];
    }

    /// Moves the cursor of what is shown.
    fn step(&mut self, by: isize) {
        if self.open.is_some() {
            let ids: Vec<String> = self.sessions().iter().map(|one| one.id.clone()).collect();
            let now = ids.iter().position(|id| Some(id) == self.session.as_ref());
            self.session = moved(&ids, now, by);
            return;
        }
        let all: Vec<Target> = self.rows().iter().map(|row| row.target.clone()).collect();
        let now = all.iter().position(|target| *target == self.cursor);
        if let Some(next) = moved(&all, now, by) {
            self.cursor = next;
        }
    }

    fn type_filter(&mut self, key: KeyCode) {
        match key {
            KeyCode::Enter => self.mode = Mode::Browse,
            KeyCode::Esc => {
                self.filter.clear();
                self.mode = Mode::Browse;
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(one) => self.filter.push(one),
            _ => {}
        }
        self.keep_cursor();
    }

    fn type_weight(&mut self, mut text: String, key: KeyCode) {
        self.mode = match key {
            KeyCode::Enter => match (text.parse(), self.server().cloned()) {
                (Ok(weight @ 1..=256), Some(target)) => {
                    Mode::Confirm(target, Order::Weight(weight))
                }
                _ => {
                    self.hint("a weight is a whole number from 1 to 256");
                    Mode::Browse
                }
            },
            KeyCode::Char(digit) if digit.is_ascii_digit() && text.len() < 3 => {
                text.push(digit);
                Mode::Weight(text)
            }
            KeyCode::Backspace => {
                text.pop();
                Mode::Weight(text)
            }
            KeyCode::Esc => Mode::Browse,
            _ => Mode::Weight(text),
        };
    }

    /// On a row that is there: the same, else the first server.
    fn keep_cursor(&mut self) {
        let rows = self.rows();
        if rows.iter().any(|row| row.target == self.cursor) {
            return;
        }
        let first = rows.iter().find(|row| row.target.server.is_some());
        if let Some(target) = first.or(rows.first()).map(|row| row.target.clone()) {
            self.cursor = target;
        }
    }

    /// On a session that is there: the same, else the first.
    fn keep_session(&mut self) {
        let all = self.sessions();
        if !all.iter().any(|one| Some(&one.id) == self.session.as_ref()) {
            self.session = all.first().map(|one| one.id.clone());
        }
    }
}

fn moved<T: Clone>(all: &[T], now: Option<usize>, by: isize) -> Option<T> {
    let last = all.len().checked_sub(1)?;
    let next = now.unwrap_or(0).saturating_add_signed(by).min(last);
    all.get(next).cloned()
}

const PAGE: isize = 10;
