//! What ends a conversation.

/// Most bytes of the data of one message: four times what HAProxy's buffers take by default.
pub const DATA_MAX: usize = 64 * 1024;

/// What ends a conversation, as both sides would say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Data of more than [`DATA_MAX`] bytes.
    #[error("a message of more than 64 KiB")]
    TooLong,
    /// Class 255.
    #[error("a message of the reserved class")]
    Reserved,
    /// One that does not end, or is larger than 64 bits.
    #[error("a number that is none")]
    Number,
    /// Of a table.
    #[error("a definition of a table that breaks off")]
    Definition,
    /// Of an entry.
    #[error("an entry that breaks off")]
    Update,
    /// An entry of the dictionary with number 0, above 128, or longer than its message.
    #[error("a faulty entry of the dictionary")]
    Dictionary,
}
