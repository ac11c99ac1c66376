//! How the last days went for each target, for metrics: read once an hour, added to by each mark.

use super::message::Recent as Sums;
use super::rows::Rows;
use crate::availability::calendar::{Moment, Step};
use crate::availability::model::Batch;
use crate::availability::report::RECENT;

/// See the module.
#[derive(Default)]
pub(super) struct Recent {
    hour: Option<Moment>,
    sums: Sums,
}

impl Recent {
    /// A mark came: adds it. In a new hour the oldest is left out, for which the rows are read again; they must have
    /// everything that came before.
    pub(super) fn add(&mut self, batch: &Batch, rows: Option<&Rows>) {
        let hour = Step::Hour.floor(batch.at);
        if self.hour != Some(hour) {
            let from = Step::Hour.floor(batch.at.minus(RECENT));
            let read = rows.map(|rows| rows.sums(from));
            if let Some(Ok(sums)) = read {
                (self.hour, self.sums) = (Some(hour), sums);
            }
        }
        for (target, counted) in &batch.counted {
            let sum = self.sums.entry(target.clone()).or_default();
            for period in counted.hours.values() {
                sum.merge(&period.spans);
            }
        }
    }

    pub(super) fn sums(&self) -> &Sums {
        &self.sums
    }
}
