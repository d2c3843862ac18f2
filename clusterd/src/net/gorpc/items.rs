//! Lists that are made while they are read, whose end is said, so that a broken one is not taken for whole.

use thiserror::Error;
use tokio::sync::mpsc;

/// Why a method did not do what it was called for; the caller gets the words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// That nobody wants more of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("nobody reads the list any more")]
pub struct Unwanted;

enum Step<T> {
    Item(T),
    Failed(Refusal),
    End,
}

/// The reading side of a list.
#[derive(Debug)]
pub struct Items<T> {
    steps: mpsc::Receiver<Step<T>>,
    /// How it ended, once that was received.
    over: Option<Result<(), Refusal>>,
}

/// The writing side of a list. Dropped without [`Feed::end`] or [`Feed::fail`], the list counts as broken.
#[derive(Debug)]
pub struct Feed<T> {
    steps: mpsc::Sender<Step<T>>,
}

/// A list of which at most `waiting_max` elements wait to be read.
#[must_use]
pub fn items<T>(waiting_max: usize) -> (Feed<T>, Items<T>) {
    let (steps, received) = mpsc::channel(waiting_max.max(1));
    (Feed { steps }, Items { steps: received, over: None })
}

impl<T> Feed<T> {
    /// Appends an element; waits while too many wait to be read.
    ///
    /// # Cancel safety
    /// The element is lost when it is dropped.
    ///
    /// # Errors
    /// [`Unwanted`] when the reader is gone.
    pub async fn send(&self, item: T) -> Result<(), Unwanted> {
        self.steps.send(Step::Item(item)).await.map_err(|_| Unwanted)
    }

    /// Says that the list is whole.
    pub async fn end(self) {
        // A reader that is gone needs no end.
        drop(self.steps.send(Step::End).await);
    }

    /// Says that the list cannot be continued.
    pub async fn fail(self, refusal: Refusal) {
        drop(self.steps.send(Step::Failed(refusal)).await);
    }
}

impl<T> Items<T> {
    /// Waits for the next element; `None` at the end.
    ///
    /// # Cancel safety
    /// Nothing is lost when it is dropped.
    ///
    /// # Errors
    /// [`Refusal`] when the list breaks off.
    pub async fn next(&mut self) -> Result<Option<T>, Refusal> {
        loop {
            if let Some(over) = &self.over {
                return over.clone().map(|()| None);
            }
            let step = self.steps.recv().await;
            if let Some(item) = self.take(step) {
                return Ok(Some(item));
            }
        }
    }

    /// The next element if it is there already; `None` where [`Items::next`] has to be asked.
    pub fn ready(&mut self) -> Option<T> {
        if self.over.is_some() {
            return None;
        }
        let step = self.steps.try_recv().ok()?;
        self.take(Some(step))
    }

    fn take(&mut self, step: Option<Step<T>>) -> Option<T> {
        let over = match step {
            Some(Step::Item(item)) => return Some(item),
            Some(Step::End) => Ok(()),
            Some(Step::Failed(refusal)) => Err(refusal),
            None => Err(Refusal("the list broke off".to_owned())),
        };
        self.over = Some(over);
        None
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_list_is_whole_only_when_its_end_was_said() {
        let (feed, mut list) = items(4);
        feed.send(1).now_or_never().unwrap().unwrap();
        feed.send(2).now_or_never().unwrap().unwrap();
        feed.end().now_or_never().unwrap();
        assert_eq!(list.ready(), Some(1));
        assert_eq!(list.next().now_or_never().unwrap(), Ok(Some(2)));
        assert_eq!(list.ready(), None);
        assert_eq!(list.next().now_or_never().unwrap(), Ok(None));
        assert_eq!(list.next().now_or_never().unwrap(), Ok(None));
    }

    #[test]
    fn a_dropped_feed_breaks_the_list() {
        let (feed, mut list) = items::<u8>(4);
        feed.send(1).now_or_never().unwrap().unwrap();
        drop(feed);
        assert_eq!(list.next().now_or_never().unwrap(), Ok(Some(1)));
        let broken = Err(Refusal("the list broke off".to_owned()));
        assert_eq!(list.next().now_or_never().unwrap(), broken);
        assert_eq!(list.next().now_or_never().unwrap(), broken);
    }

    #[test]
    fn a_writer_waits_for_the_reader_and_learns_that_it_is_gone() {
        let (feed, mut list) = items(1);
        feed.send(1).now_or_never().unwrap().unwrap();
        assert!(feed.send(2).now_or_never().is_none());
        assert_eq!(list.ready(), Some(1));
        drop(list);
        assert_eq!(feed.send(3).now_or_never(), Some(Err(Unwanted)));
    }
}
