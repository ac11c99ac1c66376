//! What all workers found, in one order: pure.
//!
//! Thousands are put in order one by one, by their numbers alone, and each row is taken out when its turn comes: whoever shows
//! them may rest between two, and needs no second copy of all.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::listing::{Listing, Row};

/// The sessions of all workers that somebody asked for.
#[derive(Debug)]
pub struct Listings {
    found: Vec<Listing>,
    most: usize,
}

impl Listings {
    /// Of what each worker found, the `most` that began first.
    pub fn of(found: Vec<Listing>, most: usize) -> Self {
        Self { found, most }
    }

    /// All that the filter means.
    pub fn total(&self) -> u64 {
        self.found.iter().map(|listing| listing.total).sum()
    }

    /// Who began first comes first.
    pub fn into_rows(self) -> impl Iterator<Item = Row> {
        let rows = |listing: Listing| listing.into_rows().map(Some).collect();
        let mut parts: Vec<Vec<Option<Row>>> = self.found.into_iter().map(rows).collect();
        let mut order = Vec::new();
        for (part, rows) in parts.iter().enumerate() {
            let ids = rows.iter().flatten().map(|row| row.id);
            order.extend(
                ids.enumerate()
                    .map(|(index, id)| Reverse((id, part, index))),
            );
        }
        let mut order = BinaryHeap::from(order);
        let next = move || {
            let Reverse((_, part, index)) = order.pop()?;
            parts[part][index].take()
        };
        std::iter::from_fn(next).take(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::listing::listing;

    #[test]
    fn of_too_many_those_that_began_first_are_shown_and_all_are_counted() {
        let found = vec![listing(&[9, 3, 7, 1], 3), listing(&[2, 8, 4], 3)];
        let all = Listings::of(found, 4);
        assert_eq!(all.total(), 7);
        let ids: Vec<u64> = all.into_rows().map(|row| row.id).collect();
        assert_eq!(ids, [1, 2, 3, 4]);
    }
}
