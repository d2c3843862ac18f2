//! Adding through the REST API: what may be asked for, and the lines of the answer.

use serde::{Deserialize, Serialize};

use crate::api::error::{ApiError, ErrorCode};
use crate::api::options::PinOptions;
use crate::api::pins::null_as_default;
use crate::ids::{Cid, PeerId};
use crate::pin::PinMode;

/// How a file is cut, where nothing is said. Source: `DefaultAddParams` of Go ipfs-cluster 1.1.6.
const CHUNKER: &str = "size-262144";
/// How blocks are hashed, where nothing is said.
const HASH: &str = "sha2-256";

/// The tree that the pieces of a file make.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Layout {
    /// All leaves equally deep.
    #[default]
    Balanced,
    /// The beginning near the root.
    Trickle,
}

/// What is uploaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// Files and directories.
    #[default]
    Unixfs,
    /// A CAR file.
    Car,
}

/// What may be asked for with an upload. Source: `api.AddParams` of Go ipfs-cluster 1.1.6; unlike
/// Go, what cannot be had is refused and never ignored. `recursive` and `hidden` are for the client
/// that reads files, and `pin-update` means nothing here; both as in Go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddOptions {
    /// Of the pin.
    pub pin: PinOptions,
    /// Into this machine's Kubo first, the others fetch it from there: so it is done here whatever is said.
    pub local: bool,
    /// Put a directory around all.
    pub wrap: bool,
    /// Tell how far it is.
    pub progress: bool,
    /// Answer line by line; `false` for one list at the end.
    pub stream: bool,
    /// Put the blocks into this machine's Kubo, and pin nothing.
    pub no_pin: bool,
    /// What is uploaded.
    pub format: Format,
    /// The tree.
    pub layout: Layout,
    /// How files are cut, in Kubo's words.
    pub chunker: String,
    /// Whether leaves are bare bytes.
    pub raw_leaves: bool,
    /// Version of the CIDs: 0 or 1.
    pub cid_version: u8,
    /// How blocks are hashed, in Kubo's words.
    pub hash: String,
    /// Kubo refers to the content instead of copying it.
    pub no_copy: bool,
}

impl Default for AddOptions {
    fn default() -> Self {
        Self {
            pin: PinOptions::default(),
            local: false,
            wrap: false,
            progress: false,
            stream: true,
            no_pin: false,
            format: Format::Unixfs,
            layout: Layout::Balanced,
            chunker: CHUNKER.to_owned(),
            raw_leaves: false,
            cid_version: 0,
            hash: HASH.to_owned(),
            no_copy: false,
        }
    }
}

impl AddOptions {
    /// Reads decoded parameters; of a repeated one the first counts, as in Go. `now` is in seconds
    /// since 1970.
    ///
    /// # Errors
    /// [`ErrorCode::BadRequest`] that names the parameter, in Go's words where Go has some.
    pub fn from_query(query: &[(String, String)], now: u64) -> Result<Self, ApiError> {
        let get = |name: &str| {
            let found = query.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
        };
        let flag = |name: &str| get(name).map(|text| go_bool(name, text)).transpose();
        // It means nothing for new content, and its value is not looked at.
        let pin: Vec<_> = query.iter().filter(|(key, _)| key != "pin-update").cloned().collect();
        let pin = PinOptions::from_query(&pin, now)?;
        if pin.mode == PinMode::Direct {
            return Err(bad("what is added is pinned recursively: mode=direct is not for it"));
        }
        if flag("shard")? == Some(true) {
            return Err(bad("sharding is not supported: add without shard"));
        }
        let hash = get("hash").unwrap_or(HASH).to_lowercase();
        let no_copy = flag("nocopy")?.unwrap_or(false);
        let cid_version = match get("cid-version") {
            None => u8::from(hash != HASH),
            Some("0") => 0,
            Some("1") => 1,
            Some(_) => return Err(bad("parameter cid-version invalid")),
        };
        Ok(Self {
            pin,
            local: flag("local")?.unwrap_or(false),
            wrap: flag("wrap-with-directory")?.unwrap_or(false),
            progress: flag("progress")?.unwrap_or(false),
            stream: flag("stream-channels")?.unwrap_or(true),
            no_pin: flag("no-pin")?.unwrap_or(false),
            format: match get("format") {
                None | Some("unixfs") => Format::Unixfs,
                Some("car") => Format::Car,
                Some(_) => return Err(bad("format parameter is invalid")),
            },
            layout: match get("layout") {
                None | Some("balanced") => Layout::Balanced,
                Some("trickle") => Layout::Trickle,
                Some(_) => return Err(bad("layout parameter is invalid")),
            },
            chunker: get("chunker").unwrap_or(CHUNKER).to_owned(),
            raw_leaves: flag("raw-leaves")?.unwrap_or(cid_version > 0 || no_copy),
            cid_version,
            hash,
            no_copy,
        })
    }

