//! The daemon's entry: command line, then everything else in [`proxyd::run`].

#![forbid(unsafe_code)]

use common::args;

fn main() {
    let args = args::parse_or_exit(
        "proxyd",
        "Speaks the Kubo RPC to clients; sends pinning and adding to clusterd",
        env!("CARGO_PKG_VERSION"),
    );
    std::process::exit(proxyd::run::run(&args));
}
