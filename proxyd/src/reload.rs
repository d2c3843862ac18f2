//! SIGHUP: reads the configuration again and takes over what can change while the daemon runs.

use std::path::PathBuf;

use common::log::Volume;
use common::{lifecycle, messages};

use crate::config::Config;
use crate::tls::Tls;

/// What a reload needs.
#[derive(Debug)]
pub struct Reload {
    file: Option<PathBuf>,
    volume: Volume,
    running: Config,
    tls: Option<Tls>,
}

impl Reload {
    /// `file` as on the command line; `running` is what the daemon was started with.
    #[must_use]
    pub fn new(file: Option<PathBuf>, volume: Volume, running: &Config) -> Self {
        Self { file, volume, running: running.clone(), tls: None }
    }

    /// Certificate and key that are read again, too.
    pub fn renews(&mut self, tls: Option<Tls>) {
        self.tls = tls;
    }

    /// Reads log level, certificate and key; what is faulty changes nothing. `status` is shown again
    /// afterwards.
    pub fn reload(&mut self, status: &str) {
        lifecycle::reloading();
        match Config::load(self.file.as_deref()) {
            Ok(config) => {
                self.volume.set(config.log_level);
                self.running.log_level = config.log_level;
                if config != self.running {
                    tracing::warn!("settings other than the log level wait for a restart");
                }
                tracing::info!("configuration read again");
            }
            Err(error) => not_reloaded(&error),
        }
        if let (Some(tls), Some(files)) = (&self.tls, &self.running.tls)
            && let Err(error) = tls.renew(&files.cert, &files.key)
        {
            not_reloaded(&error);
        }
        lifecycle::ready(status);
    }
}

fn not_reloaded(error: &dyn std::error::Error) {
    tracing::error!(name: messages::NOT_RELOADED, %error, "configuration not read again");
}
