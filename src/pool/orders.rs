//! What an operator wants of one server, whoever it is now: the order, the weight, and who gave them.

use std::sync::Arc;

use super::Order;
use super::origin::Origin;

/// What an operator wants of a server, whoever it is now.
#[derive(Clone)]
pub(super) struct Orders {
    pub(super) admin: Order,
    pub(super) ordered: Option<Arc<Origin>>,
    /// In force, and as it was planned.
    pub(super) weight: u16,
    pub(super) planned: u16,
    pub(super) weighed: Option<Arc<Origin>>,
}

impl Orders {
    /// Nobody wants anything.
    pub(super) fn none(planned: u16) -> Self {
        Self {
            admin: Order::Ready,
            ordered: None,
            weight: planned,
            planned,
            weighed: None,
        }
    }

    pub(super) fn is_plain(&self) -> bool {
        self.admin == Order::Ready && self.weight == self.planned
    }
}
