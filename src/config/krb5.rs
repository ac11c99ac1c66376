//! What is taken from `krb5.conf`: the default realm, where KDCs are, and which hosts belong to which realm.
//!
//! Sections in brackets, `key = value` in them, tables in braces (krb5.conf(5)). `include` and `includedir` are followed by whoever
//! reads files; all other keys are passed over. Names are not looked up in DNS: a realm's KDCs have to stand in the file.

use crate::plan::Realms;

/// The port of a KDC.
const PORT: u16 = 88;

/// What one file says, put into `realms`; gives what it includes, in order.
pub(super) fn read(text: &str, realms: &mut Realms) -> Vec<Included> {
    let mut included = Vec::new();
    let (mut section, mut table) = (String::new(), None::<String>);
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            section = name
                .trim_end_matches(['*', ' '])
                .trim_end_matches(']')
                .to_owned();
            table = None;
            continue;
        }
        if let Some(path) = line.strip_prefix("includedir ") {
            included.push(Included::Folder(path.trim().to_owned()));
            continue;
        }
        if let Some(path) = line.strip_prefix("include ") {
            included.push(Included::File(path.trim().to_owned()));
            continue;
        }
        if line.starts_with('}') {
            table = None;
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        let (key, value) = (key.trim(), value.trim().trim_matches('"'));
        match (section.as_str(), value.starts_with('{')) {
            (_, true) => table = Some(key.to_owned()),
            ("libdefaults", false) if key == "default_realm" => {
                // The first that is said counts, in MIT's library too.
                realms.default.get_or_insert_with(|| value.to_owned());
            }
            ("domain_realm", false) => {
                let domain = key.to_ascii_lowercase();
                realms
                    .domains
                    .entry(domain)
                    .or_insert_with(|| value.to_owned());
            }
            ("realms", false) if key == "kdc" => {
                if let (Some(realm), Some(kdc)) = (&table, kdc(value)) {
                    realms.kdcs.entry(realm.clone()).or_default().push(kdc);
                }
            }
            _ => {}
        }
    }
    included
}

/// A line that names other files.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Included {
    File(String),
    /// Those files in it whose names are of letters, digits, dashes and underscores, or end in `.conf`.
    Folder(String),
}

/// Whether a file of that name counts in a folder that is included.
pub(super) fn counts(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !name.is_empty()
        && !name.starts_with('.')
        && (name.chars().all(plain) || name.ends_with(".conf"))
}

/// `HOST`, `HOST:PORT`, `[V6]:PORT`; `tcp/` before it is MIT's.
fn kdc(text: &str) -> Option<(String, u16)> {
    let text = text.strip_prefix("tcp/").unwrap_or(text);
    let text = text.split_whitespace().next()?;
    if text.starts_with("udp/") || text.starts_with("http") {
        return None;
    }
    if let Some(v6) = text.strip_prefix('[') {
        let (host, rest) = v6.split_once(']')?;
        let port = rest
            .strip_prefix(':')
            .map_or(Some(PORT), |port| port.parse().ok());
        return Some((host.to_owned(), port?));
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => Some((host.to_owned(), port.parse().ok()?)),
        _ => Some((text.to_owned(), PORT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
includedir /etc/krb5.conf.d/
# a comment
[libdefaults]
  default_realm = EXAMPLE.COM
  default_realm = OTHER
[realms]
  EXAMPLE.COM = {
    kdc = kdc1.example.com
    kdc = kdc2.example.com:1088
    kdc = [fd00::1]:88
    admin_server = kdc1.example.com
    auth_to_local = RULE:[1:$1]
  }
  OTHER = {
    kdc = tcp/kdc.other
  }
[domain_realm]
  .Example.com = EXAMPLE.COM
  host.other = OTHER
[appdefaults]
  kdc = none
";

    #[test]
    fn realms_kdcs_and_domains_are_read() {
        let mut realms = Realms::default();
        let included = read(FILE, &mut realms);
        assert_eq!(included, [Included::Folder("/etc/krb5.conf.d/".into())]);
        assert_eq!(realms.default.as_deref(), Some("EXAMPLE.COM"));
        let kdcs = [
            ("kdc1.example.com", 88),
            ("kdc2.example.com", 1088),
            ("fd00::1", 88),
        ];
        let kdcs = kdcs.map(|(host, port)| (host.to_owned(), port));
        assert_eq!(realms.kdcs["EXAMPLE.COM"], kdcs);
        assert_eq!(realms.kdcs["OTHER"], [("kdc.other".to_owned(), 88)]);
        assert_eq!(realms.domains[".example.com"], "EXAMPLE.COM");
        assert_eq!(realms.domains["host.other"], "OTHER");
    }

    #[test]
    fn of_a_folder_some_files_count() {
        assert!(counts("kcm_default_ccache") && counts("a.b.conf"));
        assert!(!counts("a.rpmsave") && !counts(".a.conf") && !counts("a~"));
    }
}
