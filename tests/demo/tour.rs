//! The tour: start everything, add a file, pin another, list both, and say what to try next.

use std::fs;
use std::path::{Path, PathBuf};

use harness::build;
use harness::daemon::{Sockets, control_socket};
use harness::error::HarnessError;
use harness::ipfs::Ipfs;
use harness::peers;
use harness::ports::Port;
use harness::stack::{Stack, StackSetup, temporary_directory};
use tempfile::TempDir;

use crate::Args;
use crate::interrupt::Interrupt;
use crate::screen::Screen;

/// Linux has 108 bytes for the path of a Unix socket, with its final zero.
const SOCKET_PATH_MAX: usize = 107;

/// Runs the demo.
///
/// # Errors
/// When a tool is missing, the port is taken, or any step fails.
pub(crate) fn run(args: &Args, interrupt: &Interrupt, screen: &Screen) -> Result<(), HarnessError> {
    let port = free_port(args)?;
    let place = Place::of(args, interrupt, Path::new(""))?;
    let directory = &place.directory;
    let kubo = peers::kubo()?;
    build::build_all()?;
    screen.say(format_args!("Starting Kubo, clusterd and proxyd in {} …", directory.display()));
    let setup = StackSetup { sockets: Sockets::Own, ..StackSetup::default() };
    let stack = Stack::start_in(directory, port, &setup)?;
    introduce(&stack, &kubo, screen);
    show(&stack, screen)?;
    if args.once {
        screen.say("\nAll of it worked.");
        return end(stack);
    }
    suggest(&stack, &kubo, &place.last_words(args), screen)?;
    interrupt.wait();
    screen.say("\nEnding proxyd, clusterd and Kubo …");
    end(stack)
}

/// Where all files are.
pub(crate) struct Place {
    pub(crate) directory: PathBuf,
    /// Removed with it.
    _temporary: Option<TempDir>,
}

impl Place {
    /// The directory that was chosen, or a temporary one; `deepest` leads to the directory of a peer in it.
    pub(crate) fn of(
        args: &Args,
        interrupt: &Interrupt,
        deepest: &Path,
    ) -> Result<Self, HarnessError> {
        let Some(chosen) = &args.dir else {
            let made = temporary_directory()?;
            interrupt.removes(made.path());
            return Ok(Self { directory: made.path().to_owned(), _temporary: Some(made) });
        };
        Ok(Self { directory: made(chosen, deepest)?, _temporary: None })
    }

    /// Where to look, and how it ends.
    pub(crate) fn last_words(&self, args: &Args) -> String {
        let kept = args.dir.is_some();
        format!(
            "Logs are in {}.\nCtrl-C ends it{}.",
            self.directory.display(),
            if kept { "; the directory stays" } else { " and removes the directory" }
        )
    }
}

/// The port that was chosen.
pub(crate) fn free_port(args: &Args) -> Result<Port, HarnessError> {
    Port::chosen(args.port).map_err(|reason| HarnessError::Missing {
        what: reason.to_string(),
        fix: format!(
            "end the program that has it (another demo, a proxyd, an ipfs-cluster?), or choose \
             another port: cargo demo --{} --port {}",
            if args.composite { " --composite" } else { "" },
            args.port.saturating_add(100).max(1024)
        ),
    })
}

fn made(chosen: &Path, deepest: &Path) -> Result<PathBuf, HarnessError> {
    let attempt = || format!("make the directory {}", chosen.display());
    fs::create_dir_all(chosen).map_err(HarnessError::io(attempt()))?;
    let directory = chosen.canonicalize().map_err(HarnessError::io(attempt()))?;
    if control_socket(&directory.join(deepest)).as_os_str().len() <= SOCKET_PATH_MAX {
        return Ok(directory);
    }
    Err(HarnessError::Unreadable {
        what: "the path of --dir",
        found: "it is too long for the Unix sockets in it; choose a shorter one".to_owned(),
    })
}

fn introduce(stack: &Stack, kubo: &Path, screen: &Screen) {
    screen.say(format_args!("  Kubo      {}, RPC on {}", kubo.display(), stack.kubo.api()));
    let control = control_socket(stack.directory());
    screen.say(format_args!("  clusterd  control socket {}", control.display()));
    screen.say(format_args!("  proxyd    /ip4/127.0.0.1/tcp/{}", stack.port()));
}

