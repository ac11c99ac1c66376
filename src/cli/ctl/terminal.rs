//! What commands need to know of the terminal that they write to, and how they keep a screen of it current.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use rustix::termios::tcgetwinsize;
use tokio::signal::unix::{SignalKind, signal};

use super::super::{DONE, FAILED};

/// How the output is to look.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct View {
    pub(in crate::cli) colour: bool,
    /// Columns.
    pub(in crate::cli) width: usize,
    /// Lines; none where it is no terminal.
    pub(super) height: Option<usize>,
}

impl View {
    /// As standard output is now. What is no terminal is a page of a hundred columns, or as `COLUMNS` says.
    pub(in crate::cli) fn now() -> Self {
        let out = io::stdout();
        if !out.is_terminal() {
            let columns = std::env::var("COLUMNS").ok();
            let columns = columns.and_then(|columns| columns.parse().ok());
            return Self {
                colour: false,
                width: columns.unwrap_or(PAGE),
                height: None,
            };
        }
        let size = tcgetwinsize(&out).ok();
        let size = size.filter(|size| size.ws_col > 0 && size.ws_row > 0);
        let (width, height) =
            size.map_or((PAGE, 24), |size| (size.ws_col.into(), size.ws_row.into()));
        Self {
            colour: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
            width,
            height: Some(height),
        }
    }
}

/// Shows what `frame` says, anew each second and whenever the terminal has another size, until Ctrl-C; then the terminal is as it
/// was. Where nobody looks, one frame follows the other.
pub(super) fn watch(frame: impl Fn(View) -> String + Send + 'static) -> ExitCode {
    let screen = Arc::new(Screen::enter());
    let (resized, changes) = mpsc::sync_channel(1);
    let drawing = Arc::clone(&screen);
    std::thread::spawn(move || {
        loop {
            let view = View::now();
            if !drawing.draw(&frame(view), view) {
                std::process::exit(i32::from(DONE));
            }
            // Whoever resized, or nobody in this time: draw.
            let _ = changes.recv_timeout(PAUSE);
        }
    });
    let ended = interrupted(&resized);
    screen.leave();
    match ended {
        Ok(()) => DONE.into(),
        Err(error) => {
            let _ = writeln!(io::stderr(), "howdah: signals cannot be heard: {error}");
            FAILED.into()
        }
    }
}

/// Waits for the signals that end a program.
fn interrupted(resized: &mpsc::SyncSender<()>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut ends = signal(SignalKind::interrupt())?;
        let mut terminated = signal(SignalKind::terminate())?;
        let mut gone = signal(SignalKind::hangup())?;
        let mut changed = signal(SignalKind::window_change())?;
        loop {
            tokio::select! {
                _ = ends.recv() => return Ok(()),
                _ = terminated.recv() => return Ok(()),
                _ = gone.recv() => return Ok(()),
                _ = changed.recv() => drop(resized.try_send(())),
            }
        }
    })
}

/// A screen of its own, beside what the terminal showed.
struct Screen {
    terminal: bool,
    /// Nothing is drawn any more.
    left: Mutex<bool>,
}

impl Screen {
    fn enter() -> Self {
        let terminal = io::stdout().is_terminal();
        if terminal {
            say(ENTER);
        }
        Self {
            terminal,
            left: Mutex::new(false),
        }
    }

    /// False when nobody reads any more. Lines are written over, not erased first, so that nothing flickers.
    fn draw(&self, text: &str, view: View) -> bool {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if *left {
            return true;
        }
        if !self.terminal {
            return say(&format!("{text}\n"));
        }
        let height = view.height.unwrap_or(usize::MAX);
        let count = text.lines().count();
        let cut = count >= height;
        let shown = if cut { height.saturating_sub(2) } else { count };
        let mut screen = String::from(HOME);
        for line in text.lines().take(shown) {
            screen.push_str(line);
            screen.push_str(NEXT);
        }
        if cut {
            let more = count - shown;
            screen.push_str(&format!(
                "... {more} more lines: --pool shows one pool{NEXT}"
            ));
        }
        screen.push_str(REST);
        say(&screen)
    }

    fn leave(&self) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = true;
        if self.terminal {
            say(LEAVE);
        }
    }
}

fn say(text: &str) -> bool {
    let mut out = io::stdout().lock();
    let said = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    said.is_ok()
}

const PAGE: usize = 100;
const PAUSE: Duration = Duration::from_secs(1);
/// xterm's control sequences (DECSET): 1049 another screen, 25 the cursor, 7 long lines go on below, 2026 what follows is drawn at once.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
const HOME: &str = "\x1b[?2026h\x1b[H";
const NEXT: &str = "\x1b[K\r\n";
const REST: &str = "\x1b[J\x1b[?2026l";
