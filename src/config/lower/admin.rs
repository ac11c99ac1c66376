//! `[admin]` → [`AdminPlan`]: where it listens, and who may do what there.

use std::fs;
use std::net::SocketAddr;

use super::{certificate, material};
use crate::base::passwd;
use crate::config::cx::Cx;
use crate::config::field::Spot;
use crate::config::file::Admin;
use crate::plan::{AdminPlan, AdminSocket};

pub(super) fn lower(words: &Admin, cx: &mut Cx) -> AdminPlan {
    let bind = words.bind.or(SocketAddr::from(([127, 0, 0, 1], 9600)));
    "[admin]".clone_into(&mut cx.owner);
    if let Some(span) = words.bind.span()
        && !bind.ip().is_loopback()
        && words.token_file.is_absent()
    {
        cx.error(&span, "[admin] is open to other machines without a token")
            .why("not loopback")
            .fix("add token_file = \"FILE\" with a secret in it, which commands then show with --token-file")
            .fix(format!("or bind = \"127.0.0.1:{}\"", bind.port()));
    }
    let secret = |field: &crate::config::field::Field<_>, key, cx: &mut Cx| {
        field.get().and_then(|path| material::secret(path, key, cx))
    };
    let token = secret(&words.token_file, "token_file", cx);
    let reader_token = secret(&words.reader_token_file, "reader_token_file", cx);
    if let (Some(path), Some(_)) = (words.reader_token_file.get(), &token)
        && token == reader_token
    {
        cx.error(&path.span, "[admin] gives readers the token that commands")
            .why("the same as in token_file")
            .fix("put another secret into the file of the readers");
    }
    let socket = socket(words, cx);
    let tls = words.tls.get().and_then(|tls| {
        "[admin.tls]".clone_into(&mut cx.owner);
        let words = &tls.value;
        let made = certificate::identity(&words.cert, &words.key, ["cert", "key"], &words.span, cx);
        "[admin]".clone_into(&mut cx.owner);
        made
    });
    AdminPlan {
        bind,
        socket,
        token,
        reader_token,
        tls,
    }
}

fn socket(words: &Admin, cx: &mut Cx) -> Option<AdminSocket> {
    let mode = words.socket_mode.get().map(|word| mode(word, cx));
    let group = words.socket_group.get().map(|name| group(name, cx));
    let Some(path) = words.socket.get() else {
        for (key, span) in [
            ("socket_mode", words.socket_mode.span()),
            ("socket_group", words.socket_group.span()),
        ] {
            if let Some(span) = span
                && words.socket.is_absent()
            {
                cx.error(&span, format!("[admin] has {key}, and no socket"))
                    .why("of which socket?")
                    .fix("add socket = \"/run/howdah/admin.sock\"");
            }
        }
        return None;
    };
    let full = cx.resolve(&path.value);
    let folder = full
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if path.value.is_empty() || full.is_dir() || full.as_os_str().len() > LONGEST {
        cx.error(&path.span, "socket in [admin] is no path for a socket")
            .why(format!(
                "a file's path of at most {LONGEST} bytes is wanted"
            ))
            .fix("socket = \"/run/howdah/admin.sock\"");
    } else if folder.is_some_and(|folder| !folder.is_dir()) {
        cx.error(&path.span, "the socket of [admin] has no folder to be in")
            .why("there is no such folder")
            .fix("make it, for howdah's own user (systemd: RuntimeDirectory=howdah)");
    }
    Some(AdminSocket {
        path: full,
        mode: mode.flatten().unwrap_or(0o660),
        group: group.flatten(),
    })
}

fn mode(word: &Spot<String>, cx: &mut Cx) -> Option<u32> {
    let mode = u32::from_str_radix(&word.value, 8).ok();
    let mode = mode.filter(|mode| *mode <= 0o777);
    if mode.is_none() {
        cx.error(&word.span, "socket_mode in [admin] is no mode of a file")
            .why("octal digits are wanted, at most \"0777\"")
            .fix("\"0660\" admits the owner and the group");
    }
    if mode.is_some_and(|mode| mode & 0o002 != 0) {
        cx.warning(&word.span, "everyone on this machine may command howdah")
            .why("others may write")
            .fix("\"0660\" admits the owner and the group");
    }
    mode
}

fn group(name: &Spot<String>, cx: &mut Cx) -> Option<u32> {
    let all = fs::read_to_string("/etc/group").unwrap_or_default();
    let found = passwd::group(&all, &name.value);
    if found.is_none() {
        let what = format!(
            "[admin] names a group {:?} that this machine does not have",
            name.value
        );
        cx.error(&name.span, what)
            .why("not in /etc/group")
            .fix("groupadd --system NAME makes one");
    }
    found
}

/// Of `sun_path`, with the zero at its end; see unix(7).
const LONGEST: usize = 107;
