//! A full disk under Kubo: `add` fails in Kubo's words, and no pin is made.

use harness::ports::Port;
use harness::stack::{Stack, StackSetup, temporary_directory};
use harness::volume::{Volume, may_mount};

use crate::wire::{chunk, upload, upload_end, upload_start};

#[test]
#[ignore = "mounts a small file system for Kubo, which needs root; .ci/run runs it"]
fn kubos_disk_is_full_during_an_add() {
    assert!(may_mount(), "this test mounts a small file system for Kubo: run it as root");
    let directory = temporary_directory().unwrap();
    let repository = directory.path().join("kubo");
    let volume = Volume::mount(&repository).unwrap();
    let stack = Stack::start_in(directory.path(), Port::reserve().unwrap(), &StackSetup::default())
        .unwrap();
    let small = upload(&stack.client(), "/api/v0/add", b"fits");
    assert_eq!(small.status, 200, "{}", small.text());
    let pins = stack.control().call("GET", "/allocations", "").unwrap().text();

    volume.fill().unwrap();
    let mut connection = stack.client().connect().unwrap();
    connection.send(upload_start("/api/v0/add").as_bytes()).unwrap();
    for n in 0..64_u8 {
        // Kubo may stop reading once it has failed.
        if connection.send(&chunk(&[n; 1 << 16])).is_err() {
            break;
        }
    }
    drop(connection.send(&upload_end()));
    let answer = connection.answer(false).unwrap();
    let words = answer
        .trailers
        .iter()
        .find(|(name, _)| name == "X-Stream-Error")
        .map(|(_, words)| words.clone());
    let words = words.unwrap_or_else(|| answer.text());
    assert!(words.contains("no space left on device"), "{answer:?}");
    assert_eq!(stack.control().call("GET", "/allocations", "").unwrap().text(), pins);

    volume.free().unwrap();
    let again = upload(&stack.client(), "/api/v0/add", b"fits again");
    assert_eq!(again.status, 200, "{}", again.text());
}
