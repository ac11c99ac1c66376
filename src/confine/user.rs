//! From root to the user of `[global] user`: groups, user, and of root's rights none but what the plan needs.
//!
//! * CAP_NET_BIND_SERVICE, where an address of the plan has a port that needs it, so that a reload may move it; without such an
//!   address it is not kept, and a reload that brings one is refused.
//! * CAP_NET_ADMIN and CAP_NET_RAW, where the plan has a virtual address: to put it on an interface and to speak VRRP.

use std::fmt;
use std::fs;

use rustix::process::{getgid, getuid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_keep_capabilities,
    set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};
use rustix::{io, process};

use crate::plan::{Plan, RunAs};

/// Why howdah cannot be who it should be.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// The kernel refuses.
    #[error(
        "cannot become the user \"{user}\" of [global] user: {step} was refused: {source}; \
         start howdah as root with CAP_SETUID and CAP_SETGID, or as that user and without the key"
    )]
    User {
        /// Who it should have been.
        user: String,
        /// The call.
        step: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Who this process is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Became {
    /// The user of the plan: now, or from the start.
    It { name: String, kept: CapabilitySet },
    /// Somebody else who is not root and can become nobody.
    Stranger { uid: u32, wanted: String },
    /// Nobody was named.
    AsStarted { uid: u32 },
}

/// Becomes the user of `plan`, if it names one and this is root.
pub(super) fn become_it(plan: &Plan) -> Result<Became, ConfineError> {
    let uid = getuid().as_raw();
    let Some(wanted) = &plan.global.user else {
        return Ok(Became::AsStarted { uid });
    };
    let name = wanted.name.clone();
    if uid == wanted.uid && getgid().as_raw() == wanted.gid {
        let kept = CapabilitySet::empty();
        return Ok(Became::It { name, kept });
    }
    if uid != 0 {
        return Ok(Became::Stranger { uid, wanted: name });
    }
    let kept = needed(plan, unprivileged_from());
    drop_root(wanted, kept).map_err(|(step, source)| ConfineError::User {
        user: name.clone(),
        step,
        source: source.into(),
    })?;
    Ok(Became::It { name, kept })
}

/// In this order: the right to change groups goes with the user, and a capability outlives it only when told to.
fn drop_root(wanted: &RunAs, kept: CapabilitySet) -> Result<(), (&'static str, io::Errno)> {
    let (uid, gid) = (
        process::Uid::from_raw(wanted.uid),
        process::Gid::from_raw(wanted.gid),
    );
    let groups = wanted.groups.iter().copied().map(process::Gid::from_raw);
    let groups: Vec<_> = groups.collect();
    let at = |step| move |error| (step, error);
    // Bounds what a program started by us could gain. Root without CAP_SETPCAP may not, and none will be started.
    for (_, capability) in CapabilitySet::all().iter_names() {
        let _ = remove_capability_from_bounding_set(capability);
    }
    let _ = clear_ambient_capability_set();
    set_thread_groups(&groups).map_err(at("setgroups"))?;
    set_thread_res_gid(gid, gid, gid).map_err(at("setresgid"))?;
    set_keep_capabilities(!kept.is_empty()).map_err(at("PR_SET_KEEPCAPS"))?;
    set_thread_res_uid(uid, uid, uid).map_err(at("setresuid"))?;
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).map_err(at("capset"))
}

fn needed(plan: &Plan, free_from: u16) -> CapabilitySet {
    let mut needed = CapabilitySet::empty();
    if wants_low_port(plan, free_from) {
        needed |= CapabilitySet::NET_BIND_SERVICE;
    }
    if !plan.vips.is_empty() {
        needed |= CapabilitySet::NET_ADMIN | CapabilitySet::NET_RAW;
    }
    needed
}

/// Whether an address of the plan needs a right to be bound; port 0 is a free one, which never does.
fn wants_low_port(plan: &Plan, free_from: u16) -> bool {
    let listeners = plan.listeners.iter().flat_map(|listener| &listener.bind);
    let mut ports = listeners.chain([&plan.admin.bind]).map(|bind| bind.port());
    ports.any(|port| port != 0 && port < free_from)
}

fn unprivileged_from() -> u16 {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    let read = text.ok().and_then(|text| text.trim().parse().ok());
    read.unwrap_or(1024)
}

impl Became {
    /// What someone should do about it.
    pub(super) fn advice(&self) -> Option<String> {
        match self {
            Self::It { .. } => None,
            Self::Stranger { wanted, .. } => Some(format!(
                "not root, so howdah cannot become the user \"{wanted}\" of [global] user, and stays who it is"
            )),
            Self::AsStarted { uid: 0 } => Some(
                "runs as root: name a user of its own in [global] user, or start it as one".into(),
            ),
            Self::AsStarted { .. } => None,
        }
    }
}

impl fmt::Display for Became {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::It { name, kept } => {
                f.write_str(name)?;
                for (number, (one, _)) in kept.iter_names().enumerate() {
                    let before = if number == 0 { " with" } else { "," };
                    write!(f, "{before} CAP_{one}")?;
                }
                Ok(())
            }
            Self::AsStarted { uid: 0 } => f.write_str("root"),
            Self::Stranger { uid, .. } | Self::AsStarted { uid } => write!(f, "{uid}"),
        }
    }
}
