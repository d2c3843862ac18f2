//! Files in a state directory: written whole or not at all, for their owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, fchown};
use std::path::Path;

use nix::unistd::geteuid;

use super::layout::Owner;
use crate::ctl::failure::Failure;

/// Bytes of a cluster's secret.
const SECRET_BYTES: usize = 32;

/// Writes a file of mode 0600 that belongs to `owner`, in place of the one that is there.
///
/// # Errors
/// When it cannot be written; the old one is whole then.
pub(super) fn write(path: &Path, owner: Owner, text: &str) -> Result<(), Failure> {
    write_file(path, owner, text).map_err(|source| Failure::File {
        attempt: "write",
        path: path.to_owned(),
        source,
    })
}

fn write_file(path: &Path, (uid, gid): Owner, text: &str) -> io::Result<()> {
    let fresh = path.with_extension("new");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // New, so that no link which the owner of the directory laid there leads root astray.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    if geteuid().is_root() {
        fchown(&file, Some(uid.as_raw()), Some(gid.as_raw()))?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

/// A new secret, as 64 hex digits.
///
/// # Errors
/// When the system has no randomness to give.
pub(super) fn new_secret() -> Result<String, Failure> {
    let mut bytes = [0_u8; SECRET_BYTES];
    let read = File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes));
    read.map_err(|source| Failure::System { attempt: "make a secret", source })?;
    Ok(data_encoding::HEXLOWER.encode(&bytes))
}

/// Whether a text is a secret: 64 hex digits.
pub(super) fn is_secret(text: &str) -> bool {
    text.len() == 2 * SECRET_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::{getegid, geteuid};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_link_in_the_way_is_replaced_and_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("a"), directory.path().join("other"));
        fs::write(&other, "precious").unwrap();
        std::os::unix::fs::symlink(&other, directory.path().join("a.new")).unwrap();
        write(&path, (geteuid(), getegid()), "secret").unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "precious");
        assert_eq!(fs::read_to_string(&path).unwrap(), "secret");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_new_secret_is_one() {
        let secret = new_secret().unwrap();
        assert!(is_secret(&secret) && secret != new_secret().unwrap());
        assert!(!is_secret("ab") && !is_secret(&"g".repeat(64)));
    }
}
