//! What a file says, key by key, and what another one says instead: `probe.interval 10s -> 5s`.
//!
//! Made from the file's own words, so that a change is told as its writer sees it, and no key can be forgotten. Secrets are
//! `***`, and a change of one is found all the same; so is another content of a file that is named.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::field::Value;
use super::hidden;

/// Keys with their values, each by its path: `pool`, `hive`, `probe`, `interval`. A listener goes by its name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings(BTreeMap<Vec<String>, Setting>);

#[derive(Clone, Debug, PartialEq)]
enum Setting {
    One(Said),
    List(Vec<Said>),
}

/// A value as it is shown, and what tells it from another that looks the same.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    shown: String,
    hidden: u64,
}

/// What is needed to tell a path from another text.
pub(super) struct Files<'f> {
    /// Of relative paths.
    pub(super) base: &'f Path,
    /// A fingerprint of each content that was read.
    pub(super) contents: &'f HashMap<PathBuf, u64>,
}

impl Settings {
    pub(super) fn of(root: &Value<'_>, files: &Files<'_>) -> Self {
        let mut settings = Self::default();
        if let Some(table) = root.get_ref().as_table() {
            settings.table(&mut Vec::new(), table, files);
        }
        settings
    }

    fn table(&mut self, path: &mut Vec<String>, table: &DeTable<'_>, files: &Files<'_>) {
        for (key, value) in table {
            path.push(key.get_ref().to_string());
            match value.get_ref() {
                DeValue::Table(inner) => self.table(path, inner, files),
                DeValue::Array(all) if path.len() == 1 => {
                    let tables = all.iter().filter_map(|one| one.get_ref().as_table());
                    for one in tables {
                        let name = one.get("name").and_then(|name| name.get_ref().as_str());
                        path.push(name.unwrap_or_default().to_owned());
                        self.table(path, one, files);
                        path.pop();
                    }
                }
                DeValue::Array(all) => {
                    let said = |one: &Value<'_>| Said::of(path, one, files);
                    let list = Setting::List(all.iter().map(said).collect());
                    self.0.insert(path.clone(), list);
                }
                _ => {
                    let one = Setting::One(Said::of(path, value, files));
                    self.0.insert(path.clone(), one);
                }
            }
            path.pop();
        }
    }

    /// What `new` says otherwise below `place`, a line each, with keys as seen from `base` segments down.
    pub fn changes(&self, new: &Self, place: &[&str], base: usize) -> Vec<String> {
        let below = |path: &&Vec<String>| {
            path.len() >= place.len() && path.iter().zip(place).all(|(one, other)| one == other)
        };
        let paths: BTreeSet<&Vec<String>> =
            (self.0.keys().chain(new.0.keys())).filter(below).collect();
        let changed = paths.into_iter().filter_map(|path| {
            let (was, is) = (self.0.get(path), new.0.get(path));
            let what = (was != is).then(|| between(was, is))?;
            let key = path.get(base..).unwrap_or_default().join(".");
            Some(format!("{key} {what}"))
        });
        changed.collect()
    }

    /// Whether `new` says the same at this path.
    pub fn agree(&self, new: &Self, path: &[&str]) -> bool {
        let path: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
        self.0.get(&path) == new.0.get(&path)
    }
}

/// From what to what.
fn between(was: Option<&Setting>, is: Option<&Setting>) -> String {
    match (was, is) {
        (Some(Setting::One(was)), Some(Setting::One(is))) if was.shown == is.shown => {
            match is.shown.as_str() {
                hidden::MASK => format!("{} -> {}", was.shown, is.shown),
                file => format!("has another content: {file}"),
            }
        }
        (Some(Setting::List(was)), Some(Setting::List(is))) => lists(was, is),
        (was, is) => format!("{} -> {}", shown(was), shown(is)),
    }
}

fn shown(setting: Option<&Setting>) -> String {
    match setting {
        None => "default".into(),
        Some(Setting::One(said)) => said.shown.clone(),
        Some(Setting::List(all)) => {
            let all: Vec<&str> = all.iter().map(|said| said.shown.as_str()).collect();
            shortened(&format!("[{}]", all.join(", ")), LONGEST)
        }
    }
}

/// Short ones whole, of long ones what came and what left.
fn lists(was: &[Said], is: &[Said]) -> String {
    let whole = |all: &[Said]| shown(Some(&Setting::List(all.to_vec())));
    let (before, after) = (whole(was), whole(is));
    if before != after && before.len() + after.len() < LONGEST {
        return format!("{before} -> {after}");
    }
    let looks = |one: &Said, all: &[Said]| all.iter().any(|other| other.shown == one.shown);
    let listed = |of: Vec<&Said>| {
        let all: Vec<&str> = of.iter().map(|one| one.shown.as_str()).collect();
        match all.len() {
            0..=LISTED => all.join(", "),
            more => format!("{} and {} more", all[..LISTED].join(", "), more - LISTED),
        }
    };
    let only = |here: &[Said], there: &[Said]| {
        listed(here.iter().filter(|one| !looks(one, there)).collect())
    };
    let (came, left) = (only(is, was), only(was, is));
    let inside = is
        .iter()
        .filter(|one| looks(one, was) && !was.contains(one));
    let inside = listed(inside.collect());
    match (came.is_empty(), left.is_empty()) {
        (true, true) if inside.is_empty() => "has another order".into(),
        (true, true) => format!("has another content: {inside}"),
        (false, true) => format!("gained {came}"),
        (true, false) => format!("lost {left}"),
        (false, false) => format!("gained {came}, lost {left}"),
    }
}

