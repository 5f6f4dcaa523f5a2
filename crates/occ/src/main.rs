//! The program `occ`.

use std::process::ExitCode;

fn main() -> ExitCode {
    occ::main()
}
