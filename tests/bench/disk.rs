//! What a directory takes on disk.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use harness::error::HarnessError;

use crate::BenchError;

/// Bytes a block of `st_blocks`. Source: stat(3type).
const BLOCK_BYTES: u64 = 512;

/// Bytes that the files below `directory` take, journals as well. Space that was reserved beyond a
/// file's end, or that a sparse file leaves out, does not count.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn used(directory: &Path) -> Result<u64, BenchError> {
    let attempt = format!("measure {}", directory.display());
    Ok(sum(directory).map_err(HarnessError::io(attempt))?)
}

fn sum(directory: &Path) -> io::Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let facts = entry.metadata()?;
        if facts.is_dir() {
            total += sum(&entry.path())?;
        } else {
            total += facts.len().min(facts.blocks() * BLOCK_BYTES);
        }
    }
    Ok(total)
}
