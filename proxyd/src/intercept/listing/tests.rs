//! A listing bears a clusterd that breaks off in the middle of a line.

use common::api::proxy::PinLs;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::Lines;
use crate::cluster::Cluster;

/// Answers one call with `body`, and breaks off unless `ends`; the call's request line.
async fn answer(listener: &UnixListener, body: &str, ends: bool) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = [0; 4096];
    let length = stream.read(&mut head).await.unwrap();
    let end = if ends { "0\r\n\r\n" } else { "" };
    let answer = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n{end}",
        body.len()
    );
    stream.write_all(answer.as_bytes()).await.unwrap();
    let head = String::from_utf8_lossy(&head[..length]).into_owned();
    head.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_listing_that_breaks_off_goes_on_after_its_last_whole_line() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("proxy.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let clusterd = tokio::spawn(async move {
        let first = answer(&listener, "a r\nb r\nc ", false).await;
        // Broken off before its first line: it goes on at the same place.
        let second = answer(&listener, "c", false).await;
        let third = answer(&listener, "c d\n.\n", true).await;
        [first, second, third]
    });
    let list = Cluster::new(&socket).pin_ls(PinLs::default()).await.unwrap();
    let mut lines = Lines::of(list);
    let mut read = Vec::new();
    while let Some(line) = lines.next().await.unwrap() {
        read.push(line.to_owned());
    }
    assert_eq!(read, ["a r", "b r", "c d"]);
    let [first, second, third] = clusterd.await.unwrap();
    assert!(!first.contains("after"), "{first}");
    assert!(second.contains("after=b") && third.contains("after=b"), "{second}, {third}");
}
