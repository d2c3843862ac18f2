//! The text that carries a cluster's name, secret and peers to a new machine.

use multiaddr::{Multiaddr, Protocol};

use super::private::is_secret;

/// Largest text that is read, in bytes: a thousand peers with several addresses each.
pub(super) const TEXT_BYTES_MAX: u64 = 1 << 20;

/// The first line that counts.
const BEGIN: &str = "composite invitation 1";
/// The last one, so that a text cut short is noticed.
const END: &str = "end of invitation";

/// What the next machine needs.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Invitation {
    /// Members must share it.
    pub(super) cluster_name: String,
    /// 64 hex digits. Never logged.
    pub(super) secret: String,
    /// Addresses of members, each with `/p2p/ID`.
    pub(super) peers: Vec<Multiaddr>,
}

impl Invitation {
    /// The text, with words for people.
    pub(super) fn text(&self) -> String {
        let name = serde_json::Value::from(self.cluster_name.as_str());
        let mut text = format!(
            "# Invitation to the IPFS cluster {name}. It holds the cluster's secret: who has it can join, and\n\
             # change what is pinned. Keep no copy. On the new machine, as root:\n\
             #   clusterdctl join < THIS_FILE        (or paste it, then Ctrl-D)\n\
             {BEGIN}\ncluster {name}\nsecret {}\n",
            self.secret
        );
        for peer in &self.peers {
            text.push_str(&format!("peer {peer}\n"));
        }
        text.push_str(END);
        text.push('\n');
        text
    }

    /// Reads the text. What stands before and after it is ignored, so that a whole letter may be pasted.
    ///
    /// # Errors
    /// What is wrong, in words that never show the secret.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().map(str::trim);
        let mut lines = lines.skip_while(|line| *line != BEGIN).skip(1);
        let (mut name, mut secret, mut peers) = (None, None, Vec::new());
        loop {
            let Some(line) = lines.next() else {
                return Err(format!("no whole invitation: it goes from {BEGIN:?} to {END:?}"));
            };
            match line.split_once(' ') {
                _ if line == END => break,
                _ if line.is_empty() || line.starts_with('#') => {}
                Some(("cluster", value)) => {
                    name = Some(serde_json::from_str(value).map_err(|_| "no cluster name")?);
                }
                Some(("secret", value)) if is_secret(value) => secret = Some(value.to_owned()),
                Some(("secret", _)) => return Err("the secret is not 64 hex digits".to_owned()),
                Some(("peer", value)) => peers.push(peer(value)?),
                // Its words are not shown: they may be a part of the secret.
                Some(_) | None => return Err("a line that no invitation has".to_owned()),
            }
        }
        let cluster_name = name.ok_or("the name of the cluster is missing")?;
        let secret = secret.ok_or("the secret is missing")?;
        match peers.is_empty() {
            true => Err("no address of any peer".to_owned()),
            false => Ok(Self { cluster_name, secret, peers }),
        }
    }
}

/// Reads the address of a peer, which names the peer.
pub(super) fn peer(text: &str) -> Result<Multiaddr, String> {
    let address: Multiaddr = text.parse().map_err(|error| format!("{text:?}: {error}"))?;
    match address.iter().last() {
        Some(Protocol::P2p(_)) => Ok(address),
        Some(_) | None => Err(format!("{text:?} does not end with /p2p/ID")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str =
        "/ip4/10.0.0.1/tcp/9096/p2p/12D3KooWSZ2ZmmbwDEcQsJwM2QWHLhiQWc5hUAGivYC9fDYPEPha";

    fn invitation() -> Invitation {
        Invitation {
            cluster_name: "a \"cluster\"\n".to_owned(),
            secret: "0b".repeat(32),
            peers: vec![PEER.parse().unwrap()],
        }
    }

    #[test]
    fn a_text_reads_as_what_it_was_written_from_also_out_of_a_letter() {
        let written = invitation().text();
        assert!(Invitation::parse(&written).is_ok_and(|read| read == invitation()));
        let letter = format!("Dear Bob,\r\n{}\r\nYours", written.replace('\n', "\r\n"));
        assert!(Invitation::parse(&letter).is_ok_and(|read| read == invitation()));
    }

    #[test]
    fn what_is_cut_or_changed_is_refused_without_showing_the_secret() {
        let written = invitation().text();
        let half = &written[..written.len() - 8];
        let fewer = written.replace(&"0b".repeat(32), &"0b".repeat(31));
        let unnamed =
            written.replace("/p2p/", "/tcp/1/p2p-circuit/p2p/").replace(PEER, "/ip4/1.1.1.1/tcp/1");
        let strange = written.replace("secret ", "secre ");
        for broken in [half, &fewer, "", &strange, &unnamed.replace("p2p-circuit/p2p/", "")] {
            let error = Invitation::parse(broken).err().unwrap();
            assert!(!error.contains("0b0b"), "{error}");
        }
    }
}
