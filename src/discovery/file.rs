//! Servers that a file lists.
//!
//! The file is looked at twice a second: a `stat` is cheap, and sees what a watch by inotify does not: files on NFS, links
//! that Kubernetes turns, a file that is not there yet. What changes is read when it has been left alone for a moment, and
//! counts only when nobody wrote meanwhile, so that a half-written file is not taken for a short list.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::{Listing, Reports};
use crate::plan::{PoolPlan, ServerPlan};

/// Reads and judges a file of servers; what is wrong with it is told as of any file of howdah.
pub type ReadMembers = fn(&Path, &PoolPlan) -> Result<Vec<ServerPlan>, String>;

/// Until nobody hears it.
pub(super) async fn watch(path: &Path, plan: &Arc<PoolPlan>, reports: &Reports, read: ReadMembers) {
    // What was found at the last look, and whether it was a list.
    let mut last: Option<(Seen, bool)> = None;
    loop {
        let seen = look(path).await;
        let same = last.as_ref().is_some_and(|(last, _)| *last == seen);
        let listing = if same {
            // Silence need not be repeated: a file that is not there stays so until it is another.
            last.as_ref()
                .is_some_and(|(_, listed)| *listed)
                .then_some(Listing::Same)
        } else {
            take(path, plan, &seen, read).await
        };
        if let Some(listing) = listing {
            if !same {
                // What could not be read may be in a moment, though the file stays the same: no descriptor was free.
                let listed = matches!(listing, Listing::Listed(_));
                let settled = listed || matches!(seen, Seen::Nothing(_));
                last = settled.then_some((seen, listed));
            }
            if reports.send(listing).await.is_err() {
                return;
            }
        }
        sleep(PAUSE).await;
    }
}

/// What tells one state of a file from another.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    /// Device, inode, size, and when its content and anything else of it changed.
    File([i128; 5]),
    /// In words.
    Nothing(String),
}

async fn look(path: &Path) -> Seen {
    match tokio::fs::metadata(path).await {
        Ok(meta) => Seen::File(marks(&meta)),
        Err(error) => Seen::Nothing(reason(&error)),
    }
}

fn marks(meta: &Metadata) -> [i128; 5] {
    let nanos = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    [
        meta.dev().into(),
        meta.ino().into(),
        meta.size().into(),
        nanos(meta.mtime(), meta.mtime_nsec()),
        nanos(meta.ctime(), meta.ctime_nsec()),
    ]
}

/// What the file says; `None` while somebody writes it.
async fn take(
    path: &Path,
    plan: &Arc<PoolPlan>,
    seen: &Seen,
    read: ReadMembers,
) -> Option<Listing> {
    if let Seen::Nothing(why) = seen {
        let why = why.clone();
        return Some(Listing::Silent { why });
    }
    sleep(SETTLE).await;
    if look(path).await != *seen {
        return None;
    }
    let (file, plan): (PathBuf, _) = (path.to_owned(), Arc::clone(plan));
    let listed = spawn_blocking(move || read(&file, &plan)).await;
    let listing = match listed {
        Ok(Ok(listed)) => Listing::Listed(listed.into_iter().map(Into::into).collect()),
        Ok(Err(why)) => Listing::Silent { why },
        Err(error) => Listing::Silent {
            why: error.to_string(),
        },
    };
    (look(path).await == *seen).then_some(listing)
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a file must have been left alone.
const SETTLE: Duration = Duration::from_millis(50);
