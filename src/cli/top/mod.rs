//! `howdah top`: a running howdah, live at a terminal.
//!
//! ```text
//!  keys ──► State::press ──► Action ──► worker thread ──► admin address
//!             ▲    │                        │
//!             │    └──► view ──► terminal    │ each second, and after each order
//!             └───────── News ◄─────────────┘
//! ```
//!
//! [`state`], [`model`] and [`view`] are pure: a key and a state make the next state, and a state makes lines. One thread
//! asks the admin server, so that a slow one does not hold up a key. The terminal is given back as it was, whatever ends
//! the program: a key, a signal, a panic.

mod asker;
mod model;
mod state;
mod terminal;
mod view;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use ratatui::crossterm::event::{self, Event};

use self::asker::Asker;
use self::state::{Action, State};
use self::terminal::Screen;
use super::ctl::{CtlError, Reach, finish};

/// `howdah top`
#[derive(Args, Debug)]
pub struct TopArgs {
    #[command(flatten)]
    reach: Reach,
    /// Begin with the servers whose name, pool, health or reason has this in it
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,
}

/// Shows what runs until somebody has seen enough.
pub fn run(args: &TopArgs) -> ExitCode {
    finish(look(args).map(|()| String::new()))
}

fn look(args: &TopArgs) -> Result<(), CtlError> {
    // The first answer comes before the screen is taken, so that what is wrong is said where it stays.
    let client = args.reach.client()?;
    let first = asker::sample(&client)?;
    if !io::stdout().is_terminal() {
        let what = "`howdah top` wants a terminal; `howdah status` shows the same as a table, and --json for programs";
        return Err(CtlError::Usage(what.into()));
    }
    let broken = |error: io::Error| CtlError::Refused(format!("the terminal failed: {error}"));
    let asker = Asker::start(client).map_err(broken)?;
    let mut state = State::new(first, args.filter.clone());
    let mut screen = Screen::take().map_err(broken)?;
    let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    while !screen.is_over() {
        asker.news().for_each(|news| state.hear(news));
        screen
            .draw(|frame| view::draw(&mut state, frame, colour))
            .map_err(broken)?;
        if !event::poll(GLANCE).map_err(broken)? {
            continue;
        }
        let Event::Key(key) = event::read().map_err(broken)? else {
            continue;
        };
        match state.press(key) {
            Some(Action::Quit) => break,
            Some(action) => asker.ask(action),
            None => {}
        }
    }
    Ok(())
}

/// How late news may be shown.
const GLANCE: Duration = Duration::from_millis(100);
