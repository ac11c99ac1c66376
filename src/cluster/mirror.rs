//! A copy of the znodes below `path`, and what must be asked to make it true again.
//!
//! Pure. A watch says only that something changed: what it names is doubted, and asked anew together with its next watch.
//! A notice that comes twice, late or for what is gone costs a question and spoils nothing; one that is lost was lost with
//! its connection, after which all is doubted.

use std::collections::BTreeMap;

use crate::wire::zookeeper::Held;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    /// Folders with the names in them; `None`: to be asked.
    folders: BTreeMap<String, Option<Vec<String>>>,
    /// Those in folders that hold something; `None`: to be read.
    znodes: BTreeMap<String, Option<Znode>>,
    /// The folder whose children are folders.
    nested: String,
    /// More than we keep were there.
    overfull: bool,
}

/// What one holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Znode {
    pub(super) data: Vec<u8>,
    pub(super) version: i32,
    /// Whose session; 0: nobody's.
    pub(super) owner: i64,
}

impl Mirror {
    /// Of these folders; the children of `nested`, which is one of them, are folders too.
    pub(super) fn of(folders: &[&String], nested: &str) -> Self {
        Self {
            folders: folders
                .iter()
                .map(|folder| ((*folder).clone(), None))
                .collect(),
            nested: nested.to_owned(),
            ..Self::default()
        }
    }

    /// A folder whose names must be asked.
    pub(super) fn next_folder(&self) -> Option<String> {
        let mut unknown = self.folders.iter().filter(|(_, names)| names.is_none());
        unknown.next().map(|(folder, _)| folder.clone())
    }

    /// Znodes that must be read, some at once.
    pub(super) fn next_znodes(&self) -> Vec<String> {
        let unknown = self.znodes.iter().filter(|(_, held)| held.is_none());
        unknown.take(BATCH).map(|(path, _)| path.clone()).collect()
    }

    /// These are in that folder.
    pub(super) fn list(&mut self, folder: &str, names: &[&str]) {
        if !self.folders.contains_key(folder) {
            return;
        }
        let room = ZNODES_MAX.saturating_sub(self.znodes.len() + self.folders.len());
        self.overfull |= names.len() > room.max(NAMES_MIN);
        let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        names.truncate(room.max(NAMES_MIN));
        names.sort_unstable();
        let is_nested = self.nested == folder;
        let inside = |path: &str| {
            let name = path
                .strip_prefix(folder)
                .and_then(|rest| rest.strip_prefix('/'));
            name.is_some_and(|name| !name.contains('/'))
        };
        let stays = |path: &str| {
            let name = path.rsplit('/').next().unwrap_or_default();
            names.binary_search_by(|one| one.as_str().cmp(name)).is_ok()
        };
        if is_nested {
            let gone: Vec<String> = (self.folders.keys())
                .filter(|path| inside(path) && !stays(path))
                .cloned()
                .collect();
            gone.iter().for_each(|folder| self.forget(folder));
            for name in &names {
                self.folders
                    .entry(format!("{folder}/{name}"))
                    .or_insert(None);
            }
        } else {
            self.znodes.retain(|path, _| !inside(path) || stays(path));
            for name in &names {
                self.znodes
                    .entry(format!("{folder}/{name}"))
                    .or_insert(None);
            }
        }
        self.folders.insert(folder.to_owned(), Some(names));
    }

    /// That folder is not there: `true` where it should be.
    pub(super) fn is_missing(&mut self, folder: &str) -> bool {
        let below_nested = folder
            .strip_prefix(&self.nested)
            .is_some_and(|rest| !rest.is_empty());
        if below_nested {
            self.forget(folder);
        }
        !below_nested
    }

    fn forget(&mut self, folder: &str) {
        self.folders.remove(folder);
        let inside = |path: &str| {
            path.strip_prefix(folder)
                .is_some_and(|rest| rest.starts_with('/'))
        };
        self.znodes.retain(|path, _| !inside(path));
    }

    /// That is what it holds; `None`: it is gone, or not for us.
    pub(super) fn read(&mut self, path: &str, held: Option<Held<'_>>) {
        let much = held.is_some_and(|held| self.is_too_much(held.data.len()));
        let Some(place) = self.znodes.get_mut(path) else {
            return;
        };
        self.overfull |= much;
        match held {
            Some(held) => {
                *place = Some(Znode {
                    data: if much { Vec::new() } else { held.data.to_vec() },
                    version: held.version,
                    owner: held.owner,
                });
            }
            None => {
                self.znodes.remove(path);
            }
        }
    }

    /// Whether there is no room for one of this length beside the others.
    fn is_too_much(&self, length: usize) -> bool {
        let kept = || -> usize {
            let known = self.znodes.values().flatten();
            known.map(|znode| znode.data.len()).sum()
        };
        length > SMALL && kept() + length > BYTES_MAX
    }

    /// A watch fired there, or we changed it.
    pub(super) fn doubt(&mut self, path: &str) {
        if let Some(names) = self.folders.get_mut(path) {
            *names = None;
        } else if let Some(held) = self.znodes.get_mut(path) {
            *held = None;
        }
    }

    /// We made one, or saw that it is there: its folder is another now.
    pub(super) fn doubt_with_folder(&mut self, path: &str) {
        self.doubt(path);
        if let Some((folder, _)) = path.rsplit_once('/') {
            match self.folders.contains_key(folder) {
                true => self.doubt(folder),
                false => self.doubt(&self.nested.clone()),
            }
        }
    }

