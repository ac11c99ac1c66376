//! What runs, followed: rendered once for all who look, sent to each as far as it changed.
//!
//! [`Live`] renders once a second while somebody looks, and does nothing else. Each [`Feed`] is one reader: it sends what has
//! changed since it sent last, and the events of the journal. Nothing waits in line for a reader that is slow: it gets the
//! present state when it can take it, and hears how many events it missed.

mod feed;
mod quiet;
mod render;
mod state;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

pub(super) use self::feed::{Feed, Place};
use self::render::Renderer;
pub(super) use self::state::State;
use super::HandlerContext;

/// See the module.
#[derive(Default)]
pub(super) struct Live {
    states: watch::Sender<Arc<State>>,
    /// Somebody looks, and a task renders.
    renders: Mutex<bool>,
}

impl Live {
    /// The state from now on. It is empty until the first rendering, which begins at once.
    pub(super) fn look(self: &Arc<Self>, context: &HandlerContext) -> watch::Receiver<Arc<State>> {
        let mut renders = self.renders.lock().unwrap_or_else(PoisonError::into_inner);
        let states = self.states.subscribe();
        if !*renders {
            *renders = true;
            tokio::spawn(Arc::clone(self).render(context.clone()));
        }
        states
    }

    async fn render(self: Arc<Self>, context: HandlerContext) {
        let mut renderer = Renderer::default();
        while !self.ends() {
            let begun = Instant::now();
            let (view, metrics) = (context.view.load_full(), context.metrics.clone());
            let last = renderer.version();
            let rendered = tokio::task::spawn_blocking(move || {
                let state = renderer.next(&view, &metrics, begun);
                (renderer, state)
            });
            renderer = match rendered.await {
                Ok((renderer, state)) => {
                    if renderer.version() > last {
                        self.states.send_replace(Arc::new(state));
                    }
                    renderer
                }
                // Whatever it was, everybody gets everything anew.
                Err(_) => Renderer::after(last),
            };
            let rest = (begun.elapsed() * REST).min(REST_MOST);
            sleep_until((begun + EVERY).max(Instant::now() + rest)).await;
        }
    }

    /// Nobody looks any more; whoever comes next begins anew.
    fn ends(&self) -> bool {
        let mut renders = self.renders.lock().unwrap_or_else(PoisonError::into_inner);
        if self.states.receiver_count() > 0 {
            return false;
        }
        self.states.send_replace(Arc::default());
        *renders = false;
        true
    }
}

/// At most so often.
const EVERY: Duration = Duration::from_secs(1);
/// Times as long as a rendering took, as for all that many ask for.
const REST: u32 = 4;
const REST_MOST: Duration = Duration::from_secs(5);
