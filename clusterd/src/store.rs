//! The store on fjall: one open batch, one fsync a commit, and a way back from a full volume.
//!
//! fjall stops for good after a failed write. So this store refuses a commit while little space is
//! left, and after a failure opens the database again and looks whether the batch got in.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use clusterd_core::store::{Entry, Space, Store, StoreError};
use nix::sys::statvfs::statvfs;

mod batch;
mod engine;
mod failure;
mod housekeeper;
mod reader;
#[cfg(test)]
mod tests;

use batch::Batch;
use engine::Engine;
use failure::{describe, describe_io};
pub use housekeeper::Housekeeper;
pub use reader::Reader;

/// Newest layout of the state directory that this program reads.
const FORMAT: u32 = 1;

/// Space that must be free for a commit, in bytes: the engine writes tables in the background, and
/// must not meet a full volume there.
const FREE_BYTES_MIN: u64 = 16 << 20;

/// What a commit adds to the journal for each change, in bytes, besides key and value.
const JOURNAL_ENTRY_BYTES: usize = 24;

/// The database, shared by the one writer and the readers.
struct Shared {
    /// `None` while it cannot be opened.
    engine: RwLock<Option<Engine>>,
    directory: PathBuf,
    /// Bytes that the journal may hold.
    journal_bytes: AtomicU64,
}

/// The one writer. Dropping it closes the database.
pub struct FjallStore {
    shared: Arc<Shared>,
    batch: Batch,
    commits: u64,
    /// Number of the newest commit, outside the database: an older database than this lost something.
    witness: File,
    /// Keeps other processes out, also while the database is opened again.
    _lock: File,
}

impl FjallStore {
    /// Opens the state directory, or makes it.
    ///
    /// # Errors
    /// [`StoreError::TooNew`] for the state of a newer program, [`StoreError::Damaged`] when
    /// commits are missing, [`StoreError::Io`] when another process has it open.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let io = |attempt| move |error: std::io::Error| describe_io(attempt, &error);
        std::fs::create_dir_all(directory).map_err(io("make the state directory"))?;
        let lock = lock(directory)?;
        check_format(&directory.join("format"))?;
        let engine = Engine::open(&directory.join("pinset"))?;
        let commits = engine.commits()?;
        let path = directory.join("commits");
        let witness =
            File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let witness = witness.map_err(io("open the file of commits"))?;
        check_witness(&witness, &path, commits)?;
        let journal_bytes = AtomicU64::new(journal_bytes(&directory.join("pinset")));
        let engine = RwLock::new(Some(engine));
        let shared = Shared { engine, directory: directory.to_owned(), journal_bytes };
        Ok(Self {
            shared: Arc::new(shared),
            batch: Batch::default(),
            commits,
            witness,
            _lock: lock,
        })
    }

    /// A handle for listings, on any thread.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.shared))
    }

    /// A handle for housekeeping, to be used by the thread that commits.
    #[must_use]
    pub fn housekeeper(&self) -> Housekeeper {
        Housekeeper::new(Arc::clone(&self.shared))
    }

    /// Runs `read` on the database, which is opened again first if need be.
    fn read<R>(
        &self,
        read: impl FnOnce(&Engine) -> Result<R, StoreError>,
    ) -> Result<R, StoreError> {
        if let Some(engine) = self.shared.read().as_ref() {
            return read(engine);
        }
        self.shared.reopen()?;
        self.shared.read().as_ref().map_or_else(|| Err(closed()), read)
    }

    fn write_batch(&mut self) -> Result<(), StoreError> {
        let needed = FREE_BYTES_MIN + 2 * self.batch.bytes() as u64;
        if free_bytes(&self.shared.directory)? < needed {
            return Err(StoreError::Full { attempt: "write a change" });
        }
        let number = self.commits + 1;
        let first = self.read(|engine| Ok(engine.write(&self.batch, number)))?;
        let Err(error) = first else { return Ok(()) };
        tracing::warn!(%error, "the store failed and is opened again");
        self.shared.reopen()?;
        // What was in the engine's buffers may have reached the journal on closing.
        if self.read(Engine::commits)? == number {
            return self.read(Engine::sync);
        }
        if !matches!(error, fjall::Error::Poisoned) {
            return Err(describe("write a change", &error));
        }
        // It had stopped earlier, for a reason that may be over.
        self.read(|engine| Ok(engine.write(&self.batch, number)))?
            .map_err(|error| describe("write a change", &error))
    }
}

