//! JSON pointers (RFC 6901): where in a JSON text a value stands.

/// Most steps of a pointer.
pub const STEPS_MAX: usize = 32;

/// Why `pointer` is none.
///
/// # Errors
/// In people's words.
pub fn judge(pointer: &str) -> Result<(), &'static str> {
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return Err("a pointer begins with a slash");
    }
    if steps(pointer).count() > STEPS_MAX {
        return Err("at most 32 steps");
    }
    let mut escapes = pointer.split('~').skip(1);
    match escapes.all(|rest| rest.starts_with(['0', '1'])) {
        true => Ok(()),
        false => Err("~ is written ~0, and a slash within a name ~1"),
    }
}

/// Names and places, unescaped (RFC 6901 §4).
pub fn steps(pointer: &str) -> impl Iterator<Item = String> {
    let steps = pointer.split('/').skip(1);
    steps.map(|step| step.replace("~1", "/").replace("~0", "~"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_judged() {
        for good in ["", "/", "/a/0", "/a~0b~1c"] {
            assert_eq!(judge(good), Ok(()), "{good}");
        }
        for bad in ["a", "a/b", "/a~b", "/~2", &"/a".repeat(33)] {
            assert!(judge(bad).is_err(), "{bad}");
        }
    }
}
