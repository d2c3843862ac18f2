//! What the API asks of Kubo is answered by the connector.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use clusterd_core::input::HeldPin;
use common::api::error::{ApiError, ErrorCode};
use common::api::peers::IpfsInfo;
use common::api::proxy::RepoStat;
use common::api::tree::{Daemon, Query};
use common::ids::{Cid, PeerId};
use common::pin::PinMode;
use multiaddr::Multiaddr;
use tokio::sync::mpsc;

use crate::api::kubo::{Collected, Kubo, Soon, Upload};
use crate::ipfs::audit::{Audit, Pace};
use crate::ipfs::client::Client;
use crate::ipfs::error::ConnectorError;
use crate::ipfs::form::Form;
use crate::ipfs::{below, blocks, held, pin, repo, resolve, upload};

/// Limit of calls that wait for content of others, where the client gave none.
const PATIENT: Duration = Duration::from_secs(10 * 60);

/// Steps that wait for a slow client.
const STEPS_WAITING_MAX: usize = 16;

/// The Kubo beside us, as the API sees it.
pub struct KuboSeam {
    client: Client,
    call_timeout: Duration,
    known: Mutex<Option<PeerId>>,
    /// Whether the daemon is a cluster, as it last said.
    is_cluster: Mutex<Option<bool>>,
}

impl KuboSeam {
    /// Asks through `client`.
    pub fn new(client: Client, call_timeout: Duration) -> Self {
        Self { client, call_timeout, known: Mutex::new(None), is_cluster: Mutex::new(None) }
    }
}

impl Kubo for KuboSeam {
    fn resolve<'a>(
        &'a self,
        argument: &'a str,
        offline: bool,
        limit: Option<Duration>,
    ) -> Soon<'a, Cid> {
        Box::pin(async move {
            let resolved =
                resolve::resolve(&self.client, argument, offline, limit.unwrap_or(PATIENT)).await;
            resolved.map_err(|error| failure(error, limit))
        })
    }

    fn holds(&self, cid: Cid, mode: PinMode, limit: Option<Duration>) -> Soon<'_, bool> {
        Box::pin(async move {
            let held = held::is_held(&self.client, &cid, mode, limit.unwrap_or(PATIENT)).await;
            held.map_err(|error| failure(error, limit))
        })
    }

    fn pin_offline(&self, cid: Cid, mode: PinMode, limit: Option<Duration>) -> Soon<'_, bool> {
        Box::pin(async move {
            let pinned = pin::pin_offline(&self.client, &cid, mode, limit.unwrap_or(PATIENT)).await;
            pinned.map_err(|error| failure(error, limit))
        })
    }

    fn unpin(&self, cid: Cid) -> Soon<'_, ()> {
        Box::pin(async move {
            let unpinned = pin::unpin(&self.client, &cid, self.call_timeout).await;
            unpinned.map_err(|error| failure(error, None))
        })
    }

    fn indirect(&self, cid: Cid, limit: Option<Duration>) -> Soon<'_, Option<String>> {
        Box::pin(async move {
            let found = held::indirect(&self.client, &cid, limit.unwrap_or(PATIENT)).await;
            found.map_err(|error| failure(error, limit))
        })
    }

    fn dag_size(&self, cid: Cid, limit: Option<Duration>) -> Soon<'_, (u64, u64)> {
        Box::pin(async move {
            let size = repo::dag_size(&self.client, &cid, limit.unwrap_or(PATIENT)).await;
            size.map_err(|error| failure(error, limit))
        })
    }

    fn known_id(&self) -> Option<PeerId> {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn id(&self) -> Soon<'_, IpfsInfo> {
        Box::pin(async move {
            let kubo = repo::id(&self.client, self.call_timeout).await;
            let kubo = kubo.map_err(|error| failure(error, None))?;
            let id = kubo.id.parse().ok();
            *self.known.lock().unwrap_or_else(PoisonError::into_inner) = id;
            let addresses = kubo.addresses.unwrap_or_default();
            let addresses = addresses.iter().filter_map(|text| text.parse().ok()).collect();
            Ok(IpfsInfo { id, addresses, error: String::new() })
        })
    }

    fn below(&self, query: Query) -> Soon<'_, Daemon> {
        Box::pin(async move {
            let limit = query.within_ms.map_or(self.call_timeout, Duration::from_millis);
            let found = below::look(&self.client, &query, limit).await;
            let found = found.map_err(|error| failure(error, None))?;
            let is_cluster = matches!(found, Daemon::Cluster { .. });
            *self.is_cluster.lock().unwrap_or_else(PoisonError::into_inner) = Some(is_cluster);
            Ok(found)
        })
    }

    fn repo_stat(&self, size_only: bool) -> Soon<'_, RepoStat> {
        Box::pin(async move {
            let stat = repo::stat(&self.client, size_only).await;
            let stat = stat.map_err(|error| failure(error, None))?;
            Ok(RepoStat {
                repo_size: stat.repo_size,
                storage_max: stat.storage_max,
                num_objects: stat.num_objects,
                repo_path: stat.repo_path,
                version: stat.version,
                missing: Vec::new(),
            })
        })
    }

    fn connect(&self, addresses: Vec<Multiaddr>) -> Soon<'_, ()> {
        Box::pin(async move {
            let connected = blocks::connect(&self.client, &addresses).await;
            connected.map_err(|error| failure(error, None))
        })
    }

    fn swarm_peers(&self) -> Soon<'_, Vec<PeerId>> {
        Box::pin(async move {
            let peers = blocks::swarm_peers(&self.client).await;
            let peers = peers.map_err(|error| failure(error, None))?;
            Ok(peers.iter().filter_map(|peer| peer.parse().ok()).collect())
        })
    }

    fn put_blocks(&self, blocks: Vec<(Cid, Bytes)>) -> Soon<'_, ()> {
        Box::pin(async move {
            let put = blocks::put_all(&self.client, blocks).await;
            put.map_err(|error| failure(error, None))
        })
    }

    fn upload(&self, upload: Upload) -> mpsc::Receiver<Result<Bytes, ApiError>> {
        let (lines, received) = mpsc::channel(STEPS_WAITING_MAX);
        let client = self.client.clone();
        tokio::spawn(async move {
            tokio::select! {
                ended = send_on(&client, upload, &lines) => if let Err(error) = ended {
                    drop(lines.send(Err(failure(error, None))).await);
                },
                // Nobody wants to know: Kubo may be waiting for the rest of the form.
                () = lines.closed() => {}
            }
        });
        received
    }

    fn free_space(&self, reserve: u64) -> Soon<'_, u64> {
        Box::pin(async move {
            let is_cluster = *self.is_cluster.lock().unwrap_or_else(PoisonError::into_inner);
            // The volume beside a cluster's proxyd is that of one of its peers alone.
            if is_cluster != Some(false)
                && let Daemon::Cluster { tree } = self.below(shallow()).await?
            {
                let words = "the cluster in place of an ipfs daemon takes no pins, or does not tell its space";
                let free = tree.free.filter(|_| tree.refuses.is_empty());
                return free.ok_or_else(|| ApiError::new(ErrorCode::IpfsRefused, words));
            }
            let free = repo::free_space(&self.client, reserve).await;
            free.map_err(|error| failure(error, None))
        })
    }

    fn collect(&self) -> mpsc::Receiver<Result<Collected, ApiError>> {
        let (steps, received) = mpsc::channel(STEPS_WAITING_MAX);
        let client = self.client.clone();
        tokio::spawn(async move {
            tokio::select! {
                ended = collect(&client, &steps) => if let Err(error) = ended {
                    drop(steps.send(Err(failure(error, None))).await);
                },
                // Nobody wants to know: before the first block Kubo may be busy for long.
                () = steps.closed() => {}
            }
        });
        received
    }

    fn pins(&self) -> mpsc::Receiver<Result<Vec<HeldPin>, ApiError>> {
        let (batches, received) = mpsc::channel(STEPS_WAITING_MAX);
        let mut audit = Audit::new(self.client.clone(), Pace::Full);
        tokio::spawn(async move {
            while let Some(batch) = audit.next().await.transpose() {
                let is_failure = batch.is_err();
                let sent = batches.send(batch.map_err(|error| failure(error, None))).await;
                if is_failure || sent.is_err() {
                    return;
                }
            }
        });
        received
    }
}

