//! Who leads: of the numbered znodes below `latch` the one with the smallest number. Pure.
//!
//! One that no session holds, made by hand, would lead for ever and serve nobody: it does not count.

use super::mirror::Znode;

/// The znode of whoever leads.
pub(super) fn first<'a>(all: impl Iterator<Item = (&'a str, &'a Znode)>) -> Option<&'a Znode> {
    let held = all.filter(|(_, znode)| znode.owner != 0);
    let numbered = held.filter_map(|(path, znode)| Some((number(path)?, znode)));
    numbered
        .min_by_key(|(number, _)| *number)
        .map(|(_, znode)| znode)
}

/// ZooKeeper writes ten digits behind the name; beyond two thousand million they turn negative, so that they are compared as
/// what they count from there.
fn number(path: &str) -> Option<u32> {
    let digits = path.rsplit_once(NAME)?.1;
    let count: i32 = digits.parse().ok()?;
    Some(count.cast_unsigned())
}

/// Before the number.
pub(super) const NAME: &str = "/n-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_number_leads_and_what_has_none_does_not() {
        let znode = |owner| Znode {
            data: Vec::new(),
            version: 0,
            owner,
        };
        let [a, b, c, junk, nobodys] = [1, 2, 3, 4, 0].map(znode);
        let all = [
            ("/h/latch/n-0000000000", &nobodys),
            ("/h/latch/n-0000000012", &b),
            ("/h/latch/n-0000000009", &a),
            ("/h/latch/n-2147483647", &c),
            ("/h/latch/x", &junk),
            ("/h/latch/n-x", &junk),
        ];
        assert_eq!(first(all.into_iter()).map(|one| one.owner), Some(1));
        let turned = [("/l/n--2147483648", &b), ("/l/n-2147483647", &a)];
        assert_eq!(first(turned.into_iter()).map(|one| one.owner), Some(1));
        assert_eq!(first(std::iter::empty()), None);
    }
}
