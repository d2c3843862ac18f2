//! The daemon from start to end: log, sockets, threads, readiness, drain.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use common::activation::{self, ActivationError, Handed, Listener};
use common::args::DaemonArgs;
use common::config::ConfigError;
use common::lifecycle::{self, Signals, Watchdog, Wish, exit};
use common::{log, messages};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};

use crate::config::{Config, NOT_OWN, Wait};
use crate::confine::confine;
use crate::guard::credential::{self, CredentialError};
use crate::guard::users::UsersError;
use crate::intercept::Context;
use crate::reload::Reload;
use crate::ring;
use crate::server::{self, House, ListenError, Worker};
use crate::tls::{Tls, TlsError};
use crate::upstream::address::Address;

/// Name of the sockets in the socket unit.
const SOCKET_NAME: &str = "listen";
/// systemd waits for us past the drain: time to write the last log lines.
const STOP_RESERVE: Duration = Duration::from_secs(5);

/// Without a watchdog there is nothing to feed, and the loop may sleep.
const NO_WATCHDOG: Duration = Duration::from_secs(3600);

/// The client's and the one to Kubo or clusterd.
const DESCRIPTORS_A_CONNECTION: usize = 2;
/// Listeners, the log, event queues, idle connections to Kubo: far fewer are in use.
const DESCRIPTORS_OWN: usize = 64;

