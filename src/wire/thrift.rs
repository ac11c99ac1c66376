//! Thrift's strict binary protocol: scalars, fields, containers, the envelope of a message.
//!
//! [`hive`](super::hive) builds its requests and replies with the [`Writer`] and reads them with the [`Reader`]
//! (apache/thrift `doc/specs/thrift-binary-protocol.md`). Lengths and counts are believed only as far as bytes are
//! there to back them, nesting ends at [`DEPTH_MAX`], and unknown fields are skipped by their type, since
//! every new version of a service adds some.

use std::borrow::Cow;

/// Structs, lists and maps inside one another; Hive's own messages need nine.
pub const DEPTH_MAX: usize = 32;

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThriftError {
    /// They end too early; on a socket without frames: read on.
    #[error("the message is not complete")]
    Incomplete,
    /// The envelope does not begin with `80 01`.
    #[error("no strict Thrift message (first bytes {0:08x})")]
    Version(u32),
    /// A type byte that the protocol does not have.
    #[error("unknown Thrift type {0}")]
    Type(u8),
    /// A length or count below zero.
    #[error("negative length")]
    Negative,
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("nested too deep")]
    Depth,
    /// Well formed, but without a field that it must have.
    #[error("{0} is missing")]
    Missing(&'static str),
}

/// Type byte of a field or element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Type {
    Bool = 2,
    Byte = 3,
    Double = 4,
    I16 = 6,
    I32 = 8,
    I64 = 10,
    Binary = 11,
    Struct = 12,
    Map = 13,
    Set = 14,
    List = 15,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A request.
    Call = 1,
    /// Its answer.
    Reply = 2,
    /// The answer when the method could not be run.
    Exception = 3,
    /// A request without an answer.
    OneWay = 4,
}

/// The envelope; the argument or result struct follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// What it is.
    pub kind: Kind,
    /// The method; bytes that are not UTF-8 are replaced.
    pub name: Cow<'a, str>,
    /// An answer carries its request's.
    pub sequence: i32,
}

/// Header of one field of a struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Number in the interface definition.
    pub id: i16,
    /// What follows.
    pub kind: Type,
}

/// Length of the message at the start of `bytes`, for sockets that carry messages without a frame.
///
/// # Errors
/// [`ThriftError::Incomplete`] while more bytes are needed, any other error for good.
pub fn message_length(bytes: &[u8]) -> Result<usize, ThriftError> {
    let mut reader = Reader::new(bytes);
    reader.envelope()?;
    reader.skip(Type::Struct)?;
    Ok(bytes.len() - reader.rest().len())
}

