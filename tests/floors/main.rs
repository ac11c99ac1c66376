//! The floors of the house, as a test: imports go down, or sideways along a drawn arrow, and no files use each other.
//!
//! Reads the `use crate::` lines and the `crate::` paths of every file under src/, and names the line and the floor
//! crossed; then all paths, and names the files that use each other ([`circles`] says what a use is). The drawing is in
//! CONTRIBUTING.md.

mod circles;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use self::circles::{circles, graph};

#[test]
fn imports_go_down_or_along_an_arrow() {
    let files = files_under(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(
        files.len() > 100,
        "found only {} files: is this looking in the right folder?",
        files.len()
    );
    let mut seen = 0;
    let mut crossed = Vec::new();
    for file in &files {
        let Some(from) = room_of(file) else { continue };
        let text = fs::read_to_string(file).expect("a source file is readable");
        for (number, to) in imports(&text) {
            seen += 1;
            if let Err(why) = judge(from, &to) {
                crossed.push(format!("{}:{number}: {why}", file.display()));
            }
        }
    }
    assert!(seen > 100, "found only {seen} imports: are they read?");
    assert!(crossed.is_empty(), "\n{}\n", crossed.join("\n"));
}

#[test]
fn a_crossing_is_named() {
    assert_eq!(
        imports(
            "use crate::{plan::Plan, session};\nlet x = crate::pool::Pool;\n// use crate::cli;\n"
        ),
        [
            (1, "plan".into()),
            (1, "session".into()),
            (2, "pool".into())
        ]
    );
    assert_eq!(judge("session", "pool"), Ok(()));
    assert_eq!(judge("listener", "session"), Ok(()));
    assert_eq!(
        judge("session", "listener").unwrap_err(),
        "floor 3 (session) looks sideways at listener, and no arrow is drawn"
    );
    assert_eq!(
        judge("wire", "plan").unwrap_err(),
        "floor 1 (wire) may use only base"
    );
    assert_eq!(
        judge("health", "session").unwrap_err(),
        "floor 2 (health) looks up at floor 3 (session)"
    );
    assert_eq!(
        judge("plan", "attic").unwrap_err(),
        "room attic has no floor: give it one here and in CONTRIBUTING.md"
    );
}

#[test]
fn no_files_use_each_other() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = |file: PathBuf| {
        let name = file
            .strip_prefix(&src)
            .expect("below src/")
            .display()
            .to_string();
        let text = fs::read_to_string(&file).expect("a source file is readable");
        (name, text)
    };
    let files: Vec<_> = files_under(&src).into_iter().map(read).collect();
    let graph = graph(&files);
    let arrows: usize = graph.values().map(|to| to.len()).sum();
    assert!(arrows > 300, "found only {arrows} uses: are they read?");
    let circles = circles(&graph);
    let circles: Vec<_> = circles
        .iter()
        .map(|(files, arrows)| format!("{files}:{arrows}"))
        .collect();
    assert!(
        circles.is_empty(),
        "files that use each other:\n{}\n",
        circles.join("\n")
    );
}

/// Each room with its floor.
const FLOORS: [(&str, u8); 27] = [
    ("cli", 5),
    ("app", 4),
    ("config", 4),
    ("admin", 4),
    ("doctor", 3),
    ("explain", 3),
    ("listener", 3),
    ("session", 3),
    ("availability", 2),
    ("health", 2),
    ("discovery", 2),
    ("alerts", 2),
    ("vip", 2),
    ("cluster", 2),
    ("peers", 2),
    ("standin", 2),
    ("state", 2),
    ("pool", 1),
    ("tls", 1),
    ("zookeeper", 1),
    ("confine", 1),
    ("handover", 1),
    ("balance", 1),
    ("wire", 1),
    ("plan", 0),
    ("telemetry", 0),
    ("base", 0),
];

/// Sideways is allowed only along these.
const ARROWS: [(&str, &str); 8] = [
    ("app", "config"),
    ("app", "admin"),
    ("doctor", "session"),
    ("explain", "session"),
    ("listener", "session"),
    ("pool", "balance"),
    ("zookeeper", "tls"),
    ("zookeeper", "wire"),
];

