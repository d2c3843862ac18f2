//! The commands that are intercepted, each with its options: one declarative table.

use crate::kubo::options::Kind::{self, Bool, Text, Texts};
use crate::kubo::options::OptionSpec;

/// One command of the Kubo RPC. Source: the command tables of Kubo 0.42.0.
#[derive(Debug, PartialEq, Eq)]
pub struct Command {
    /// Its path below `/api/v0/`.
    pub path: &'static str,
    /// Names of its required string arguments, in order.
    pub required: &'static [&'static str],
    /// Whether string arguments may come as the first part of a multipart body.
    pub stdin_args: bool,
    /// Its own options.
    pub options: &'static [OptionSpec],
}

impl Command {
    /// Finds an option by its long or short name, its own or a common one.
    #[must_use]
    pub fn option(&self, key: &str) -> Option<&'static OptionSpec> {
        self.options
            .iter()
            .chain(COMMON)
            .find(|spec| spec.name == key || (!spec.short.is_empty() && spec.short == key))
    }
}

const fn opt(name: &'static str, short: &'static str, kind: Kind) -> OptionSpec {
    OptionSpec { name, short, kind }
}

/// `cluster/tree`, which is ours: Kubo has no such command. Its options are the fields of
/// [`crate::api::tree::Query`], and are checked as those.
pub const CLUSTER_TREE: Command = Command {
    path: crate::api::tree::PATH,
    required: &[],
    stdin_args: false,
    options: &[
        opt("above", "", Text),
        opt("cid", "", Text),
        opt("within_ms", "", Text),
        opt("shallow", "", Bool),
    ],
};

/// Options that every command has.
pub const COMMON: &[OptionSpec] = &[
    opt("repo-dir", "", Text),
    opt("config-file", "", Text),
    opt("config", "c", Text),
    opt("debug", "D", Bool),
    opt("help", "", Bool),
    opt("h", "", Bool),
    opt("local", "L", Bool),
    opt("offline", "", Bool),
    opt("api", "", Text),
    opt("api-auth", "", Text),
    opt("cid-base", "", Text),
    opt("upgrade-cidv0-in-output", "", Bool),
    opt("encoding", "enc", Text),
    opt("stream-channels", "", Bool),
    opt("timeout", "", Text),
];

const FAST_PROVIDE_ROOT: OptionSpec = opt("fast-provide-root", "", Bool);
const FAST_PROVIDE_DAG: OptionSpec = opt("fast-provide-dag", "", Bool);
const FAST_PROVIDE_WAIT: OptionSpec = opt("fast-provide-wait", "", Bool);
const ALLOW_BIG_BLOCK: OptionSpec = opt("allow-big-block", "", Bool);

/// `pin/add`.
pub const PIN_ADD: Command = Command {
    path: "pin/add",
    required: &["ipfs-path"],
    stdin_args: true,
    options: &[
        opt("recursive", "r", Bool),
        opt("name", "n", Text),
        opt("progress", "", Bool),
        FAST_PROVIDE_ROOT,
        FAST_PROVIDE_DAG,
        FAST_PROVIDE_WAIT,
    ],
};

/// `pin/rm`.
pub const PIN_RM: Command = Command {
    path: "pin/rm",
    required: &["ipfs-path"],
    stdin_args: true,
    options: &[opt("recursive", "r", Bool)],
};

/// `pin/ls`.
pub const PIN_LS: Command = Command {
    path: "pin/ls",
    required: &[],
    stdin_args: false,
    options: &[
        opt("type", "t", Text),
        opt("quiet", "q", Bool),
        opt("name", "n", Text),
        opt("stream", "s", Bool),
        opt("names", "", Bool),
    ],
};

/// `pin/update`.
pub const PIN_UPDATE: Command = Command {
    path: "pin/update",
    required: &["from-path", "to-path"],
    stdin_args: false,
    options: &[opt("unpin", "", Bool), FAST_PROVIDE_ROOT, FAST_PROVIDE_DAG, FAST_PROVIDE_WAIT],
};

/// `repo/stat`, and its alias `stats/repo`.
pub const REPO_STAT: Command = Command {
    path: "repo/stat",
    required: &[],
    stdin_args: false,
    options: &[opt("size-only", "s", Bool), opt("human", "H", Bool)],
};

/// `repo/gc`.
pub const REPO_GC: Command = Command {
    path: "repo/gc",
    required: &[],
    stdin_args: false,
    options: &[opt("stream-errors", "", Bool), opt("quiet", "q", Bool), opt("silent", "", Bool)],
};

/// `add`. Kubo checks and does all of it, numbers too; only some of these options are read here.
pub const ADD: Command = Command {
    path: "add",
    required: &[],
    stdin_args: false,
    options: &[
        opt("recursive", "r", Bool),
        opt("dereference-args", "", Bool),
        opt("stdin-name", "", Text),
        opt("hidden", "H", Bool),
        opt("ignore", "", Texts),
        opt("ignore-rules-path", "", Text),
        opt("empty-dirs", "E", Bool),
        opt("dereference-symlinks", "", Bool),
        opt("quiet", "q", Bool),
        opt("quieter", "Q", Bool),
        opt("silent", "", Bool),
        opt("progress", "p", Bool),
        opt("only-hash", "n", Bool),
        opt("wrap-with-directory", "w", Bool),
        opt("pin", "", Bool),
        opt("pin-name", "", Text),
        opt("to-files", "", Text),
        opt("cid-version", "", Text),
        opt("hash", "", Text),
        opt("raw-leaves", "", Bool),
        opt("chunker", "s", Text),
        opt("trickle", "t", Bool),
        opt("max-file-links", "", Text),
        opt("max-directory-links", "", Text),
        opt("max-hamt-fanout", "", Text),
        opt("inline", "", Bool),
        opt("inline-limit", "", Text),
        opt("nocopy", "", Bool),
        opt("fscache", "", Bool),
        opt("preserve-mode", "", Bool),
        opt("preserve-mtime", "", Bool),
        opt("mode", "", Text),
        opt("mtime", "", Text),
        opt("mtime-nsecs", "", Text),
        FAST_PROVIDE_ROOT,
        FAST_PROVIDE_DAG,
        FAST_PROVIDE_WAIT,
    ],
};

/// `block/put`.
pub const BLOCK_PUT: Command = Command {
    path: "block/put",
    required: &[],
    stdin_args: false,
    options: &[
        opt("cid-codec", "", Text),
        opt("mhtype", "", Text),
        opt("mhlen", "", Text),
        opt("pin", "", Bool),
        ALLOW_BIG_BLOCK,
        opt("format", "f", Text),
    ],
};

/// `dag/put`.
pub const DAG_PUT: Command = Command {
    path: "dag/put",
    required: &[],
    stdin_args: false,
    options: &[
        opt("store-codec", "", Text),
        opt("input-codec", "", Text),
        opt("pin", "", Bool),
        opt("hash", "", Text),
        ALLOW_BIG_BLOCK,
    ],
};

/// `dag/import`.
pub const DAG_IMPORT: Command = Command {
    path: "dag/import",
    required: &[],
    stdin_args: false,
    options: &[
        opt("pin-roots", "", Bool),
        opt("local-only", "", Bool),
        opt("silent", "", Bool),
        opt("stats", "", Bool),
        FAST_PROVIDE_ROOT,
        FAST_PROVIDE_DAG,
        FAST_PROVIDE_WAIT,
        ALLOW_BIG_BLOCK,
    ],
};
