//! Tells all members what this peer is and can take: ping, free space, tags, length of its queue.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clusterd_core::input::{Input, Time};
use clusterd_core::members;
use common::ids::PeerId;
use common::messages;
use common::status::PinStatus;
use multiaddr::{Multiaddr, Protocol};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use crate::api::below::Below;
use crate::api::kubo::Kubo;
use crate::api::room::Counts;
use crate::clock;
use crate::net::Net;
use crate::net::gorpc::metric::{FREESPACE, Metric, PINQUEUE_BUCKET, Ping};

/// How often metrics are published. Source: `monitor_ping_interval` of Go ipfs-cluster.
const EVERY: Duration = Duration::from_secs(15);
/// How long they hold: a peer that missed two of them is gone for the others.
const LIFE: Duration = Duration::from_secs(30);
/// Least time between two rounds, when many peers come at once.
const APART: Duration = Duration::from_secs(1);
/// How often Kubo is asked for what the metrics say of it.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// How soon one is asked again that answers and does not tell its space: a cluster in place of a Kubo that
/// has just started.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// What is told.
pub struct Informer {
    /// To publish.
    pub net: Net,
    /// The node gets our metrics as it gets those of others.
    pub inputs: mpsc::Sender<Input>,
    /// The Kubo beside us.
    pub kubo: Arc<dyn Kubo>,
    /// How many pins wait.
    pub counts: watch::Receiver<Counts>,
    /// This peer's name.
    pub peername: String,
    /// Tags by which pins are spread, as `group`.
    pub tags: BTreeMap<String, String>,
    /// Whether this peer only follows others.
    pub is_follower: bool,
    /// Bytes of Kubo's volume that stay free.
    pub reserve: u64,
    /// What the daemon is: nothing can be given to one that leads back to this cluster.
    pub below: watch::Receiver<Below>,
    /// Somebody new listens: all is told at once.
    pub wake: Arc<Notify>,
}

/// What Kubo last said of itself.
#[derive(Debug, Clone, Default)]
struct Facts {
    id: Option<PeerId>,
    addresses: Vec<Multiaddr>,
    free: Option<u64>,
}

impl Informer {
    /// Publishes until the node has gone. A Kubo that hangs holds up nothing: its facts are looked up beside.
    pub async fn run(self) {
        let (facts, seen) = watch::channel(Facts::default());
        let looking =
            tokio::spawn(look(Arc::clone(&self.kubo), (self.reserve, self.below.clone()), facts));
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = seen;
        loop {
            let metrics = self.metrics(&seen.borrow_and_update().clone());
            for metric in metrics {
                if !self.tell(metric).await {
                    looking.abort();
                    return;
                }
            }
            let rested = sleep_until(Instant::now() + APART);
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.wake.notified() => {}
                // The first facts make this peer a candidate; it should not take a round.
                Ok(()) = seen.changed() => {}
            }
            rested.await;
        }
    }

    fn metrics(&self, facts: &Facts) -> Vec<Metric> {
        let (me, until) = (self.net.me(), expiry());
        let ping = Ping {
            peer_name: self.peername.clone(),
            ipfs_id: facts.id,
            ipfs_addresses: facts.addresses.iter().filter(|one| is_global(one)).cloned().collect(),
        };
        let counts = self.counts.borrow();
        let queued = counts.unsettled.get(&PinStatus::PinQueued).copied().unwrap_or(0);
        let mut metrics = vec![Metric::ping(me, &ping, until)];
        metrics.extend(self.tags.iter().map(|(tag, value)| Metric::tag(me, tag, value, until)));
        metrics.push(Metric::pinqueue(me, queued, PINQUEUE_BUCKET, until));
        metrics.extend(self.is_follower.then(|| Metric::follower(me, until)));
        metrics.extend(facts.free.map(|free| Metric::freespace(me, free, until)));
        // That no space is left is told at once, as a value that is not valid: Go is silent, and goes on
        // being given pins until its last metric has run out.
        metrics.retain(|metric| metric.is_valid || metric.name == FREESPACE);
        metrics
    }

    /// `false` once nobody is there to be told.
    async fn tell(&self, metric: Metric) -> bool {
        self.net.publish_metric(metric.to_payload()).await;
        self.inputs.send(Input::Metric(for_node(metric))).await.is_ok()
    }
}

/// A metric as the node takes it.
#[must_use]
pub fn for_node(metric: Metric) -> members::Metric {
    let millis = u64::try_from(metric.expires_at_ns / 1_000_000).unwrap_or(0);
    members::Metric {
        peer: metric.peer,
        name: metric.name,
        value: metric.value,
        weight: metric.weight,
        is_group: metric.is_partitionable,
        is_valid: metric.is_valid,
        expires: Time(millis),
        received: clock::now(),
    }
}