/// Adds one file, pins another, and lists both, through the proxy; their CIDs.
pub(crate) fn add_pin_and_list(
    directory: &Path,
    ipfs: &Ipfs,
    screen: &Screen,
) -> Result<[String; 2], HarnessError> {
    let write = |name: &str, text: &str| {
        fs::write(directory.join(name), text).map_err(HarnessError::io(format!("write {name}")))
    };
    write("hello.txt", "Hello from a cluster that looks like one IPFS node.\n")?;
    write("later.txt", "Added without a pin, and pinned afterwards.\n")?;
    let hello = type_out(screen, ipfs, &["add", "-Q", "hello.txt"])?;
    let later = type_out(screen, ipfs, &["add", "-Q", "--pin=false", "later.txt"])?;
    type_out(screen, ipfs, &["pin", "add", "--name=later", &later])?;
    let listed = type_out(screen, ipfs, &["pin", "ls", "--type=recursive", "--names"])?;
    for cid in [&hello, &later] {
        if !listed.contains(cid.as_str()) {
            return Err(HarnessError::Unreadable {
                what: "the list of pins",
                found: format!("{cid} is not in it"),
            });
        }
    }
    Ok([hello, later])
}

/// Adds, pins and lists through the proxy, and checks that it came true.
fn show(stack: &Stack, screen: &Screen) -> Result<(), HarnessError> {
    let ipfs = stack.ipfs();
    let [hello, _] = add_pin_and_list(stack.directory(), &ipfs, screen)?;
    type_out(screen, &ipfs, &["cat", &hello])?;
    type_out(screen, &ipfs, &["repo", "stat", "--human"])?;
    screen.typed(format_args!("{} status", clusterdctl(stack)));
    let mut command = stack.clusterdctl()?;
    let output = command.arg("status").output().map_err(HarnessError::io("run clusterdctl"))?;
    screen.say(String::from_utf8_lossy(&output.stdout).trim_end());
    if output.status.success() {
        return Ok(());
    }
    Err(HarnessError::Failed {
        command: "clusterdctl status".to_owned(),
        status: output.status.to_string(),
        output: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Shows a command and what it says.
fn type_out(screen: &Screen, ipfs: &Ipfs, args: &[&str]) -> Result<String, HarnessError> {
    screen.typed(format_args!("ipfs --api {} {}", ipfs.api(), args.join(" ")));
    let said = ipfs.ok(args)?;
    screen.say(&said);
    Ok(said)
}

fn clusterdctl(stack: &Stack) -> String {
    format!("clusterdctl --socket {}", control_socket(stack.directory()).display())
}

/// What `PATH` needs, for both Kubo and clusterdctl to be found.
pub(crate) fn path_of(kubo: &Path) -> Result<String, HarnessError> {
    let own = build::find("clusterdctl")?;
    let places = [kubo, own.as_path()].into_iter().filter_map(Path::parent);
    let places = places.filter(|place| !place.as_os_str().is_empty());
    Ok(places.map(|place| place.display().to_string()).collect::<Vec<_>>().join(":"))
}

fn suggest(
    stack: &Stack,
    kubo: &Path,
    last_words: &str,
    screen: &Screen,
) -> Result<(), HarnessError> {
    let api = format!("ipfs --api /ip4/127.0.0.1/tcp/{}", stack.port());
    let control = clusterdctl(stack);
    screen.say(format_args!(
        "\nIt is up. Try next, in another terminal:\n  \
         export PATH={}:$PATH\n  \
         {api} add -r SOME_DIRECTORY\n  \
         {api} pin ls\n  \
         {api} pin rm CID\n  \
         curl -X POST 'http://127.0.0.1:{}/api/v0/pin/ls?stream=true'\n  \
         {control} status --watch\n  \
         {control} --help\n\
         {last_words}",
        path_of(kubo)?,
        stack.port(),
    ));
    Ok(())
}

/// Ends everything in order; a program that does not end is killed when its value is dropped.
fn end(mut stack: Stack) -> Result<(), HarnessError> {
    stack.proxyd.stop()?;
    stack.clusterd.stop()?;
    stack.kubo.stop()?;
    Ok(())
}
