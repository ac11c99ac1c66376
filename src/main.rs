//! howdah: arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    howdah::cli::main()
}
