//! Who this peer is, and the cluster's secret.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use common::api::tree::ClusterId;
use common::ids::PeerId;
use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use libp2p_identity::Keypair;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Largest identity or secret file that is read, in bytes: an RSA key of 8192 bits has 6.5 kB.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// Bytes of the secret that all peers of a cluster share.
const SECRET_BYTES: usize = 32;

/// The file with the secret, in the credentials directory or in the state directory.
const SECRET_FILE: &str = "cluster-secret";

/// What the unit puts into a credential for which there is no file (`SetCredential=`).
const NOT_GIVEN: &str = "none";

/// The identity or the secret cannot be used.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// A file cannot be read or written.
    #[error("cannot {attempt} {}: {source}", path.display())]
    File {
        /// What was tried.
        attempt: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The identity file has another form.
    #[error("{} is no identity of a peer: {reason}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is no secret.
    #[error(
        "there is no cluster secret: begin a new cluster with `clusterdctl init`, or join one with `clusterdctl join`; \
         by hand, put 64 hex digits into {} (mode 0600, the same on every peer), \
         or give them as the credential cluster-secret",
        path.display()
    )]
    NoSecret {
        /// Where it was looked for last.
        path: PathBuf,
    },
    /// The secret has another form.
    #[error("{} holds no cluster secret: it must be 64 hex digits and nothing else", path.display())]
    BadSecret {
        /// Which file.
        path: PathBuf,
    },
}

/// This peer's key pair and its id.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The id that others know.
    pub peer: PeerId,
    /// The key behind it.
    pub keypair: Keypair,
}

/// The secret of the cluster. Never logged.
#[derive(Clone)]
pub struct ClusterSecret([u8; SECRET_BYTES]);

impl ClusterSecret {
    /// The bytes, for the network of peers.
    #[must_use]
    pub fn bytes(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }

    /// The id of the cluster with this secret and name: it gives neither away.
    #[must_use]
    pub fn cluster_id(&self, name: &str) -> ClusterId {
        let hash: [u8; 32] = blake3::keyed_hash(&self.0, name.as_bytes()).into();
        ClusterId::from(hash)
    }
}

/// The file's form. Source: `identity.json` of Go ipfs-cluster.
#[derive(Serialize, Deserialize)]
struct IdentityFile {
    id: String,
    private_key: String,
}

/// Loads `<state>/identity.json`, or makes it when there is none yet.
///
/// # Errors
/// [`IdentityError`] when the file cannot be read, written, or understood.
pub fn load_or_make(state: &Path) -> Result<Identity, IdentityError> {
    let path = state.join("identity.json");
    match read(&path) {
        Ok(text) => {
            parse(&text).map_err(|reason| IdentityError::Malformed { path: path.clone(), reason })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(&path),
        Err(source) => Err(IdentityError::File { attempt: "read", path, source }),
    }
}

fn parse(text: &str) -> Result<Identity, String> {
    let file: IdentityFile = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let bytes = BASE64
        .decode(file.private_key.as_bytes())
        .map_err(|e| format!("private_key is no base64: {e}"))?;
    let keypair = Keypair::from_protobuf_encoding(&bytes)
        .map_err(|e| format!("private_key is no key: {e}"))?;
    let peer = PeerId::from(keypair.public().to_peer_id());
    if file.id != peer.to_string() {
        return Err(format!("id is {}, but private_key belongs to {peer}", file.id));
    }
    Ok(Identity { peer, keypair })
}

fn make(path: &Path) -> Result<Identity, IdentityError> {
    let keypair = Keypair::generate_ed25519();
    let peer = PeerId::from(keypair.public().to_peer_id());
    let written = keypair.to_protobuf_encoding().map_err(io::Error::other).and_then(|bytes| {
        let file = IdentityFile { id: peer.to_string(), private_key: BASE64.encode(&bytes) };
        let text = serde_json::to_string_pretty(&file).map_err(io::Error::other)?;
        write_private(path, text.as_bytes())
    });
    match written {
        Ok(()) => Ok(Identity { peer, keypair }),
        Err(source) => Err(IdentityError::File { attempt: "write", path: path.to_owned(), source }),
    }
}

/// Writes a file that only its owner may read, whole or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)?;
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

/// Loads the secret: from the credentials directory of the service manager, else from the state
/// directory.
///
/// # Errors
/// [`IdentityError::NoSecret`] with the way to make one; [`IdentityError::BadSecret`].
pub fn load_secret(state: &Path) -> Result<ClusterSecret, IdentityError> {
    let credential = credential(SECRET_FILE);
    let own = state.join(SECRET_FILE);
    for path in credential.iter().chain([&own]) {
        match read(path) {
            Ok(text) if text.trim() == NOT_GIVEN => {}
            Ok(text) => {
                return decode_secret(&text)
                    .ok_or_else(|| IdentityError::BadSecret { path: path.clone() });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                return Err(IdentityError::File { attempt: "read", path: path.clone(), source });
            }
        }
    }
    Err(IdentityError::NoSecret { path: own })
}

fn decode_secret(text: &str) -> Option<ClusterSecret> {
    let bytes = HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).ok()?;
    bytes.try_into().ok().map(ClusterSecret)
}

