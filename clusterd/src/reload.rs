//! SIGHUP: reads the configuration again and takes over what can change while the daemon runs.

use std::path::PathBuf;

use common::lifecycle;
use common::log::Volume;
use common::messages;

use crate::config::{self, Config};

/// What a reload needs.
#[derive(Debug)]
pub struct Reload {
    file: Option<PathBuf>,
    volume: Volume,
    running: Config,
}

impl Reload {
    /// `file` as on the command line; `running` is what the daemon was started with.
    #[must_use]
    pub fn new(file: Option<PathBuf>, volume: Volume, running: &Config) -> Self {
        Self { file, volume, running: running.clone() }
    }

    /// Reads the file; a faulty one changes nothing. The log level is all that can change in a running
    /// clusterd: everything else decides what it promised to others.
    pub fn reload(&mut self) {
        lifecycle::reloading();
        match config::load(self.file.as_deref()) {
            Ok(config) => {
                self.volume.set(config.log.level);
                self.running.log.level = config.log.level;
                if config != self.running {
                    tracing::warn!("settings other than the log level wait for a restart");
                }
                tracing::info!("configuration read again");
            }
            Err(error) => {
                tracing::error!(name: messages::NOT_RELOADED, %error, "configuration not read again");
            }
        }
        lifecycle::ready("configuration read again");
    }
}