impl Store for FjallStore {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(change) = self.batch.get(space, key) {
            return Ok(change.clone());
        }
        let value = |engine: &Engine| {
            engine.space(space).get(key).map_err(|error| describe("read", &error))
        };
        Ok(self.read(value)?.map(|value| value.to_vec()))
    }

    fn has(&self, space: Space, key: &[u8]) -> Result<bool, StoreError> {
        if let Some(change) = self.batch.get(space, key) {
            return Ok(change.is_some());
        }
        self.read(|engine| {
            engine.space(space).contains_key(key).map_err(|error| describe("read", &error))
        })
    }

    fn scan(
        &self,
        space: Space,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.read(|engine| {
            let from = engine::begin(prefix, after);
            let to = std::ops::Bound::Unbounded;
            let rows = engine::between(&engine.snapshot(), engine.space(space), from, to);
            let durable = rows
                .map(|row| row.map(|(key, value)| (key.to_vec(), value.to_vec())))
                .take_while(|row| row.as_ref().map_or(true, |(key, _)| key.starts_with(prefix)));
            self.batch
                .overlay(space, prefix, after, limit, durable)
                .map_err(|error| describe("read", &error))
        })
    }

    fn put(&mut self, space: Space, key: Vec<u8>, value: Vec<u8>) {
        self.batch.set(space, key, Some(value));
    }

    fn delete(&mut self, space: Space, key: Vec<u8>) {
        self.batch.set(space, key, None);
    }

    fn is_dirty(&self) -> bool {
        !self.batch.is_empty()
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let written = self.write_batch();
        let batch = std::mem::take(&mut self.batch);
        written?;
        self.commits += 1;
        let bytes = batch.bytes() + batch.len() * JOURNAL_ENTRY_BYTES;
        self.shared.journal_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        // Written after the commit and not synced: it may be older than the database, never newer.
        if let Err(error) = self.witness.write_all_at(&self.commits.to_be_bytes(), 0) {
            tracing::warn!(%error, "cannot note the number of commits");
        }
        Ok(())
    }

    fn rollback(&mut self) {
        self.batch = Batch::default();
    }
}

impl Shared {
    // A panic with the lock held leaves no half-made engine behind: it is replaced as a whole.
    fn read(&self) -> RwLockReadGuard<'_, Option<Engine>> {
        self.engine.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Option<Engine>> {
        self.engine.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn reopen(&self) -> Result<(), StoreError> {
        let mut engine = self.write();
        // Closed first: two open databases on one directory would be the end of both.
        drop(engine.take());
        *engine = Some(Engine::open(&self.directory.join("pinset"))?);
        Ok(())
    }
}

fn closed() -> StoreError {
    StoreError::Io { attempt: "read", reason: "the database is closed after a failure".to_owned() }
}

fn lock(directory: &Path) -> Result<File, StoreError> {
    let attempt = "lock the state directory";
    let file =
        File::create(directory.join("lock")).map_err(|error| describe_io(attempt, &error))?;
    file.try_lock().map_err(|error| match error {
        std::fs::TryLockError::Error(error) => describe_io(attempt, &error),
        std::fs::TryLockError::WouldBlock => StoreError::Io {
            attempt,
            reason: format!("another clusterd uses {}", directory.display()),
        },
    })?;
    Ok(file)
}

fn check_format(path: &Path) -> Result<(), StoreError> {
    let attempt = "note the format of the state";
    match std::fs::read_to_string(path) {
        Ok(text) => match text.trim().parse::<u32>() {
            Ok(found) if found > FORMAT => Err(StoreError::TooNew { found, known: FORMAT }),
            Ok(_) => Ok(()),
            Err(_) => Err(StoreError::Damaged { what: format!("{} is no number", path.display()) }),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let written = File::create(path).and_then(|mut file| {
                writeln!(file, "{FORMAT}")?;
                file.sync_all()
            });
            written.map_err(|error| describe_io(attempt, &error))
        }
        Err(error) => Err(describe_io("read the format of the state", &error)),
    }
}

/// The engine drops damaged ends of its journal without a word; this notices.
fn check_witness(witness: &File, path: &Path, commits: u64) -> Result<(), StoreError> {
    let mut bytes = [0; 8];
    if witness.read_exact_at(&mut bytes, 0).is_err() {
        return Ok(());
    }
    let noted = u64::from_be_bytes(bytes);
    if noted <= commits {
        return Ok(());
    }
    let what = format!(
        "{} commits are missing at its end ({commits} are there, {noted} were made); restore it, or remove {} to go on without them",
        noted - commits,
        path.display()
    );
    Err(StoreError::Damaged { what })
}

fn free_bytes(directory: &Path) -> Result<u64, StoreError> {
    let volume =
        statvfs(directory).map_err(|error| describe_io("see the free space", &error.into()))?;
    Ok(volume.blocks_available().saturating_mul(volume.fragment_size()))
}

/// Bytes that the journals may hold, by the blocks they occupy: their length is preallocated.
fn journal_bytes(directory: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let journals = engine::journals(directory).into_iter();
    journals.filter_map(|path| path.metadata().ok()).map(|file| file.blocks() * 512).sum()
}
