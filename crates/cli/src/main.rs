//! The command `tddl`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::args::parse(std::env::args_os()) {
        Ok(command) => ExitCode::from(cli::app::execute(&command)),
        Err(error) => error.exit(),
    }
}
