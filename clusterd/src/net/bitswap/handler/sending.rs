//! What a leading connection sends: our wants on one stream, answers to the peer's on another.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use libp2p::futures::FutureExt;
use libp2p::futures::future::BoxFuture;
use libp2p::{PeerId, Stream};

use super::Purpose;
use crate::net::bitswap::lane::Lane;
use crate::net::bitswap::outbound::{Outbound, Step};
use crate::net::bitswap::serve::{self, Slice, Source};

/// The sending half of a connection.
pub(super) struct Sending {
    peer: PeerId,
    wants: Outbound,
    replies: Outbound,
    source: Arc<Source>,
    answer: Answer,
}

/// Answers to the peer: one message at a time, from the store until the stream took it.
enum Answer {
    None,
    Reading(BoxFuture<'static, Slice>),
    /// Read; waits for the stream.
    Ready(Slice),
    /// Being written; holds its share of memory.
    Sending {
        _share: Slice,
    },
}

impl Sending {
    /// Answers come from `source`.
    pub(super) fn new(peer: PeerId, source: Arc<Source>) -> Self {
        let (wants, replies) = (Outbound::new(), Outbound::new());
        Self { peer, wants, replies, source, answer: Answer::None }
    }

    /// Sends what can be sent. Ready: a stream is to be opened.
    pub(super) fn poll(&mut self, lane: &Arc<Lane>, cx: &mut Context<'_>) -> Poll<Purpose> {
        // Before anything is looked at: what comes later wakes us.
        lane.leader.register(cx.waker());
        if self.poll_wants(lane, cx).is_ready() {
            return Poll::Ready(Purpose::Wants);
        }
        self.poll_replies(lane, cx).map(|()| Purpose::Replies)
    }

    fn poll_wants(&mut self, lane: &Lane, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match ready!(self.wants.poll(cx)) {
                Step::Closed if lane.state().outbox.is_empty() => return Poll::Pending,
                Step::Closed => {
                    self.wants.open();
                    return Poll::Ready(());
                }
                Step::Idle => {
                    let message = lane.state().outbox.take();
                    let Some(message) = message else { return Poll::Pending };
                    self.wants.write(message.to_frame());
                }
                Step::Sent => {}
                Step::Broken(error) => {
                    tracing::debug!(peer = %self.peer, %error, "cannot send wants to a peer");
                    lane.state().outbox.restart();
                }
            }
        }
    }

    fn poll_replies(&mut self, lane: &Arc<Lane>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            self.poll_answer(lane, cx);
            if let Answer::None = self.answer {
                return Poll::Pending;
            }
            match ready!(self.replies.poll(cx)) {
                // Opened while the blocks are read.
                Step::Closed => {
                    self.replies.open();
                    return Poll::Ready(());
                }
                Step::Idle => {
                    let Some(frame) = self.take_frame() else { return Poll::Pending };
                    self.replies.write(frame);
                }
                Step::Sent => {
                    self.answer = Answer::None;
                    lane.state().ledger.sent();
                }
                Step::Broken(error) => {
                    tracing::debug!(peer = %self.peer, %error, "cannot send blocks to a peer");
                    self.answer = Answer::None;
                    lane.state().ledger.restart();
                }
            }
        }
    }

    /// Starts the next answer when there is none, and reads it.
    fn poll_answer(&mut self, lane: &Arc<Lane>, cx: &mut Context<'_>) {
        loop {
            match &mut self.answer {
                Answer::None if lane.state().ledger.is_due() => {
                    let slice = serve::slice(Arc::clone(&self.source), Arc::clone(lane));
                    self.answer = Answer::Reading(slice.boxed());
                }
                Answer::Reading(reading) => match reading.poll_unpin(cx) {
                    Poll::Ready(slice) if slice.frame.is_some() => {
                        self.answer = Answer::Ready(slice);
                    }
                    Poll::Ready(_) => {
                        lane.state().ledger.sent();
                        self.answer = Answer::None;
                    }
                    Poll::Pending => return,
                },
                Answer::None | Answer::Ready(_) | Answer::Sending { .. } => return,
            }
        }
    }

    /// The frame of an answer that is ready.
    fn take_frame(&mut self) -> Option<Vec<u8>> {
        if let Answer::Ready(slice) = &mut self.answer {
            let frame = slice.frame.take();
            if let Answer::Ready(slice) = std::mem::replace(&mut self.answer, Answer::None) {
                self.answer = Answer::Sending { _share: slice };
            }
            return frame;
        }
        None
    }

    /// A stream that was asked for.
    pub(super) fn opened(&mut self, purpose: Purpose, stream: Stream) {
        self.outbound(purpose).opened(stream);
    }

    /// A stream could not be opened now.
    pub(super) fn fail_to_open(&mut self, purpose: Purpose) {
        self.outbound(purpose).fail();
    }

    /// The peer does not know the protocol.
    pub(super) fn refuse(&mut self, purpose: Purpose) {
        self.outbound(purpose).refuse();
    }

    fn outbound(&mut self, purpose: Purpose) -> &mut Outbound {
        match purpose {
            Purpose::Wants => &mut self.wants,
            Purpose::Replies => &mut self.replies,
        }
    }
}
