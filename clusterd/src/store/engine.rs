//! fjall, opened and tuned: one keyspace a space, batches that are durable when they return.

use std::ops::Bound;
use std::path::{Path, PathBuf};

use clusterd_core::store::{Space, StoreError};
use fjall::config::{BlockSizePolicy, BloomConstructionPolicy, CompressionPolicy};
use fjall::config::{FilterPolicy, FilterPolicyEntry, PinningPolicy};
use fjall::{
    CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, Snapshot,
};

use super::batch::{Batch, index};
use super::failure::describe;

/// Block cache, in bytes. Hot are the newest pins and the inner index blocks; the rest is the
/// kernel's page cache, which does not count as ours.
const CACHE_BYTES: u64 = 4 << 20;

/// In-memory table of one space, in bytes. Larger ones speed imports up and cost memory during them.
const MEMTABLE_BYTES: u64 = 4 << 20;

/// Blocks of tables, in bytes before compression: listings read whole blocks, single reads one.
const BLOCK_BYTES: u32 = 8 << 10;

/// Filter bits a key: about 1 % false positives.
const FILTER_BITS_A_KEY: f32 = 10.0;

/// Background threads. One keeps up with the writes of one driver and keeps flushes in order.
const WORKER_THREADS: usize = 1;

/// Key of the number of commits, in [`Space::Meta`]. Keys with this prefix are the store's own.
const COMMITS_KEY: &[u8] = b"store.commits";

/// Least size of all journals together that fjall lets one ask for, in bytes.
const JOURNAL_BYTES_MAX: u64 = 64 << 20;

/// The open database.
pub(super) struct Engine {
    database: Database,
    spaces: [Keyspace; Space::ALL.len()],
    path: PathBuf,
}

impl Engine {
    /// Opens the database in a directory, or makes it.
    ///
    /// # Errors
    /// When it cannot be read, or its journal is damaged.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let attempt = "open the database";
        let database = Database::builder(path)
            .cache_size(CACHE_BYTES)
            .worker_threads(WORKER_THREADS)
            .max_journaling_size(JOURNAL_BYTES_MAX)
            .manual_journal_persist(true)
            .open()
            .map_err(|error| describe(attempt, &error))?;
        let open = |space: Space| {
            database.keyspace(space.name(), options).map_err(|error| describe(attempt, &error))
        };
        let spaces = [
            open(Space::Meta)?,
            open(Space::Blocks)?,
            open(Space::Heads)?,
            open(Space::Set)?,
            open(Space::Pins)?,
            open(Space::Unsettled)?,
            open(Space::Spread)?,
            open(Space::Queue)?,
            open(Space::Requests)?,
            open(Space::Wanted)?,
        ];
        Ok(Self { database, spaces, path: path.to_owned() })
    }

    pub(super) fn space(&self, space: Space) -> &Keyspace {
        &self.spaces[index(space)]
    }

    pub(super) fn snapshot(&self) -> fjall::Snapshot {
        self.database.snapshot()
    }

    /// Bytes of tables and journals.
    pub(super) fn bytes(&self) -> Result<u64, StoreError> {
        self.database.disk_space().map_err(|error| describe("measure the database", &error))
    }

    /// Number of the newest commit; 0 in a new database.
    pub(super) fn commits(&self) -> Result<u64, StoreError> {
        let attempt = "read the number of commits";
        let value =
            self.space(Space::Meta).get(COMMITS_KEY).map_err(|error| describe(attempt, &error))?;
        let Some(value) = value else { return Ok(0) };
        let bytes = <[u8; 8]>::try_from(value.as_ref());
        bytes.map(u64::from_be_bytes).map_err(|_| StoreError::Damaged {
            what: "the number of commits is no number".to_owned(),
        })
    }

    /// Writes a batch as commit number `number`, durable when this returns. After an error it may
    /// be there or not; [`Self::commits`] of the reopened database tells.
    pub(super) fn write(&self, batch: &Batch, number: u64) -> Result<(), fjall::Error> {
        let mut writes =
            fjall::OwnedWriteBatch::with_capacity(self.database.clone(), batch.len() + 1)
                .durability(Some(PersistMode::SyncData));
        for (space, key, change) in batch.changes() {
            match change {
                Some(value) => writes.insert(self.space(space), key.as_slice(), value.as_slice()),
                None => writes.remove(self.space(space), key.as_slice()),
            }
        }
        writes.insert(self.space(Space::Meta), COMMITS_KEY, number.to_be_bytes());
        writes.commit()
    }

    /// Makes sure that what was read back from the journal is on the disk.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.database
            .persist(PersistMode::SyncAll)
            .map_err(|error| describe("make the journal durable", &error))
    }

    /// Writes every in-memory table out, so that nothing needs the journal any more. Returns
    /// `false` when the writing does not come to its end, as on a full volume.
    pub(super) fn flush(&self) -> Result<bool, StoreError> {
        for space in &self.spaces {
            space.rotate_memtable().map_err(|error| describe("write tables out", &error))?;
        }
        // The engine tells the end of a flush to nobody, so this looks; and a failed flush ends its
        // only worker and poisons the database, which the next write to it shows.
        for _ in 0..FLUSH_LOOKS_MAX {
            if self.spaces.iter().all(|space| space.sealed_memtable_count() == 0) {
                return Ok(true);
            }
            if self.database.persist(PersistMode::Buffer).is_err() {
                return Ok(false);
            }
            std::thread::sleep(FLUSH_LOOK_EVERY);
        }
        Ok(false)
    }

    /// Removes what was deleted from the spaces where most rows do not live long.
    pub(super) fn compact(&self) -> Result<(), StoreError> {
        for space in [Space::Unsettled, Space::Spread, Space::Queue, Space::Requests, Space::Wanted]
        {
            let compacted = self.space(space).major_compact();
            compacted.map_err(|error| describe("compact tables", &error))?;
        }
        Ok(())
    }

    /// Closes the database and empties its journal. Only right after [`Self::flush`] returned
    /// `true` and nothing was written since; shrinks the directory to its tables.
    pub(super) fn close_and_empty_journal(self) -> std::io::Result<()> {
        let Self { database, spaces, path } = self;
        drop((spaces, database));
        for journal in journals(&path) {
            // Not removed: without a journal fjall 3.1 does not learn the newest sequence number
            // from its tables, and shows them as empty.
            let file = std::fs::File::options().write(true).open(journal)?;
            file.set_len(0)?;
            file.sync_all()?;
        }
        Ok(())
    }
}