    /// Writes the parameters, not encoded yet.
    #[must_use]
    pub fn to_query(&self) -> Vec<(String, String)> {
        let mut pairs = self.pin.to_query();
        let mut add = |name: &str, value: &str| pairs.push((name.to_owned(), value.to_owned()));
        let flags = [
            ("local", self.local),
            ("wrap-with-directory", self.wrap),
            ("progress", self.progress),
            ("stream-channels", self.stream),
            ("no-pin", self.no_pin),
            ("raw-leaves", self.raw_leaves),
            ("nocopy", self.no_copy),
        ];
        for (name, is) in flags {
            add(name, if is { "true" } else { "false" });
        }
        add("format", if self.format == Format::Car { "car" } else { "unixfs" });
        add("layout", if self.layout == Layout::Trickle { "trickle" } else { "balanced" });
        add("chunker", &self.chunker);
        add("cid-version", &self.cid_version.to_string());
        add("hash", &self.hash);
        pairs
    }
}

fn bad(words: &str) -> ApiError {
    ApiError::new(ErrorCode::BadRequest, words)
}

/// Source: `strconv.ParseBool` of Go.
fn go_bool(name: &str, text: &str) -> Result<bool, ApiError> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(bad(&format!("parameter {name} invalid"))),
    }
}

/// One line of the answer: an entry that was added, or, without a CID, how far one is.
/// Source: `api.AddedOutput` of Go ipfs-cluster 1.1.6.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedOutput {
    /// Path of the entry, from the name it was sent with; empty for a directory around all.
    pub name: String,
    /// What it has become; `None` while it is on its way.
    pub cid: Option<Cid>,
    /// Bytes read so far, or, of a CAR file, the bytes of its blocks.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes: u64,
    /// Bytes of its blocks and all below it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub size: u64,
    /// The peers that shall hold it. Go tells them on every line, we on the last, where they are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_as_default")]
    pub allocations: Vec<PeerId>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<AddOptions, ApiError> {
        let owned: Vec<_> = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        AddOptions::from_query(&owned, 1_000)
    }

    #[test]
    fn nothing_asked_for_means_gos_defaults() {
        assert_eq!(read(&[]), Ok(AddOptions::default()));
        // What Go's client always sends.
        let go = [
            ("chunker", "size-262144"),
            ("cid-version", "0"),
            ("format", "unixfs"),
            ("hash", "sha2-256"),
            ("hidden", "false"),
            ("layout", ""),
            ("local", "false"),
            ("mode", "recursive"),
            ("name", ""),
            ("no-pin", "false"),
            ("nocopy", "false"),
            ("progress", "false"),
            ("raw-leaves", "false"),
            ("recursive", "false"),
            ("replication-max", "0"),
            ("replication-min", "0"),
            ("shard", "false"),
            ("shard-size", "104857600"),
            ("stream-channels", "true"),
            ("user-allocations", ""),
            ("wrap-with-directory", "false"),
        ];
        assert_eq!(read(&go), Ok(AddOptions::default()));
    }

    #[test]
    fn all_options_survive_the_query() {
        let options = AddOptions {
            pin: PinOptions { name: "a b".to_owned(), ..PinOptions::default() },
            local: true,
            wrap: true,
            progress: true,
            stream: false,
            no_pin: true,
            format: Format::Car,
            layout: Layout::Trickle,
            chunker: "rabin-1-2-3".to_owned(),
            raw_leaves: false,
            cid_version: 1,
            hash: "blake2b-256".to_owned(),
            no_copy: true,
        };
        assert_eq!(AddOptions::from_query(&options.to_query(), 0), Ok(options));
    }

    #[test]
    fn another_hash_and_version_1_imply_what_they_do_in_go() {
        let options = read(&[("hash", "BLAKE2B-256")]).unwrap();
        assert_eq!((options.cid_version, options.raw_leaves), (1, true));
        assert_eq!(options.hash, "blake2b-256");
        assert!(read(&[("cid-version", "1")]).unwrap().raw_leaves);
        assert!(!read(&[("cid-version", "1"), ("raw-leaves", "0")]).unwrap().raw_leaves);
        assert!(read(&[("nocopy", "T")]).unwrap().raw_leaves);
    }

    #[test]
    fn what_cannot_be_had_is_refused_by_name() {
        for (key, value, words) in [
            ("layout", "flat", "layout parameter is invalid"),
            ("format", "zip", "format parameter is invalid"),
            ("progress", "yes", "parameter progress invalid"),
            ("cid-version", "2", "parameter cid-version invalid"),
            ("shard", "true", "sharding is not supported"),
            ("mode", "direct", "pinned recursively"),
            ("replication-min", "x", "parameter replication-min invalid"),
        ] {
            let error = read(&[(key, value)]).unwrap_err();
            assert_eq!(error.reason, ErrorCode::BadRequest);
            assert!(error.message.contains(words), "{key}={value}: {}", error.message);
        }
        assert!(read(&[("pin-update", "nonsense")]).is_ok(), "Go does not look at it");
    }

    #[test]
    fn lines_are_gos() {
        let cid: Cid = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPBdX".parse().unwrap();
        let line = AddedOutput {
            name: "d/x".to_owned(),
            cid: Some(cid),
            size: 14,
            ..AddedOutput::default()
        };
        let text = format!(r#"{{"name":"d/x","cid":"{cid}","size":14}}"#);
        assert_eq!(serde_json::to_string(&line).unwrap(), text);
        assert_eq!(serde_json::from_str::<AddedOutput>(&text).unwrap(), line);
        let progress = AddedOutput { name: "x".to_owned(), bytes: 5, ..AddedOutput::default() };
        assert_eq!(
            serde_json::to_string(&progress).unwrap(),
            r#"{"name":"x","cid":null,"bytes":5}"#
        );
    }
}
