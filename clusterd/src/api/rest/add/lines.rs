//! What Kubo answers to an upload, as lines of ours, and the roots among them.

use bytes::Bytes;
use common::api::add::{AddedOutput, Format};
use common::ids::Cid;
use common::kubo::roots::Roots;
use serde::Deserialize;

/// Most roots of one upload: what one change of the pinset takes. More need a directory around them.
const ROOTS_MAX: usize = 10_000;

/// A line of `add`. Source: Kubo 0.42.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    #[serde(default)]
    name: String,
    #[serde(default)]
    hash: String,
    #[serde(default)]
    bytes: u64,
    #[serde(default)]
    size: String,
}

/// A line of `dag/import`: a root, or the counts at the end.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Imported {
    root: Option<ImportedRoot>,
    stats: Option<Stats>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ImportedRoot {
    cid: Link,
    #[serde(default)]
    pin_error_msg: String,
}

#[derive(Deserialize)]
struct Link {
    #[serde(rename = "/")]
    cid: Cid,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Stats {
    block_bytes_count: u64,
}

/// The lines of one upload so far. The last is held back until its roots are pinned.
pub(super) struct Answer {
    format: Format,
    /// Of files.
    roots: Roots,
    /// Of a CAR file.
    imported: Vec<Cid>,
    bytes: u64,
    last: Option<AddedOutput>,
}

impl Answer {
    /// Nothing has come yet; `wraps` says that a directory is put around all.
    pub(super) fn new(format: Format, wraps: bool) -> Self {
        let (roots, imported) = (Roots::new(wraps), Vec::new());
        Self { format, roots, imported, bytes: 0, last: None }
    }

    /// Takes a line of Kubo's; gives the line of ours that may be shown now.
    ///
    /// # Errors
    /// Words for the client, when it cannot go on.
    pub(super) fn take(&mut self, line: &Bytes) -> Result<Option<AddedOutput>, String> {
        match self.format {
            Format::Unixfs => {
                let output = entry(line)?;
                self.roots.see(line);
                if self.roots.held().len() > ROOTS_MAX {
                    return Err(format!(
                        "there are more than {ROOTS_MAX} files to pin: use wrap-with-directory"
                    ));
                }
                Ok(self.last.replace(output))
            }
            Format::Car => self.take_imported(line).map(|()| None),
        }
    }

    fn take_imported(&mut self, line: &Bytes) -> Result<(), String> {
        let imported: Imported = read(line)?;
        if let Some(stats) = imported.stats {
            self.bytes = stats.block_bytes_count;
        }
        let Some(root) = imported.root else { return Ok(()) };
        if !root.pin_error_msg.is_empty() {
            return Err(format!("cannot pin {}: {}", root.cid.cid, root.pin_error_msg));
        }
        if self.imported.len() == ROOTS_MAX {
            return Err(format!("a CAR file has more than {ROOTS_MAX} roots"));
        }
        self.imported.push(root.cid.cid);
        Ok(())
    }

    /// The roots, in their order, each once.
    ///
    /// # Errors
    /// When Kubo named one that is none.
    pub(super) fn roots(&self) -> Result<Vec<Cid>, String> {
        let mut roots = self.imported.clone();
        for text in self.roots.held() {
            roots.push(
                text.parse().map_err(|error| format!("ipfs named a root {text:?}: {error}"))?,
            );
        }
        let mut seen = std::collections::HashSet::new();
        roots.retain(|root| seen.insert(*root));
        Ok(roots)
    }

