//! Before and beside the service: how a howdah enters, with what it brings from elsewhere, and how it offers all that to
//! whoever wants to take over from it. What happens then is in [`super::yielding`].

use std::fmt::Display;
use std::os::fd::OwnedFd;

use tokio::sync::{mpsc, oneshot};

use super::cluster::membership;
use super::error::RunError;
use super::heritage::{CALLERS, Giving, program};
use super::pulse::Pulse;
use super::signal::Signal;
use super::{App, Socket};
use crate::handover::PREPARATION;
use crate::handover::claim::{Claim, Confirmed};
use crate::handover::door::{Caller, Successor};
use crate::handover::link::LinkError;
use crate::handover::message::{Described, Welcome};
use crate::handover::offer::{self, Accepted, Offer};
use crate::telemetry::HandoverResult;
use crate::telemetry::journal::{Event, Kind};

impl App {
    /// From now on this howdah is a successor of whoever gave it the `inherited` sockets.
    pub fn succeed(&mut self, claim: Claim) {
        self.manager.inherit_watchdog(claim.welcome.watchdog_usec);
        self.claim = Some(claim);
    }

    /// Answers at the admin address.
    pub(super) fn answer(&mut self) -> std::io::Result<()> {
        if let Some((server, context)) = self.doors.take() {
            self.admin = Some(server.start(context)?);
            tracing::info!(address = %self.admin_address, "admin listening");
        }
        Ok(())
    }

    /// Every listener serves: the predecessor hears it and drains, and the service manager too.
    pub(super) async fn enter(&mut self) -> Result<(), RunError> {
        // Nobody may hear of one that leads soon that it does not.
        if !self.follows_a_leader() {
            self.answer_or_say();
        }
        if self.claim.is_none() {
            self.tell_of_what_nobody_took();
        }
        let kept = std::mem::take(&mut self.inherited).settle();
        let is_successor = self.claim.is_some();
        let yielded = match (self.claim.take(), &self.control.door) {
            (Some(claim), Some(door)) => self.confirm(claim, kept, door.path()).await?,
            _ => None,
        };
        let session = yielded.as_ref().and_then(|one| one.session.as_ref());
        self.take_the_place(session).await;
        self.answer_or_say();
        self.begin_vips(yielded.is_some()).await;
        if let Some(admin) = &mut self.admin {
            admin.settle();
        }
        let sockets = self
            .listeners
            .values_mut()
            .flat_map(|runtime| &mut runtime.sockets);
        sockets.for_each(|socket| socket.is_inherited = false);
        self.availability.begin();
        self.open_the_door();
        match is_successor {
            true => self.manager.succeeded(self.status()),
            false => self.manager.ready(self.status()),
        }
        if let Some(mut yielded) = yielded {
            if let Some(memory) = yielded.memory.take() {
                self.recall_the_last(&memory).await;
            }
            yielded.settled().await;
        }
        self.has_entered = true;
        self.keep_state();
        self.pulse = Pulse::of(&self.manager, &self.handles);
        Ok(())
    }

