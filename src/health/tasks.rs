//! A task for each server of a pool, which ends when the server leaves, or when its owner is dropped.

use std::collections::HashMap;

use tokio::task::AbortHandle;

use crate::pool::{Member, ServerId};

/// See the module.
#[derive(Default)]
pub(super) struct Tasks(HashMap<ServerId, Task>);

/// Ends with its owner.
struct Task(AbortHandle);

impl Tasks {
    /// Ends those of servers that left, and `begin`s one for each that is new, which hears how many are. The others go on
    /// undisturbed. Needs a tokio runtime.
    pub(super) fn follow<F>(&mut self, members: &[Member], begin: impl Fn(&Member, usize) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let present = members.iter().map(|member| (member.server.id(), member));
        let present: HashMap<ServerId, &Member> = present.collect();
        self.0.retain(|id, _| present.contains_key(id));
        let count = present.len() - self.0.len();
        for (id, member) in present {
            let begin = || Task(tokio::spawn(begin(member, count)).abort_handle());
            self.0.entry(id).or_insert_with(begin);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
