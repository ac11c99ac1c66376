//! What a command says by its exit code, and where it looks for the configuration.

/// Done.
pub const DONE: u8 = 0;
/// It did not work.
pub const FAILED: u8 = 1;
/// The command line makes no sense.
pub const USAGE: u8 = 2;
/// The configuration is faulty.
pub const FAULTY: u8 = 78;

/// Where the configuration is, unless said otherwise.
pub const DEFAULT_CONFIG: &str = "/etc/howdah/howdah.toml";
