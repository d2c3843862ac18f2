//! The `ipfs` command line: output and exit code of every command in `scripts/ipfs.txt`.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;

use data_encoding::BASE64;

use crate::calls::Call;
use crate::sides::{Side, Sides};
use crate::{matrix, script, verdict};

/// A CAR file with the dag-cbor node `{"from": "js", "list": [1, 2]}` as its root.
const NODE_CAR: &[u8] = b"OqJlcm9vdHOB2CpYJQABcRIgs9grJ6meIUsHQ1BrkRdpTVZ3bvow4ppOacZGeCngx9ZndmVy\
    c2lvbgE1AXESILPYKyepniFLB0NQa5EXaU1Wd276MOKaTmnGRngp4MfWomRmcm9tYmpzZGxpc3SCAQI=";

/// The files that scripts of command-line clients add.
pub(crate) fn write_files(side: &Side) {
    let tree = side.directory.join("tree");
    fs::create_dir_all(tree.join("sub")).unwrap();
    fs::create_dir_all(tree.join("empty")).unwrap();
    let file = |name: &str, content: &[u8]| fs::write(side.directory.join(name), content).unwrap();
    file("hello.txt", b"hello from a client\n");
    file("two.txt", b"second file\n");
    file("big.bin", &vec![7; 700_000]);
    file("big3.bin", &vec![3; 3 << 20]);
    file("empty.txt", b"");
    file("odd <&> \"name\".txt", b"odd");
    file("tree/a", b"a");
    file("tree/.hidden", b"hidden");
    file("tree/sub/b", b"b");
    if let Err(error) = symlink("sub/b", tree.join("link")) {
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    }
    file("node.json", br#"{"from":"a client","list":[1,2]}"#);
    file("cids.txt", b"bafkqaaa\nbafkqabltnbxxe5a\n");
    file("node.car", &BASE64.decode(NODE_CAR).unwrap());
    file("nonsense.car", b"this is no CAR file");
}

fn run(side: &Side) -> Vec<Call> {
    write_files(side);
    script::run(include_str!("scripts/ipfs.txt"), side, |side| side.ipfs.command(&[]))
}

#[test]
fn the_ipfs_command_line_says_the_same_of_both() {
    let sides = Sides::start();
    let compared = verdict::compare("ipfs", &run(&sides.direct()), &run(&sides.through()));
    verdict::check("ipfs", &compared);
    matrix::record("ipfs", &compared);
}
