//! What a server says of its own load, as far as it bears on sessions.

use std::time::SystemTime;

/// The bearing; [`Said::NOTHING`] until it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// Of the weight that file and operator give it: 1 to 100.
    pub percent: u8,
    /// Sessions at once, where that is less than the file allows.
    pub most: Option<u32>,
    /// The word by which it wants no new sessions.
    pub withdrawn: Option<&'static str>,
}

impl Said {
    /// The whole weight, and no bound.
    pub const NOTHING: Self = Self {
        percent: 100,
        most: None,
        withdrawn: None,
    };

    /// The file's bound on sessions at once, or the server's own.
    pub(super) fn cap(self, own: Option<u32>) -> u32 {
        let own = own.unwrap_or(u32::MAX);
        self.most.map_or(own, |most| most.min(own))
    }
}

/// The last answer about its load, for the eyes of people.
#[derive(Clone, Debug, PartialEq)]
pub struct LastLoad {
    /// No answer, for so long that what was said before counts no more.
    pub is_silent: bool,
    /// One sentence; control characters are escaped.
    pub detail: String,
    /// When it came, or failed to.
    pub at: SystemTime,
}
