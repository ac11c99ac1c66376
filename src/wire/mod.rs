//! Bytes ↔ values: decoders and encoders without I/O.
