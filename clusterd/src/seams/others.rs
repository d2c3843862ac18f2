//! The other peers for the API: one call of their RPC each.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use common::api::error::{ApiError, ErrorCode};
use common::api::health::Bandwidth;
use common::api::peers::IdInfo;
use common::api::pins::GlobalPinInfo;
use common::api::repo::RepoGc;
use common::api::tree::{Beside, Daemon, Query};
use common::ids::{Cid, PeerId};
use common::status::StatusFilter;
use multiaddr::Multiaddr;
use tokio::sync::mpsc;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use super::network::Pings;
use crate::api::kubo::Soon;
use crate::api::others::{Figures, Others, RepoFigures};
use crate::api::tree::{failed, pin_state};
use crate::net::gorpc::client::{Answers, RpcError, calls, within};
use crate::net::gorpc::methods::Method;
use crate::net::gorpc::types::PeerPin;
use crate::net::{Net, RpcStream};

/// A stream as the calls take it.
type Call = Compat<RpcStream>;

/// States that wait for a slow reader.
const WAITING_MAX: usize = 256;

/// Longest wait for the next state of a list.
const NEXT_WITHIN: Duration = Duration::from_secs(60);

/// Longest wait for a count of blocks. Less than callers wait, so that the sizes can still be had.
const COUNT_WITHIN: Duration = Duration::from_secs(10);

/// Calls others over the network.
pub struct RpcOthers {
    net: Net,
    pings: Pings,
}

impl RpcOthers {
    /// Calls through `net`; names come from `pings`.
    #[must_use]
    pub fn new(net: Net, pings: Pings) -> Self {
        Self { net, pings }
    }

    fn call<'a, T, F>(
        &'a self,
        peer: PeerId,
        call: impl FnOnce(Call) -> F + Send + 'a,
    ) -> Soon<'a, T>
    where
        T: 'a,
        F: Future<Output = Result<T, RpcError>> + Send + 'a,
    {
        Box::pin(async move { call(self.open(peer).await?).await.map_err(failure) })
    }

    async fn open(&self, peer: PeerId) -> Result<Call, ApiError> {
        let opened = self.net.open_rpc(peer).await;
        opened.map(TokioAsyncReadCompatExt::compat).map_err(|error| unreachable(error.to_string()))
    }

    /// A Go peer tells its daemon's id, and how a pin stands.
    async fn beside_go(&self, peer: PeerId, cid: Option<Cid>) -> Result<Beside, ApiError> {
        let id = self.id(peer).await?;
        let pin = match cid {
            Some(cid) => Some(match self.status(peer, cid).await {
                Ok(state) => pin_state(state),
                Err(error) => failed(error.message),
            }),
            None => None,
        };
        let daemon = match id.ipfs.id.filter(|_| id.ipfs.error.is_empty()) {
            Some(id) => Daemon::Untold { id: id.to_string() },
            None => Daemon::Unknown { error: id.ipfs.error },
        };
        Ok(Beside { unsettled: BTreeMap::new(), pin, daemon })
    }

    /// A list of states. Over yamux a lost connection looks like its end, so that is asked for.
    fn list<F>(
        &self,
        peer: PeerId,
        call: impl FnOnce(Call) -> F + Send + 'static,
    ) -> mpsc::Receiver<Result<GlobalPinInfo, ApiError>>
    where
        F: Future<Output = Result<Answers<Call, PeerPin>, RpcError>> + Send,
    {
        let (found, received) = mpsc::channel(WAITING_MAX);
        let net = self.net.clone();
        tokio::spawn(async move {
            if let Err(error) = relay(&net, peer, call, &found).await {
                // An error means that nobody reads any more.
                drop(found.send(Err(error)).await);
            }
        });
        received
    }
}

async fn relay<F>(
    net: &Net,
    peer: PeerId,
    call: impl FnOnce(Call) -> F,
    found: &mpsc::Sender<Result<GlobalPinInfo, ApiError>>,
) -> Result<(), ApiError>
where
    F: Future<Output = Result<Answers<Call, PeerPin>, RpcError>>,
{
    let stream = net.open_rpc(peer).await.map_err(|error| unreachable(error.to_string()))?;
    let watch = net.clone();
    let is_connected = move || watch.address_of(&peer).is_some();
    let mut answers = call(stream.compat()).await.map_err(failure)?.while_connected(is_connected);
    loop {
        let next = tokio::time::timeout(NEXT_WITHIN, answers.next()).await;
        let next = next.map_err(|_| unreachable("its list stands still".to_owned()))?;
        let Some(state) = next.map_err(failure)? else { return Ok(()) };
        if found.send(Ok(global(state))).await.is_err() {
            return Ok(());
        }
    }
}