/// Reads values off the front of a slice.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Begins at the front.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// The start of a message.
    ///
    /// # Errors
    /// As [`ThriftError`] says, for this method and all that follow.
    pub fn envelope(&mut self) -> Result<Envelope<'a>, ThriftError> {
        self.refuse_other_version()?;
        let word = u32::from_be_bytes(self.array()?);
        let kind = match (word >> 16, word & 0xff) {
            (0x8001, 1) => Kind::Call,
            (0x8001, 2) => Kind::Reply,
            (0x8001, 3) => Kind::Exception,
            (0x8001, 4) => Kind::OneWay,
            _ => return Err(ThriftError::Version(word)),
        };
        let name = self.text()?;
        let sequence = self.i32()?;
        Ok(Envelope {
            kind,
            name,
            sequence,
        })
    }

    /// The next field's header; `None` at the struct's end.
    ///
    /// # Errors
    /// As [`ThriftError`] says.
    pub fn field(&mut self) -> Result<Option<Field>, ThriftError> {
        let [byte] = self.array()?;
        if byte == 0 {
            return Ok(None);
        }
        let kind = Type::from_byte(byte)?;
        let id = self.i16()?;
        Ok(Some(Field { id, kind }))
    }

    /// One byte, zero is false.
    ///
    /// # Errors
    /// As [`ThriftError`] says.
    pub fn bool(&mut self) -> Result<bool, ThriftError> {
        let [byte] = self.array()?;
        Ok(byte != 0)
    }

    /// Two bytes.
    ///
    /// # Errors
    /// As [`ThriftError`] says.
    pub fn i16(&mut self) -> Result<i16, ThriftError> {
        self.array().map(i16::from_be_bytes)
    }

    /// Four bytes.
    ///
    /// # Errors
    /// As [`ThriftError`] says.
    pub fn i32(&mut self) -> Result<i32, ThriftError> {
        self.array().map(i32::from_be_bytes)
    }

    /// Eight bytes.
    ///
    /// # Errors
    /// As [`ThriftError`] says.
    pub fn i64(&mut self) -> Result<i64, ThriftError> {
        self.array().map(i64::from_be_bytes)
    }

    /// A length and as many bytes.
    ///
    /// # Errors
    /// As [`ThriftError`] says.
    pub fn binary(&mut self) -> Result<&'a [u8], ThriftError> {
        let length = self.length()?;
        self.take(length)
    }

    /// The same as text; bytes that are not UTF-8 are replaced.
    ///
    /// # Errors
    /// As [`ThriftError`] says.
    pub fn text(&mut self) -> Result<Cow<'a, str>, ThriftError> {
        self.binary().map(String::from_utf8_lossy)
    }

    /// Header of a list or set: element type and count, which the bytes at hand can hold.
    ///
    /// # Errors
    /// As [`ThriftError`] says.
    pub fn list(&mut self) -> Result<(Type, usize), ThriftError> {
        let [byte] = self.array()?;
        let count = self.length()?;
        let kind = element_type(byte, count)?;
        self.back(count)?;
        Ok((kind, count))
    }

    /// Header of a map: key type, value type, count.
    ///
    /// # Errors
    /// As [`ThriftError`] says.
    pub fn map(&mut self) -> Result<(Type, Type, usize), ThriftError> {
        let [key, value] = self.array()?;
        let count = self.length()?;
        let kinds = (element_type(key, count)?, element_type(value, count)?);
        self.back(count)?;
        Ok((kinds.0, kinds.1, count))
    }

    /// Reads past a value of that type.
    ///
    /// # Errors
    /// As [`ThriftError`] says.
    pub fn skip(&mut self, kind: Type) -> Result<(), ThriftError> {
        self.skip_nested(kind, DEPTH_MAX)
    }

    fn skip_nested(&mut self, kind: Type, depth: usize) -> Result<(), ThriftError> {
        let below = depth.checked_sub(1).ok_or(ThriftError::Depth)?;
        match kind {
            Type::Bool | Type::Byte => self.take(1).map(drop),
            Type::I16 => self.take(2).map(drop),
            Type::I32 => self.take(4).map(drop),
            Type::I64 | Type::Double => self.take(8).map(drop),
            Type::Binary => self.binary().map(drop),
            Type::Struct => {
                while let Some(field) = self.field()? {
                    self.skip_nested(field.kind, below)?;
                }
                Ok(())
            }
            Type::List | Type::Set => {
                let (element, count) = self.list()?;
                (0..count).try_for_each(|_| self.skip_nested(element, below))
            }
            Type::Map => {
                let (key, value, count) = self.map()?;
                (0..count).try_for_each(|_| {
                    self.skip_nested(key, below)?;
                    self.skip_nested(value, below)
                })
            }
        }
    }

    /// An HTTP or TLS peer often sends fewer than four bytes at first: say so as soon as it shows.
    fn refuse_other_version(&self) -> Result<(), ThriftError> {
        let start = &self.bytes[..self.bytes.len().min(2)];
        if [0x80, 0x01].starts_with(start) {
            return Ok(());
        }
        let mut word = [0; 4];
        for (to, from) in word.iter_mut().zip(self.bytes) {
            *to = *from;
        }
        Err(ThriftError::Version(u32::from_be_bytes(word)))
    }

    /// Every element takes a byte at least, so a count beyond the bytes at hand is a lie or not complete.
    fn back(&self, count: usize) -> Result<(), ThriftError> {
        if count > self.bytes.len() {
            return Err(ThriftError::Incomplete);
        }
        Ok(())
    }

    fn length(&mut self) -> Result<usize, ThriftError> {
        usize::try_from(self.i32()?).map_err(|_| ThriftError::Negative)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], ThriftError> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(count)
            .ok_or(ThriftError::Incomplete)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ThriftError> {
        let (taken, rest) = self
            .bytes
            .split_first_chunk()
            .ok_or(ThriftError::Incomplete)?;
        self.bytes = rest;
        Ok(*taken)
    }
}

