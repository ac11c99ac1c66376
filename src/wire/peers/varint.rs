//! Numbers of one to ten bytes: below 240 in one; else the low four bits, and seven in each byte that follows.

use super::fault::Malformed;

/// Appends `value`.
pub fn put(out: &mut Vec<u8>, value: u64) {
    let low = |value: u64| value.to_le_bytes()[0];
    if value < MORE {
        out.push(low(value));
        return;
    }
    out.push(low(value) | low(MORE));
    let mut rest = (value - MORE) >> 4;
    while rest >= STOP {
        out.push(low(rest) | low(STOP));
        rest = (rest - STOP) >> 7;
    }
    out.push(low(rest));
}

/// Takes one from the front; `None` where the bytes end before it does.
///
/// # Errors
/// [`Malformed::Number`] when it is larger than 64 bits.
pub fn take(bytes: &mut &[u8]) -> Result<Option<u64>, Malformed> {
    let Some((first, mut rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let mut value = u128::from(*first);
    if value >= u128::from(MORE) {
        let mut shift = 4;
        loop {
            let Some((byte, after)) = rest.split_first() else {
                return Ok(None);
            };
            rest = after;
            value += u128::from(*byte) << shift;
            if u64::from(*byte) < STOP {
                break;
            }
            shift += 7;
            if shift > SHIFT_MAX {
                return Err(Malformed::Number);
            }
        }
    }
    let value = u64::try_from(value).map_err(|_| Malformed::Number)?;
    *bytes = rest;
    Ok(Some(value))
}

/// From here on, a number has a second byte.
const MORE: u64 = 0xf0;
/// From here on, a byte has a successor.
const STOP: u64 = 0x80;
/// Of the tenth byte.
const SHIFT_MAX: u32 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, value);
        out
    }

    #[test]
    fn the_borders_of_the_document() {
        let borders = [240, 2288, 264_432, 33_818_864, 4_328_786_160_u64];
        for (before, border) in borders.into_iter().enumerate() {
            assert_eq!(written(border - 1).len(), before + 1, "{border}");
            assert_eq!(written(border).len(), before + 2, "{border}");
        }
        assert_eq!(written(0x5e), [0x5e]);
        assert_eq!(written(240), [0xf0, 0]);
        assert_eq!(written(2288), [0xf0, 0x80, 0]);
    }

    #[test]
    fn every_length_comes_back() {
        let some = (0..64).flat_map(|bit| [1_u64 << bit, (1_u64 << bit) - 1, u64::MAX >> bit]);
        for value in some.chain(0..5000) {
            let out = written(value);
            assert_eq!(take(&mut out.as_slice()), Ok(Some(value)));
            assert_eq!(take(&mut &out[..out.len() - 1]), Ok(None), "{value}");
        }
    }

    #[test]
    fn one_that_does_not_end_is_none() {
        assert_eq!(take(&mut [0xff; 30].as_slice()), Err(Malformed::Number));
        assert_eq!(take(&mut [0xff; 4].as_slice()), Ok(None));
    }
}
