//! The files and directories of an upload, in the order in which they are sent.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::super::failure::Failure;

/// Most entries of one upload; their paths are held in memory.
const ENTRIES_MAX: usize = 5_000_000;

/// Directories in one another at most: deeper ones are a loop of mounts, or a mistake.
const DEPTH_MAX: usize = 1000;

/// One entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its path below the one that was given, which it begins with.
    pub(super) name: Vec<u8>,
    /// What it is.
    pub(super) content: Content,
}

/// What an entry is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Standard input.
    Stdin,
    /// A file, with its size when it was looked at.
    File(PathBuf, u64),
    /// A directory; what is in it follows.
    Directory,
    /// A symbolic link to this.
    Link(Vec<u8>),
}

/// All entries of these paths; `hidden` takes those of directories whose names begin with a dot.
pub(super) fn entries(paths: &[PathBuf], hidden: bool) -> Result<Vec<Entry>, Failure> {
    let mut found = Found { entries: Vec::new(), hidden };
    for path in paths {
        if path.as_os_str() == "-" {
            found.entries.push(Entry { name: Vec::new(), content: Content::Stdin });
            continue;
        }
        found.take(path, name_of(path)?, 0).map_err(|failed| failed.into_failure())?;
    }
    Ok(found.entries)
}

/// The last part of a path; of `.` and the like, that of the directory it stands for.
fn name_of(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = |path: &Path| path.file_name().map(|name| name.as_bytes().to_vec());
    if let Some(name) = bytes(path) {
        return Ok(name);
    }
    let failed = |source| Failure::File { attempt: "read", path: path.to_owned(), source };
    let whole = path.canonicalize().map_err(failed)?;
    bytes(&whole).ok_or_else(|| Failure::Usage(format!("{} has no name", path.display())))
}

/// Why a path cannot be taken.
struct Failed {
    path: PathBuf,
    source: io::Error,
}

impl Failed {
    fn into_failure(self) -> Failure {
        Failure::File { attempt: "read", path: self.path, source: self.source }
    }
}

struct Found {
    entries: Vec<Entry>,
    hidden: bool,
}

impl Found {
    fn take(&mut self, path: &Path, name: Vec<u8>, depth: usize) -> Result<(), Failed> {
        let failed = |source| Failed { path: path.to_owned(), source };
        if self.entries.len() == ENTRIES_MAX || depth == DEPTH_MAX {
            return Err(failed(io::Error::other("there are too many files, or too deep ones")));
        }
        let metadata = fs::symlink_metadata(path).map_err(failed)?;
        let content = content(path, &metadata).map_err(failed)?;
        let is_directory = content == Content::Directory;
        self.entries.push(Entry { name: name.clone(), content });
        if !is_directory {
            return Ok(());
        }
        let listed = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut children: Vec<_> =
            listed.map_err(failed)?.into_iter().map(|child| child.file_name()).collect();
        // The same directory makes the same upload.
        children.sort();
        for child in children {
            if self.hidden || !child.as_bytes().starts_with(b".") {
                let name = [&name, b"/".as_slice(), child.as_bytes()].concat();
                self.take(&path.join(&child), name, depth + 1)?;
            }
        }
        Ok(())
    }
}

fn content(path: &Path, metadata: &Metadata) -> io::Result<Content> {
    let kind = metadata.file_type();
    if kind.is_dir() {
        return Ok(Content::Directory);
    }
    if kind.is_symlink() {
        return Ok(Content::Link(fs::read_link(path)?.as_os_str().as_bytes().to_vec()));
    }
    if kind.is_file() {
        return Ok(Content::File(path.to_owned(), metadata.len()));
    }
    Err(io::Error::other("it is no file, directory or symbolic link"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(found: &[Entry]) -> Vec<&str> {
        found.iter().map(|entry| std::str::from_utf8(&entry.name).unwrap()).collect()
    }

    #[test]
    fn a_directory_comes_before_what_is_in_it_and_hidden_files_are_left_out() {
        let top = tempfile::tempdir().unwrap();
        let d = top.path().join("d");
        fs::create_dir_all(d.join("b")).unwrap();
        fs::write(d.join("b/x"), "12345").unwrap();
        fs::write(d.join("a"), "").unwrap();
        fs::write(d.join(".secret"), "").unwrap();
        std::os::unix::fs::symlink("../nowhere", d.join("l")).unwrap();
        let found = entries(std::slice::from_ref(&d), false).unwrap();
        assert_eq!(names(&found), ["d", "d/a", "d/b", "d/b/x", "d/l"]);
        assert_eq!(found[3].content, Content::File(d.join("b/x"), 5));
        assert_eq!(found[4].content, Content::Link(b"../nowhere".to_vec()));
        let all = entries(&[d.join("b/..")], true).unwrap();
        assert_eq!(names(&all)[..2], ["d", "d/.secret"]);
    }

    #[test]
    fn what_is_not_there_is_named() {
        let missing = [PathBuf::from("/nonexistent/x")];
        let failure = entries(&missing, false).unwrap_err();
        assert!(failure.to_string().contains("/nonexistent/x"), "{failure}");
        assert!(matches!(entries(&["/".into()], false), Err(Failure::Usage(_))));
    }
}