/// Nanoseconds since 1970, by this machine's clock.
#[must_use]
pub fn now_ns() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}

fn expiry() -> i64 {
    now_ns().saturating_add(i64::try_from(LIFE.as_nanos()).unwrap_or(i64::MAX))
}

/// A Kubo that fills up and collects garbage by turns is told of this often.
const TOLD_EVERY: Duration = Duration::from_secs(10 * 60);

/// What the log is told of Kubo's space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// None is left.
    Used,
    /// There is some again, after none was left.
    Free,
}

/// What was last told.
#[derive(Debug, Default)]
struct Space {
    is_used_up: bool,
    told: Option<Instant>,
}

impl Space {
    /// So many bytes may still be added; gives what is to be told, once.
    fn see(&mut self, free: u64, now: Instant) -> Option<Told> {
        if free > 0 {
            return std::mem::take(&mut self.is_used_up).then_some(Told::Free);
        }
        let is_due = self.told.is_none_or(|told| now - told >= TOLD_EVERY);
        if self.is_used_up || !is_due {
            return None;
        }
        (self.is_used_up, self.told) = (true, Some(now));
        Some(Told::Used)
    }
}

async fn look(
    kubo: Arc<dyn Kubo>,
    (reserve, below): (u64, watch::Receiver<Below>),
    facts: watch::Sender<Facts>,
) {
    let (mut is_told, mut space) = (false, Space::default());
    while !facts.is_closed() {
        // While it does not answer the last id and addresses are repeated, as Go does.
        let id = kubo.id().await;
        let answers = id.is_ok();
        match id {
            Ok(ipfs) => {
                facts.send_modify(|facts| (facts.id, facts.addresses) = (ipfs.id, ipfs.addresses));
            }
            Err(error) if !is_told && facts.borrow().id.is_none() => {
                tracing::warn!(
                    name: messages::KUBO_AWAY, %error,
                    "ipfs does not answer yet; pins are accepted and wait for it"
                );
                is_told = true;
            }
            Err(_) => {}
        }
        let is_ring = below.borrow().ring.is_some();
        let free = kubo.free_space(reserve).await.ok().filter(|_| !is_ring);
        match free.and_then(|free| space.see(free, Instant::now())) {
            Some(Told::Used) => tracing::warn!(
                name: messages::NO_SPACE,
                "ipfs has no space left beyond the reserve, and this peer is given no new pins: free space on its volume, collect garbage with clusterdctl gc, or change Datastore.StorageMax of ipfs or reserve in [ipfs]"
            ),
            Some(Told::Free) => tracing::info!("ipfs has space again, and this peer is given pins"),
            None => {}
        }
        facts.send_modify(|facts| facts.free = free);
        let rest = if answers && free.is_none() && !is_ring { LOOK_AGAIN } else { LOOK_EVERY };
        sleep(rest).await;
    }
}

/// Whether other machines could use it. Source: `pingValue` in `cluster.go` of Go ipfs-cluster.
fn is_global(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => !(ip.is_loopback() || ip.is_unspecified() || ip.is_link_local()),
        Some(Protocol::Ip6(ip)) => {
            !(ip.is_loopback() || ip.is_unspecified() || ip.is_unicast_link_local())
        }
        Some(Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_) | Protocol::Dnsaddr(_)) => {
            true
        }
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_space_is_told_once_and_so_is_its_return() {
        let (mut space, now) = (Space::default(), Instant::now());
        assert_eq!(space.see(7, now), None);
        assert_eq!((space.see(0, now), space.see(0, now)), (Some(Told::Used), None));
        assert_eq!((space.see(7, now), space.see(7, now)), (Some(Told::Free), None));
        // It comes and goes: neither is told again for a while.
        let soon = now + TOLD_EVERY / 2;
        assert_eq!((space.see(0, soon), space.see(7, soon)), (None, None));
        assert_eq!(space.see(0, now + TOLD_EVERY), Some(Told::Used));
    }

    #[test]
    fn addresses_that_only_this_machine_can_use_are_not_told() {
        let told = |text: &str| is_global(&text.parse().unwrap());
        assert!(told("/ip4/10.0.0.7/tcp/4001") && told("/dns4/ipfs.example/tcp/4001"));
        assert!(told("/ip6/fd00::2/tcp/4001"));
        assert!(!told("/ip4/127.0.0.1/tcp/4001") && !told("/ip6/::1/tcp/4001"));
        assert!(!told("/ip6/fe80::1/tcp/4001") && !told("/memory/7"));
    }
}