impl Said {
    fn of(path: &[String], value: &Value<'_>, files: &Files<'_>) -> Self {
        let key = path.last().map(String::as_str).unwrap_or_default();
        if hidden::is_secret(key) {
            return Self {
                shown: hidden::MASK.into(),
                hidden: fingerprint(&written(value.get_ref())),
            };
        }
        let text = match value.get_ref() {
            DeValue::String(text) => written(&DeValue::String(hidden::without_query(key, text))),
            other => written(other),
        };
        Self {
            shown: shortened(&text, LONGEST),
            hidden: whole(value.get_ref(), files),
        }
    }
}

/// Of all that is cut off, masked, or stands in files that are named.
fn whole(value: &DeValue<'_>, files: &Files<'_>) -> u64 {
    match value {
        DeValue::String(text) => {
            let content = files.contents.get(&files.base.join(text.as_ref()));
            content.copied().unwrap_or_else(|| fingerprint(text))
        }
        DeValue::Array(all) => {
            let all: Vec<u64> = all.iter().map(|one| whole(one.get_ref(), files)).collect();
            fingerprint(&all)
        }
        DeValue::Table(table) => {
            let entry = |(key, value): (&Spanned<Cow<'_, str>>, &Value<'_>)| {
                (fingerprint(key.get_ref()), whole(value.get_ref(), files))
            };
            fingerprint(&table.iter().map(entry).collect::<Vec<_>>())
        }
        other => fingerprint(&written(other)),
    }
}

/// In one line, as people would write it; plain words without quotes.
fn written(value: &DeValue<'_>) -> String {
    let list =
        |all: Vec<String>, open: &str, close: &str| format!("{open}{}{close}", all.join(", "));
    match value {
        DeValue::String(text) if is_plain(text) => text.to_string(),
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(on) => on.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(all) => list(
            all.iter().map(|one| written(one.get_ref())).collect(),
            "[",
            "]",
        ),
        DeValue::Table(table) => {
            let entry = |(key, value): (&Spanned<Cow<'_, str>>, &Value<'_>)| {
                let key = key.get_ref();
                let value = match hidden::is_secret(key) {
                    true => hidden::MASK.to_owned(),
                    false => match value.get_ref() {
                        DeValue::String(text) => {
                            written(&DeValue::String(hidden::without_query(key, text)))
                        }
                        other => written(other),
                    },
                };
                format!("{key} = {value}")
            };
            list(table.iter().map(entry).collect(), "{ ", " }")
        }
    }
}

fn is_plain(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@*%".contains(c);
    !text.is_empty() && text.chars().all(plain)
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", &text[..end]),
    }
}

/// Tells one content from another, and nothing of either.
pub(super) fn fingerprint(content: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

/// Of a value, in characters.
const LONGEST: usize = 100;
/// Of what a list gained or lost.
const LISTED: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str, content: u64) -> Settings {
        let (table, errors) = DeTable::parse_recoverable(text);
        assert!(errors.is_empty(), "{errors:?}");
        let contents = HashMap::from([(PathBuf::from("/etc/probe.password"), content)]);
        let files = Files {
            base: Path::new("/etc"),
            contents: &contents,
        };
        let root = Spanned::new(0..0, DeValue::Table(table.into_inner()));
        Settings::of(&root, &files)
    }

    #[test]
    fn each_kind_of_change_is_a_line() {
        let before = settings(
            "[[listener]]\nname = \"hive\"\nbind = \"0.0.0.0:1\"\nallow = [\"10.0.0.0/8\"]\n\
             [pool.hive]\nservice = \"hiveserver2\"\nbalance = \"random\"\n\
             probe = { interval = \"10s\", password_file = \"probe.password\", path = \"/a b\", expect_status = [200] }\n\
             load = { send = \"s3cret\" }",
            1,
        );
        let after = settings(
            "[[listener]]\nname = \"hive\"\nbind = [\"0.0.0.0:1\"]\nallow = [\"10.0.0.0/8\", \"10.1.0.0/16\"]\n\
             [pool.hive]\nservice = \"hiveserver2\"\n\
             [pool.hive.probe]\ninterval = \"5s\"\npassword_file = \"probe.password\"\npath = \"/b\"\nexpect_status = [200]\nrise = 1\n\
             [pool.hive.load]\nsend = \"0ther\"",
            2,
        );
        assert_eq!(
            before.changes(&after, &["pool", "hive"], 2),
            [
                "balance random -> default",
                "load.send *** -> ***",
                "probe.interval 10s -> 5s",
                "probe.password_file has another content: probe.password",
                "probe.path \"/a b\" -> /b",
                "probe.rise default -> 1",
            ]
        );
        assert_eq!(
            before.changes(&after, &["listener"], 0),
            [
                "listener.hive.allow [10.0.0.0/8] -> [10.0.0.0/8, 10.1.0.0/16]",
                "listener.hive.bind 0.0.0.0:1 -> [0.0.0.0:1]",
            ]
        );
        assert!(before.agree(&after, &["pool", "hive", "service"]));
        assert!(before.changes(&before, &[], 0).is_empty());
    }

    #[test]
    fn of_long_lists_what_came_and_left_is_told() {
        let list = |range: std::ops::Range<u32>| {
            let all: Vec<_> = range.map(|at| format!("\"10.{at}.0.0/16\"")).collect();
            settings(&format!("[a]\nallow = [{}]", all.join(", ")), 0)
        };
        let changes = list(0..40).changes(&list(2..50), &["a"], 1);
        let told = "allow gained 10.40.0.0/16, 10.41.0.0/16, 10.42.0.0/16, 10.43.0.0/16, 10.44.0.0/16 and 5 more, \
                    lost 10.0.0.0/16, 10.1.0.0/16";
        assert_eq!(changes, [told]);
    }
}
