//! Blocks sent while they are put: in order, no faster than they are taken, never half taken for whole.

use std::sync::Arc;

use futures_util::io::AsyncWriteExt;
use tokio::time::timeout;

use super::super::client::{RpcError, calls};
use super::super::heads::Called;
use super::super::msgpack::to_bytes;
use super::super::server::{Patience, ServeError};
use super::super::types::BlockPut;
use super::local::{Local, REFUSED, cid};
use super::served::{SOON, served, served_with};

fn block(number: u32, bytes: usize) -> BlockPut {
    BlockPut { data: vec![7; bytes], cid: cid(number), cumulative_size: bytes as u64 }
}

async fn until_noted(local: &Local, count: usize) {
    let noted = async {
        while local.notes().len() < count {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, noted).await.expect("not noted");
}

#[tokio::test]
async fn blocks_are_put_before_the_last_is_sent() {
    let local = Arc::<Local>::default();
    let (stream, served) = served(&local);
    let mut upload = calls::put_blocks(stream).await.unwrap();
    for number in 1..=5 {
        upload.send(&block(number, 1 << 20)).await.unwrap();
    }
    // The second megabyte could not have been sent without the first being taken.
    until_noted(&local, 4).await;
    assert!(!local.notes().contains(&"all blocks".to_owned()));
    upload.send(&block(6, 0)).await.unwrap();
    timeout(SOON, upload.finish()).await.unwrap().unwrap();
    assert_eq!(served.ended().await, Ok(()));
    let mut expected: Vec<String> =
        (1..=5).map(|number| format!("block {} of {} bytes", cid(number), 1 << 20)).collect();
    expected.push(format!("block {} of 0 bytes", cid(6)));
    expected.push("all blocks".to_owned());
    assert_eq!(local.notes(), expected);
}

#[tokio::test]
async fn a_refusal_in_the_middle_reaches_who_still_sends() {
    let (stream, served) = served(&Arc::default());
    let mut upload = calls::put_blocks(stream).await.unwrap();
    upload.send(&block(REFUSED, 4)).await.unwrap();
    let sending = async {
        loop {
            if let Err(error) = upload.send(&block(1, 1 << 20)).await {
                return error;
            }
        }
    };
    let refused = timeout(SOON, sending).await.expect("it sends on");
    assert_eq!(refused.to_string(), "no space left");
    drop(upload);
    assert_eq!(served.ended().await, Ok(()));
}

#[tokio::test]
async fn an_upload_that_breaks_is_never_taken_for_whole() {
    let local = Arc::<Local>::default();
    let (stream, served) = served(&local);
    let mut upload = calls::put_blocks(stream).await.unwrap();
    upload.send(&block(1, 10)).await.unwrap();
    until_noted(&local, 1).await;
    drop(upload);
    let ended = served.ended().await;
    assert!(matches!(ended, Err(ServeError::Gone { .. })), "{ended:?}");
    assert_eq!(local.notes().len(), 1);
    assert_eq!(*local.running.borrow(), 0);
}

#[tokio::test]
async fn an_upload_that_ends_inside_of_a_block_or_with_nonsense_is_never_taken_for_whole() {
    let called = Called { service: "IPFSConnector".to_owned(), method: "BlockStream".to_owned() };
    let whole = [to_bytes(&called), to_bytes(&block(1, 10)), to_bytes(&block(2, 10))].concat();
    let nonsense = [&whole[..], &[0x81, 0xa1, b'c', 0xa1, 0]].concat();
    for request in [&whole[..whole.len() - 1], &nonsense] {
        let local = Arc::<Local>::default();
        // Even where a broken stream looks like one that ended.
        let (mut stream, served) = served_with(&local, 1 << 10, Patience::default(), true);
        stream.write_all(request).await.unwrap();
        stream.close().await.unwrap();
        assert!(served.ended().await.is_err());
        assert!(!local.notes().contains(&"all blocks".to_owned()));
    }
}

#[tokio::test]
async fn an_upload_to_nobody_fails() {
    let (ours, theirs) = super::wire::pair(64);
    drop(theirs);
    let error = match calls::put_blocks(ours).await {
        Ok(upload) => upload.finish().await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(error, RpcError::Broken { .. }), "{error:?}");
}
