//! What is to be seen of the state file, for the status.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;

/// What is to be seen of the file.
#[derive(Clone, Default)]
pub struct StateView(Arc<ArcSwap<Shown>>);

/// One moment of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    /// `None`: nothing is kept.
    pub file: Option<PathBuf>,
    /// When it was written last, by this howdah.
    pub saved_at: Option<SystemTime>,
    /// How large it was then, in bytes.
    pub size: u64,
    /// Why the last attempt failed, or why another howdah's word counts now; `None`: all is well.
    pub error: Option<String>,
    /// Why what was there at the start could not be read; `None`: it could, or there was nothing.
    pub unread: Option<String>,
}

impl StateView {
    /// As it is now.
    pub fn now(&self) -> Arc<Shown> {
        self.0.load_full()
    }

    pub(super) fn change(&self, change: impl Fn(&mut Shown)) {
        self.0.rcu(|shown| {
            let mut shown = Shown::clone(shown);
            change(&mut shown);
            shown
        });
    }
}
