//! What all requests share: what runs, and the renderings that many ask for at a time.

use std::sync::Arc;

use super::HandlerContext;
use super::live::Live;
use super::shared::Shared;

pub(super) struct Handler {
    pub(super) context: HandlerContext,
    pub(super) status: Shared,
    pub(super) metrics: Shared,
    pub(super) live: Arc<Live>,
}

impl Handler {
    pub(super) fn new(context: HandlerContext) -> Arc<Self> {
        Arc::new(Self {
            context,
            status: Shared::default(),
            metrics: Shared::default(),
            live: Arc::default(),
        })
    }
}
