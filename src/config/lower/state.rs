//! `[state]` → [`StatePlan`]: where it is kept, and whether the user of `[global]` may write there.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::material;
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
    if let Some(why) = material::unwritable(&full) {
        let what = format!("file in [state] cannot be written: {told:?}");
        cx.error(&word.span, what)
            .why(why)
            .fix("name a file in a folder of howdah's own: \"/var/lib/howdah/state.json\" (systemd: StateDirectory=howdah)");
    } else if let Some((user, folder)) = user
        .zip(full.parent())
        .filter(|(user, folder)| !may_write(user, folder))
    {
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
