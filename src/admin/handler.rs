//! What all requests share: what runs, the timers of drains, and the renderings that many ask for at a time.

use std::sync::Arc;

use super::HandlerContext;
use super::deadlines::Deadlines;
use super::live::Live;
use super::shared::Shared;

pub(super) struct Handler {
    pub(super) context: HandlerContext,
    pub(super) deadlines: Deadlines,
    pub(super) status: Shared,
    pub(super) metrics: Shared,
    pub(super) live: Arc<Live>,
}

impl Handler {
    pub(super) fn new(context: HandlerContext) -> Arc<Self> {
        Arc::new(Self {
            deadlines: Deadlines::on(&context.runtime),
            context,
            status: Shared::default(),
            metrics: Shared::default(),
            live: Arc::default(),
        })
    }
}
