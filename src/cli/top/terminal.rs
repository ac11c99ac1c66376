//! The terminal: taken with its other screen, and given back as it was.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::{DefaultTerminal, Frame};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::FAILED;

/// Drawn on while it lives; its drop gives the terminal back. So does a panic.
pub(super) struct Screen {
    terminal: DefaultTerminal,
    over: Arc<AtomicBool>,
}

impl Screen {
    /// # Errors
    /// When standard output is no terminal.
    pub(super) fn take() -> io::Result<Self> {
        let over = Arc::new(AtomicBool::new(false));
        watch(Arc::clone(&over))?;
        Ok(Self {
            terminal: ratatui::try_init()?,
            over,
        })
    }

    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(draw).map(drop)
    }

    /// A signal wants the program to end.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Signals that would end the program end it by way of the loop; without it, where that hangs.
fn watch(over: Arc<AtomicBool>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let thread = std::thread::Builder::new().name("signals".into());
    thread.spawn(move || {
        runtime.block_on(async {
            let wanted = [
                SignalKind::terminate(),
                SignalKind::interrupt(),
                SignalKind::hangup(),
            ];
            let [Ok(mut term), Ok(mut int), Ok(mut hup)] = wanted.map(signal) else {
                return;
            };
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
                _ = hup.recv() => {}
            }
            over.store(true, Ordering::Relaxed);
            // Where the terminal itself is gone, reading from it never ends (crossterm 0.29 takes EIO for nothing).
            tokio::time::sleep(GRACE).await;
            ratatui::restore();
            std::process::exit(FAILED.into());
        });
    })?;
    Ok(())
}

/// For the loop to end by itself.
const GRACE: Duration = Duration::from_secs(1);