/// The `Authorization` header for Kubo, where the credential `ipfs-authorization` gives one.
///
/// # Errors
/// [`IdentityError::File`] when the credential is there and cannot be read.
pub fn load_ipfs_authorization() -> Result<Option<String>, IdentityError> {
    let Some(path) = credential("ipfs-authorization") else {
        return Ok(None);
    };
    match read(&path) {
        Ok(text) if text.trim() == NOT_GIVEN => Ok(None),
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(IdentityError::File { attempt: "read", path, source }),
    }
}

fn credential(name: &str) -> Option<PathBuf> {
    Some(Path::new(&std::env::var_os("CREDENTIALS_DIRECTORY")?).join(name))
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_id_of_a_cluster_follows_from_secret_and_name() {
        let id = |byte, name| ClusterSecret([byte; SECRET_BYTES]).cluster_id(name).to_string();
        assert_eq!(id(1, "main"), id(1, "main"));
        assert_ne!(id(1, "main"), id(1, "sub"));
        assert_ne!(id(1, "main"), id(2, "main"));
        assert_eq!(id(1, "main").len(), 32);
    }

    #[test]
    fn an_identity_is_made_once_and_kept_private() {
        let state = tempfile::tempdir().unwrap();
        let made = load_or_make(state.path()).unwrap();
        assert_eq!(load_or_make(state.path()).unwrap().peer, made.peer);
        let mode = std::fs::metadata(state.path().join("identity.json")).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }

    #[test]
    fn an_id_that_is_not_the_keys_is_refused() {
        let state = tempfile::tempdir().unwrap();
        let (a, b) = (Keypair::generate_ed25519(), Keypair::generate_ed25519());
        let key = BASE64.encode(&a.to_protobuf_encoding().unwrap());
        let id = b.public().to_peer_id();
        let text = format!("{{\"id\":\"{id}\",\"private_key\":\"{key}\"}}");
        std::fs::write(state.path().join("identity.json"), text).unwrap();
        let words = load_or_make(state.path()).unwrap_err().to_string();
        assert!(words.contains("belongs to"), "{words}");
    }

    #[test]
    fn without_a_secret_the_message_says_how_to_make_one() {
        let state = tempfile::tempdir().unwrap();
        let words = load_secret(state.path()).err().unwrap().to_string();
        assert!(words.contains("clusterdctl join") && words.contains("cluster-secret"), "{words}");
        std::fs::write(state.path().join("cluster-secret"), "none").unwrap();
        assert!(matches!(load_secret(state.path()), Err(IdentityError::NoSecret { .. })));
        std::fs::write(state.path().join("cluster-secret"), "zz").unwrap();
        assert!(load_secret(state.path()).err().unwrap().to_string().contains("64 hex digits"));
        std::fs::write(state.path().join("cluster-secret"), format!("{}\n", "aB".repeat(32)))
            .unwrap();
        assert_eq!(load_secret(state.path()).unwrap().bytes(), &[0xab; 32]);
    }
}
