//! A period in some hundred bytes, and back.
//!
//! A version, then numbers of seven bits a byte, the low ones first: milliseconds watched, down and planned; sessions served
//! and failed; three sketches, each how many buckets, then for each how far it is from the one before, and its count. Spans
//! come first, as they are read alone for sums. What cannot be read is no period.

use std::time::Duration;

use crate::availability::period::{Period, Spans};
use crate::telemetry::Times;
use crate::telemetry::sketch::Sketch;

pub(super) fn encode(period: &Period) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    let Spans {
        watched,
        down,
        planned,
    } = period.spans;
    for span in [watched, down, planned] {
        put(
            u64::try_from(span.as_millis()).unwrap_or(u64::MAX),
            &mut bytes,
        );
    }
    put(period.served, &mut bytes);
    put(period.failed, &mut bytes);
    let Times {
        connect,
        first_byte,
        turn,
    } = &period.times;
    for sketch in [connect, first_byte, turn] {
        put(sketch.counts().len() as u64, &mut bytes);
        let mut before = 0;
        for (bucket, count) in sketch.counts() {
            put(u64::from(bucket - before), &mut bytes);
            put(count, &mut bytes);
            before = bucket;
        }
    }
    bytes
}

pub(super) fn decode(bytes: &[u8]) -> Option<Period> {
    let mut rest = bytes;
    let spans = take_spans(&mut rest)?;
    let (served, failed) = (take(&mut rest)?, take(&mut rest)?);
    let mut sketches = [const { None }; 3];
    for sketch in &mut sketches {
        *sketch = Some(take_sketch(&mut rest)?);
    }
    let [connect, first_byte, turn] = sketches;
    rest.is_empty().then_some(())?;
    Some(Period {
        spans,
        served,
        failed,
        times: Times {
            connect: connect?,
            first_byte: first_byte?,
            turn: turn?,
        },
    })
}

/// The first of it alone.
pub(super) fn decode_spans(bytes: &[u8]) -> Option<Spans> {
    take_spans(&mut &*bytes)
}

fn take_spans(rest: &mut &[u8]) -> Option<Spans> {
    let (version, after) = rest.split_first()?;
    *rest = after;
    (*version == VERSION).then_some(())?;
    Some(Spans {
        watched: Duration::from_millis(take(rest)?),
        down: Duration::from_millis(take(rest)?),
        planned: Duration::from_millis(take(rest)?),
    })
}

fn take_sketch(rest: &mut &[u8]) -> Option<Sketch> {
    let mut sketch = Sketch::default();
    let mut bucket = 0u16;
    for _ in 0..take(rest)? {
        bucket = bucket.checked_add(u16::try_from(take(rest)?).ok()?)?;
        sketch.add(bucket, take(rest)?);
    }
    Some(sketch)
}

fn put(mut number: u64, bytes: &mut Vec<u8>) {
    while number > 0x7f {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push((number & 0x7f) as u8);
}

fn take(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn period(numbers: [u64; 5], buckets: &[(u16, u64)]) -> Period {
        let [watched, down, planned, served, failed] = numbers;
        let mut sketch = Sketch::default();
        for (bucket, count) in buckets {
            sketch.add(*bucket, *count);
        }
        Period {
            spans: Spans {
                watched: Duration::from_millis(watched),
                down: Duration::from_millis(down),
                planned: Duration::from_millis(planned),
            },
            served,
            failed,
            times: Times {
                connect: sketch.clone(),
                first_byte: Sketch::default(),
                turn: sketch,
            },
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read(
            numbers in proptest::array::uniform5(0u64..u64::MAX),
            buckets in proptest::collection::vec((0u16..600, 1u64..1 << 40), 0..50),
        ) {
            let period = period(numbers, &buckets);
            let bytes = encode(&period);
            assert_eq!(decode(&bytes).as_ref(), Some(&period));
            assert_eq!(decode_spans(&bytes), Some(period.spans));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(0u8..=255, 0..200)) {
            let _ = decode(&bytes);
            let _ = decode(&[&[VERSION], &bytes[..]].concat());
        }
    }

    #[test]
    fn a_period_of_another_version_and_a_cut_one_are_none() {
        let bytes = encode(&period([3_600_000, 17, 0, 900, 1], &[(96, 900)]));
        for length in 0..bytes.len() {
            assert_eq!(decode(&bytes[..length]), None, "{length} bytes");
        }
        let mut other = bytes.clone();
        other[0] += 1;
        assert_eq!(decode(&other), None);
    }
}