impl Others for RpcOthers {
    fn id(&self, peer: PeerId) -> Soon<'_, IdInfo> {
        self.call(peer, calls::id)
    }

    fn status(&self, peer: PeerId, cid: Cid) -> Soon<'_, GlobalPinInfo> {
        self.call(peer, move |stream| async move { Ok(global(calls::status(stream, &cid).await?)) })
    }

    fn status_all(
        &self,
        peer: PeerId,
        filter: StatusFilter,
    ) -> mpsc::Receiver<Result<GlobalPinInfo, ApiError>> {
        self.list(peer, move |stream| calls::status_all(stream, filter))
    }

    fn recover(&self, peer: PeerId, cid: Cid) -> Soon<'_, GlobalPinInfo> {
        self.call(
            peer,
            move |stream| async move { Ok(global(calls::recover(stream, &cid).await?)) },
        )
    }

    fn recover_all(&self, peer: PeerId) -> mpsc::Receiver<Result<GlobalPinInfo, ApiError>> {
        self.list(peer, calls::recover_all)
    }

    fn collect(&self, peer: PeerId) -> Soon<'_, RepoGc> {
        self.call(peer, calls::collect)
    }

    fn repo(&self, peer: PeerId, counts: bool) -> Soon<'_, RepoFigures> {
        Box::pin(async move {
            if counts {
                let counted = calls::counted_repo(self.open(peer).await?);
                match within(COUNT_WITHIN, Method::CompositeRepoStat, counted).await {
                    Ok(stat) => {
                        let (used, allowed) = (stat.repo_size, stat.storage_max);
                        let objects = Some(stat.num_objects);
                        return Ok(RepoFigures { used, allowed, objects, kubo: stat.kubo });
                    }
                    // Go's peers do not count, and a large repository takes long: sizes are had at once.
                    Err(error) if error.is_missing_method() => {}
                    Err(error @ RpcError::TimedOut { .. }) => {
                        tracing::warn!(%peer, %error, "the blocks of a peer are not counted");
                    }
                    Err(error) => return Err(failure(error)),
                }
            }
            let stat = calls::repo_stat(self.open(peer).await?).await.map_err(failure)?;
            let (used, allowed) = (stat.repo_size, stat.storage_max);
            Ok(RepoFigures { used, allowed, objects: None, kubo: None })
        })
    }

    fn beside(&self, peer: PeerId, query: Query) -> Soon<'_, Beside> {
        Box::pin(async move {
            match calls::beside(self.open(peer).await?, &query).await {
                Err(error) if error.is_missing_method() => self.beside_go(peer, query.cid).await,
                told => told.map_err(failure),
            }
        })
    }

    fn swarm_peers(&self, peer: PeerId) -> Soon<'_, Vec<PeerId>> {
        self.call(peer, calls::swarm_peers)
    }

    fn name(&self, peer: &PeerId) -> String {
        let named = self.pings.of(peer).map(|ping| ping.peer_name);
        named.filter(|name| !name.is_empty()).unwrap_or_else(|| peer.to_string())
    }

    fn kubo(&self, peer: &PeerId) -> Option<PeerId> {
        self.pings.of(peer)?.ipfs_id
    }

    fn is_connected(&self, peer: &PeerId) -> bool {
        self.net.address_of(peer).is_some()
    }

    fn forget(&self, peer: PeerId) -> Soon<'_, bool> {
        Box::pin(async move {
            let was_known = self.net.forget(peer).await || self.pings.of(&peer).is_some();
            self.pings.forget(&peer);
            Ok(was_known)
        })
    }

    fn own_addresses(&self) -> Vec<Multiaddr> {
        self.net.own_addresses()
    }

    fn figures(&self) -> Figures {
        let counts = self.net.counts();
        Figures {
            connected: self.net.connected().len(),
            heads_refused: counts.heads_refused,
            calls_refused: counts.rpc_refused,
        }
    }

    fn traffic(&self) -> BTreeMap<String, Bandwidth> {
        self.net.traffic()
    }

    fn addresses(&self, peer: &PeerId) -> Vec<Multiaddr> {
        self.net.addresses_of(peer)
    }
}

/// A state at one peer as one of many.
fn global(state: PeerPin) -> GlobalPinInfo {
    GlobalPinInfo {
        cid: state.cid,
        name: state.name,
        allocations: state.allocations,
        origins: state.origins,
        created: state.created,
        metadata: Some(state.metadata).filter(|metadata| !metadata.is_empty()),
        peer_map: [(state.peer, state.info)].into(),
    }
}

fn unreachable(words: String) -> ApiError {
    ApiError::new(ErrorCode::PeerUnreachable, words)
}

fn failure(error: RpcError) -> ApiError {
    let code = match &error {
        RpcError::Denied { .. } => ErrorCode::Forbidden,
        RpcError::Broken { .. } | RpcError::TimedOut { .. } => ErrorCode::PeerUnreachable,
        RpcError::Refused { .. }
        | RpcError::Unserved { .. }
        | RpcError::Faulty { .. }
        | RpcError::Malformed { .. } => ErrorCode::PeerRefused,
    };
    ApiError::new(code, error.to_string())
}