/// Appends values to a buffer.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// A message's start; the caller writes the struct's fields and its [`stop`](Self::stop).
    pub fn message(kind: Kind, name: &str, sequence: i32) -> Self {
        let mut writer = Self::default();
        writer.word(0x8001_0000 | kind as u32);
        writer.binary(name.as_bytes());
        writer.i32(sequence);
        writer
    }

    /// All that was written.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// A field's header; its value is written next.
    pub fn field(&mut self, id: i16, kind: Type) {
        self.bytes.push(kind as u8);
        self.bytes.extend(id.to_be_bytes());
    }

    /// A field's header with a type that no version has (16), and so no value: how a reader takes it tells its version.
    pub fn field_of_no_type(&mut self, id: i16) {
        self.bytes.push(16);
        self.bytes.extend(id.to_be_bytes());
    }

    /// End of a struct.
    pub fn stop(&mut self) {
        self.bytes.push(0);
    }

    /// A field that is a struct, written by `body`.
    pub fn structure(&mut self, id: i16, body: impl FnOnce(&mut Self)) {
        self.field(id, Type::Struct);
        body(self);
        self.stop();
    }

    /// A field that is a list; each element is written by `element`.
    pub fn list<T>(
        &mut self,
        id: i16,
        kind: Type,
        items: &[T],
        element: impl FnMut(&mut Self, &T),
    ) {
        self.field(id, Type::List);
        self.elements(kind, items, element);
    }

    /// A list without a field's header, such as one inside another.
    pub fn elements<T>(&mut self, kind: Type, items: &[T], mut element: impl FnMut(&mut Self, &T)) {
        self.bytes.push(kind as u8);
        self.count(items.len());
        for item in items {
            element(self, item);
        }
    }

    /// A field that is a map of text to text.
    pub fn text_map(&mut self, id: i16, pairs: &[(String, String)]) {
        self.field(id, Type::Map);
        self.bytes.extend([Type::Binary as u8, Type::Binary as u8]);
        self.count(pairs.len());
        for (key, value) in pairs {
            self.binary(key.as_bytes());
            self.binary(value.as_bytes());
        }
    }

    /// A field of that type.
    pub fn bool_field(&mut self, id: i16, value: bool) {
        self.field(id, Type::Bool);
        self.bool(value);
    }

    /// A field of that type.
    pub fn i16_field(&mut self, id: i16, value: i16) {
        self.field(id, Type::I16);
        self.bytes.extend(value.to_be_bytes());
    }

    /// A field of that type.
    pub fn i32_field(&mut self, id: i16, value: i32) {
        self.field(id, Type::I32);
        self.i32(value);
    }

    /// A field of that type.
    pub fn i64_field(&mut self, id: i16, value: i64) {
        self.field(id, Type::I64);
        self.i64(value);
    }

    /// A field of that type.
    pub fn binary_field(&mut self, id: i16, value: &[u8]) {
        self.field(id, Type::Binary);
        self.binary(value);
    }

    /// A field of that type.
    pub fn text_field(&mut self, id: i16, value: &str) {
        self.binary_field(id, value.as_bytes());
    }

    /// A bare value, such as a list's element.
    pub fn bool(&mut self, value: bool) {
        self.bytes.push(u8::from(value));
    }

    /// A bare value.
    pub fn i32(&mut self, value: i32) {
        self.bytes.extend(value.to_be_bytes());
    }

    /// A bare value.
    pub fn i64(&mut self, value: i64) {
        self.bytes.extend(value.to_be_bytes());
    }

    /// A bare value: length and bytes.
    pub fn binary(&mut self, value: &[u8]) {
        self.count(value.len());
        self.bytes.extend_from_slice(value);
    }

    fn word(&mut self, value: u32) {
        self.bytes.extend(value.to_be_bytes());
    }

    /// What howdah writes is far below two gigabytes; a longer count would be read as negative by the peer.
    fn count(&mut self, count: usize) {
        self.i32(i32::try_from(count).unwrap_or(i32::MAX));
    }
}

