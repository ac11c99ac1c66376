//! The end: not ready any more, then closed, then the last sessions, then nothing.

use std::pin::{Pin, pin};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::App;
use crate::admin::{Command, Draining, Rejected, RuntimeView};
use crate::base::fate::Fate;
use crate::plan::Protocol;
use crate::session::Reason;
use crate::session::registry::Who;
use crate::telemetry::journal::{Event, Kind};

impl App {
    /// Says that it is not ready, and goes on for `shutdown_delay`, so that whatever stands in front moves away. Then
    /// takes no new sessions, and waits for the present ones until they have ended, until `drain_timeout` is over, or
    /// until `hurry` completes; then ends what is left.
    /// Sockets that a predecessor serves too, which goes on, are left to it.
    pub(super) async fn stop(mut self, hurry: impl Future<Output = ()>) {
        let mut hurry = pin!(hurry);
        let closing = Instant::now() + self.plan.global.shutdown_delay;
        let deadline = closing + self.plan.global.drain_timeout;
        self.tell_of_the_stop(deadline);
        // Before the listeners close: whoever connects from now on finds the other machine.
        self.vips.end(false).await;
        let hurried = self.wait_until(closing, hurry.as_mut(), Until::Then).await;
        self.close_all().await;
        if let Some(cluster) = &self.cluster {
            cluster.leave().await;
        }
        self.peers.end();
        self.availability.stopping();
        if !hurried {
            self.wait_until(deadline, hurry, Until::Empty).await;
        }
        self.predecessors.hurry();
        let _beats = self.pulse.keep();
        self.end_what_is_left().await;
    }

    /// Ends the sessions that are there, and all else.
    pub(super) async fn end_what_is_left(self) {
        self.handles.cut(Who::All, Reason::Shutdown).await;
        if timeout(LAST_WORDS, self.empty()).await.is_err() {
            tracing::warn!(sessions = self.handles.sessions(), "sessions did not end");
        }
        self.alerts.flush().await;
        self.state.close(LAST_WORDS).await;
        let availability = self.availability.clone();
        // Deadlines of drains that are still to come hold the handles of the workers, and so does the watchdog.
        self.tasks.end().await;
        drop((self.handles, self.pulse));
        end(self.threads).await;
        if !self.access.flush(LAST_WORDS) {
            tracing::warn!("not every line of the access log was written");
        }
        tracing::info!("stopped");
        let event = Event::info(Kind::Stop, "stopped").to("stopped");
        self.metrics.journal().tell(event.from("draining"));
        availability.stop(LAST_WORDS).await;
    }

    fn tell_of_the_stop(&self, deadline: Instant) {
        tracing::info!(
            sessions = self.handles.sessions(),
            delay_seconds = self.plan.global.shutdown_delay.as_secs(),
            timeout_seconds = self.plan.global.drain_timeout.as_secs(),
            "draining"
        );
        let sessions = self.handles.sessions();
        if self.has_entered {
            self.manager.stopping(sessions);
        }
        let event = Event::info(Kind::Stop, format!("draining, {sessions} sessions open"));
        let event = event.from("running").to("draining");
        (self.metrics.journal()).tell(event.lasted(Some(self.view.load().started.elapsed())));
        self.metrics.draining();
        let until = deadline.into_std();
        self.view.rcu(|view| RuntimeView {
            draining: Some(Draining { until }),
            ..RuntimeView::clone(view)
        });
    }

    /// All at once, and what had connected already is still served.
    async fn close_all(&mut self) {
        self.hurry().await;
        let sockets = self
            .listeners
            .drain()
            .flat_map(|(_, runtime)| runtime.sockets);
        let mut sockets: Vec<_> = sockets.collect();
        for socket in &mut sockets {
            socket.shared.clear();
            socket.retired.send_replace(match socket.is_inherited {
                true => Fate::Given,
                false => Fate::Closing,
            });
        }
        let (connections, datagrams): (Vec<_>, Vec<_>) =
            (sockets.into_iter()).partition(|socket| socket.protocol == Protocol::Tcp);
        // Sessions over UDP need their socket to the end.
        self.retiring.extend(datagrams);
        for socket in connections {
            socket.retired.closed().await;
        }
    }

    /// Goes on with what cannot wait. True when it was hurried.
    async fn wait_until(
        &mut self,
        deadline: Instant,
        mut hurry: Pin<&mut impl Future<Output = ()>>,
        until: Until,
    ) -> bool {
        loop {
            if until == Until::Empty && self.is_over() {
                return false;
            }
            tokio::select! {
                () = hurry.as_mut() => return true,
                () = sleep_until(deadline) => return false,
                () = self.pulse.due() => self.pulse.beat(),
                Some(command) = self.commands.recv() => obey_while_stopping(command),
                () = sleep(LOOK) => self.advance().await,
            }
        }
    }

    /// No session is left, here or with a predecessor: systemd kills what is left of a service whose main process has ended, and
    /// a container ends with its own.
    fn is_over(&self) -> bool {
        self.handles.sessions() == 0 && self.predecessors.have_ended()
    }

    /// True when nothing is left, or `deadline` has come; goes on with what cannot wait, for a second at most.
    pub(super) async fn rest(&mut self, deadline: Instant) -> bool {
        let second = deadline.min(Instant::now() + Duration::from_secs(1));
        loop {
            // In this order: who is taken is counted before the socket closes.
            if !self.accepts() && self.handles.sessions() == 0 {
                return true;
            }
            tokio::select! {
                () = sleep_until(second) => return Instant::now() >= deadline,
                Some(command) = self.commands.recv() => obey_while_stopping(command),
                () = sleep(LOOK) => {}
            }
        }
    }

    /// Whether a worker has not yet left a socket that it was told to leave: until then it may take one more connection.
    fn accepts(&self) -> bool {
        let present = self.listeners.values();
        let present = present.flat_map(|runtime| &runtime.sockets);
        let mut sockets = present.chain(&self.retiring);
        sockets.any(|socket| socket.protocol == Protocol::Tcp && !socket.retired.is_closed())
    }

    /// Until no session is left. Looks now and then: sessions tell nobody when they end, which keeps them cheap.
    async fn empty(&self) {
        while !self.is_over() {
            sleep(LOOK).await;
        }
    }
}

fn obey_while_stopping(command: Command) {
    let Command::Reload { reply, .. } = command;
    let _ = reply.send(Err(Rejected {
        error: "howdah is stopping; nothing has changed".to_owned(),
        faults: Vec::new(),
        told: Vec::new(),
    }));
}

/// What a wait waits for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// Its time.
    Then,
    /// Its time, or no session left.
    Empty,
}

/// Waits for the workers, which end after their last session: a bounded time, and without stopping the control
/// thread, whose tasks they may be waiting for.
async fn end(threads: Vec<JoinHandle<()>>) {
    let all = async {
        while !threads.iter().all(JoinHandle::is_finished) {
            sleep(LOOK).await;
        }
    };
    if timeout(LAST_WORDS, all).await.is_err() {
        tracing::warn!("a worker did not end");
    }
    for thread in threads.into_iter().filter(JoinHandle::is_finished) {
        if thread.join().is_err() {
            tracing::error!("a worker had panicked");
        }
    }
}

/// How often a draining howdah counts its sessions.
const LOOK: Duration = Duration::from_millis(20);
/// For sessions to end that were told to, and for their lines to be written.
const LAST_WORDS: Duration = Duration::from_secs(5);
