//! The cipher of the secret is Go's.

use std::pin::Pin;
use std::task::{Context, Poll};

use data_encoding::HEXLOWER;
use futures_util::{AsyncRead, AsyncReadExt, AsyncWrite};
use serde_json::Value;

use super::*;

/// A line on which everything is written by the test beforehand.
struct Line(std::io::Cursor<Vec<u8>>);

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(io::Read::read(&mut self.0, buffer))
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

#[tokio::test]
async fn what_the_other_side_sends_is_read_with_gos_keystream() {
    let vectors: Value =
        serde_json::from_str(include_str!("../../../tests/vectors/psk.json")).unwrap();
    let secret: [u8; 32] = bytes(&vectors["psk_hex"]).try_into().unwrap();
    let streams = vectors["keystream"].as_array().unwrap();
    assert!(streams.len() >= 2);
    for vector in streams {
        // A nonce, and then the keystream itself: it deciphers to zeros.
        let sent = [bytes(&vector["nonce"]), bytes(&vector["keystream96"])].concat();
        let line = Line(std::io::Cursor::new(sent));
        let cipher = PnetConfig::new(PreSharedKey::new(secret));
        let mut hidden = cipher.handshake(line).await.unwrap();
        let mut plain = [1; 96];
        hidden.read_exact(&mut plain).await.unwrap();
        assert_eq!(plain, [0; 96]);
    }
}
