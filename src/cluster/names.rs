//! Where each thing is kept below `path`, and names as a znode can bear them.
//!
//! A slash, a control character, a percent sign, a leading dot, and what ZooKeeper takes in no name (all from U+D800 on) are
//! written `%` and two digits a byte. A name that is written in another way is none: one thing would have two znodes.

use std::fmt::Write;

/// The folders below `path`.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) members: String,
    pub(super) orders: String,
    pub(super) latch: String,
    pub(super) vips: String,
}

impl Names {
    pub(super) fn below(path: &str) -> Self {
        let below = |name| format!("{path}/{name}");
        Self {
            members: below("members"),
            orders: below("orders"),
            latch: below("latch"),
            vips: below("vips"),
        }
    }

    /// In the order of making; each after what it is below.
    pub(super) fn folders(&self) -> Vec<String> {
        let path = self.members.rsplit_once('/').map_or("", |(path, _)| path);
        let ends = path.match_indices('/').map(|(at, _)| at).skip(1);
        let above = ends.chain([path.len()]).map(|end| path[..end].to_owned());
        let own = [&self.members, &self.orders, &self.latch, &self.vips];
        above.chain(own.map(Clone::clone)).collect()
    }

    pub(super) fn member(&self, name: &str) -> String {
        format!("{}/{}", self.members, written(name))
    }

    pub(super) fn pool(&self, pool: &str) -> String {
        format!("{}/{}", self.orders, written(pool))
    }

    pub(super) fn order(&self, pool: &str, server: &str) -> String {
        format!("{}/{}", self.pool(pool), written(server))
    }

    pub(super) fn vip(&self, name: &str) -> String {
        format!("{}/{}", self.vips, written(name))
    }

    /// Pool and server of a path that [`Self::order`] makes.
    pub(super) fn ordered(&self, path: &str) -> Option<(String, String)> {
        let below = path.strip_prefix(&self.orders)?.strip_prefix('/')?;
        let (pool, server) = below.split_once('/')?;
        Some((read(pool)?, read(server)?))
    }

    /// The name in a path that [`Self::member`] makes.
    pub(super) fn who(&self, path: &str) -> Option<String> {
        read(path.strip_prefix(&self.members)?.strip_prefix('/')?)
    }
}

fn written(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (place, c) in name.chars().enumerate() {
        let special =
            c.is_control() || matches!(c, '/' | '%' | '\u{e000}'..) || place == 0 && c == '.';
        if !special {
            out.push(c);
            continue;
        }
        let mut bytes = [0; 4];
        for byte in c.encode_utf8(&mut bytes).bytes() {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// `None` for what [`written`] never writes.
fn read(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes)
        .ok()
        .filter(|read| !read.is_empty() && written(read) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_they_were() {
        let names = Names::below("/a/b");
        for server in [
            "hs2-1.example.com:10000",
            "[fd00::1]:10000",
            "..",
            "a/b",
            "50%",
            "ä\u{85}ö",
            "\u{1f41d}-1\u{fffd}",
        ] {
            let path = names.order("hive", server);
            assert_eq!(path.matches('/').count(), 5, "{path}");
            assert_eq!(names.ordered(&path), Some(("hive".into(), server.into())));
            let name = path.rsplit('/').next().expect("a name");
            assert!(
                !name.starts_with('.') && !name.contains(char::is_control),
                "{name}"
            );
        }
        assert_eq!(names.ordered("/a/b/orders/hive"), None);
        assert_eq!(names.ordered("/a/b/orders/hive/%zz"), None);
        assert_eq!(names.ordered("/a/b/orders/hive/"), None);
        for other in ["%41", "a%2fb", "%C3%A4"] {
            let path = format!("/a/b/orders/hive/{other}");
            assert_eq!(names.ordered(&path), None, "{other}");
        }
        assert!(names.order("hive", "\u{1f41d}").is_ascii());
        assert_eq!(names.who(&names.member("lb-1")), Some("lb-1".into()));
        let folders = [
            "/a",
            "/a/b",
            "/a/b/members",
            "/a/b/orders",
            "/a/b/latch",
            "/a/b/vips",
        ];
        assert_eq!(names.folders(), folders);
    }
}
