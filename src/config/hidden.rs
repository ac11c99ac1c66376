//! Which keys hold what nobody should read who looks at a running howdah. Pure.
//!
//! Passwords and tokens stand in files of their own, which are never shown. What is left are keys whose value may hold one.

use std::borrow::Cow;

/// Instead of a secret.
pub(super) const MASK: &str = "***";

/// Whether the value of this key may be one.
pub(super) fn is_secret(key: &str) -> bool {
    SECRET.contains(&key)
}

/// Whether what stands behind this word is hidden from the file's own author too, whose terminal others may see: a line that
/// perhaps is not TOML, with misspelt keys and keys that there are not. What is sent to servers is shown, as it is what is wrong.
pub(super) fn may_hold_a_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    // An escape in a key hides what it says.
    let hidden = key.contains('\\');
    let named = LIKE.iter().any(|word| key.contains(word)) && !key.ends_with("_file");
    key == "url" || key == "headers" || named || hidden
}

/// A path of a request without what follows its `?`, where logins stand by old custom; anything else as it is.
pub(super) fn without_query<'t>(key: &str, text: &'t str) -> Cow<'t, str> {
    match text.split_once('?') {
        Some((path, _)) if PATHS.contains(&key) => format!("{path}?{MASK}").into(),
        _ => text.into(),
    }
}

/// What is sent to servers may be a login, a program's arguments too; addresses of chat services are as good as passwords.
const SECRET: &[&str] = &[
    "send", "hex", "command", "url", "headers", "password", "token", "secret",
];
/// Parts of words that mean one.
const LIKE: &[&str] = &[
    "password",
    "passwd",
    "secret",
    "token",
    "bearer",
    "credential",
    "webhook",
];
/// Of requests.
const PATHS: &[&str] = &["path", "http_path"];
