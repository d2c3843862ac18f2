//! Where the files of one clusterd are: of the plain one, of an instance, or of a configuration file.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid, User, geteuid};
use toml::Table;

use crate::ctl::failure::Failure;

/// The user that the units run clusterd as.
const USER: &str = "clusterd";

/// Names of the two secrets' files.
const SECRET: &str = "cluster-secret";

/// Files that a peer has before it has ever run: made by `init`, `join`, or an operator.
const BEFORE_FIRST_RUN: [&str; 3] = ["identity.json", SECRET, "peerstore"];

/// The files of one clusterd.
#[derive(Debug)]
pub(super) struct Layout {
    /// Its configuration file, which may be missing.
    pub(super) config: PathBuf,
    /// Its state directory.
    pub(super) state: PathBuf,
    /// Where an operator may put the secret; the unit hands it over, and it goes before that in the state.
    pub(super) credential: Option<PathBuf>,
    /// Members must share it.
    pub(super) cluster_name: String,
    /// Where other peers are told to come: `announce`, else `listen`, as they are written.
    pub(super) addresses: Vec<String>,
    /// The unit.
    pub(super) unit: String,
}

/// Who owns what is in a state directory.
pub(super) type Owner = (Uid, Gid);

impl Layout {
    /// The files of `clusterd`, of `clusterd@NAME`, or those that a configuration file names.
    ///
    /// # Errors
    /// When the configuration file cannot be read. Its faults are clusterd's to tell.
    pub(super) fn of(instance: Option<&str>, config: Option<&Path>) -> Result<Self, Failure> {
        let etc = Path::new("/etc/clusterd");
        let (file, state, credential, unit) = match instance {
            None => (
                etc.join("clusterd.toml"),
                PathBuf::from("/var/lib/clusterd"),
                etc.join(SECRET),
                "clusterd".to_owned(),
            ),
            Some(name) => (
                etc.join(format!("{name}.toml")),
                PathBuf::from(format!("/var/lib/clusterd-{name}")),
                etc.join(format!("{name}.{SECRET}")),
                format!("clusterd@{name}"),
            ),
        };
        // A clusterd that is started by hand is handed no credential.
        let credential = config.is_none().then_some(credential);
        let file = config.map_or(file, Path::to_owned);
        let table = read(&file, config.is_some())?;
        let text = |key: &str| table.get(key).and_then(|value| value.as_str()).map(str::to_owned);
        let listed = |key: &str| -> Option<Vec<String>> {
            let all = table.get("peers")?.get(key)?.as_array()?;
            Some(all.iter().filter_map(|one| one.as_str()).map(str::to_owned).collect())
        };
        let announced = listed("announce").filter(|all| !all.is_empty());
        let addresses = announced.or_else(|| listed("listen"));
        Ok(Self {
            config: file,
            state: text("state").map_or(state, PathBuf::from),
            credential,
            cluster_name: text("cluster_name").unwrap_or_else(|| "ipfs-cluster".to_owned()),
            addresses: addresses.unwrap_or_else(|| vec!["/ip4/0.0.0.0/tcp/9096".to_owned()]),
            unit,
        })
    }

    /// The secret's file in the state directory.
    pub(super) fn secret(&self) -> PathBuf {
        self.state.join(SECRET)
    }

    /// The file of known peers.
    pub(super) fn peerstore(&self) -> PathBuf {
        self.state.join("peerstore")
    }

    /// This peer's identity.
    pub(super) fn identity(&self) -> PathBuf {
        self.state.join("identity.json")
    }

