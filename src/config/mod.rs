//! The user's words.
