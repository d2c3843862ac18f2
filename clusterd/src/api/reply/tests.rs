//! Streamed answers are whole, or they are known not to be.

use futures_util::poll;
use http_body_util::BodyExt;

use super::*;

/// Often enough for what happens once in some thousand times.
const TIMES: usize = 50_000;

/// The reader looks without a pause, so that it looks also between the last chunk and the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_ends_at_once_loses_nothing() {
    let (answers, mut written) = tokio::sync::mpsc::channel::<Lines>(1);
    let writer = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Handle::current();
        while let Some(mut lines) = written.blocking_recv() {
            runtime.block_on(lines.bytes(b"one".to_vec())).unwrap();
            lines.end();
        }
    });
    for _ in 0..TIMES {
        let (lines, response) = stream();
        let mut body = response.into_body();
        answers.send(lines).await.unwrap();
        let first = loop {
            // Without a budget, as the runtime lets a task look in vain for ever that does not pause.
            if let Poll::Ready(frame) = poll!(tokio::task::unconstrained(body.frame())) {
                break frame;
            }
        };
        assert_eq!(first.unwrap().unwrap().into_data().unwrap(), "one");
        assert!(body.frame().await.is_none());
    }
    drop(answers);
    writer.await.unwrap();
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_no_whole_one_though_all_before_is_read() {
    let (mut lines, response) = stream();
    lines.bytes(b"one".to_vec()).await.unwrap();
    drop(lines);
    let mut body = response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
    assert!(body.frame().await.unwrap().is_err());
}

#[tokio::test]
async fn who_writes_learns_that_the_reader_has_gone() {
    let (mut lines, response) = stream();
    drop(response);
    assert!(lines.json(&1).await.is_err());
}
