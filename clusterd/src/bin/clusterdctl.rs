//! clusterdctl: what an operator types to see and change a cluster.

#![forbid(unsafe_code)]

#[path = "../ctl/mod.rs"]
mod ctl;

fn main() -> std::process::ExitCode {
    ctl::run()
}
