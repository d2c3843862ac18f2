//! Opens the state, joins the network, and starts the driver with all that feeds it.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use clusterd_core::effect::Effect;
use clusterd_core::input::Input;
use clusterd_core::node::Node;
use clusterd_core::snapshot::Snapshot;
use clusterd_core::store::StoreError;
use common::ids::PeerId;
use common::lifecycle;
use hyper::header::HeaderValue;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;

use super::DaemonError;
use super::settings::{net_config, node_config};
use crate::api::below::Below;
use crate::api::door::{Door, Waiters};
use crate::api::garbage::Unpinned;
use crate::api::kubo::Kubo;
use crate::api::others::Others;
use crate::api::room::{Counts, Me, Room};
use crate::api::tree::TREES_MAX;
use crate::clock;
use crate::config::Config;
use crate::driver::{Driver, INPUTS_WAITING_MAX};
use crate::effects::{Outbox, Peers};
use crate::identity::{self, ClusterSecret, Identity};
use crate::ipfs::client::Client;
use crate::net::{self, IncomingRpc, Net, Started};
use crate::seams::KuboSeam;
use crate::seams::below::Asker;
use crate::seams::blocks::StoredBlocks;
use crate::seams::informer::Informer;
use crate::seams::links::Links;
use crate::seams::network::{Bridge, Pings};
use crate::seams::others::RpcOthers;
use crate::seams::watchers::Watchers;
use crate::seams::watching::Watching;
use crate::store::{FjallStore, Housekeeper, Reader};

/// While the store opens, the service manager is asked for this much more time, this often.
const MORE_TIME: Duration = Duration::from_secs(30);
const MORE_TIME_EVERY: Duration = Duration::from_secs(10);

/// What runs once the state is open.
pub(super) struct Opened {
    pub(super) room: Arc<Room>,
    pub(super) watchers: Watchers,
    pub(super) driver: std::thread::JoinHandle<()>,
    pub(super) network: Network,
    /// Those that end with the daemon.
    pub(super) tasks: Vec<JoinHandle<()>>,
}

/// The parts of the running network that are left when its events are taken care of.
pub(super) struct Network {
    pub(super) net: Net,
    pub(super) rpc: IncomingRpc,
    pub(super) task: JoinHandle<()>,
}

/// The state, read.
struct State {
    node: Node<FjallStore>,
    /// What the node wants done at once.
    effects: Vec<Effect>,
    reader: Reader,
    housekeeper: Housekeeper,
}

/// Opens the store and the node, joins the network, and starts the driver's thread.
pub(super) async fn open(
    config: &Config,
    identity: &Identity,
    secret: &ClusterSecret,
    halted: watch::Receiver<bool>,
) -> Result<Opened, DaemonError> {
    let kubo = kubo(config)?;
    let seam: Arc<dyn Kubo> = Arc::new(KuboSeam::new(kubo.clone(), config.ipfs.call_timeout));
    let state = open_state(config, identity).await?;
    let (reader, measured) = (state.reader.clone(), state.reader.clone());
    let blocks = Arc::new(StoredBlocks(reader.clone()));
    let started = net::start(net_config(config, identity, secret), blocks)?;
    let (inputs, queue) = mpsc::channel(INPUTS_WAITING_MAX);
    let snapshot: Arc<dyn Snapshot> = Arc::new(reader);
    let peers = peers(identity.peer, &started.net, &inputs, &snapshot);
    let (watchers, watching) = (peers.watchers.clone(), peers.watching.clone());
    let waiters = Arc::new(Waiters::default());
    let (counts, seen) = watch::channel(Counts::default());
    let (members, seen_members) = watch::channel(BTreeSet::from([identity.peer]));
    let (below, seen_below) = watch::channel(Below::default());
    let outbox = Outbox::new(
        Handle::current(),
        Arc::clone(&waiters),
        kubo,
        config.ipfs.pin_timeout,
        inputs.clone(),
        (peers, seen_below.clone()),
    );
    let door = Door::new(inputs.clone(), Arc::clone(&waiters), clock::now);
    let State { node, effects, housekeeper, .. } = state;
    let driver = Driver {
        node,
        inputs: queue,
        stop: halted,
        waiters,
        outbox,
        housekeeper,
        counts,
        members,
        runtime: Handle::current(),
        held: Vec::new(),
        fetched: Vec::new(),
    };
    let driver = start(driver, effects)?;
    let (kubo, members) = (Arc::clone(&seam), seen_members.clone());
    let asker = asker(config, secret, &seam, &inputs, below);
    let fed = Fed { inputs, counts: seen.clone(), kubo, watching, members, asker };
    let (network, tasks, others) = fed.feed(config, started);
    let room = Room {
        door,
        snapshot,
        kubo: seam,
        me: me(config, identity, secret),
        others,
        trusted: config.peers.trusted.clone(),
        stored_bytes: Arc::new(move || measured.bytes().ok()),
        members: seen_members,
        counts: seen,
        collecting: tokio::sync::Mutex::new(()),
        unpinned: Unpinned::new(config.ipfs.gc_hold_off),
        below: seen_below,
        trees: Semaphore::new(TREES_MAX),
    };
    Ok(Opened { room: Arc::new(room), watchers, driver, network, tasks })
}