    /// Nothing is watched any more.
    pub(super) fn doubt_all(&mut self) {
        self.folders.values_mut().for_each(|names| *names = None);
        self.znodes.values_mut().for_each(|held| *held = None);
    }

    /// What is known of one.
    pub(super) fn get(&self, path: &str) -> Option<&Znode> {
        self.znodes.get(path)?.as_ref()
    }

    /// Those in a folder and, where it is nested, in the folders in it, as far as they are known.
    pub(super) fn below<'a>(
        &'a self,
        folder: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Znode)> {
        let from = format!("{folder}/");
        let known = self.znodes.range(from.clone()..);
        let inside = known.take_while(move |(path, _)| path.starts_with(&from));
        inside.filter_map(|(path, held)| Some((path.as_str(), held.as_ref()?)))
    }

    /// Whether there were more than we keep, since the last call.
    pub(super) fn take_overfull(&mut self) -> bool {
        std::mem::take(&mut self.overfull)
    }
}

/// Read at once.
const BATCH: usize = 256;
/// All that is kept; more are not servers of one front.
const ZNODES_MAX: usize = 20_000;
/// Bytes of a znode that has room in any case: an order has some hundreds.
const SMALL: usize = 4096;
/// Of all that are larger: words of some hundred howdahs.
const BYTES_MAX: usize = 32 * 1024 * 1024;
/// Of one folder, however many others hold.
const NAMES_MIN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn held(data: &str, version: i32) -> Held<'_> {
        Held {
            data: data.as_bytes(),
            version,
            owner: 0,
        }
    }

    fn mirror() -> Mirror {
        Mirror::of(&["/m".to_owned(), "/o".to_owned()].each_ref(), "/o")
    }

    #[test]
    fn what_is_doubted_is_asked_again_and_what_is_gone_is_forgotten() {
        let mut mirror = mirror();
        assert_eq!(mirror.next_folder().as_deref(), Some("/m"));
        mirror.list("/m", &["lb-1"]);
        mirror.list("/o", &["hive"]);
        assert_eq!(mirror.next_folder().as_deref(), Some("/o/hive"));
        mirror.list("/o/hive", &["a", "b"]);
        assert_eq!(mirror.next_folder(), None);
        assert_eq!(mirror.next_znodes(), ["/m/lb-1", "/o/hive/a", "/o/hive/b"]);
        for path in mirror.next_znodes() {
            mirror.read(&path, Some(held("x", 1)));
        }
        assert_eq!(mirror.next_znodes(), [""; 0]);
        let below: Vec<&str> = mirror.below("/o").map(|(path, _)| path).collect();
        assert_eq!(below, ["/o/hive/a", "/o/hive/b"]);

        mirror.doubt("/o/hive/a");
        mirror.doubt("/o/hive/a");
        mirror.doubt("/o/hive/never-heard-of");
        assert_eq!(mirror.next_znodes(), ["/o/hive/a"]);
        mirror.read("/o/hive/a", None);
        assert_eq!(mirror.get("/o/hive/a"), None);
        mirror.list("/o", &[]);
        assert_eq!(mirror.below("/o").count(), 0, "the pool's folder is gone");
        mirror.list("/o/hive", &["late"]);
        assert_eq!(mirror.next_znodes(), [""; 0], "an answer for what is gone");
        mirror.doubt_all();
        assert_eq!(mirror.next_folder().as_deref(), Some("/m"));
    }

    /// What we made is read again with its folder, and a folder that is gone is asked for no more.
    #[test]
    fn a_znode_of_ours_is_doubted_with_its_folder() {
        let mut mirror = mirror();
        mirror.list("/m", &["lb-1"]);
        mirror.list("/o", &["hive"]);
        mirror.list("/o/hive", &[]);
        mirror.read("/m/lb-1", Some(held("x", 1)));
        assert_eq!(mirror.next_folder(), None);
        mirror.doubt_with_folder("/o/hive/a");
        assert_eq!(mirror.next_folder().as_deref(), Some("/o/hive"));
        mirror.list("/o/hive", &[]);
        // Of a pool that had none.
        mirror.doubt_with_folder("/o/hue/a");
        assert_eq!(mirror.next_folder().as_deref(), Some("/o"));
        mirror.list("/o", &["hive", "hue"]);
        assert!(
            !mirror.is_missing("/o/hue"),
            "it went between two questions"
        );
        assert_eq!(mirror.next_folder(), None);
        assert!(mirror.is_missing("/m"), "that one should be there");
    }

    #[test]
    fn many_that_hold_much_have_no_room() {
        let mut mirror = mirror();
        let names: Vec<String> = (0..100).map(|number| format!("{number:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        mirror.list("/m", &names);
        let much = "x".repeat(900_000);
        for path in mirror.next_znodes() {
            mirror.read(&path, Some(held(&much, 1)));
        }
        assert!(mirror.take_overfull());
        let kept: usize = mirror.below("/m").map(|(_, one)| one.data.len()).sum();
        assert!(kept <= BYTES_MAX, "{kept}");
        mirror.doubt("/m/00");
        mirror.read("/m/00", Some(held("an order", 2)));
        assert_eq!(mirror.get("/m/00").map(|one| one.data.len()), Some(8));
    }

    #[test]
    fn more_than_is_kept_is_said() {
        let mut mirror = mirror();
        let names: Vec<String> = (0..ZNODES_MAX + 5)
            .map(|number| format!("{number:06}"))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        mirror.list("/m", &names);
        assert!(mirror.take_overfull() && !mirror.take_overfull());
        assert!(mirror.znodes.len() <= ZNODES_MAX);
    }
}
