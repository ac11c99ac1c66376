//! Who a user is, by the machine's own lists: the text of `/etc/passwd` and `/etc/group`; see passwd(5) and group(5).
//!
//! Pure: text in, numbers out. Directories behind the C library (LDAP, SSSD) are not asked: the user of a service is
//! one of the machine's own, and what starts a load balancer should not wait for a network.

/// The numbers that the kernel knows a user by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    /// The user.
    pub uid: u32,
    /// Its own group.
    pub gid: u32,
    /// Every group that it belongs to, its own first.
    pub groups: Vec<u32>,
}

/// The user of that name.
pub fn find(passwd: &str, group: &str, user: &str) -> Option<Ids> {
    let mut entries = passwd.lines().map(|line| line.split(':'));
    let (uid, gid) = entries.find_map(|mut fields| {
        if fields.next() != Some(user) {
            return None;
        }
        let (_password, uid, gid) = (fields.next()?, fields.next()?, fields.next()?);
        Some((uid.parse().ok()?, gid.parse().ok()?))
    })?;
    let mut groups = vec![gid];
    for line in group.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        if let [_name, _password, number, members] = fields[..]
            && members.split(',').any(|member| member.trim() == user)
            && let Ok(number) = number.parse()
            && !groups.contains(&number)
        {
            groups.push(number);
        }
    }
    Some(Ids { uid, gid, groups })
}

/// The number of the group of that name.
pub fn group(group: &str, name: &str) -> Option<u32> {
    let mut entries = group.lines().map(|line| line.split(':'));
    entries.find_map(|mut fields| {
        let found = fields.next() == Some(name);
        fields.nth(1).filter(|_| found)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_a_number() {
        let all = "root:x:0:\nhowdahx:x:1:\nhowdah:x:985:a,b\nodd:x\n";
        assert_eq!(group(all, "howdah"), Some(985));
        assert_eq!(group(all, "odd"), None);
        assert_eq!(group(all, ""), None);
    }

    #[test]
    fn a_user_has_its_own_group_and_those_that_list_it() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\nhowdah:x:990:985::/nonexistent:/usr/sbin/nologin\n";
        let group =
            "root:x:0:\ntls-keys:x:500:hive,howdah\nhowdahs:x:501:howdahx\nhowdah:x:985:howdah\n";
        let ids = find(passwd, group, "howdah").unwrap();
        assert_eq!((ids.uid, ids.gid), (990, 985));
        assert_eq!(ids.groups, [985, 500]);
    }

    #[test]
    fn a_line_that_says_nothing_names_nobody() {
        let passwd = "howdah\nhowdah:x:none:1\n+::::::\n\nhow:x:1:1:howdah:/:\n";
        assert_eq!(find(passwd, "", "howdah"), None);
        assert_eq!(find("", "", ""), None);
    }
}
