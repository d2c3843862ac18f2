//! A connection whose streams are counted.

use std::pin::Pin;
use std::task::{Context, Poll};

use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};

use super::Meter;
use super::stream::{Counted, Side};

/// A connection around another one.
#[derive(Debug)]
pub(in crate::net) struct Metered<M> {
    inner: M,
    meter: Meter,
}

impl<M> Metered<M> {
    pub(in crate::net) fn new(inner: M, meter: Meter) -> Self {
        Self { inner, meter }
    }
}

impl<M> StreamMuxer for Metered<M>
where
    M: StreamMuxer + Unpin,
    M::Substream: Unpin,
{
    type Substream = Counted<M::Substream>;
    type Error = M::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        let opened = Pin::new(&mut self.inner).poll_inbound(cx);
        opened.map_ok(|stream| Counted::new(stream, Side::Answering, self.meter.clone()))
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        let opened = Pin::new(&mut self.inner).poll_outbound(cx);
        opened.map_ok(|stream| Counted::new(stream, Side::Asking, self.meter.clone()))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        Pin::new(&mut self.inner).poll(cx)
    }
}
