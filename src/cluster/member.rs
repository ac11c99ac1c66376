//! What a howdah says of itself to the others: the content of its znode under `members`.
//!
//! Written each second where it changed, and every other second in any case, so that who reads it knows how old it is. What
//! comes from others is bounded, and judged before it is believed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The content of one znode.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Member {
    /// Of this form; a larger one is of a newer howdah.
    pub(super) form: u32,
    pub(super) name: String,
    /// Of one process; no other has it.
    pub(super) instance: String,
    pub(super) pid: u32,
    pub(super) version: String,
    /// When it started, in milliseconds since 1970.
    pub(super) since: u64,
    /// Where its admin server listens.
    pub(super) admin: String,
    pub(super) mode: String,
    /// Why it is not ready for sessions; none: it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) unready: Vec<String>,
    pub(super) leads: bool,
    /// Counts what was written.
    pub(super) beat: u64,
    /// Servers by pool and name.
    pub(super) pools: BTreeMap<String, BTreeMap<String, Seen>>,
    /// Servers that were too many to be told.
    #[serde(default)]
    pub(super) untold: usize,
}

/// One server, as somebody sees it: health, order, sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen(pub(super) String, pub(super) String, pub(super) u32);

/// Of [`Member::form`].
pub(super) const FORM: u32 = 1;

impl Member {
    /// Its content, within what a znode holds: servers that are too many are left out and counted.
    pub(super) fn write(&mut self) -> Vec<u8> {
        loop {
            let text = serde_json::to_vec(self).unwrap_or_default();
            let Some(mut over) = text.len().checked_sub(CONTENT_MAX + 1) else {
                return text;
            };
            // Each pool is measured once: to write the whole again for each would take seconds of every second.
            loop {
                let Some((_, servers)) = self.pools.pop_last() else {
                    return Vec::new();
                };
                self.untold += servers.len();
                let length = serde_json::to_vec(&servers).map_or(0, |text| text.len());
                match over.checked_sub(length) {
                    Some(rest) => over = rest,
                    None => break,
                }
            }
        }
    }

    /// What another wrote into the znode of that name.
    ///
    /// # Errors
    /// Why it is of no use.
    pub(super) fn read(name: &str, content: &[u8]) -> Result<Self, String> {
        if content.len() > CONTENT_MAX {
            return Err(format!("{} bytes are too many", content.len()));
        }
        let member: Self =
            serde_json::from_slice(content).map_err(|error| format!("no member: {error}"))?;
        if member.form > FORM {
            return Err(format!(
                "of a newer howdah (form {}, version {})",
                member.form,
                bounded(&member.version)
            ));
        }
        if member.name != name {
            return Err(format!("it says that it is {:?}", bounded(&member.name)));
        }
        let texts = [
            &member.instance,
            &member.version,
            &member.admin,
            &member.mode,
        ];
        let long = texts.iter().any(|text| text.len() > TEXT_MAX);
        if long || member.unready.iter().any(|text| text.len() > TEXT_MAX) {
            return Err("a text in it is too long".into());
        }
        Ok(member)
    }

    pub(super) fn server(&self, pool: &str, server: &str) -> Option<&Seen> {
        self.pools.get(pool)?.get(server)
    }
}

/// Of text that somebody else wrote, for the log.
pub(super) fn bounded(text: &str) -> String {
    text.chars()
        .take(SHOWN)
        .flat_map(char::escape_debug)
        .collect()
}

/// ZooKeeper takes a million with everything around it.
const CONTENT_MAX: usize = 900_000;
/// Of a text that somebody else wrote.
pub(super) const TEXT_MAX: usize = 1024;
const SHOWN: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn member(pools: usize, servers: usize) -> Member {
        let seen = || Seen("up".into(), "ready".into(), 123_456);
        let server = |number| {
            (
                format!("hs2-{number:04}.a-rather-long-name.example.com:10000"),
                seen(),
            )
        };
        let pool = |number| {
            (
                format!("pool-{number:03}"),
                (0..servers).map(server).collect(),
            )
        };
        Member {
            form: FORM,
            name: "lb-1".into(),
            pools: (0..pools).map(pool).collect(),
            ..Member::default()
        }
    }

    #[test]
    fn fifty_pools_of_twenty_servers_fit_and_far_more_are_bounded() {
        let mut many = member(50, 20);
        let text = many.write();
        assert!(text.len() < 100_000, "{}", text.len());
        assert_eq!(Member::read("lb-1", &text), Ok(many));
        let mut far_more = member(500, 100);
        let text = far_more.write();
        assert!(text.len() <= CONTENT_MAX);
        let read = Member::read("lb-1", &text).unwrap();
        let told: usize = read.pools.values().map(BTreeMap::len).sum();
        assert_eq!(read.untold + told, 50_000);
    }

    #[test]
    fn junk_a_newer_howdah_and_another_name_are_named() {
        let newer = br#"{"form":2,"name":"lb-1","instance":"","pid":1,"version":"9","since":0,"admin":"","mode":"","leads":false,"beat":0,"pools":{}}"#;
        for (content, why) in [
            (&b"serverUri=x"[..], "no member: "),
            (b"", "no member: "),
            (b"{\"form\":1}", "no member: missing field"),
            (newer, "of a newer howdah (form 2, version 9)"),
            (&member(0, 0).write(), "it says that it is \"lb-1\""),
        ] {
            let name = if why.starts_with("it says") {
                "lb-9"
            } else {
                "lb-1"
            };
            let error = Member::read(name, content).unwrap_err();
            assert!(error.starts_with(why), "{error}");
        }
    }
}
