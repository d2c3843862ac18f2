//! Shapes of the verbs that proxyd calls. All have scope `Proxy`.
//!
//! Arguments travel as the client wrote them (CIDs or paths): clusterd parses and resolves them,
//! and words its errors as Kubo does. Times are milliseconds.

use serde::{Deserialize, Serialize};

use crate::api::error::ApiError;
use crate::pin::{FastProvide, PinMode};

/// Largest body of a call, in bytes; imports stream and have no such limit. It holds as many
/// arguments as proxyd takes from one request.
pub const BODY_BYTES_MAX: usize = 4 << 20;

/// What a `pin/add`, or an `add` that pins its roots, asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinAdd {
    /// CIDs or paths, in the client's order; at least one.
    pub args: Vec<String>,
    /// How much of each DAG.
    pub mode: PinMode,
    /// The pins' name; absent erases one that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether to answer when the pins are accepted, instead of when they are pinned.
    #[serde(default)]
    pub accepted: bool,
    /// The client's limit for the whole call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Pin only what the local Kubo has whole.
    #[serde(default)]
    pub offline: bool,
    /// The local Kubo has just been given the content, with its own pin.
    #[serde(default)]
    pub local: bool,
    /// Where the local Kubo does not hold all of them already, pin nothing and answer with no CID.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub if_held: bool,
    /// How this machine's Kubo announces it; not stored.
    #[serde(default, skip_serializing_if = "FastProvide::is_default")]
    pub fast_provide: FastProvide,
    /// 32 hex digits: a call repeated with the same id finds its own work done, and pins nothing
    /// that was unpinned meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The call is repeated after [`PinAddEvent::Accepted`]; it only waits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// Whether progress is wanted also of what needs no work, as Kubo tells it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub progress: bool,
}

/// One line of the answer to [`PinAdd`]. The last line is `Pinned` or `Error`; a body that ends
/// without one was cut off, and the call may be repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PinAddEvent {
    /// All pins are durable in the pinset. Sent once, to callers that gave a request id.
    Accepted,
    /// So much is fetched, all arguments together. Sent when it changes.
    Progress {
        /// Nodes fetched.
        nodes: u64,
        /// Bytes fetched.
        bytes: u64,
    },
    /// Done (or accepted): the CIDs in canonical text, in the order of the arguments.
    Pinned(Vec<String>),
    /// Not done.
    Error(ApiError),
}

/// What a `pin/rm` asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinRm {
    /// CIDs or paths; the first that fails ends the call, those before it stay unpinned.
    pub args: Vec<String>,
    /// `false` refuses recursive pins.
    pub recursive: bool,
    /// 32 hex digits: a call repeated with the same id finds its own work done.
    pub request_id: String,
    /// The client's limit for the whole call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// What a `pin/update` asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinUpdate {
    /// CID or path of the pin to replace.
    pub from: String,
    /// CID or path of what takes over.
    pub to: String,
    /// Whether `from` is unpinned.
    pub unpin: bool,
    /// As for [`PinRm`].
    pub request_id: String,
    /// The client's limit for the whole call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How this machine's Kubo announces it; not stored.
    #[serde(default, skip_serializing_if = "FastProvide::is_default")]
    pub fast_provide: FastProvide,
}

/// The CIDs something was done to, in canonical text and the client's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pins {
    /// The CIDs.
    pub pins: Vec<String>,
}

/// Query of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinLs {
    /// Only pins of this mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<PinMode>,
    /// Only pins whose name contains this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Only pins after this CID, in the order of the listing: to go on with one that broke off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// One line of a listing: the CID's canonical text, a space, `r` or `d`, and, when the pin has a
/// name, a space and the name as a JSON string. Lines are sorted by the CID's text, bytewise, as
/// Kubo's map form is. The last line is a lone `.`; without it the listing was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinLine<'a> {
    /// The CID's canonical text.
    pub cid: &'a str,
    /// The pin's mode.
    pub mode: PinMode,
    /// The name as it stands in JSON, quotes included; `None` for no name.
    pub name_json: Option<&'a str>,
}

impl<'a> PinLine<'a> {
    /// The last line of a listing.
    pub const END: &'static str = ".";

    /// Reads one line without its line feed; `None` when it has another form.
    #[must_use]
    pub fn parse(line: &'a str) -> Option<Self> {
        let (cid, rest) = line.split_once(' ')?;
        let (mode, name_json) = match rest.split_once(' ') {
            Some((mode, name)) => (mode, Some(name)),
            None => (rest, None),
        };
        let mode = match mode {
            "r" => PinMode::Recursive,
            "d" => PinMode::Direct,
            _ => return None,
        };
        Some(Self { cid, mode, name_json })
    }
}

/// Which kind of pin a lookup accepts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PinKind {
    /// Any.
    #[default]
    All,
    /// Recursive pins.
    Recursive,
    /// Direct pins.
    Direct,
    /// What a recursive pin reaches.
    Indirect,
}

/// Looks single pins up, as `pin/ls` with arguments does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinLookup {
    /// CIDs or paths; the first that is not pinned ends the call.
    pub args: Vec<String>,
    /// What counts.
    pub kind: PinKind,
    /// The client's limit for the whole call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// One line of the answer to [`PinLookup`]: a `Found` for each argument, or an `Error` that ends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PinLookupEvent {
    /// The next argument is pinned.
    Found {
        /// Canonical text of what the argument leads to.
        cid: String,
        /// `recursive`, `direct` or `indirect through <cid>`.
        kind: String,
        /// The pin's name; empty for none.
        name: String,
    },
    /// The next argument is not pinned, or cannot be looked up.
    Error(ApiError),
}

/// Query of [`RepoStat`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepoStatQuery {
    /// Leave out what takes Kubo long to count.
    #[serde(default)]
    pub size_only: bool,
}

/// The repositories of all connected Kubo daemons together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepoStat {
    /// Bytes used, summed.
    pub repo_size: u64,
    /// `repo_size` and the bytes of content that can still be added, with as many copies as pins have
    /// by default; at most `u64::MAX` (which is Kubo's "unlimited"). With a single Kubo what that allows.
    pub storage_max: u64,
    /// Blocks, summed; 0 with `size_only`.
    pub num_objects: u64,
    /// Path of the local repository; empty with `size_only`.
    pub repo_path: String,
    /// Version of the local repository's format; empty with `size_only`.
    pub version: String,
    /// Names of the peers that did not answer or could not count.
    #[serde(default)]
    pub missing: Vec<String>,
}

/// One line of a garbage collection over all peers. The last line is `Done`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RepoGcEvent {
    /// A block was removed: its raw version-1 CID.
    Removed(String),
    /// Something failed on a peer.
    Error {
        /// The peer's name.
        peer: String,
        /// Kubo's words.
        message: String,
    },
    /// Every peer was asked.
    Done,
}
