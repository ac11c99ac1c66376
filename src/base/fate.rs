//! What becomes of a listening socket, as whoever serves it is told.

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// It is served.
    #[default]
    Open,
    /// Its address is left: who has connected is served, and then it closes.
    Closing,
    /// Another process has it too, and serves it: it closes here at once, and whoever waits there is that one's.
    Given,
}
