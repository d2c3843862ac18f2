//! `clusterdctl add`: files and directories into this machine's Kubo, and into the cluster.

use std::io::{self, IsTerminal};

use common::api;
use common::api::add::{AddOptions, AddedOutput, Format};
use common::api::client::{Call, Lines};
use common::api::pins::PinJson;
use indicatif::{ProgressBar, ProgressStyle};

use super::add_args::AddArgs;
use super::connection::{Connection, next_event};
use super::failure::{Failure, code};
use super::pins::{complaint, least, now};
use super::render::{Output, printable};
use super::wait::{Awaited, Goal, Verdict, wait};

mod files;
mod form;

use files::{Content, Entry, entries};
use form::{Broken, form};

/// There is no time limit: a large upload takes as long as it takes, and shows that it moves.
pub(super) async fn add(
    connection: &Connection,
    args: &AddArgs,
    out: &mut Output,
) -> Result<u8, Failure> {
    let options = args.asked(now())?;
    let entries = entries(&args.paths, args.hidden())?;
    if io::stdin().is_terminal() && entries.iter().any(|entry| entry.content == Content::Stdin) {
        return Err(Failure::Usage("standard input is a terminal: give a file".to_owned()));
    }
    let bar = bar(&entries, out);
    let broken = Broken::default();
    let (kind, body) = form(entries, bar.clone(), broken.clone());
    let query = options.to_query();
    let query = query.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let call = Call::new(api::ADD, &[]).query(query).content_type(kind);
    let added = async {
        let mut lines = connection.client().send_once(&call, body).await?.lines();
        show(&mut lines, (args, &options), &bar, out).await
    };
    let added = added.await;
    bar.finish_and_clear();
    // What cannot be read here is the cause of whatever clusterd says.
    let roots = match (added, broken.take()) {
        (Err(_), Some(failure)) => return Err(failure),
        (added, _) => added?,
    };
    if args.wait.wait && !options.no_pin {
        until_pinned(connection, &roots, args, out).await?;
    }
    Ok(code::OK)
}

/// How much of the files is sent, where somebody sees it.
fn bar(entries: &[Entry], out: &Output) -> ProgressBar {
    if out.json() || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let mut total = Some(0_u64);
    for entry in entries {
        match entry.content {
            Content::File(_, bytes) => total = total.map(|total| total.saturating_add(bytes)),
            Content::Stdin => total = None,
            Content::Directory | Content::Link(_) => {}
        }
    }
    let (bar, template) = match total {
        Some(total) => {
            (ProgressBar::new(total), "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta}")
        }
        None => (ProgressBar::new_spinner(), "{spinner} {bytes}, {bytes_per_sec}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Shows what was added as it comes; gives what was pinned.
async fn show(
    lines: &mut Lines,
    (args, options): (&AddArgs, &AddOptions),
    bar: &ProgressBar,
    out: &mut Output,
) -> Result<Vec<String>, Failure> {
    let (mut roots, mut last) = (Vec::new(), None);
    while let Some(line) = next_event::<AddedOutput>(lines, out).await? {
        let Some(cid) = line.cid.map(|cid| cid.to_string()) else { continue };
        if is_root(&line, options) {
            roots.push(cid.clone());
        }
        if !out.json() && !args.quieter {
            let text = match args.quiet {
                true => cid.clone(),
                false => format!("added {cid} {}", printable(&line.name)),
            };
            bar.suspend(|| out.line(text.trim_end()).and_then(|()| out.flush()))?;
        }
        last = Some(cid);
    }
    match last {
        Some(cid) if args.quieter && !out.json() => out.line(cid)?,
        Some(_) => {}
        // The file may keep its roots where nobody looks for them.
        None if options.no_pin && options.format == Format::Car => {}
        None => return Err(Failure::CutOff("add")),
    }
    Ok(roots)
}

/// Whether a line is one of a path that was given, or of the directory around all.
fn is_root(line: &AddedOutput, options: &AddOptions) -> bool {
    match (options.format, options.wrap) {
        (Format::Car, _) => true,
        (Format::Unixfs, true) => line.name.is_empty(),
        (Format::Unixfs, false) => !line.name.contains('/'),
    }
}

async fn until_pinned(
    connection: &Connection,
    roots: &[String],
    args: &AddArgs,
    out: &Output,
) -> Result<(), Failure> {
    let mut pins = Vec::with_capacity(roots.len());
    for root in roots {
        let call = Call::new(api::ALLOCATION, &[root.as_str()]);
        let record: PinJson = connection.ask(&call).await?;
        let goal = Goal::Pinned(args.wait.wait_limit.or(least(&record)));
        pins.push(Awaited::new(root.clone(), goal));
    }
    tokio::select! {
        ended = wait(connection, &mut pins, args.wait.wait_timeout, !out.json()) => ended?,
        _ = tokio::signal::ctrl_c() => {
            let words = "no longer waiting; the cluster goes on (clusterdctl status shows how far)";
            return Err(Failure::Interrupted(words.to_owned()));
        }
    }
    match pins.iter().find(|pin| pin.verdict != Verdict::Reached) {
        None => Ok(()),
        Some(pin) => Err(Failure::NotPinned(complaint(pin))),
    }
}
