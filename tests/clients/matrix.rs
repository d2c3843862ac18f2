//! `MATRIX.md`: client by command, made from what the tests found.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::justified::JUSTIFIED;
use crate::summary;
use crate::verdict::{Compared, Verdict};

/// The columns, in their order.
pub(crate) const CLIENTS: [&str; 7] =
    ["ipfs", "curl", "Go client/rpc", "kubo-rpc-client", "WebUI", "ipfshttpclient", "aioipfs"];

/// Set to renew the file instead of comparing with it.
const WRITE: &str = "COMPOSITE_WRITE_MATRIX";

const NOT_CALLED: &str = "–";

const HEAD: &str = "# Clients\n\n\
    Each client runs one script of calls twice: against a Kubo 0.42 alone, and through proxyd with another \
    fresh Kubo behind it. A cell counts the calls of a Kubo command, and how they compare: results, error \
    texts, exit codes. IPFS WebUI is no package of npm (`ipfs-webui` 0.1.0 there is its ancestor of 2014): its \
    pages' calls are made with the library it is built on. The tests in this directory make this file \
    (`COMPOSITE_WRITE_MATRIX=1 cargo test -p e2e --test clients -- --include-ignored`) and fail when it is not \
    what they find.\n\n";

/// Command by client.
pub(crate) type Cells = BTreeMap<String, BTreeMap<String, String>>;

/// What the file says.
pub(crate) fn current() -> Cells {
    read(&fs::read_to_string(file()).unwrap())
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/MATRIX.md")
}

/// Checks that the column of `client` is what was found, or writes it.
///
/// # Panics
/// When the file says something else.
pub(crate) fn record(client: &str, compared: &[Compared]) {
    let found = column(compared);
    if std::env::var_os(WRITE).is_none() {
        let written = current()
            .into_iter()
            .filter_map(|(command, mut row)| Some((command, row.remove(client)?)));
        assert_eq!(
            found,
            written.collect(),
            "MATRIX.md is out of date for {client}: run with {WRITE}=1"
        );
        return;
    }
    // Other clients' tests write their columns at the same time.
    let lock = File::create(std::env::temp_dir().join("composite-matrix.lock")).unwrap();
    lock.lock().unwrap();
    let mut cells = read(&fs::read_to_string(file()).unwrap_or_default());
    cells.values_mut().for_each(|row| drop(row.remove(client)));
    for (command, cell) in found {
        cells.entry(command).or_default().insert(client.to_owned(), cell);
    }
    cells.retain(|_, row| !row.is_empty());
    fs::write(file(), render(&cells)).unwrap();
    summary::write(&cells);
}

fn column(compared: &[Compared]) -> BTreeMap<String, String> {
    let mut counts: BTreeMap<String, (usize, Vec<String>)> = BTreeMap::new();
    for Compared { command, verdict, .. } in compared {
        let (same, different) = counts.entry(command.clone()).or_default();
        match verdict {
            Verdict::Same => *same += 1,
            Verdict::Justified(number) => different.push(format!("[{number}]")),
            Verdict::Unexpected { .. } => different.push("**unexplained**".to_owned()),
        }
    }
    let cell = |(same, different): (usize, Vec<String>)| match different.as_slice() {
        [] => format!("{same} same"),
        some => format!("{same} same, {} differ {}", some.len(), some.join(" ")),
    };
    counts.into_iter().map(|(command, count)| (command, cell(count))).collect()
}

fn render(cells: &Cells) -> String {
    let mut text = HEAD.to_owned();
    let mut row = |first: &str, rest: &mut dyn Iterator<Item = &str>| {
        text.push_str(&format!("| {first} | {} |\n", rest.collect::<Vec<_>>().join(" | ")));
    };
    row("command", &mut CLIENTS.iter().copied());
    row("---", &mut CLIENTS.iter().map(|_| "---"));
    for (command, cells) in cells {
        let cell = |client| cells.get(client).map_or(NOT_CALLED, String::as_str);
        row(&format!("`{command}`"), &mut CLIENTS.iter().map(|client| cell(*client)));
    }
    text.push_str(&reasons());
    text
}

/// The numbered reasons, as they stand below the table.
fn reasons() -> String {
    let mut text = "\n## What differs, and why\n\n".to_owned();
    for (number, entry) in (1..).zip(JUSTIFIED) {
        writeln!(
            text,
            "{number}. {}, `{}` ({}): {}.",
            entry.client, entry.command, entry.call, entry.reason
        )
        .unwrap();
    }
    text
}

fn read(text: &str) -> Cells {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    let mut cells = Cells::new();
    for row in rows {
        let mut fields = row.split(" | ");
        let command = fields.next().unwrap_or_default().trim_end_matches('`').to_owned();
        let named = CLIENTS.iter().map(ToString::to_string).zip(fields.map(str::to_owned));
        cells.insert(command, named.filter(|(_, cell)| cell != NOT_CALLED).collect());
    }
    cells
}

#[test]
fn the_matrix_gives_the_reason_of_every_difference() {
    let text = fs::read_to_string(file()).unwrap();
    assert!(text.ends_with(&reasons()), "MATRIX.md is out of date: run with {WRITE}=1");
}

#[test]
fn a_rendered_matrix_reads_back_as_it_was() {
    let row = BTreeMap::from([
        ("curl".to_owned(), "2 same".to_owned()),
        ("aioipfs".to_owned(), "1 same".to_owned()),
    ]);
    let cells = Cells::from([("pin/add".to_owned(), row)]);
    assert_eq!(read(&render(&cells)), cells);
}
