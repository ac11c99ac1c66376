//! A name in Kerberos, as people write it.

use std::fmt;

/// `name/instance@REALM`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Principal {
    /// What stands between slashes.
    pub parts: Vec<String>,
    /// What stands after the `@`.
    pub realm: String,
}

impl Principal {
    /// `name@REALM`, `name/instance@REALM`, or either without the realm.
    pub fn split(text: &str) -> Option<(Vec<String>, Option<String>)> {
        let (name, realm) = match text.split_once('@') {
            Some((name, realm)) => (name, Some(realm.to_owned())),
            None => (text, None),
        };
        let parts: Vec<String> = name.split('/').map(str::to_owned).collect();
        let odd = |part: &str| {
            part.is_empty() || part.contains(['@', '\\']) || part.contains(char::is_whitespace)
        };
        let fine = !parts.iter().any(|part| odd(part)) && !realm.as_deref().is_some_and(odd);
        fine.then_some((parts, realm))
    }

    /// Who grants tickets for `realm` to those of `at`.
    pub fn granting(realm: &str, at: &str) -> Self {
        Self {
            parts: vec!["krbtgt".to_owned(), realm.to_owned()],
            realm: at.to_owned(),
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.parts.join("/"), self.realm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_are_read_as_people_write_them() {
        let read = |text| Principal::split(text).map(|(parts, realm)| (parts.join("|"), realm));
        let realm = || Some("R".to_owned());
        assert_eq!(read("howdah@R"), Some(("howdah".into(), realm())));
        assert_eq!(read("howdah/lb@R"), Some(("howdah|lb".into(), realm())));
        assert_eq!(read("howdah"), Some(("howdah".into(), None)));
        for fault in ["", "a/", "/b@R", "a@", "a@b@c", "a b@R", "a\\@b"] {
            assert_eq!(read(fault), None, "{fault}");
        }
    }
}
