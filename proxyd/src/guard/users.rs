//! Rules by user for Unix listeners: who connects is what the kernel says.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Which numbers of other users this process sees as they are. Source: user_namespaces(7).
const MAP: &str = "/proc/self/uid_map";

/// A rule that cannot be kept.
#[derive(Debug, Error)]
pub enum UsersError {
    /// The sandbox shows other users as "nobody".
    #[error(
        "unix_uids names user {uid}, whom proxyd cannot tell from others: its unit has PrivateUsers=yes; add \
         the drop-in peer-credentials.conf (PrivateUsers=no), or take the user out and guard the socket by \
         its owner and mode"
    )]
    Unseen {
        /// Whom.
        uid: u32,
    },
    /// The kernel does not say whom it shows.
    #[error("cannot read {}, which unix_uids needs: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Who may use the Unix listeners, beyond what the socket's owner and mode say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Users(BTreeSet<u32>);

impl Users {
    /// Only these user ids; with none there is no rule.
    #[must_use]
    pub fn new(uids: BTreeSet<u32>) -> Self {
        Self(uids)
    }

    /// Whether there is a rule.
    #[must_use]
    pub fn is_rule(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether this user may call.
    #[must_use]
    pub fn admit(&self, uid: u32) -> bool {
        self.0.is_empty() || self.0.contains(&uid)
    }

    /// Checks that each of them is seen as itself, or a stranger could be taken for one, or one for
    /// a stranger.
    ///
    /// # Errors
    /// [`UsersError`].
    pub fn check(&self) -> Result<(), UsersError> {
        if !self.is_rule() {
            return Ok(());
        }
        let map = std::fs::read_to_string(MAP)
            .map_err(|source| UsersError::Unreadable { path: MAP.into(), source })?;
        match self.0.iter().find(|uid| !is_seen(&map, **uid)) {
            Some(uid) => Err(UsersError::Unseen { uid: *uid }),
            None => Ok(()),
        }
    }
}

/// Whether a line `inside outside count` of the map shows this number as itself.
fn is_seen(map: &str, uid: u32) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_whitespace().map(str::parse::<u64>);
        let (Some(Ok(inside)), Some(Ok(outside)), Some(Ok(count))) =
            (numbers.next(), numbers.next(), numbers.next())
        else {
            return false;
        };
        inside == outside && (inside..inside + count).contains(&u64::from(uid))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_rule_the_sockets_mode_decides() {
        assert!(Users::default().admit(1000) && !Users::default().is_rule());
        let only = Users::new([0, 1000].into());
        assert!(only.admit(1000) && only.admit(0) && !only.admit(65534));
    }

    #[test]
    fn the_shipped_sandbox_shows_root_and_the_daemon_alone() {
        let private = "         0          0          1\n       977        977          1\n";
        assert!(is_seen(private, 0) && is_seen(private, 977) && !is_seen(private, 1000));
        assert!(is_seen("         0          0 4294967295\n", 1000));
        // Seen, but under another number.
        assert!(!is_seen("0 100000 65536\n", 1000) && !is_seen("", 0));
    }
}
