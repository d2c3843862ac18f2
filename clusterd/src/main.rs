//! clusterd: holds the replicated pinset and makes the local Kubo keep its share.

#![forbid(unsafe_code)]

use std::path::PathBuf;

use clap::Parser;
use clusterd::reload::Reload;
use clusterd::{config, daemon, identity, sockets};
use common::args::{self, DaemonArgs};
use common::lifecycle::{self, exit};
use common::log::complain;

/// Gives memory back to the system soon after an import or a listing, also what another thread
/// freed than took it; the C library's allocator keeps several times what is in use.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Threads that serve calls. The work is the driver's and Kubo's; more would only cost memory.
const SERVING_THREADS: usize = 2;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    daemon: DaemonArgs,
    /// Make the identity of this peer in this directory, unless it has one; write its id, and end.
    #[arg(long, value_name = "STATE")]
    make_identity: Option<PathBuf>,
}

fn main() {
    let about = "Holds the replicated pinset and makes the local Kubo keep its share";
    let args: Args = args::parse_or_exit("clusterd", about, env!("CARGO_PKG_VERSION"));
    if let Some(pid) = args.daemon.reload {
        if let Err(error) = lifecycle::ask_to_reload(pid) {
            complain(&error);
            std::process::exit(exit::FAILURE);
        }
        return;
    }
    if let Some(state) = args.make_identity {
        std::process::exit(make_identity(&state));
    }
    let config = config::load(args.daemon.config.as_deref()).unwrap_or_else(|error| {
        complain(&error);
        std::process::exit(exit::CONFIG)
    });
    if args.daemon.check {
        return;
    }
    let volume = common::log::init(config.log.format, config.log.level);
    let reload = Reload::new(args.daemon.config, volume, &config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(SERVING_THREADS)
        .enable_all()
        .build();
    let ended = runtime
        .map_err(|source| daemon::DaemonError::System { attempt: "start the runtime", source });
    let ended = ended.and_then(|runtime| {
        let inherited = sockets::Inherited::take()?;
        runtime.block_on(daemon::run(config, inherited, reload))
    });
    if let Err(error) = ended {
        tracing::error!(name: common::messages::CANNOT_START, %error, "clusterd cannot go on");
        std::process::exit(error.exit_code());
    }
}

#[expect(clippy::print_stdout, reason = "the id is the answer of this call")]
fn make_identity(state: &std::path::Path) -> i32 {
    match identity::load_or_make(state) {
        Ok(identity) => {
            println!("{}", identity.peer);
            exit::OK
        }
        Err(error) => {
            complain(&error);
            exit::CONFIG
        }
    }
}
