//! `clusterdctl state export`: all records, in Go's format.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use common::api;
use common::api::client::{Call, Chunks};

use super::args::ExportArgs;
use super::connection::Connection;
use super::failure::{Failure, code};
use super::render::{Output, say};

pub(super) async fn export(
    connection: &Connection,
    args: &ExportArgs,
    out: &mut Output,
) -> Result<u8, Failure> {
    let chunks = connection.send(&Call::new(api::ALLOCATIONS, &[])).await?.chunks();
    let records = match &args.file {
        None => copy(connection, chunks, |bytes| out.bytes(bytes)).await?,
        Some(path) => into_file(connection, chunks, path).await?,
    };
    out.flush()?;
    say(&format!("{records} records exported"));
    Ok(code::OK)
}

/// Copies a listing and counts its lines. Only its clean end counts as one.
async fn copy(
    connection: &Connection,
    mut chunks: Chunks,
    mut write: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<usize, Failure> {
    let mut lines = 0;
    while let Some(chunk) = connection.within(chunks.next()).await? {
        lines += chunk.iter().filter(|byte| **byte == b'\n').count();
        write(&chunk)?;
    }
    Ok(lines)
}

/// Writes beside the file and renames at the end: under its own name it is always whole. What is
/// no file (a pipe, a device) is written as it is.
async fn into_file(connection: &Connection, chunks: Chunks, path: &Path) -> Result<usize, Failure> {
    let failed = |source| Failure::File { attempt: "write", path: path.to_owned(), source };
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        let mut file = OpenOptions::new().write(true).open(path).map_err(failed)?;
        return copy(connection, chunks, |bytes| file.write_all(bytes).map_err(failed)).await;
    }
    // Through a link, so that it goes on pointing there.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut partial = path.clone().into_os_string();
    partial.push(".partial");
    let partial = Path::new(&partial);
    let mut file = File::create(partial).map_err(failed)?;
    let write = |bytes: &[u8]| file.write_all(bytes).map_err(failed);
    let records = match copy(connection, chunks, write).await {
        Ok(records) => file.sync_all().map(|()| records).map_err(failed),
        Err(failure) => Err(failure),
    };
    match records {
        Ok(records) => fs::rename(partial, path).map(|()| records).map_err(failed),
        Err(failure) => {
            // What is wrong is told already; a file that stays behind is only untidy.
            drop(fs::remove_file(partial));
            Err(failure)
        }
    }
}
