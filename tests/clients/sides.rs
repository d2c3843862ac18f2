//! The two sides of a comparison: a Kubo alone, and another one behind proxyd and clusterd.

use std::fs;
use std::path::{Path, PathBuf};

use harness::http::Client;
use harness::ipfs::Ipfs;
use harness::kubo::Kubo;
use harness::stack::{Stack, StackSetup, temporary_directory};
use serde_json::Value;
use tempfile::TempDir;

/// Kubo pins the empty directory when it makes a repository. The cluster lists its own pins only,
/// so both sides start without it.
const EMPTY_DIRECTORY: &str = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn";

/// Both sides, fresh, without any pin.
pub(crate) struct Sides {
    direct: Kubo,
    through: Stack,
    // Removed last.
    directory: TempDir,
}

/// One side, as a client sees it.
pub(crate) struct Side {
    /// The port of 127.0.0.1 that the client talks to.
    pub(crate) port: u16,
    /// Where the client runs: a directory with the same files on both sides.
    pub(crate) directory: PathBuf,
    /// The command line, pointed at this side.
    pub(crate) ipfs: Ipfs,
    /// Texts of this side alone, with what stands for them.
    private: Vec<(String, &'static str)>,
}

impl Sides {
    /// Starts both.
    pub(crate) fn start() -> Self {
        let directory = temporary_directory().unwrap();
        let direct = Kubo::start_in(directory.path()).unwrap();
        // Scripts put blocks without a pin and collect them at once.
        let clusterd = "gc_hold_off = \"0s\"\n".to_owned();
        let through = Stack::start_with(&StackSetup { clusterd, ..StackSetup::default() }).unwrap();
        for kubo in [&direct, &through.kubo] {
            kubo.ipfs(directory.path()).ok(&["pin", "rm", EMPTY_DIRECTORY]).unwrap();
        }
        Self { direct, through, directory }
    }

    /// The Kubo alone.
    pub(crate) fn direct(&self) -> Side {
        Side::new(&self.direct, self.direct.port(), &self.directory.path().join("direct"))
    }

    /// The one behind the cluster.
    pub(crate) fn through(&self) -> Side {
        Side::new(&self.through.kubo, self.through.port(), &self.directory.path().join("through"))
    }
}

impl Side {
    fn new(kubo: &Kubo, port: u16, directory: &Path) -> Self {
        fs::create_dir_all(directory).unwrap();
        let id = Client::tcp(kubo.port()).post("/api/v0/id").unwrap().text();
        let id: Value = serde_json::from_str(&id).unwrap();
        let repository = kubo.repository().display().to_string();
        let private = vec![
            (id["ID"].as_str().unwrap().to_owned(), "<peer>"),
            (id["PublicKey"].as_str().unwrap().to_owned(), "<key>"),
            (repository, "<repository>"),
            (directory.display().to_string(), "<directory>"),
            (format!("127.0.0.1:{port}"), "<address>"),
            (format!("127.0.0.1/tcp/{port}"), "<address>"),
        ];
        let ipfs = Ipfs::new(kubo.binary(), port, directory);
        Self { port, directory: directory.to_owned(), ipfs, private }
    }

    /// `text` with this side's own texts replaced, so that both sides can be compared.
    pub(crate) fn impersonal(&self, text: &str) -> String {
        self.private
            .iter()
            .fold(text.to_owned(), |text, (own, stands_for)| text.replace(own, stands_for))
    }
}
