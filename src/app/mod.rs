//! Knows every room, decides nothing else.
