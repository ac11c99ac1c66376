//! The process locks itself in: another user, no new privileges, few files, few system calls.
//!
//! Called once, by `howdah run`, when the configuration has been read and before anything else happens: users, privileges
//! and Landlock belong to a thread on Linux, and are inherited by those it starts. So there must be no other thread yet.
//! Listening sockets are opened afterwards: of root's rights that takes one at most, which is kept where it is needed.
//!
//! * What the operator asked for by name (`user`) is done or howdah does not start; what is done by default is done as far
//!   as the kernel has it, and told.
//! * A lock is never opened again. A reload that wants more than the locks allow is refused and says so.

mod calls;
mod files;
mod lock;
mod user;

use std::path::{Path, PathBuf};

use rustix::thread::set_no_new_privs;

use self::lock::Lock;
pub use self::user::ConfineError;
use crate::plan::Plan;

/// What was locked, and what was not.
#[derive(Debug)]
pub struct Confined {
    user: user::Became,
    files: Lock,
    calls: Lock,
    /// Files that the configuration names and that this user may not read, or write.
    out_of_reach: Vec<PathBuf>,
}

/// Another user, and no new privileges: what the programs that are started before the locks get, too.
#[must_use = "the locks are still open"]
pub struct Settled(user::Became);

/// Becomes the user that `plan` names, and gives up to gain rights by programs.
///
/// # Errors
/// Only when `plan` names a user that root cannot become.
pub fn settle(plan: &Plan) -> Result<Settled, ConfineError> {
    let user = user::become_it(plan)?;
    // Cannot be refused since Linux 3.5.
    let _ = set_no_new_privs(true);
    Ok(Settled(user))
}

impl Settled {
    /// Locks this process in, as far as `plan` and the kernel go. `config` is the file the plan was read from, `files` are
    /// those it names, `control` is the folder of the control socket.
    pub fn lock(
        self,
        plan: &Plan,
        config: &Path,
        files: &[PathBuf],
        control: Option<&Path>,
    ) -> Confined {
        let out_of_reach = files::out_of_reach(plan, config, files);
        let wanted = plan.global.confine;
        let locked = match wanted.files() {
            true => files::lock(files::reach(plan, config, files, control)),
            false => Lock::NotWanted,
        };
        let calls = match wanted.calls() {
            true => calls::lock(!plan.vips.is_empty()),
            false => Lock::NotWanted,
        };
        Confined {
            user: self.0,
            files: locked,
            calls,
            out_of_reach,
        }
    }
}

impl Confined {
    /// Says it all in the log, which cannot be there before: it has a thread.
    pub fn tell(&self) {
        tracing::info!(user = %self.user, landlock = %self.files, seccomp = %self.calls, "confined");
        if let Some(advice) = self.user.advice() {
            tracing::warn!(user = %self.user, "{advice}");
        }
        for (lock, name) in [(&self.files, "landlock"), (&self.calls, "seccomp")] {
            if let Lock::NotToBeHad(reason) = lock {
                tracing::warn!(lock = name, %reason, "not to be had here: howdah runs without it");
            }
        }
        if matches!(self.calls, Lock::On) && calls::cost_much() {
            tracing::warn!(
                "seccomp makes this kernel slow (before Linux 5.16 it turns on mitigations of Spectre for each confined thread): \
                 boot with spec_store_bypass_disable=prctl spectre_v2_user=prctl, or set global.confine = \"landlock\""
            );
        }
        for file in &self.out_of_reach {
            tracing::warn!(
                user = %self.user,
                file = %file.display(),
                "this user has no right to the file: a reload will fail"
            );
        }
    }
}
