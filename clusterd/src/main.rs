//! clusterd: holds the replicated pinset and makes the local Kubo keep its share.

#![forbid(unsafe_code)]

use clusterd::{config, daemon, sockets};
use common::args::DaemonArgs;
use common::lifecycle::exit;

/// Gives memory back to the system soon after an import or a listing, also what another thread
/// freed than took it; the C library's allocator keeps several times what is in use.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Threads that serve calls. The work is the driver's and Kubo's; more would only cost memory.
const SERVING_THREADS: usize = 2;

fn main() {
    let about = "Holds the replicated pinset and makes the local Kubo keep its share";
    let args = DaemonArgs::parse_or_exit("clusterd", about, env!("CARGO_PKG_VERSION"));
    let config = config::load(args.config.as_deref()).unwrap_or_else(|error| {
        complain(&error);
        std::process::exit(exit::CONFIG)
    });
    if args.check {
        return;
    }
    common::log::init(config.log.format, config.log.level);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(SERVING_THREADS)
        .enable_all()
        .build();
    let ended = runtime
        .map_err(|source| daemon::DaemonError::System { attempt: "start the runtime", source });
    let ended = ended.and_then(|runtime| {
        let inherited = sockets::Inherited::take()?;
        runtime.block_on(daemon::run(config, inherited))
    });
    if let Err(error) = ended {
        tracing::error!(%error, "clusterd cannot go on");
        std::process::exit(error.exit_code());
    }
}

/// Says on standard error what keeps the daemon from starting; the log is not open yet.
fn complain(error: &dyn std::error::Error) {
    use std::io::Write;
    // Nothing is left to do when nobody can read it.
    drop(writeln!(std::io::stderr(), "{error}"));
}