/// Rooms that see less than everything below them.
const NARROW: [(&str, &[&str]); 18] = [
    ("availability", &["pool", "plan", "telemetry", "base"]),
    ("config", &["plan", "base"]),
    (
        "discovery",
        &[
            "pool",
            "zookeeper",
            "tls",
            "wire",
            "plan",
            "telemetry",
            "base",
        ],
    ),
    (
        "cluster",
        &[
            "pool",
            "zookeeper",
            "tls",
            "wire",
            "plan",
            "telemetry",
            "base",
        ],
    ),
    ("alerts", &["tls", "wire", "plan", "telemetry", "base"]),
    (
        "peers",
        &["pool", "tls", "wire", "plan", "telemetry", "base"],
    ),
    ("standin", &["tls", "wire", "plan", "telemetry", "base"]),
    ("vip", &["wire", "plan", "telemetry", "base"]),
    ("state", &["pool", "plan", "telemetry", "base"]),
    ("pool", &["balance", "plan", "telemetry", "base"]),
    ("zookeeper", &["tls", "wire", "plan", "base"]),
    ("confine", &["plan", "base"]),
    ("handover", &["plan", "base"]),
    ("balance", &["base"]),
    ("wire", &["base"]),
    ("plan", &["base"]),
    ("telemetry", &["plan", "base"]),
    ("base", &[]),
];

fn judge(from: &str, to: &str) -> Result<(), String> {
    let floor = |room: &str| {
        FLOORS
            .iter()
            .find(|(name, _)| *name == room)
            .map(|(_, floor)| *floor)
    };
    let (Some(here), Some(there)) = (floor(from), floor(to)) else {
        let stranger = if floor(from).is_none() { from } else { to };
        return Err(format!(
            "room {stranger} has no floor: give it one here and in CONTRIBUTING.md"
        ));
    };
    if from == to || ARROWS.contains(&(from, to)) {
        return Ok(());
    }
    if there > here {
        return Err(format!(
            "floor {here} ({from}) looks up at floor {there} ({to})"
        ));
    }
    if let Some((_, allowed)) = NARROW.iter().find(|(room, _)| *room == from) {
        let all = allowed.join(" and ");
        return match allowed.contains(&to) {
            true => Ok(()),
            false => Err(format!("floor {here} ({from}) may use only {all}")),
        };
    }
    match there < here {
        true => Ok(()),
        false => Err(format!(
            "floor {here} ({from}) looks sideways at {to}, and no arrow is drawn"
        )),
    }
}

/// The first folder or file name below src/; `None` for `lib.rs` and `main.rs`, which are in no room.
fn room_of(file: &Path) -> Option<&str> {
    let below = file
        .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .ok()?;
    let first = below.iter().next()?.to_str()?;
    match first {
        "lib.rs" | "main.rs" => None,
        other => Some(other.trim_end_matches(".rs")),
    }
}

/// Line number and room of every `crate::room` outside comments, braces after `crate::` included.
fn imports(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for (at, _) in code.match_indices("crate::") {
            let whole_word =
                !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$');
            if !whole_word {
                continue;
            }
            let rest = &code[at + "crate::".len()..];
            let group = text_of_group(rest, text, index);
            found.extend(group.into_iter().map(|room| (index + 1, room)));
        }
    }
    found
}

/// The rooms named right after `crate::`: one, or those of a brace group, which may span lines.
fn text_of_group(rest: &str, text: &str, index: usize) -> Vec<String> {
    let word = |part: &str| -> String {
        part.trim()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    if !rest.starts_with('{') {
        return vec![word(rest)];
    }
    let following: String = text
        .lines()
        .skip(index + 1)
        .take(40)
        .collect::<Vec<_>>()
        .join("\n");
    let (mut depth, mut rooms, mut part) = (0, Vec::new(), String::new());
    for c in rest.chars().chain(following.chars()) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => rooms.push(std::mem::take(&mut part)),
            _ if depth == 1 => part.push(c),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    rooms.push(part);
    rooms
        .iter()
        .map(|part| word(part))
        .filter(|room| !room.is_empty())
        .collect()
}

fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("src/ is readable") {
        let path = entry.expect("an entry of src/ is readable").path();
        if path.is_dir() {
            files.extend(files_under(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files
}
