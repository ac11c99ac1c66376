//! What a howdah gives its successor of its place in the cluster: the session with ZooKeeper, and what that holds.
//!
//! Pure. Whoever has the session's password has the session, so it travels over the control socket alone, and nothing shows it.
//! Time travels as what is left of it. The successor counts it from when it asked, which was before it was written: a message
//! that comes late makes a lease shorter, never longer.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::member::TEXT_MAX;
use crate::plan::Secret;
use crate::wire::zookeeper::SessionKey;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Handed {
    pub(super) session: SessionKey,
    /// The last change that was seen in it.
    pub(super) zxid: i64,
    /// The session is certainly alive for so long.
    pub(super) alive: Duration,
    /// This howdah leads for so long.
    pub(super) leads: Duration,
    /// Virtual addresses whose latch it holds.
    pub(super) vips: Vec<String>,
}

/// As it travels.
#[derive(Serialize, Deserialize)]
struct Written {
    id: i64,
    password: [u8; 16],
    zxid: i64,
    alive_millis: u64,
    leads_millis: u64,
    #[serde(default)]
    vips: Vec<String>,
}

impl Handed {
    pub(super) fn write(&self) -> Secret {
        let written = Written {
            id: self.session.id,
            password: self.session.password,
            zxid: self.zxid,
            alive_millis: millis(self.alive),
            leads_millis: millis(self.leads),
            vips: self.vips.clone(),
        };
        Secret::new(&serde_json::to_string(&written).unwrap_or_default())
    }

    /// `None`: it is of no use. No lease is longer than `most`: a session that lasts for a shorter time from now on ends sooner,
    /// too.
    pub(super) fn read(text: &Secret, most: Duration) -> Option<Self> {
        // What is wrong with it might show what is in it.
        let written: Written = serde_json::from_str(text.expose()).ok()?;
        let sane =
            written.vips.len() <= VIPS_MAX && written.vips.iter().all(|vip| vip.len() <= TEXT_MAX);
        let left = |millis| Duration::from_millis(millis).min(most);
        (sane && written.id != 0).then(|| Self {
            session: SessionKey {
                id: written.id,
                password: written.password,
            },
            zxid: written.zxid,
            alive: left(written.alive_millis),
            leads: left(written.leads_millis),
            vips: written.vips,
        })
    }
}

/// What is left of a lease. Rounded down.
pub(super) fn left(until: Option<Instant>, now: Instant) -> Duration {
    until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// More than any howdah has.
const VIPS_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn handed() -> Handed {
        Handed {
            session: SessionKey {
                id: -7,
                password: *b"sixteen bytes of",
            },
            zxid: 99,
            alive: Duration::from_millis(2600),
            leads: Duration::from_millis(1999),
            vips: vec!["front".into()],
        }
    }

    #[test]
    fn what_is_written_is_read_and_no_lease_grows() {
        let most = Duration::from_secs(4);
        assert_eq!(Handed::read(&handed().write(), most), Some(handed()));
        let shorter = Handed::read(&handed().write(), Duration::from_secs(1)).expect("read");
        let second = Duration::from_secs(1);
        assert_eq!((shorter.alive, shorter.leads), (second, second));
        let late = Handed {
            leads: Duration::from_nanos(1_999_999_999),
            ..handed()
        };
        assert_eq!(Handed::read(&late.write(), most), Some(handed()));
    }

    #[test]
    fn what_is_no_session_is_none_and_nothing_shows_a_password() {
        let most = Duration::from_secs(4);
        let none = Handed {
            session: SessionKey::default(),
            ..handed()
        };
        for text in ["", "{}", "{\"id\":1}", none.write().expose()] {
            assert_eq!(Handed::read(&Secret::new(text), most), None, "{text}");
        }
        let shown = format!("{:?} {:?}", handed(), handed().write());
        assert!(!shown.contains("115, 105, 120"), "{shown}");
    }
}
