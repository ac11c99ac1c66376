//! What the thread of the history is told and asked, and what it answers.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use crate::availability::calendar::{Moment, Step};
use crate::availability::ledger::Outage;
use crate::availability::model::{Batch, Former};
use crate::availability::period::{Period, Spans};
use crate::availability::target::Target;
use crate::telemetry::journal::Event;
use crate::telemetry::timelines::Saved;

/// How the last days went for each.
pub(crate) type Recent = BTreeMap<Target, Spans>;

/// What the thread is told, and asked.
pub(crate) enum Message {
    /// How did a former howdah leave things? Asked before the first mark.
    Past {
        /// Where the answer goes.
        reply: oneshot::Sender<Past>,
    },
    /// Write this.
    Mark(Batch),
    /// Read, and count in what comes along.
    Ask {
        /// What.
        query: Query,
        /// Not marked yet.
        batch: Batch,
        /// Where the answer goes.
        reply: oneshot::Sender<Vec<Found>>,
    },
    /// Write this, and that it is the last word.
    Close {
        /// The rest.
        batch: Batch,
        /// When it is written.
        reply: oneshot::Sender<()>,
    },
}

/// What a former howdah left.
#[derive(Default)]
pub(crate) struct Past {
    /// `None`: there was none.
    pub(crate) former: Option<Former>,
    /// The last ones, oldest first.
    pub(crate) events: Vec<Event>,
    /// The time lines of its last hour.
    pub(crate) lines: Saved,
}

/// Which rows are asked for.
pub(crate) struct Query {
    /// Whose.
    pub(crate) targets: Vec<Target>,
    /// By the hour, day or month.
    pub(crate) step: Step,
    /// The beginning of a row.
    pub(crate) from: Moment,
    /// Outages that begin later are left out.
    pub(crate) to: Moment,
}

/// What is there of one target.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Which.
    pub(crate) target: Target,
    /// By their beginning.
    pub(crate) periods: Vec<(Moment, Period)>,
    /// Those that lasted at some moment of the window, oldest first.
    pub(crate) outages: Vec<Outage>,
}
