//! Large bodies stream through both daemons in little memory, and a client that stops reading
//! stops Kubo.

use std::thread;
use std::time::Duration;

use harness::http::{Client, Connection};
use harness::stack::Stack;
use harness::{rpc, scale, wait};
use serde_json::Value;

/// The most that either daemon may ever hold.
const MEMORY_MAX_KIB: u64 = 40 << 10;

const CHUNK: usize = 1 << 20;

/// What socket buffers, proxyd and Kubo may hold of an answer that nobody reads.
const STUCK_MAX: u64 = 48 << 20;

/// What an idle Kubo writes to its logs and to itself between two looks.
const IDLE_MAX: u64 = 128 << 10;

fn size() -> usize {
    scale::pick(256 << 20, 2 << 30)
}

/// Chunk `number` of a body in which no two of Kubo's blocks (256 KiB) are alike.
fn chunk(number: usize) -> Vec<u8> {
    let mut chunk = vec![0x5A; CHUNK];
    for (part, block) in chunk.chunks_mut(256 << 10).enumerate() {
        block[..16].copy_from_slice(&((number as u128) << 64 | part as u128).to_le_bytes());
    }
    chunk
}

/// Uploads [`size`] bytes while the answer is read; the root's CID.
fn add_large(client: &Client) -> String {
    let mut connection = client.connect().unwrap();
    connection.send(rpc::add_head("progress=true").as_bytes()).unwrap();
    let mut upload = connection.uploader().unwrap();
    let writer = thread::spawn(move || {
        let mut send = |bytes: &[u8]| {
            upload.send(format!("{:x}\r\n", bytes.len()).as_bytes())?;
            upload.send(bytes)?;
            upload.send(b"\r\n")
        };
        send(rpc::part_head().as_bytes())?;
        for number in 0..size() / CHUNK {
            send(&chunk(number))?;
        }
        send(rpc::part_end().as_bytes())?;
        upload.send(b"0\r\n\r\n")
    });
    let answer = rpc::good(connection.answer(false).unwrap()).unwrap();
    writer.join().unwrap().unwrap();
    let last: Value = serde_json::from_str(answer.text().lines().last().unwrap()).unwrap();
    last["Hash"].as_str().unwrap().to_owned()
}

/// Asks for the content and reads the head of the answer.
fn open_cat(client: &Client, cid: &str) -> Connection {
    let mut connection = client.connect().unwrap();
    let request = format!("POST /api/v0/cat?arg={cid} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    connection.send(request.as_bytes()).unwrap();
    assert_eq!(connection.head().unwrap().0, 200);
    connection
}

fn assert_little_memory(stack: &Stack) {
    for (name, daemon) in [("proxyd", &stack.proxyd), ("clusterd", &stack.clusterd)] {
        let memory = daemon.program().unwrap().memory().unwrap();
        println!("{name} held at most {} KiB", memory.peak);
        assert!(memory.peak < MEMORY_MAX_KIB, "{name} held {} KiB", memory.peak);
    }
}

#[test]
fn a_large_file_goes_in_and_out_in_little_memory() {
    let stack = Stack::start().unwrap();
    let cid = add_large(&stack.client());
    assert!(rpc::pin_ls(&stack.client()).unwrap().contains(&cid));
    let mut answer = open_cat(&stack.client(), &cid);
    let (mut wanted, mut at) = (Vec::new(), 0);
    while let Some(bytes) = answer.chunk().unwrap() {
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            if at % CHUNK == 0 {
                wanted = chunk(at / CHUNK);
            }
            let length = rest.len().min(CHUNK - at % CHUNK);
            assert!(rest[..length] == wanted[at % CHUNK..][..length], "bytes after {at} differ");
            rest = &rest[length..];
            at += length;
        }
    }
    assert_eq!(at, size());
    assert_little_memory(&stack);
}

#[test]
fn a_client_that_stops_reading_stops_kubo_and_not_us() {
    let stack = Stack::start().unwrap();
    let cid = add_large(&stack.client());
    let kubo = stack.kubo.program().unwrap();
    let proxyd = stack.proxyd.program().unwrap();
    let (before, descriptors) = (kubo.bytes_written().unwrap(), proxyd.descriptors().unwrap());
    let stuck = open_cat(&stack.client(), &cid);
    let mut last = before;
    wait::until("Kubo to stop writing", Duration::from_secs(60), || {
        // Whatever Kubo can still send, it sends within a good part of a second.
        thread::park_timeout(Duration::from_millis(700));
        let now = kubo.bytes_written().unwrap();
        (now - std::mem::replace(&mut last, now) < IDLE_MAX).then_some(())
    })
    .unwrap();
    assert!(last - before < STUCK_MAX, "Kubo wrote {} bytes to nobody", last - before);
    // Others are served meanwhile.
    rpc::good(stack.client().post("/api/v0/version").unwrap()).unwrap();
    rpc::pin_ls(&stack.client()).unwrap();
    assert_little_memory(&stack);
    drop(stuck);
    wait::until("proxyd to let go of the connections", Duration::from_secs(30), || {
        (proxyd.descriptors().unwrap() <= descriptors + 1).then_some(())
    })
    .unwrap();
}
