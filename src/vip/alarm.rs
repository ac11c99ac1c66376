//! The clock of an election, and what rings when something is due.
//!
//! The runtime's timers count whole milliseconds, rounded up twice, and stand still while the machine is suspended. An election
//! is late by what its timer is late, and a master that was suspended must know it before it says anything. So this clock is
//! the one that goes on (`CLOCK_BOOTTIME`), and the kernel rings within microseconds, or as soon as the machine wakes up.

use std::io;
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

use super::link::heard;

/// Rings once for each time that it is set.
pub(super) struct Alarm {
    timer: AsyncFd<OwnedFd>,
    /// When it will ring.
    at: Option<Duration>,
}

impl Alarm {
    pub(super) fn open() -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = heard(timerfd_create(TimerfdClockId::Boottime, flags)?)?;
        Ok(Self { timer, at: None })
    }

    /// To ring at that time of [`now`], at once where it has passed; `None`: not at all.
    pub(super) fn set(&mut self, at: Option<Duration>) {
        if self.at == at {
            return;
        }
        self.at = at;
        // All zero stops it.
        let it_value = at.map_or(NEVER, |at| Timespec {
            tv_sec: i64::try_from(at.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: at.subsec_nanos().into(),
        });
        let it_interval = NEVER;
        let times = Itimerspec {
            it_interval,
            it_value,
        };
        // It fails only for times that are none, and these are.
        let _ = timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &times);
    }

    /// Cancel-safe.
    pub(super) async fn rings(&mut self) {
        while let Ok(mut ready) = self.timer.readable().await {
            let mut times = [0; 8];
            match rustix::io::read(self.timer.get_ref(), &mut times) {
                Ok(_) => {
                    self.at = None;
                    return;
                }
                // It was set anew meanwhile.
                Err(_) => ready.clear_ready(),
            }
        }
        std::future::pending().await
    }
}

/// Since the machine began, and while it was suspended.
pub(super) fn now() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    // Never before it began.
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or(0),
        u32::try_from(now.tv_nsec).unwrap_or(0),
    )
}

const NEVER: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_millis(20);
    const DEADLINE: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn it_rings_once_for_each_time_and_never_early() {
        let mut alarm = Alarm::open().unwrap();
        for _ in 0..3 {
            let at = now() + SOON;
            alarm.set(Some(at));
            timeout(DEADLINE, alarm.rings()).await.unwrap();
            assert!(now() >= at);
            assert!(timeout(SOON, alarm.rings()).await.is_err());
        }
        // The past is now.
        alarm.set(Some(now().checked_sub(SOON).unwrap()));
        timeout(DEADLINE, alarm.rings()).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_set_anew_rings_for_the_last_time_only() {
        let mut alarm = Alarm::open().unwrap();
        alarm.set(Some(now()));
        alarm.set(None);
        assert!(timeout(SOON, alarm.rings()).await.is_err());
        let at = now() + SOON * 2;
        alarm.set(Some(now()));
        alarm.set(Some(at));
        timeout(DEADLINE, alarm.rings()).await.unwrap();
        assert!(now() >= at);
    }
}
