//! clusterdctl: reads the command line, makes the calls, shows the answers, ends with a code.
//!
//! It talks to clusterd over its socket alone and uses nothing of the daemon's insides.

mod add;
mod add_args;
mod adopt;
mod args;
mod check;
mod connection;
mod export;
mod failure;
mod generate;
mod graph;
mod health;
mod health_args;
mod history;
mod import;
mod listing;
mod metrics;
mod peer_args;
mod peers;
mod pin_args;
mod pins;
mod render;
mod repin;
mod setup;
mod setup_args;
mod status;
mod summary;
mod tree;
mod wait;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command, PeersCommand, PinCommand, StateCommand};
use connection::Connection;
use failure::{Failure, code};
use render::Output;

/// Runs the program. What went wrong is on standard error when it returns.
pub(crate) fn run() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let code = if error.use_stderr() { code::USAGE } else { code::OK };
            // Nothing is left to do when the terminal is gone.
            drop(error.print());
            return ExitCode::from(code);
        }
    };
    let json = args.common.json;
    match work(args) {
        Ok(code) => ExitCode::from(code),
        // Who reads us has had enough; that is no failure of ours.
        Err(Failure::ReaderGone) => ExitCode::from(code::OK),
        Err(failure) => {
            failure.report(json);
            ExitCode::from(failure.code())
        }
    }
}

fn work(args: Args) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Failure::System { attempt: "start", source })?;
    let Args { common, command } = args;
    let mut out = Output::new(common.json);
    let connection = Connection::new(&common);
    let done = runtime.block_on(dispatch(&connection, command, &mut out));
    // A read of standard input may hang in its thread; nobody waits for it any more.
    runtime.shutdown_background();
    let code = done?;
    out.flush()?;
    Ok(code)
}

async fn dispatch(
    connection: &Connection,
    command: Command,
    out: &mut Output,
) -> Result<u8, Failure> {
    match command {
        Command::Id => peers::id(connection, out).await,
        Command::Peers { command: PeersCommand::Ls } => peers::list(connection, out).await,
        Command::Peers { command: PeersCommand::Rm(args) } => {
            peers::remove(connection, &args, out).await
        }
        Command::Repin(args) => repin::repin(connection, &args, out).await,
        Command::Version => peers::version(connection, out).await,
        Command::Gc => peers::collect_garbage(connection, out).await,
        Command::Health => health::health(connection, out).await,
        Command::Top => health::top(connection, out).await,
        Command::Metrics(args) => metrics::metrics(connection, &args, out).await,
        Command::Graph(args) => graph::graph(connection, &args, out).await,
        Command::Tree(args) => tree::tree(connection, &args, out).await,
        Command::Summary => summary::summary(connection, out).await,
        Command::Status(args) => status::status(connection, &args, out).await,
        Command::Recover(args) => status::recover(connection, &args, out).await,
        Command::Pin { command } => match command {
            PinCommand::Add(args) => pins::add(connection, &args, out).await,
            PinCommand::Rm(args) => pins::remove(connection, &args, out).await,
            PinCommand::Update(args) => pins::update(connection, &args, out).await,
            PinCommand::Ls(args) => listing::list(connection, &args, out).await,
        },
        Command::State { command } => match command {
            StateCommand::Export(args) => export::export(connection, &args, out).await,
            StateCommand::Heads => history::heads(connection, out).await,
            StateCommand::Import(args) => import::import(connection, &args, out).await,
        },
        Command::Add(args) => add::add(connection, &args, out).await,
        Command::Adopt(args) => adopt::adopt(connection, &args, out).await,
        Command::Check(args) => check::check(connection.instance(), &args),
        Command::Init(args) => setup::init(connection.instance(), &args, out),
        Command::Invite(args) => setup::invite(connection, &args, out).await,
        Command::Join(args) => setup::join(connection.instance(), &args, out),
        Command::Generate { command } => generate::generate(&command),
    }
}