/// Asks a cluster about itself alone.
fn shallow() -> Query {
    Query { shallow: true, ..Query::default() }
}

async fn send_on(
    client: &Client,
    upload: Upload,
    lines: &mpsc::Sender<Result<Bytes, ApiError>>,
) -> Result<(), ConnectorError> {
    let Upload { command, query, content_type, body } = upload;
    let query: Vec<(&str, &str)> = query.iter().map(|(key, value)| (*key, &**value)).collect();
    let form = Form { content_type, body };
    let mut sent = upload::Upload::start(client, "add content", command, &query, form).await?;
    while let Some(line) = sent.next().await? {
        if lines.send(Ok(line)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

async fn collect(
    client: &Client,
    steps: &mpsc::Sender<Result<Collected, ApiError>>,
) -> Result<(), ConnectorError> {
    let mut collection = repo::Collection::start(client).await?;
    while let Some(step) = collection.next().await? {
        let step = match step {
            repo::Collected::Removed(cid) => Ok(cid),
            repo::Collected::Failed(words) => Err(words),
        };
        // An error means that nobody wants the rest.
        if steps.send(Ok(step)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// `limit` is the client's own; its end gets Kubo's words.
fn failure(error: ConnectorError, limit: Option<Duration>) -> ApiError {
    let code = match &error {
        ConnectorError::Refused { .. } => ErrorCode::IpfsRefused,
        ConnectorError::Stalled { .. } if limit.is_some() => {
            return ApiError::new(ErrorCode::DeadlineExceeded, "context deadline exceeded");
        }
        ConnectorError::Unreachable { .. } | ConnectorError::Stalled { .. } => {
            ErrorCode::IpfsUnreachable
        }
        ConnectorError::Unintelligible { .. } => ErrorCode::Internal,
    };
    ApiError::new(code, error.to_string())
}