fn peers(
    own: PeerId,
    net: &Net,
    inputs: &mpsc::Sender<Input>,
    snapshot: &Arc<dyn Snapshot>,
) -> Peers {
    Peers {
        net: net.clone(),
        watchers: Watchers::new(own, Arc::clone(snapshot)),
        watching: Watching::new(net.clone(), inputs.clone(), Arc::clone(snapshot)),
    }
}

fn kubo(config: &Config) -> Result<Client, DaemonError> {
    let authorization = identity::load_ipfs_authorization()?.map(HeaderValue::try_from);
    let authorization = authorization.transpose().map_err(|_| DaemonError::Authorization)?;
    Ok(Client::new(&config.ipfs.api, authorization, config.ipfs.call_timeout))
}

fn me(config: &Config, identity: &Identity, secret: &ClusterSecret) -> Me {
    Me {
        peer: identity.peer,
        peername: config.peername.clone(),
        is_follower: config.peers.follower,
        cluster: secret.cluster_id(&config.cluster_name),
        cluster_name: config.cluster_name.clone(),
        replication: config.replication,
    }
}

fn asker(
    config: &Config,
    secret: &ClusterSecret,
    kubo: &Arc<dyn Kubo>,
    inputs: &mpsc::Sender<Input>,
    below: watch::Sender<Below>,
) -> Asker {
    let (cluster, name) = (secret.cluster_id(&config.cluster_name), config.cluster_name.clone());
    Asker { kubo: Arc::clone(kubo), cluster, name, inputs: inputs.clone(), below }
}

async fn open_state(config: &Config, identity: &Identity) -> Result<State, DaemonError> {
    let settings = node_config(config, identity);
    let directory = config.state.clone();
    let opening = tokio::task::spawn_blocking(move || {
        let store = FjallStore::open(&directory)?;
        let (reader, housekeeper) = (store.reader(), store.housekeeper());
        let (node, effects) = Node::open(store, settings, clock::now())?;
        Ok(State { node, effects, reader, housekeeper })
    });
    let opened: Result<_, StoreError> = patiently(opening).await?;
    Ok(opened?)
}

fn start(driver: Driver, effects: Vec<Effect>) -> Result<std::thread::JoinHandle<()>, DaemonError> {
    std::thread::Builder::new()
        .name("driver".to_owned())
        .spawn(move || driver.run(effects))
        .map_err(|source| DaemonError::System { attempt: "start a thread", source })
}

/// What the tasks beside the driver work with.
struct Fed {
    inputs: mpsc::Sender<Input>,
    counts: watch::Receiver<Counts>,
    kubo: Arc<dyn Kubo>,
    watching: Watching,
    members: watch::Receiver<BTreeSet<PeerId>>,
    asker: Asker,
}

impl Fed {
    /// Starts those that feed the node from the network, tell the network of this peer, connect Kubos, and
    /// look below the daemon.
    fn feed(
        self,
        config: &Config,
        started: Started,
    ) -> (Network, Vec<JoinHandle<()>>, Arc<dyn Others>) {
        let (wake, pings) = (Arc::new(Notify::new()), Pings::default());
        let bridge = Bridge {
            net: started.net.clone(),
            inputs: self.inputs.clone(),
            wake: Arc::clone(&wake),
            pings: pings.clone(),
            watching: self.watching,
        };
        let informer = Informer {
            net: started.net.clone(),
            inputs: self.inputs,
            kubo: Arc::clone(&self.kubo),
            counts: self.counts,
            peername: config.peername.clone(),
            tags: config.tags.clone(),
            is_follower: config.peers.follower,
            reserve: config.ipfs.reserve,
            below: self.asker.below.subscribe(),
            wake,
        };
        let others: Arc<dyn Others> = Arc::new(RpcOthers::new(started.net.clone(), pings.clone()));
        let links = Links {
            net: started.net.clone(),
            kubo: self.kubo,
            others: Arc::clone(&others),
            members: self.members,
            pings,
        };
        let tasks = vec![
            tokio::spawn(bridge.run(started.events)),
            tokio::spawn(informer.run()),
            tokio::spawn(links.run()),
            tokio::spawn(self.asker.run()),
        ];
        let network = Network { net: started.net, rpc: started.rpc, task: started.task };
        (network, tasks, others)
    }
}

/// Waits for work of unknown length, and asks the service manager for the time.
async fn patiently<T>(mut work: tokio::task::JoinHandle<T>) -> Result<T, DaemonError> {
    loop {
        tokio::select! {
            done = &mut work => {
                return done.map_err(|error| DaemonError::System {
                    attempt: "open the store",
                    source: io::Error::other(error),
                });
            }
            () = tokio::time::sleep(MORE_TIME_EVERY) => lifecycle::extend_timeout(MORE_TIME),
        }
    }
}
