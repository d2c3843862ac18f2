//! What is added and pinned: fresh each time, so that no side profits from what another one did.

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};

use harness::random::Random;

/// Between the parts of every form; random bytes do not contain it.
const BOUNDARY: &str = "bench-peers-4f1b7c9d2e8a6053";

/// Bytes of a block that is only there to be pinned.
const BLOCK_BYTES: usize = 64;

/// CID version 1, raw, SHA2-256 of 32 bytes. Source: multiformats/cid, multiformats/multicodec.
const RAW_SHA256: [u8; 4] = [0x01, 0x55, 0x12, 0x20];

/// A form with one file or a directory of files, as `add` takes it.
#[derive(Debug)]
pub(crate) struct Form {
    /// The header line, with its end.
    pub(crate) content_type: String,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Form {
    fn new() -> Self {
        let content_type = format!("Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n");
        Self { content_type, body: Vec::new() }
    }

    fn part(&mut self, name: &str, kind: &str) {
        let head = format!(
            "\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: {kind}\r\n\r\n"
        );
        self.body.extend_from_slice(head.as_bytes());
    }

    fn random_file(&mut self, name: &str, size: usize, random: &mut Random) {
        self.part(name, "application/octet-stream");
        let start = self.body.len();
        self.body.resize(start + size, 0);
        random.fill(&mut self.body[start..]);
    }

    fn end(mut self) -> Self {
        self.body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        self
    }

    /// One file of `size` random bytes.
    pub(crate) fn file(size: usize, random: &mut Random) -> Self {
        let mut form = Self::new();
        form.body.reserve_exact(size + 1024);
        form.random_file("large", size, random);
        form.end()
    }

    /// A directory of `count` files of 1 to 8 KiB.
    pub(crate) fn directory(count: usize, random: &mut Random) -> Self {
        let mut form = Self::new();
        form.part("files", "application/x-directory");
        for number in 0..count {
            form.random_file(&format!("files%2F{number}"), 1024 << (number % 4), random);
        }
        form.end()
    }

    /// A CAR, as `dag/import` takes it.
    pub(crate) fn car(bytes: &[u8]) -> Self {
        let mut form = Self::new();
        form.part("blocks.car", "application/octet-stream");
        form.body.extend_from_slice(bytes);
        form.end()
    }
}

/// Small blocks and their CIDs.
#[derive(Debug)]
pub(crate) struct Blocks {
    /// Their CIDs' text, in the order of the blocks.
    pub(crate) cids: Vec<String>,
    /// All of them in a CAR, each one a root.
    pub(crate) car: Vec<u8>,
}

impl Blocks {
    /// `count` fresh ones.
    pub(crate) fn fresh(count: usize, random: &mut Random) -> Self {
        let mut cids = Vec::with_capacity(count);
        // Source: IPLD, "CARv1": a DAG-CBOR header, then sections, each behind its length.
        let mut header = [&[0xa2, 0x65], b"roots".as_slice()].concat();
        header.extend(cbor_array(count));
        let mut sections = Vec::with_capacity(count * (BLOCK_BYTES + 37));
        for _ in 0..count {
            let mut block = [0; BLOCK_BYTES];
            random.fill(&mut block);
            let cid = [RAW_SHA256.as_slice(), &Sha256::digest(block)].concat();
            // Tag 42 around a byte string of 37: the CID behind a zero byte.
            header.extend([0xd8, 0x2a, 0x58, 37, 0]);
            header.extend_from_slice(&cid);
            sections.extend(varint(cid.len() + BLOCK_BYTES));
            sections.extend_from_slice(&cid);
            sections.extend_from_slice(&block);
            cids.push(text(&cid));
        }
        header.push(0x67);
        header.extend_from_slice(b"version\x01");
        let car = [varint(header.len()), header, sections].concat();
        Self { cids, car }
    }
}

/// CIDs of blocks that nobody has.
pub(crate) fn cids_of_nothing(count: usize, random: &mut Random) -> impl Iterator<Item = String> {
    (0..count).map(move |_| random.cid_of_nothing())
}

fn text(cid: &[u8]) -> String {
    format!("b{}", BASE32_NOPAD.encode(cid).to_ascii_lowercase())
}

/// The head of an array of up to 2^32 items. Source: RFC 8949.
fn cbor_array(count: usize) -> Vec<u8> {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    [&[0x9a], count.to_be_bytes().as_slice()].concat()
}

/// Seven bits a byte, the low ones first. Source: multiformats/unsigned-varint.
fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
