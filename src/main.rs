//! The `relais` command.

fn main() -> std::process::ExitCode {
    relais::cli::main()
}
