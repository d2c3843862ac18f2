//! Decides for each request: refuse it, answer it ourselves, or pass it on.

use crate::exchange::Exchange;
use crate::relay::{self, Edits};

/// Answers one request, in whichever way.
pub async fn serve(exchange: &mut Exchange) {
    relay::forward(exchange, &Edits::default()).await;
}
