//! Frames over streams in memory.

use libp2p::futures::io::Cursor;

use super::*;

/// Long enough for no message of a live peer; the pipes of these tests are dead.
const SOON: Duration = Duration::from_millis(50);

fn memory(bytes: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(bytes / 1024))
}

async fn next(bytes: Vec<u8>) -> Result<Option<Received>, FrameError> {
    Reader::new(Cursor::new(bytes), memory(MESSAGE_BYTES_MAX), READ_TIMEOUT).next().await
}

fn block(bytes: usize) -> Message {
    Message { blocks: vec![vec![7; bytes]], ..Message::default() }
}

#[tokio::test]
async fn messages_of_a_stream_are_read_one_after_another() {
    let messages = [block(0), block(1), block(200), block(2 << 20), Message::default()];
    let bytes = messages.iter().flat_map(Message::to_frame).collect::<Vec<u8>>();
    let mut reader = Reader::new(Cursor::new(bytes), memory(MESSAGE_BYTES_MAX), READ_TIMEOUT);
    for message in messages {
        let received = reader.next().await.unwrap().unwrap();
        assert_eq!(received.message, message);
    }
    assert!(reader.next().await.unwrap().is_none());
}

#[tokio::test]
async fn the_length_is_held_against_the_limit_before_anything_else() {
    // 4 MiB and 1 byte, then as far as 64 bits go. There is no byte behind them to be read.
    for length in [&[0x81, 0x80, 0x80, 0x02][..], &[0xff, 0xff, 0xff, 0x7f], &[0xff; 10]] {
        let refused = next(length.to_vec()).await.unwrap_err();
        assert!(matches!(refused, FrameError::TooLong), "{refused}");
        assert!(refused.to_string().contains("4194304 bytes"));
    }
    // The longest that is allowed fails for want of its body.
    let refused = next(vec![0x80, 0x80, 0x80, 0x02]).await.unwrap_err();
    assert!(matches!(refused, FrameError::Malformed(DecodeError::Short)), "{refused}");
}

#[tokio::test]
async fn a_stream_that_ends_inside_a_message_is_told_apart_from_its_end() {
    let mut bytes = block(100).to_frame();
    bytes.pop();
    assert!(matches!(next(bytes).await, Err(FrameError::Malformed(DecodeError::Short))));
    assert!(matches!(next(vec![0x80]).await, Err(FrameError::Read(_))));
    assert!(matches!(next(Vec::new()).await, Ok(None)));
}

#[tokio::test]
async fn a_message_waits_for_memory_that_others_hold() {
    let memory = memory(MESSAGE_BYTES_MAX);
    let held =
        Reader::new(Cursor::new(block(3 << 20).to_frame()), Arc::clone(&memory), READ_TIMEOUT)
            .next()
            .await
            .unwrap()
            .unwrap();
    assert!(memory.available_permits() < 1024, "{}", memory.available_permits());
    let mut second =
        Reader::new(Cursor::new(block(2 << 20).to_frame()), Arc::clone(&memory), READ_TIMEOUT);
    let mut next = Box::pin(second.next());
    let waits = libp2p::futures::poll!(next.as_mut());
    assert!(waits.is_pending());
    drop(held);
    assert!(next.await.unwrap().is_some());
}

#[tokio::test]
async fn a_message_that_never_ends_is_given_up() {
    let (ours, theirs) = tokio::io::duplex(64);
    let mut reader = Reader::new(Compat(theirs), memory(MESSAGE_BYTES_MAX), SOON);
    let (mut ours, frame) = (Compat(ours), block(1000).to_frame());
    ours.write_all(&frame[..20]).await.unwrap();
    assert!(matches!(reader.next().await, Err(FrameError::Slow(SOON))));
}

#[tokio::test]
async fn a_peer_that_takes_nothing_is_given_up() {
    let (ours, _theirs) = tokio::io::duplex(64);
    let refused = write(Compat(ours), &block(1000).to_frame(), SOON).await.err().unwrap();
    assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
}

/// tokio's pipe behind the traits of libp2p's streams.
struct Compat(tokio::io::DuplexStream);

impl AsyncRead for Compat {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        bytes: &mut [u8],
    ) -> std::task::Poll<io::Result<usize>> {
        let mut buffer = tokio::io::ReadBuf::new(bytes);
        let read =
            tokio::io::AsyncRead::poll_read(std::pin::Pin::new(&mut self.0), cx, &mut buffer);
        read.map_ok(|()| buffer.filled().len())
    }
}

impl AsyncWrite for Compat {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        tokio::io::AsyncWrite::poll_write(std::pin::Pin::new(&mut self.0), cx, bytes)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        tokio::io::AsyncWrite::poll_flush(std::pin::Pin::new(&mut self.0), cx)
    }

    fn poll_close(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        tokio::io::AsyncWrite::poll_shutdown(std::pin::Pin::new(&mut self.0), cx)
    }
}
