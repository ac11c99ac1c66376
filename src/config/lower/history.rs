//! `[history]` → [`HistoryPlan`]: where it is kept.

use std::path::PathBuf;

use super::material;
use crate::config::cx::Cx;
use crate::config::field::Spot;
use crate::config::file::History;
use crate::config::words::FilePath;
use crate::plan::HistoryPlan;

pub(super) fn lower(words: &History, cx: &mut Cx) -> HistoryPlan {
    "[history]".clone_into(&mut cx.owner);
    HistoryPlan {
        file: words.file.get().map(|word| file(word, cx)),
        flush: words.flush.or(HistoryPlan::FLUSH),
    }
}

fn file(word: &Spot<FilePath>, cx: &mut Cx) -> PathBuf {
    let full = cx.resolve(&word.value.0);
    if let Some(why) = material::unwritable(&full) {
        let what = format!("file in [history] cannot be written: {:?}", word.value.0);
        cx.error(&word.span, what)
            .why(why)
            .fix("name a file in a folder of howdah's own: \"/var/lib/howdah/history.redb\" (systemd: StateDirectory=howdah)");
    }
    full
}
