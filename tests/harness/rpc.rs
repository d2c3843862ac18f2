//! The few calls of the Kubo RPC that many tests make, over raw HTTP: an answer counts only when it
//! is whole and its trailer reports no error.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

use crate::error::HarnessError;
use crate::http::{Answer, Client};

/// Separates the parts of an upload; must not occur in what is uploaded.
pub const BOUNDARY: &str = "composite-boundary-b1946ac92492d2347c6235b4d2611184";

/// The head of an upload to `add`, up to the file's first byte; the body is chunked.
#[must_use]
pub fn add_head(options: &str) -> String {
    upload_head(&format!("add?{options}"))
}

fn upload_head(command: &str) -> String {
    format!(
        "POST /api/v0/{command} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
    )
}

/// What precedes the only file of an upload in its body.
#[must_use]
pub fn part_head() -> String {
    format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    )
}

/// What ends the body of an upload.
#[must_use]
pub fn part_end() -> String {
    format!("\r\n--{BOUNDARY}--\r\n")
}

/// Adds a small file; its CID.
///
/// # Errors
/// When the call fails in any way.
pub fn add(client: &Client, options: &str, content: &str) -> Result<String, HarnessError> {
    let text = upload(client, &format!("add?{options}"), content.as_bytes())?.text();
    let last = text.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok());
    match last.as_ref().and_then(|line| line["Hash"].as_str()) {
        Some(cid) => Ok(cid.to_owned()),
        None => Err(HarnessError::Unreadable { what: "the answer of add", found: text }),
    }
}

/// Uploads one small file to a command, with its options (`block/put?pin=true`); the good answer.
///
/// # Errors
/// When the call fails in any way.
pub fn upload(client: &Client, command: &str, content: &[u8]) -> Result<Answer, HarnessError> {
    let body = [part_head().as_bytes(), content, part_end().as_bytes()].concat();
    let head = format!("{}{:x}\r\n", upload_head(command), body.len());
    let mut connection = client.connect()?;
    connection.send(&[head.as_bytes(), &body, b"\r\n0\r\n\r\n"].concat())?;
    good(connection.answer(false)?)
}

/// Pins; answers when the pins are held.
///
/// # Errors
/// When the call fails in any way.
pub fn pin_add(client: &Client, cids: &[&str]) -> Result<(), HarnessError> {
    let mut target = "/api/v0/pin/add?".to_owned();
    for cid in cids {
        write!(target, "&arg={cid}").ok();
    }
    let text = good(client.post(&target)?)?.text();
    match cids.iter().find(|cid| !text.contains(**cid)) {
        None => Ok(()),
        Some(_) => Err(HarnessError::Unreadable { what: "the answer of pin/add", found: text }),
    }
}

/// Unpins.
///
/// # Errors
/// When the call fails in any way.
pub fn pin_rm(client: &Client, cid: &str) -> Result<(), HarnessError> {
    good(client.post(&format!("/api/v0/pin/rm?arg={cid}"))?).map(drop)
}

/// The recursive pins.
///
/// # Errors
/// When the call fails in any way.
pub fn pin_ls(client: &Client) -> Result<BTreeSet<String>, HarnessError> {
    let answer = good(client.post("/api/v0/pin/ls?type=recursive&stream=true")?)?;
    let text = answer.text();
    let cid =
        |line: &str| Some(serde_json::from_str::<Value>(line).ok()?["Cid"].as_str()?.to_owned());
    let cids: Option<BTreeSet<String>> = text.lines().map(cid).collect();
    cids.ok_or(HarnessError::Unreadable { what: "the answer of pin/ls", found: text })
}

/// An answer that reports success, and no error in its trailer.
///
/// # Errors
/// [`HarnessError::Unreadable`] with the answer.
pub fn good(answer: Answer) -> Result<Answer, HarnessError> {
    let late_error = answer
        .trailers
        .iter()
        .any(|(name, value)| name.eq_ignore_ascii_case("X-Stream-Error") && !value.is_empty());
    if answer.status == 200 && !late_error {
        return Ok(answer);
    }
    let found = format!("{} {} {:?}", answer.status, answer.text(), answer.trailers);
    Err(HarnessError::Unreadable { what: "a good answer", found })
}
