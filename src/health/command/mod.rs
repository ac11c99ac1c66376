//! Probes that are programs of the operator's.
//!
//! howdah locks itself in before its first thread and starts no programs from then on. So a process of its own,
//! [`runner`], is started before the locks: it knows the commands that the file had at that moment, takes orders to run one
//! of them for a server, and answers how it ended. [`Programs`] is its other end, on the control thread.
//!
//! ```text
//!  checker ──► Programs ──► order, a line of JSON ──► runner ──► program
//!     ▲           │                                              exit code, first line
//!     └─ Finding ─┴────────── outcome, a line of JSON ◄──────────────┘
//! ```

mod order;
mod programs;
pub mod runner;

pub use self::order::commands;
pub use self::programs::{Programs, Runner};
