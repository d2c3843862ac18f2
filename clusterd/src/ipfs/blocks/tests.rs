//! What is asked of Kubo for blocks, and what of its answers is believed.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::*;
use crate::ipfs::address::Address;

/// CIDs of any bytes: Kubo, which would know better, is played here.
const V0: &str = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPBdX";
const V1: &str = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354";
const BLAKE2B: &str = "bafk2bzacea73ycjnxe2qov7cvnhx52lzfp6nf5jcblnfus6gqreh6ygganbws";

/// Plays a Kubo that answers each call with these lines; gives the outcome and what was asked.
async fn put(blocks: &[(&str, &'static [u8])], answers: &[&str]) -> (Result<(), String>, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kubo.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let answers: Vec<String> = answers.iter().map(|lines| (*lines).to_owned()).collect();
    let playing = tokio::spawn(async move {
        let mut asked = String::new();
        for lines in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"0\r\n\r\n") {
                assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
            }
            asked += &String::from_utf8_lossy(&request);
            let length = lines.len();
            let head =
                format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
            stream.write_all((head + &lines).as_bytes()).await.unwrap();
        }
        asked
    });
    let address: Address = format!("/unix{}", path.display()).parse().unwrap();
    let client = Client::new(&address, None, Duration::from_secs(10));
    let blocks = blocks.iter().map(|(cid, data)| (cid.parse().unwrap(), Bytes::from_static(data)));
    let put = put_all(&client, blocks.collect()).await.map_err(|error| error.to_string());
    (put, playing.await.unwrap())
}

fn key(cid: &str) -> String {
    format!("{{\"Key\":\"{cid}\",\"Size\":1}}\n")
}

#[tokio::test]
async fn blocks_of_one_hash_go_in_one_call_whatever_their_codec() {
    let blocks: &[(&str, &[u8])] = &[(V0, b"one"), (BLAKE2B, b"two"), (V1, b"three")];
    let answers = [key(V0) + &key(V1), key(BLAKE2B)];
    let (put, asked) = put(blocks, &answers.each_ref().map(String::as_str)).await;
    assert_eq!(put, Ok(()));
    let calls: Vec<&str> = asked.lines().filter(|line| line.starts_with("POST ")).collect();
    let query = "cid-codec=raw&mhtype=HASH&mhlen=32&pin=false&allow-big-block=true";
    for (call, hash) in calls.iter().zip(["sha2-256", "blake2b-256"]) {
        let query = query.replace("HASH", hash);
        assert_eq!(*call, format!("POST /api/v0/block/put?{query} HTTP/1.1"));
    }
    assert_eq!(calls.len(), 2);
    let (first, second) = asked.split_once("mhtype=blake2b-256").unwrap();
    assert!(first.contains("one") && first.contains("three") && second.contains("two"), "{asked}");
}

#[tokio::test]
async fn bytes_that_are_not_those_of_their_cid_are_refused_by_name() {
    let (put, _) = put(&[(V0, b"one"), (V1, b"two")], &[&(key(V0) + &key(V0))]).await;
    let words = put.unwrap_err();
    assert!(words.contains(&format!("those of {V0} and not of {V1}")), "{words}");
}

#[tokio::test]
async fn each_block_is_answered_for_and_no_other_one() {
    let (short, _) = put(&[(V0, b"one"), (V1, b"two")], &[&key(V0)]).await;
    assert!(short.unwrap_err().contains(V1));
    let (long, _) = put(&[(V0, b"one")], &[&(key(V0) + &key(V1))]).await;
    assert!(long.unwrap_err().contains("more blocks"));
}

#[tokio::test]
async fn a_block_in_its_cid_needs_no_kubo() {
    // An identity CID of `test`.
    assert_eq!(put(&[("bafkqabdumvzxi", b"test")], &[]).await.0, Ok(()));
    assert!(put(&[("bafkqabdumvzxi", b"text")], &[]).await.0.is_err());
}