impl Type {
    fn from_byte(byte: u8) -> Result<Self, ThriftError> {
        Ok(match byte {
            2 => Self::Bool,
            3 => Self::Byte,
            4 => Self::Double,
            6 => Self::I16,
            8 => Self::I32,
            10 => Self::I64,
            11 => Self::Binary,
            12 => Self::Struct,
            13 => Self::Map,
            14 => Self::Set,
            15 => Self::List,
            other => return Err(ThriftError::Type(other)),
        })
    }
}

/// Some writers put zero as the element type of an empty container.
fn element_type(byte: u8, count: usize) -> Result<Type, ThriftError> {
    match Type::from_byte(byte) {
        Err(_) if count == 0 => Ok(Type::Byte),
        known => known,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ping() -> Vec<u8> {
        let mut writer = Writer::message(Kind::Call, "howdahPing", 0);
        writer.stop();
        writer.finish()
    }

    #[test]
    fn unknown_method_call_has_the_golden_bytes() {
        let golden = b"\x80\x01\x00\x01\x00\x00\x00\x0ahowdahPing\x00\x00\x00\x00\x00";
        assert_eq!(ping(), golden);
        assert_eq!(message_length(golden), Ok(23));
    }

    #[test]
    fn a_message_is_incomplete_at_every_cut() {
        let mut writer = Writer::message(Kind::Reply, "x", 7);
        writer.structure(0, |w| w.list(1, Type::I32, &[1, 2], |w, item| w.i32(*item)));
        writer.text_map(3, &[("a".into(), "b".into())]);
        writer.stop();
        let bytes = writer.finish();
        for cut in 0..bytes.len() {
            assert_eq!(message_length(&bytes[..cut]), Err(ThriftError::Incomplete));
        }
        assert_eq!(message_length(&bytes), Ok(bytes.len()));
    }

    #[test]
    fn other_protocols_are_named_by_their_first_byte() {
        for start in [&b"H"[..], b"HTTP/1.1", b"\x15\x03", b"\x80\x02\0\0"] {
            assert!(matches!(
                message_length(start),
                Err(ThriftError::Version(_))
            ));
        }
    }

    #[test]
    fn counts_and_lengths_need_bytes_behind_them() {
        let huge_list = [15, 0, 1, 3, 0x7f, 0xff, 0xff, 0xff, 0];
        let skipped = Reader::new(&huge_list).skip(Type::Struct);
        assert_eq!(skipped, Err(ThriftError::Incomplete));
        let negative = [11, 0, 1, 0xff, 0xff, 0xff, 0xff, 0];
        let skipped = Reader::new(&negative).skip(Type::Struct);
        assert_eq!(skipped, Err(ThriftError::Negative));
    }

    #[test]
    fn nesting_is_bounded() {
        let nested: Vec<u8> = [12, 0, 1].repeat(DEPTH_MAX * 4);
        let skipped = Reader::new(&nested).skip(Type::Struct);
        assert_eq!(skipped, Err(ThriftError::Depth));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(tail in prop::collection::vec(any::<u8>(), 0..512)) {
            let _ = message_length(&tail);
            let mut bytes = b"\x80\x01\x00\x02\x00\x00\x00\x01x\x00\x00\x00\x00".to_vec();
            bytes.extend(&tail);
            let _ = message_length(&bytes);
            for kind in [Type::List, Type::Map, Type::Binary] {
                let _ = Reader::new(&tail).skip(kind);
            }
        }
    }
}