/// Why proxyd cannot run.
#[derive(Debug, Error)]
enum RunError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Credential(#[from] CredentialError),
    #[error(transparent)]
    Users(#[from] UsersError),
    #[error(transparent)]
    Activation(#[from] ActivationError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error(
        "no address to listen on; set `listen` in proxyd.toml, or start proxyd by its socket unit"
    )]
    NoListener,
    #[error("`ipfs` in proxyd.toml is {0}, where proxyd itself listens; {NOT_OWN}")]
    OwnAddress(Address),
    #[error("cannot start: {0}")]
    Start(#[from] io::Error),
}

impl RunError {
    fn exit_code(&self) -> i32 {
        match self {
            Self::Config(_)
            | Self::Tls(_)
            | Self::Credential(_)
            | Self::Users(_)
            | Self::NoListener
            | Self::OwnAddress(_) => exit::CONFIG,
            Self::Activation(_) | Self::Listen(_) | Self::Start(_) => exit::FAILURE,
        }
    }
}

/// Runs proxyd to its end and gives its exit code.
#[must_use]
pub fn run(args: &DaemonArgs) -> i32 {
    if let Some(pid) = args.reload {
        return match lifecycle::ask_to_reload(pid) {
            Ok(()) => exit::OK,
            Err(error) => complain(&RunError::Start(error)),
        };
    }
    // Until the configuration is read the log has its default form.
    let config = match Config::load(args.config.as_deref()) {
        Ok(config) => config,
        Err(error) => return complain(&RunError::Config(error)),
    };
    if args.check {
        return check(&config);
    }
    let volume = log::init(config.log_format, config.log_level);
    let reload = Reload::new(args.config.clone(), volume, &config);
    match serve(config, reload) {
        Ok(()) => exit::OK,
        Err(error) => {
            tracing::error!(name: messages::CANNOT_START, %error, "proxyd cannot run");
            error.exit_code()
        }
    }
}

fn check(config: &Config) -> i32 {
    match load_tls(config).and_then(|_| Ok(credential::load()?)) {
        Ok(_) => {
            if config.unix_users.is_rule() {
                note(NEEDS_USERS);
            }
            exit::OK
        }
        Err(error) => complain(&error),
    }
}

/// Said by `--check`, which runs outside of the unit's sandbox and cannot see what proxyd will.
const NEEDS_USERS: &str = "note: unix_uids works only with the drop-in peer-credentials.conf, which sets \
     PrivateUsers=no for proxyd.service; without it proxyd does not start, unless only root is named";

#[expect(clippy::print_stderr, reason = "there is no log in a check")]
fn note(words: &str) {
    eprintln!("{words}");
}

/// There is no log yet, and a report has many lines.
fn complain(error: &RunError) -> i32 {
    log::complain(error);
    error.exit_code()
}

fn serve(mut config: Config, mut reload: Reload) -> Result<(), RunError> {
    let tls = load_tls(&config)?;
    config.unix_users.check()?;
    reload.renews(tls.clone());
    let authorizations = credential::load()?;
    // First of all, before other descriptors take these numbers.
    let listeners = listeners(activation::take()?, &config)?;
    let context = Context::new(
        &config.cluster,
        config.wait == Wait::Accepted,
        config.extract_headers_extra.clone(),
        authorizations,
        own_addresses(&listeners, &config)?,
    );
    fit_to_descriptors(&mut config);
    // Before there are threads: they inherit it.
    if let Err(error) = confine(matches!(config.ipfs, Address::Name { .. })) {
        tracing::warn!(%error, "proxyd runs with the limits of its unit alone");
    }
    let config = Arc::new(config);
    let house = House::new();
    let runtime = runtime()?;
    let _entered = runtime.enter();
    let mut signals = Signals::new()?;
    let mut others = Vec::new();
    for _ in 1..config.threads {
        let listeners = listeners.iter().map(server::clone).collect::<io::Result<Vec<_>>>()?;
        let (config, house, tls) = (Arc::clone(&config), Arc::clone(&house), tls.clone());
        let context = Arc::clone(&context);
        let runtime = self::runtime()?;
        others.push(std::thread::Builder::new().name("serve".to_owned()).spawn(move || {
            runtime.block_on(async {
                server::run(Worker::new(config, house, context), listeners, tls).await
            });
        })?);
    }
    let worker = Worker::new(Arc::clone(&config), Arc::clone(&house), context);
    let listening = announce(&listeners, &config);
    // One thread looks for all; it ends with the runtime.
    runtime.spawn(ring::watch(Arc::clone(&worker)));
    runtime.block_on(async {
        let stop = async {
            wait_for_stop(&mut signals, &mut reload, &listening).await;
            tracing::info!(count = house.connections(), "draining");
            lifecycle::stopping("draining");
            lifecycle::extend_timeout(config.drain + STOP_RESERVE);
            house.drain();
        };
        tokio::join!(server::run(worker, listeners, tls), stop);
    });
    for thread in others {
        if thread.join().is_err() {
            tracing::error!("a serving thread has panicked");
        }
    }
    Ok(())
}

/// Waits for the signal to stop; feeds the watchdog meanwhile, from the loop that serves.
async fn wait_for_stop(signals: &mut Signals, reload: &mut Reload, status: &str) {
    let watchdog = Watchdog::from_environment();
    let mut feeding = tokio::time::interval(watchdog.map_or(NO_WATCHDOG, Watchdog::every));
    loop {
        tokio::select! {
            wish = signals.next() => match wish {
                Wish::Stop => return,
                Wish::Reload => reload.reload(status),
            },
            _ = feeding.tick() => {
                if let Some(watchdog) = watchdog {
                    watchdog.feed();
                }
            }
        }
    }
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

fn load_tls(config: &Config) -> Result<Option<Tls>, RunError> {
    let Some(files) = &config.tls else {
        return Ok(None);
    };
    Ok(Some(Tls::load(&files.cert, &files.key)?))
}

/// The sockets that were handed over; without any, those of the configuration.
fn listeners(handed: Vec<Handed>, config: &Config) -> Result<Vec<Listener>, RunError> {
    let (ours, others): (Vec<_>, Vec<_>) =
        handed.into_iter().partition(|socket| socket.name == SOCKET_NAME);
    for socket in others {
        tracing::warn!(path = socket.name, "a socket of this name is not for proxyd; it is closed");
    }
    if ours.is_empty() {
        let mut bound = Vec::new();
        for address in &config.listen {
            bound.extend(server::bind(address)?);
        }
        return if bound.is_empty() { Err(RunError::NoListener) } else { Ok(bound) };
    }
    let listeners: Vec<Listener> = ours.into_iter().map(|socket| socket.listener).collect();
    let addresses: Vec<_> = listeners.iter().filter_map(server::address_of).collect();
    // Without `listen` in the file nobody meant another.
    let is_set = config.listen != Config::default().listen;
    for address in addresses.iter().filter(|a| is_set && !config.listen.contains(a)) {
        tracing::warn!(
            %address,
            "listening on the socket handed over; `listen` in proxyd.toml names another"
        );
    }
    Ok(listeners)
}

/// Where clients are awaited; Kubo must be elsewhere.
fn own_addresses(listeners: &[Listener], config: &Config) -> Result<Vec<Address>, RunError> {
    let own: Vec<Address> = listeners.iter().filter_map(server::address_of).collect();
    match own.iter().any(|own| config.ipfs.leads_to(own)) {
        true => Err(RunError::OwnAddress(config.ipfs.clone())),
        false => Ok(own),
    }
}

/// Gives the line that `systemctl status` shows.
fn announce(listeners: &[Listener], config: &Config) -> String {
    for address in listeners.iter().filter_map(server::address_of) {
        tracing::info!(%address, "listening");
    }
    let status = format!("passing through to Kubo at {}", config.ipfs);
    lifecycle::ready(&status);
    status
}

/// Raises the soft limit of open files, and lowers `connections_max` to what the hard one allows.
fn fit_to_descriptors(config: &mut Config) {
    // The soft limit of 1024 is for programs that use select(2).
    let limit = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map(|()| hard));
    let limit = match limit {
        Ok(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
        Err(error) => {
            tracing::warn!(%error, "the limit of open files could not be raised");
            return;
        }
    };
    let affordable = (limit.saturating_sub(DESCRIPTORS_OWN) / DESCRIPTORS_A_CONNECTION).max(1);
    if affordable < config.connections_max {
        tracing::warn!(
            name: messages::FEW_DESCRIPTORS, count = affordable,
            "connections_max lowered to the limit of open files"
        );
        config.connections_max = affordable;
    }
}