/// How often a flush is looked at, and how many times: 10 s in all, for tables of a few megabytes.
const FLUSH_LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(1);
const FLUSH_LOOKS_MAX: u32 = 10_000;

/// The journal files of a database directory.
pub(super) fn journals(path: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(path) else {
        return Vec::new();
    };
    let files = entries.flatten().map(|entry| entry.path());
    files.filter(|file| file.extension().is_some_and(|extension| extension == "jnl")).collect()
}

fn options() -> KeyspaceCreateOptions {
    let bits = BloomConstructionPolicy::BitsPerKey(FILTER_BITS_A_KEY);
    KeyspaceCreateOptions::default()
        .max_memtable_size(MEMTABLE_BYTES)
        .manual_journal_persist(true)
        .data_block_size_policy(BlockSizePolicy::all(BLOCK_BYTES))
        .data_block_compression_policy(CompressionPolicy::all(CompressionType::Lz4))
        .filter_policy(FilterPolicy::all(FilterPolicyEntry::Bloom(bits)))
        // A filter is one block; one above what the cache keeps would be read and checked whole for
        // each key that is looked up. Pinned, it costs 1.3 MB for a million keys.
        .filter_block_pinning_policy(PinningPolicy::all(true))
        .index_block_pinning_policy(PinningPolicy::all(true))
}

/// A row as fjall has it.
pub(super) type Pair = (fjall::Slice, fjall::Slice);

/// Where a scan begins: behind `after`, or at `prefix`.
pub(super) fn begin(prefix: &[u8], after: Option<&[u8]>) -> Bound<Vec<u8>> {
    match after.filter(|after| *after >= prefix) {
        Some(after) => Bound::Excluded(after.to_vec()),
        None => Bound::Included(prefix.to_vec()),
    }
}

/// Entries of one space between two keys, in order. Deleted rows up to the end are crawled over.
pub(super) fn between(
    view: &Snapshot,
    space: &Keyspace,
    from: Bound<Vec<u8>>,
    to: Bound<Vec<u8>>,
) -> impl Iterator<Item = fjall::Result<Pair>> + use<> {
    view.range::<Vec<u8>, _>(space, (from, to)).map(fjall::Guard::into_inner)
}
