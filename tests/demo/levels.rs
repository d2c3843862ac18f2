//! The tour of a cluster over clusters: add and pin through the main cluster, and see where it lies.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use harness::build;
use harness::daemon::control_socket;
use harness::error::HarnessError;
use harness::http::Client;
use harness::ipfs::Ipfs;
use harness::peers;

use crate::Args;
use crate::composite::{COPIES, Composite, LONGEST, PEERS_A_SUB, SUBS};
use crate::interrupt::Interrupt;
use crate::screen::Screen;
use crate::tour::{Place, add_pin_and_list, free_port, path_of};

/// Runs the demo.
///
/// # Errors
/// When a tool is missing, the port is taken, or any step fails.
pub(crate) fn run(args: &Args, interrupt: &Interrupt, screen: &Screen) -> Result<(), HarnessError> {
    let port = free_port(args)?;
    let place = Place::of(args, interrupt, Path::new(LONGEST))?;
    let kubo = peers::kubo()?;
    build::build_all()?;
    screen.say(format_args!(
        "Starting a main cluster of {} peers over {} sub-clusters of {PEERS_A_SUB} peers with a Kubo each, in {} …",
        SUBS.len(),
        SUBS.len(),
        place.directory.display()
    ));
    let begin = Instant::now();
    let all = Composite::start_in(&place.directory, port)?;
    introduce(&all, screen);
    screen.say(format_args!("Started in {} s.", begin.elapsed().as_secs()));
    let ipfs = Ipfs::new(&kubo, args.port, &place.directory);
    let [_, later] = add_pin_and_list(&place.directory, &ipfs, screen)?;
    show_where(&all, &later, screen)?;
    show_tree(&all, &later, screen)?;
    memory(&all, screen);
    if args.once {
        screen.say("\nAll of it worked.");
        return all.end();
    }
    suggest(&all, &kubo, &later, (args, &place), screen)?;
    interrupt.wait();
    screen.say("\nEnding all clusters …");
    all.end()
}

fn introduce(all: &Composite, screen: &Screen) {
    for (sub, peer) in all.subs.iter().zip(&all.main) {
        let proxy = peer.port();
        screen.say(format_args!(
            "  main-{:<7} proxyd /ip4/127.0.0.1/tcp/{proxy}, before the proxyd of {}:",
            sub.name, sub.name
        ));
        for (number, peer) in (1..).zip(&sub.peers) {
            let kubo = peer.kubo.api();
            let name = format!("{}-{number}", sub.name);
            screen.say(format_args!(
                "    {name:<10} proxyd /ip4/127.0.0.1/tcp/{}, Kubo {kubo}",
                peer.port()
            ));
        }
    }
}

/// Asks each Kubo itself.
fn show_where(all: &Composite, cid: &str, screen: &Screen) -> Result<(), HarnessError> {
    screen.say(format_args!("\nThe Kubos themselves say of {cid}:"));
    let mut holders = 0;
    for (name, kubo) in all.kubos() {
        let answer = Client::tcp(kubo.port()).post(&format!("/api/v0/pin/ls?arg={cid}"))?;
        let is_held = answer.status == 200;
        holders += usize::from(is_held);
        let words = if is_held { "pinned" } else { "not pinned" };
        screen.say(format_args!("  Kubo of {name:<10} {words}"));
    }
    let wanted = COPIES * PEERS_A_SUB;
    match holders == wanted {
        true => Ok(()),
        false => Err(HarnessError::Unreadable {
            what: "where the pin lies",
            found: format!("{holders} Kubos hold it, and {wanted} should"),
        }),
    }
}

fn show_tree(all: &Composite, cid: &str, screen: &Screen) -> Result<(), HarnessError> {
    screen.typed(format_args!("{} tree {cid}", clusterdctl(all)));
    let mut command = match all.main.first() {
        Some(peer) => peer.clusterdctl()?,
        None => Command::new("clusterdctl"),
    };
    let output =
        command.args(["tree", cid]).output().map_err(HarnessError::io("run clusterdctl"))?;
    screen.say(String::from_utf8_lossy(&output.stdout).trim_end());
    match output.status.success() {
        true => Ok(()),
        false => Err(HarnessError::Failed {
            command: "clusterdctl tree".to_owned(),
            status: output.status.to_string(),
            output: String::from_utf8_lossy(&output.stderr).into_owned(),
        }),
    }
}

/// What all of it takes; told where the system tells.
fn memory(all: &Composite, screen: &Screen) {
    let peaks: Vec<u64> =
        all.programs().filter_map(|program| program.memory().ok()).map(|m| m.peak).collect();
    screen.say(format_args!(
        "\n{} programs; the sum of the most memory that each took is {} MiB.",
        peaks.len(),
        peaks.iter().sum::<u64>() / 1024
    ));
}

fn clusterdctl(all: &Composite) -> String {
    let first = all.main.first().map(|peer| control_socket(peer.directory()));
    format!("clusterdctl --socket {}", first.unwrap_or_default().display())
}

fn suggest(
    all: &Composite,
    kubo: &Path,
    cid: &str,
    (args, place): (&Args, &Place),
    screen: &Screen,
) -> Result<(), HarnessError> {
    let control = clusterdctl(all);
    let api = format!("ipfs --api /ip4/127.0.0.1/tcp/{}", args.port);
    screen.say(format_args!(
        "\nIt is up. Try next, in another terminal:\n  \
         export PATH={}:$PATH\n  \
         {control} tree {cid}\n  \
         {control} tree --svg {cid} > tree.svg\n  \
         {api} pin rm {cid}\n  \
         {api} add -r SOME_DIRECTORY",
        path_of(kubo)?
    ));
    if let Some((name, stopped)) = all.kubos().last()
        && let Some(program) = stopped.program()
    {
        screen.say(format_args!(
            "Stop the Kubo of {name}, look at the tree, and start it again:\n  \
             kill {}; {control} tree\n  \
             IPFS_PATH={} ipfs daemon &",
            program.pid(),
            stopped.repository().display()
        ));
    }
    screen.say(format_args!("{}", place.last_words(args)));
    Ok(())
}
