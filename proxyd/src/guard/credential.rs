//! The credential file with `API.Authorizations`, as the service manager hands it over.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::authorizations::{Authorizations, AuthorizationsError};

/// Name of the credential.
const NAME: &str = "api-authorizations";

/// A credential that is there but cannot be used.
#[derive(Debug, Error)]
pub enum CredentialError {
    /// It cannot be read.
    #[error("cannot read the credential {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is not in Kubo's format.
    #[error(transparent)]
    Content(#[from] AuthorizationsError),
}

/// Loads `$CREDENTIALS_DIRECTORY/api-authorizations`; `None` when there is no such file.
///
/// # Errors
/// [`CredentialError`]: a file that cannot be used must not mean that everybody may call.
pub fn load() -> Result<Option<Authorizations>, CredentialError> {
    match std::env::var_os("CREDENTIALS_DIRECTORY") {
        Some(directory) => load_from(Path::new(&directory)),
        None => Ok(None),
    }
}

fn load_from(directory: &Path) -> Result<Option<Authorizations>, CredentialError> {
    let path = directory.join(NAME);
    match std::fs::read(&path) {
        Ok(json) => Ok(Authorizations::parse(&json)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(CredentialError::Unreadable { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_asks_for_nothing_and_a_broken_one_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        assert!(load_from(directory.path()).unwrap().is_none());
        std::fs::write(directory.path().join(NAME), b"{").unwrap();
        assert!(matches!(load_from(directory.path()), Err(CredentialError::Content(_))));
        std::fs::write(directory.path().join(NAME), br#"{"a":{"AuthSecret":"bearer:t"}}"#).unwrap();
        assert!(load_from(directory.path()).unwrap().is_some());
    }
}
