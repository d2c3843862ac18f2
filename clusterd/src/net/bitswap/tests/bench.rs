//! How fast a deep history is fetched: each block is known only when the one before it has come.

use std::time::{Duration, Instant};

use clusterd_core::pinset::codec::BlockId;

use super::stage::{Peer, bytes};

/// Blocks a second that one peer fetches of another, one after another.
async fn fetch_chain(length: u32, others: usize) -> f64 {
    let (mut has, mut wants) = (Peer::start().await, Peer::start().await);
    wants.connect(&mut has).await;
    let mut lacking = Vec::new();
    for _ in 0..others {
        let mut other = Peer::start().await;
        wants.connect(&mut other).await;
        lacking.push(other);
    }
    let chain: Vec<BlockId> = (0..length).map(|n| has.shelf.put(&bytes(n, 250))).collect();
    let start = Instant::now();
    for id in &chain {
        wants.want_soon(*id).await;
        assert_eq!(wants.block().await.0, *id);
    }
    f64::from(length) / start.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_is_fetched_without_a_wait_at_each_block() {
    let start = Instant::now();
    fetch_chain(1000, 0).await;
    fetch_chain(1000, 3).await;
    // A delay of a timer at each block (40 ms of Nagle's, 200 ms of ours) would take far longer.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures, and prints what it measured"]
async fn measure_ten_thousand_blocks_one_after_another() {
    for others in [0, 4] {
        let rate = fetch_chain(10_000, others).await;
        println!("{rate:.0} blocks a second beside {others} peers without them");
    }
}