    /// The secret that clusterd would use, and the file that it stands in.
    ///
    /// # Errors
    /// When a file that is there cannot be read: mostly for want of root's rights.
    pub(super) fn secret_in_force(&self) -> Result<Option<(PathBuf, String)>, Failure> {
        for path in self.credential.iter().chain([&self.secret()]) {
            match fs::read_to_string(path) {
                Ok(text) => return Ok(Some((path.clone(), text.trim().to_owned()))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => {
                    return Err(Failure::File { attempt: "read", path: path.clone(), source });
                }
            }
        }
        Ok(None)
    }

    /// Whether this peer has never run: nothing depends on its secret yet.
    ///
    /// # Errors
    /// When the state directory cannot be read.
    pub(super) fn is_fresh(&self) -> Result<bool, Failure> {
        let unreadable =
            |source| Failure::File { attempt: "read", path: self.state.clone(), source };
        for entry in fs::read_dir(&self.state).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name();
            if !BEFORE_FIRST_RUN.iter().any(|known| name == *known) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Makes the state directory where there is none yet, and says whom it belongs to.
    ///
    /// # Errors
    /// When it cannot be made or read.
    pub(super) fn state_directory(&self) -> Result<Owner, Failure> {
        let failed =
            |attempt| move |source| Failure::File { attempt, path: self.state.clone(), source };
        match fs::metadata(&self.state) {
            Ok(there) => return Ok((Uid::from_raw(there.uid()), Gid::from_raw(there.gid()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(failed("read")(source)),
        }
        use std::os::unix::fs::DirBuilderExt;
        let made = fs::DirBuilder::new().mode(0o700).recursive(true).create(&self.state);
        made.map_err(failed("make the directory"))?;
        if let Some(owner) = daemon_user() {
            std::os::unix::fs::chown(&self.state, Some(owner.0.as_raw()), Some(owner.1.as_raw()))
                .map_err(failed("give clusterd the directory"))?;
        }
        let there = fs::metadata(&self.state).map_err(failed("read"))?;
        Ok((Uid::from_raw(there.uid()), Gid::from_raw(there.gid())))
    }
}

/// The user of the packages; `None` without it, and for those who may give nothing away.
fn daemon_user() -> Option<Owner> {
    if !geteuid().is_root() {
        return None;
    }
    let user = User::from_name(USER).ok().flatten()?;
    Some((user.uid, user.gid))
}

fn read(file: &Path, must_exist: bool) -> Result<Table, Failure> {
    let text = match fs::read_to_string(file) {
        Err(error) if !must_exist && error.kind() == io::ErrorKind::NotFound => String::new(),
        other => other.map_err(|source| Failure::File {
            attempt: "read",
            path: file.to_owned(),
            source,
        })?,
    };
    text.parse().map_err(|error: toml::de::Error| Failure::File {
        attempt: "understand",
        path: file.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidData, error.message().to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_has_files_of_its_own() {
        let layout = Layout::of(Some("sub"), None).unwrap();
        assert_eq!(layout.config, Path::new("/etc/clusterd/sub.toml"));
        assert_eq!(layout.secret(), Path::new("/var/lib/clusterd-sub/cluster-secret"));
        assert_eq!(
            layout.credential.as_deref(),
            Some(Path::new("/etc/clusterd/sub.cluster-secret"))
        );
        assert_eq!(layout.unit, "clusterd@sub");
    }

    #[test]
    fn a_configuration_file_says_where_the_state_is_and_what_the_cluster_is_called() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("c.toml");
        let state = directory.path().join("state");
        fs::write(
            &file,
            format!("cluster_name = \"c\"\nstate = {state:?}\n[peers]\nlisten = []\n"),
        )
        .unwrap();
        let layout = Layout::of(None, Some(&file)).unwrap();
        assert_eq!((layout.cluster_name.as_str(), &layout.state), ("c", &state));
        assert!(layout.addresses.is_empty() && layout.credential.is_none());
        layout.state_directory().unwrap();
        assert!(layout.is_fresh().unwrap());
        fs::write(layout.secret(), "x").unwrap();
        assert!(layout.is_fresh().unwrap());
        fs::create_dir(state.join("pinset")).unwrap();
        assert!(!layout.is_fresh().unwrap());
    }

    #[test]
    fn others_are_told_what_is_announced_instead_of_what_is_listened_on() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("c.toml");
        let told = |announce: &str| {
            let text = format!("[peers]\nlisten = [\"/l\"]\nannounce = {announce}\n");
            fs::write(&file, text).unwrap();
            Layout::of(None, Some(&file)).unwrap().addresses
        };
        assert_eq!(told("[\"/a\"]"), ["/a"]);
        assert_eq!(told("[]"), ["/l"]);
    }
}
