//! All cells of one transport at once, on one thread.

use std::cell::Cell as Slot;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Barrier;
use tokio::task::LocalSet;
use tokio::time::sleep;

use super::cell::Session;
use super::elsewhere::Elsewhere;
use super::ground::{Cell, Ground, IDLE};
use super::table::{Event, Phase, Transport};
use crate::support::TERM;

/// Returns what was wrong, one text for each cell that failed.
pub(crate) fn all(
    transport: Transport,
    cells: Vec<Cell>,
    elsewhere: Option<Arc<Elsewhere>>,
) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (stopped, running): (Vec<_>, Vec<_>) = cells
        .into_iter()
        .partition(|cell| cell.event == Event::Stop);
    LocalSet::new().block_on(&runtime, async {
        let (mut faults, more) = tokio::join!(
            ground(transport, running, elsewhere.clone()),
            ground(transport, stopped, elsewhere)
        );
        faults.extend(more);
        faults
    })
}

async fn ground(
    transport: Transport,
    cells: Vec<Cell>,
    elsewhere: Option<Arc<Elsewhere>>,
) -> Vec<String> {
    if cells.is_empty() {
        return Vec::new();
    }
    let stops = cells.iter().any(|cell| cell.event == Event::Stop);
    let mut ground = Ground::new(transport, cells.clone(), elsewhere).await;
    let together = Rc::new(Together::of(&cells));
    let running: Vec<_> = cells
        .into_iter()
        .map(|cell| {
            let (ground, together) = (Rc::clone(&ground), Rc::clone(&together));
            (cell, tokio::task::spawn_local(run(ground, cell, together)))
        })
        .collect();
    let mut faults = Vec::new();
    for (cell, task) in running {
        let found = match task.await {
            Ok(found) => found,
            Err(panic) => vec![panic.to_string()],
        };
        if !found.is_empty() {
            faults.push(format!("{}: {}", cell.title(), found.join("; ")));
        }
    }
    let left = match stops {
        true => match Rc::get_mut(&mut ground)
            .expect("every cell is over")
            .exits()
            .await
        {
            true => Ok(()),
            false => Err("howdah did not exit with 0".to_owned()),
        },
        false => ground.is_left_clean().await,
    };
    faults.extend(left.err().map(|why| format!("{}: {why}", transport.name)));
    faults
}

async fn run(ground: Rc<Ground>, cell: Cell, together: Rc<Together>) -> Vec<String> {
    if is_shared(cell.event) && cell.phase != Phase::Idle {
        // Those that are idle need so long to become it.
        sleep(IDLE).await;
    }
    if cell.phase == Phase::Idle {
        // Not all at the same moment.
        sleep(APART * u32::try_from(cell.number % 32).unwrap_or(0)).await;
    }
    let _room = match cell.phase == Phase::Idle || is_shared(cell.event) {
        true => None,
        false => ground.room.acquire().await.ok(),
    };
    let session = Session::in_phase(&ground, cell).await;
    if is_shared(cell.event) {
        together.happens(&ground, cell.event).await;
    }
    match session {
        Err(faults) => faults,
        Ok(mut session) => {
            let mut event = session.meet(cell.event).await;
            if is_shared(cell.event) {
                event = together.at.get().unwrap_or(event);
            }
            session.judge(event).await
        }
    }
}

/// One reload, or one signal, for many cells.
fn is_shared(event: Event) -> bool {
    matches!(event, Event::Removal | Event::Stop)
}

/// Where cells wait for each other before it happens to all of them.
struct Together {
    ready: Barrier,
    done: Barrier,
    at: Slot<Option<Instant>>,
}

impl Together {
    fn of(cells: &[Cell]) -> Self {
        let count = cells.iter().filter(|cell| is_shared(cell.event)).count();
        Self {
            ready: Barrier::new(count),
            done: Barrier::new(count),
            at: Slot::new(None),
        }
    }

    async fn happens(&self, ground: &Ground, event: Event) {
        if self.ready.wait().await.is_leader() {
            match event {
                Event::Stop => {
                    ground.howdah.signal(TERM);
                    self.at.set(Some(Instant::now()));
                }
                _ => ground.remove_servers().await,
            }
        }
        self.done.wait().await;
    }
}

/// Between two cells that wait for the same time, and would else all happen together.
const APART: Duration = Duration::from_millis(50);