    /// What the service manager shows of a howdah that serves, or would.
    pub(super) fn status(&self) -> &'static str {
        if self.stands_by {
            "standing by, another howdah leads"
        } else {
            "serving"
        }
    }

    fn tell_of_what_nobody_took(&self) {
        for socket in self.inherited.left() {
            tracing::warn!(
                socket,
                "the service manager opened a socket at whose address nothing of the file listens: closed"
            );
        }
    }

    fn answer_or_say(&mut self) {
        if let Err(error) = self.answer() {
            tracing::error!(%error, "the admin server cannot be started");
        }
    }

    async fn confirm(
        &self,
        claim: Claim,
        kept: Vec<usize>,
        path: &std::path::Path,
    ) -> Result<Option<crate::handover::claim::Yielded>, RunError> {
        let (pid, version) = (claim.welcome.pid, claim.welcome.version.clone());
        let since = claim.since;
        let (text, yielded) = match claim.serving(kept, self.place.is_some(), path).await {
            Confirmed::Yielded(yielded) => {
                self.metrics.handed_over(HandoverResult::Taken);
                self.metrics.took_over_within(since.elapsed());
                tracing::info!(pid, version, "took over: the old howdah drains");
                (
                    format!("took over from process {pid} (howdah {version}), which drains"),
                    Some(yielded),
                )
            }
            Confirmed::Alone(why) => {
                self.metrics.handed_over(HandoverResult::Alone);
                tracing::warn!(pid, version, %why, "took over from a howdah that does not answer any more");
                let text = format!(
                    "took over from process {pid} (howdah {version}), which does not answer any more: {why}"
                );
                (text, None)
            }
            Confirmed::GoesOn(why) => return Err(RunError::NotTaken(why)),
        };
        let event = Event::info(Kind::Takeover, text).to("running");
        self.metrics.journal().tell(event);
        Ok(yielded)
    }

    fn open_the_door(&mut self) {
        let Some(door) = self.control.door.take() else {
            return;
        };
        let (user, callers) = (self.control.user, self.control.callers.clone());
        let opened = door.open(user, self.welcome(), self.predecessors.clone(), callers);
        let opened = opened.and_then(|mut open| {
            open.take_the_path()?;
            Ok(open)
        });
        match opened {
            Ok(open) => self.control.open = Some(open),
            Err(error) => {
                tracing::warn!(%error, "no control socket: nobody will be able to take over from this howdah");
            }
        }
    }

    fn welcome(&self) -> Welcome {
        Welcome {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            program: program(),
            watchdog_usec: self
                .manager
                .watchdog()
                .and_then(|one| one.as_micros().try_into().ok()),
            is_managed: self.manager.is_there(),
        }
    }

    /// What the operator's signals say, and those that a process 1 passes on; and who wants to take over.
    pub(super) fn hear(
        &mut self,
        mut signals: mpsc::Receiver<Signal>,
    ) -> (mpsc::Receiver<Signal>, mpsc::Receiver<Successor>) {
        let (to, merged) = mpsc::channel(1);
        let (waiting, successors) = mpsc::channel(CALLERS);
        let orders = to.clone();
        tokio::spawn(async move {
            while let Some(signal) = signals.recv().await {
                if to.send(signal).await.is_err() {
                    return;
                }
            }
            let _ = to.send(Signal::Stop).await;
        });
        if let Some(mut heard) = self.control.heard.take() {
            tokio::spawn(async move {
                while let Some(caller) = heard.recv().await {
                    match caller {
                        Caller::Successor(successor) => drop(waiting.send(successor).await),
                        Caller::Order(order) => drop(orders.send(order.into()).await),
                    }
                }
            });
        }
        (merged, successors)
    }

    /// Shows a successor all that is to be had, unless it comes at a bad time.
    pub(super) fn offer_to(&mut self, successor: Successor, is_ready: bool) {
        let pid = successor.hello.pid;
        let why = match () {
            () if !is_ready => Some("it is starting"),
            () if self.giving.is_some() => Some("another takes over from it"),
            () if !self.waiting.is_empty() || self.reloads.is_under_way() => Some("it reloads"),
            () => None,
        };
        let offered = match why {
            Some(why) => Err(format!(
                "howdah {} cannot be taken over from now: {why}; try again",
                std::process::id()
            )),
            None => self
                .offer()
                .map_err(|error| format!("its sockets cannot be shared: {error}")),
        };
        let offered = match offered {
            Ok(offered) => offered,
            Err(why) => {
                self.metrics.handed_over(HandoverResult::Refused);
                tracing::warn!(pid, why, "a takeover was refused");
                tokio::spawn(async move { offer::refuse(successor, &why).await });
                return;
            }
        };
        tracing::info!(
            pid,
            version = successor.hello.version,
            sockets = offered.sockets.len(),
            "a howdah wants to take over"
        );
        let (reply, answer) = oneshot::channel();
        let welcome = self.welcome();
        tokio::spawn(async move {
            let _ = reply.send(offer::offer(successor, welcome, offered, PREPARATION).await);
        });
        self.giving = Some(Giving::new(answer, pid));
    }

    fn offer(&self) -> std::io::Result<Offer> {
        let mut sockets: Vec<(Described, OwnedFd)> = Vec::new();
        for socket in self.sockets_in_order() {
            let name = socket.owner.name();
            for shared in &socket.shared {
                let described = Described::listener(
                    name.as_str(),
                    socket.wanted,
                    socket.bound,
                    socket.protocol,
                );
                sockets.push((described, shared.try_clone()?));
            }
        }
        for (described, shared) in &self.admin_shared {
            sockets.push((described.clone(), shared.try_clone()?));
        }
        let outputs = [
            (Described::Output, rustix::stdio::stdout()),
            (Described::Errors, rustix::stdio::stderr()),
        ];
        for (described, one) in outputs {
            sockets.push((described, one.try_clone_to_owned()?));
        }
        Ok(Offer {
            sockets,
            memory: Some(self.remember()),
            cluster: self.cluster.as_ref().map(membership),
        })
    }

    /// In the order of the file: the places in an offer mean the same until it is over, as nothing reloads meanwhile.
    fn sockets_in_order(&self) -> impl Iterator<Item = &Socket> {
        let listeners = self.plan.listeners.iter();
        let runtimes = listeners.filter_map(|plan| self.listeners.get(&plan.name));
        runtimes.flat_map(|runtime| &runtime.sockets)
    }

    /// The sockets of ours that the successor serves.
    pub(super) fn given(
        &self,
        kept: &[usize],
    ) -> Vec<(std::net::SocketAddr, crate::plan::Protocol)> {
        let mut place = 0;
        let mut given = Vec::new();
        for socket in self.sockets_in_order() {
            if kept.contains(&place) {
                given.push((socket.bound, socket.protocol));
            }
            place += socket.shared.len();
        }
        given
    }

    /// What became of the takeover: the successor, if it serves.
    pub(super) fn judge(&mut self, answered: Result<Accepted, LinkError>) -> Option<Accepted> {
        let pid = self.giving.take().map_or(0, |giving| giving.pid());
        match answered {
            Ok(accepted) => Some(accepted),
            Err(error) => {
                self.was_not_taken_over(pid, &error);
                None
            }
        }
    }

    /// This howdah goes on.
    pub(super) fn was_not_taken_over(&self, pid: u32, why: &dyn Display) {
        self.metrics.handed_over(HandoverResult::Failed);
        tracing::warn!(pid, error = %why, "a takeover failed: everything is as it was");
        let text = format!("process {pid} did not take over, everything is as it was: {why}");
        let event = Event::warning(Kind::Takeover, text);
        self.metrics.journal().tell(event);
    }
}
