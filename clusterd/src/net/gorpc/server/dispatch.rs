//! From a method to the call of this peer that answers it.

use common::api::tree::Query;
use common::ids::{Cid, PeerId};
use common::pin::Pin;
use futures_util::FutureExt;
use futures_util::io::{AsyncRead, AsyncWrite};

use super::super::methods::Method;
use super::super::peer::{Peer, Soon};
use super::super::types::Asked;
use super::Broken;
use super::call::Call;

/// Answers a call that the caller may make.
pub(super) async fn run<S>(
    call: &mut Call<S>,
    peer: &dyn Peer,
    caller: PeerId,
    method: Method,
) -> Result<(), Broken>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    match method {
        Method::ClusterIdStream => call.one(peer.id()).await,
        Method::ClusterId => call.unary(|()| peer.id()).await,
        Method::ClusterPeerAdd => call.unary(|joining: PeerId| peer.add_peer(joining)).await,
        Method::ClusterVersion => call.unary(|()| done(peer.version())).await,
        Method::ClusterPeers => call.items(peer.peers()).await,
        Method::ClusterPeerRemove | Method::ConsensusRmPeer => {
            call.unary(|leaving: PeerId| peer.remove_peer(leaving)).await
        }
        Method::ClusterRecoverAllLocal => call.items(peer.recover_all()).await,
        Method::ClusterRepoGcLocal => call.unary(|()| peer.collect()).await,
        Method::PinTrackerStatus => call.unary(|cid: Cid| peer.status(cid)).await,
        Method::PinTrackerStatusAll => call.list(|filter| peer.status_all(filter)).await,
        Method::PinTrackerRecover | Method::ClusterRecoverLocal => {
            call.unary(|cid: Cid| peer.recover(cid)).await
        }
        Method::IpfsConnectorRepoStat => call.unary(|()| peer.repo_stat()).await,
        Method::IpfsConnectorSwarmPeers => call.unary(|()| peer.swarm_peers()).await,
        Method::IpfsConnectorBlockStream => call.upload(|blocks| peer.put_blocks(blocks)).await,
        Method::ConsensusLogPin => call.unary(|pin: Pin| peer.log_pin(pin)).await,
        Method::ConsensusLogUnpin => call.unary(|pin: Pin| peer.log_unpin(pin)).await,
        // Members are those that ping; Go does nothing either.
        Method::ConsensusAddPeer => call.unary(|_: PeerId| done(())).await,
        Method::CompositeHeads => call.unary(|()| peer.heads()).await,
        Method::CompositeStates => call.unary(|asked: Asked| peer.states(asked)).await,
        Method::CompositeWatch => call.items(peer.watch(caller)).await,
        Method::CompositeRepoStat => call.unary(|()| peer.counted_repo()).await,
        Method::CompositeBelow => call.unary(|query: Query| peer.beside(query)).await,
    }
}

/// An answer that is there already.
fn done<'a, T: Send + 'a>(answer: T) -> Soon<'a, T> {
    std::future::ready(Ok(answer)).boxed()
}
