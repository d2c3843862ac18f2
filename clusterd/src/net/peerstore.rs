//! The file of known peers, in Go's form: one address with `/p2p/ID` a line, the best first.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use multiaddr::Multiaddr;

use super::addresses;

/// Largest file that is read, in bytes: 1000 peers of 16 addresses have 2 MB at most.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Reads the file; the order is kept. Lines that are no addresses of peers are passed over, as Go
/// does. A missing file has none.
///
/// # Errors
/// When the file is there and cannot be read.
pub(super) fn load(path: &Path) -> io::Result<Vec<Multiaddr>> {
    let mut text = String::new();
    match File::open(path) {
        Ok(file) => file.take(FILE_BYTES_MAX).read_to_string(&mut text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let known = text.lines().map(str::trim).filter(|line| line.starts_with('/'));
    let known = known.filter_map(|line| line.parse::<Multiaddr>().ok());
    Ok(known.filter(|address| addresses::split(address).1.is_some()).collect())
}

/// Writes the file, whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub(super) fn save(path: &Path, known: &[Multiaddr]) -> io::Result<()> {
    let lines: Vec<String> = known.iter().map(|address| format!("{address}\n")).collect();
    crate::identity::write_private(path, lines.concat().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "12D3KooWPU2wk6iUQAcXnhcPm7z5TzpGe6fe9HZYrmDfWz3FJCHt";

    #[test]
    fn what_was_written_is_read_in_the_same_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("peerstore");
        assert_eq!(load(&path).unwrap(), Vec::new());
        let known: Vec<Multiaddr> = ["/ip4/10.0.0.9/tcp/9096", "/dns4/a.example/tcp/9096"]
            .iter()
            .map(|place| format!("{place}/p2p/{ID}").parse().unwrap())
            .collect();
        save(&path, &known).unwrap();
        assert_eq!(load(&path).unwrap(), known);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().next().unwrap(), format!("/ip4/10.0.0.9/tcp/9096/p2p/{ID}"));
    }

    #[test]
    fn lines_that_are_no_peers_are_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("peerstore");
        let text =
            format!("# old\n\n/ip4/10.0.0.1/tcp/1\n/nonsense\n  /ip4/10.0.0.2/tcp/2/p2p/{ID}  \n");
        std::fs::write(&path, text).unwrap();
        let known = load(&path).unwrap();
        assert_eq!(known.len(), 1);
        assert!(known[0].to_string().starts_with("/ip4/10.0.0.2"));
    }
}