    /// The lines that were held back; of a CAR file one a root, called `name`. Kubo tells of the roots
    /// that it pins alone; without a pin they are those that stand in the file.
    pub(super) fn rest(self, (name, in_file): (String, Vec<Cid>)) -> Vec<AddedOutput> {
        if self.format == Format::Unixfs {
            return self.last.into_iter().collect();
        }
        let roots = if self.imported.is_empty() { in_file } else { self.imported };
        let line = |cid| AddedOutput {
            name: name.clone(),
            cid: Some(cid),
            bytes: self.bytes,
            ..AddedOutput::default()
        };
        roots.into_iter().map(line).collect()
    }
}

fn read<'l, T: Deserialize<'l>>(line: &'l Bytes) -> Result<T, String> {
    serde_json::from_slice(line).map_err(|error| format!("cannot read what ipfs added: {error}"))
}

fn entry(line: &Bytes) -> Result<AddedOutput, String> {
    let Entry { name, hash, bytes, size } = read(line)?;
    let cid = match hash.as_str() {
        "" => None,
        hash => Some(hash.parse().map_err(|error| format!("ipfs added {hash:?}: {error}"))?),
    };
    // What was sent without a name is called by its CID in Kubo alone.
    let name = if !hash.is_empty() && name == hash { String::new() } else { name };
    let size = size.parse().unwrap_or(0);
    Ok(AddedOutput { name, cid, bytes, size, allocations: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPBdX";
    const B: &str = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn";

    fn line(text: String) -> Bytes {
        text.into()
    }

    #[test]
    fn the_last_line_is_held_back_and_roots_are_found() {
        let mut answer = Answer::new(Format::Unixfs, false);
        let first = line(format!(r#"{{"Name":"d/x","Hash":"{A}","Size":"14"}}"#));
        assert_eq!(answer.take(&first), Ok(None));
        let shown = answer.take(&line(format!(r#"{{"Name":"d","Hash":"{B}","Size":"61"}}"#)));
        let shown = shown.unwrap().unwrap();
        assert_eq!((shown.name.as_str(), shown.size), ("d/x", 14));
        assert_eq!(answer.roots().unwrap(), [B.parse().unwrap()]);
        let rest = answer.rest(Default::default());
        assert_eq!((rest.len(), rest[0].name.as_str()), (1, "d"));
    }

    #[test]
    fn progress_has_no_cid_and_a_file_without_a_name_has_none() {
        let progress = entry(&line(r#"{"Name":"x","Bytes":262144}"#.to_owned())).unwrap();
        assert_eq!((progress.cid, progress.bytes), (None, 262_144));
        let nameless = entry(&line(format!(r#"{{"Name":"{A}","Hash":"{A}","Size":"1"}}"#)));
        assert_eq!(nameless.unwrap().name, "");
        assert!(entry(&line("not json".to_owned())).is_err());
    }

    #[test]
    fn a_car_has_a_line_for_each_root_once_all_is_known() {
        let mut answer = Answer::new(Format::Car, false);
        for root in [A, B] {
            let text = format!(r#"{{"Root":{{"Cid":{{"/":"{root}"}},"PinErrorMsg":""}}}}"#);
            assert_eq!(answer.take(&line(text)), Ok(None));
        }
        let stats = r#"{"Stats":{"BlockCount":2,"BlockBytesCount":99}}"#.to_owned();
        assert_eq!(answer.take(&line(stats)), Ok(None));
        assert_eq!(answer.roots().unwrap().len(), 2);
        let lines = answer.rest(("x.car".to_owned(), Vec::new()));
        assert_eq!((lines.len(), lines[0].bytes), (2, 99));
    }

    #[test]
    fn a_car_that_is_not_pinned_has_the_roots_that_stand_in_it() {
        let answer = Answer::new(Format::Car, false);
        let root: Cid = A.parse().unwrap();
        let lines = answer.rest(("x.car".to_owned(), vec![root]));
        assert_eq!((lines[0].cid, lines[0].name.as_str()), (Some(root), "x.car"));
    }

    #[test]
    fn a_root_that_kubo_could_not_pin_ends_it_with_kubos_words() {
        let mut answer = Answer::new(Format::Car, false);
        let text = format!(r#"{{"Root":{{"Cid":{{"/":"{A}"}},"PinErrorMsg":"block not found"}}}}"#);
        assert!(answer.take(&line(text)).unwrap_err().contains("block not found"));
    }
}
