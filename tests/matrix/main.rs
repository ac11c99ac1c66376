//! The fault matrix: everything that can happen to a session, in every phase of it, by every way of carrying it.
//!
//! [`table`] says what must be seen, of which docs/reliability.md is a view; [`cell`] brings about one cell of it and
//! judges. All cells run at once, with a howdah for each transport, and all that fail are named together.
//!
//! | variable | |
//! |---|---|
//! | `HOWDAH_TEST_CELLS="plain, auto · amid an answer"` | only cells whose title contains this |
//! | `HOWDAH_TEST_PROGRAM` | another build of howdah to drive |
//! | `BLESS=1` | writes the table of docs/reliability.md anew |

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on says so by failing"
)]

mod bytes;
mod cell;
mod document;
mod elsewhere;
mod ends;
mod ground;
mod owed;
mod peer;
mod run;
mod stopped;
#[path = "../blackbox/support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "shared with the black-box tests, which use all of it"
)]
mod support;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

use self::elsewhere::{Elsewhere, skipped};
use self::ground::Cell;
use self::owed::owed;
use self::table::{Event, Phase, Transport, expect};

#[test]
fn every_fault_reaches_the_right_side_in_time() {
    let wanted = std::env::var("HOWDAH_TEST_CELLS").unwrap_or_default();
    let elsewhere = match Elsewhere::open() {
        Ok(elsewhere) => Some(Arc::new(elsewhere)),
        Err(why) => {
            skipped("peers that vanish", &why);
            None
        }
    };
    let mut owing = BTreeMap::new();
    let mut possible = |cell: &Cell| {
        let vanishes = matches!(cell.event, Event::ServerVanishes | Event::ClientVanishes);
        if (vanishes && elsewhere.is_none()) || !cell.title().contains(&wanted) {
            return false;
        }
        if let Some(why) = owed(cell) {
            *owing.entry(why).or_insert(0) += 1;
            return false;
        }
        true
    };
    let begun = std::time::Instant::now();
    let grounds: Vec<_> = Transport::ALL
        .iter()
        .map(|&transport| {
            let cells: Vec<Cell> = cells(transport).into_iter().filter(&mut possible).collect();
            let elsewhere = elsewhere.clone();
            thread::spawn(move || (cells.len(), run::all(transport, cells, elsewhere)))
        })
        .collect();
    for (why, cells) in owing {
        skipped(&format!("{cells} cells"), why);
    }
    let (mut count, mut faults) = (0, Vec::new());
    for ground in grounds {
        let (cells, found) = ground.join().expect("a thread of the matrix ends");
        count += cells;
        faults.extend(found);
    }
    let failed = faults.len();
    println!("{count} cells, {failed} failed, in {:.0?}", begun.elapsed());
    assert!(count > 0, "no cell is called {wanted}");
    assert!(
        faults.is_empty(),
        "{failed} of {count} cells failed:\n{}\n",
        faults.join("\n")
    );
}

#[tokio::test]
async fn a_server_process_that_is_stopped_loses_nothing() {
    stopped::goes_on(stopped::Which::Server).await;
}

#[tokio::test]
async fn a_client_process_that_is_stopped_loses_nothing() {
    stopped::goes_on(stopped::Which::Client).await;
}

#[test]
fn the_document_shows_the_table() {
    document::compare();
}

/// The cells of one transport that can be.
fn cells(transport: Transport) -> Vec<Cell> {
    let all = Phase::ALL
        .iter()
        .flat_map(|&phase| Event::ALL.iter().map(move |&event| (phase, event)));
    all.filter(|&(phase, event)| expect(transport, phase, event).is_ok())
        .enumerate()
        .map(|(number, (phase, event))| Cell {
            number,
            transport,
            phase,
            event,
        })
        .collect()
}
