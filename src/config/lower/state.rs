//! `[state]` → [`StatePlan`]: where it is kept, and whether howdah will be able to write there.
//!
//! A state file that cannot be kept is a warning: howdah starts without it. Only what this process locked itself out of is
//! refused, as with every other file.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use super::material;
use crate::base::reach;
use crate::config::cx::Cx;
use crate::config::field::Spot;
use crate::config::file::State;
use crate::config::words::FilePath;
use crate::plan::{RunAs, StatePlan};

pub(super) fn lower(words: &State, user: Option<&RunAs>, cx: &mut Cx) -> StatePlan {
    "[state]".clone_into(&mut cx.owner);
    StatePlan {
        file: words.file.get().map(|word| file(word, user, cx)),
    }
}

fn file(word: &Spot<FilePath>, user: Option<&RunAs>, cx: &mut Cx) -> PathBuf {
    let full = cx.resolve(&word.value.0);
    let told = &word.value.0;
    let folder = folder(&full);
    if full.is_dir() {
        let what = format!("file in [state] is a folder: {told:?}");
        let within = full.join("state.json");
        cx.warning(&word.span, what)
            .why("howdah would remember nothing")
            .fix(format!("name a file in it: {}", within.display()));
    } else if !reach::may_write(&full) {
        let what = format!("file in [state] cannot be written: {told:?}");
        cx.error(&word.span, what)
            .why(material::unwritable(&full).unwrap_or_default())
            .fix("name a file in the folder of the present one, or restart howdah");
    } else if !folder.is_dir() {
        missing(&folder, word, user, cx);
    } else if let Some(user) = user.filter(|user| !may_write(user, &folder)) {
        let (name, folder) = (&user.name, folder.display());
        let what = format!(
            "file in [state] is made anew each time, and {name:?} may make no files in {folder}"
        );
        cx.warning(&word.span, what)
            .why("user in [global] is who howdah becomes")
            .fix(format!("chown {name} {folder}"));
    }
    full
}

/// Nothing to be said where the start will make it.
fn missing(folder: &Path, word: &Spot<FilePath>, user: Option<&RunAs>, cx: &mut Cx) {
    if folder.symlink_metadata().is_err() && may_make(folder) {
        return;
    }
    let told = &word.value.0;
    let what = format!("file in [state] lies in a folder that does not exist: {told:?}");
    let owner = user.map(|user| format!("-o {} ", user.name));
    let (owner, folder) = (owner.unwrap_or_default(), folder.display());
    cx.warning(&word.span, what)
        .why("howdah cannot make it, and would remember nothing")
        .fix(format!("install -d -m 700 {owner}{folder}, before howdah starts (systemd: StateDirectory=howdah makes /var/lib/howdah)"));
}

/// The folder alone, not those that it would lie in: they are as likely misspelt.
fn may_make(folder: &Path) -> bool {
    let parent = folder.parent();
    parent.is_some_and(|parent| {
        parent.is_dir() && rustix::fs::access(parent, Access::WRITE_OK | Access::EXEC_OK).is_ok()
    })
}

/// By owner, group and mode; what cannot be seen is believed.
fn may_write(user: &RunAs, folder: &Path) -> bool {
    let Ok(folder) = folder.metadata() else {
        return true;
    };
    let of_group = || folder.gid() == user.gid || user.groups.contains(&folder.gid());
    let needed = match () {
        () if folder.uid() == user.uid => 0o300,
        () if of_group() => 0o030,
        () => 0o003,
    };
    folder.mode() & needed == needed
}

fn folder(file: &Path) -> PathBuf {
    let full = std::path::absolute(file).unwrap_or_else(|_| file.into());
    full.parent().unwrap_or(Path::new("/")).into()
}
