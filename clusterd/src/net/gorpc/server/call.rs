//! One call being served: its stream, and the forms that calls have.

use std::future::{Future, pending};
use std::time::Duration;

use futures_util::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::timeout;

use super::super::heads::{Answered, Called, Fault, REQUEST_HEAD_BYTES_MAX};
use super::super::items::{Feed, Items, Refusal, items};
use super::super::msgpack::{Decode, Encode, Writer, from_bytes};
use super::super::peer::Soon;
use super::super::values::Values;
use super::{Broken, Patience, ServeError};

/// Longest argument in bytes: Go's blocks are at most 2 MiB, bitswap's 4 MiB.
pub(super) const ARGUMENT_BYTES_MAX: usize = (4 << 20) + (4 << 10);

/// Arguments that wait for the method.
const ARGUMENTS_WAITING_MAX: usize = 2;

/// Items that are there at once are written together up to about so many bytes.
const WRITTEN_TOGETHER_BYTES: usize = 32 << 10;

/// Bytes that are passed over where nothing more should come.
const SURPLUS_BYTES_MAX: usize = 64 << 10;

/// How long a caller that was refused has to read so, and to stop sending.
const LINGER: Duration = Duration::from_secs(2);

/// One call.
pub(super) struct Call<S> {
    called: Called,
    values: Values<ReadHalf<S>>,
    to: WriteHalf<S>,
    patience: Patience,
    /// Whether an answer is written in part, so that nothing else may follow.
    is_writing: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Call<S> {
    pub(super) fn new(stream: S, patience: Patience) -> Self {
        let (from, to) = stream.split();
        let (called, values) = (Called::default(), Values::new(from));
        Self { called, values, to, patience, is_writing: false }
    }

    /// Reads which method is called.
    pub(super) async fn head(&mut self) -> Result<(String, String), Broken> {
        let limit = self.patience.head;
        let read = self.values.next(REQUEST_HEAD_BYTES_MAX);
        let read = timeout(limit, read).await;
        let head = read.map_err(|_| Broken::Stalled("say what it calls", limit))?;
        let head = head.map_err(Broken::unreadable)?;
        let head = head.ok_or_else(|| Broken::Gone("it called nothing".to_owned()))?;
        self.called = from_bytes(&head).map_err(|error| Broken::undecodable(&error))?;
        Ok((self.called.service.clone(), self.called.method.clone()))
    }

    /// Answers a unary call.
    pub(super) async fn unary<'p, A: Decode, R: Encode>(
        &mut self,
        run: impl FnOnce(A) -> Soon<'p, R>,
    ) -> Result<(), Broken> {
        let argument = self.argument(self.patience.argument).await?;
        let argument = argument.ok_or_else(|| {
            Broken::Told(Fault::Server, "the stream ended before the argument".to_owned())
        })?;
        let answer = tokio::select! {
            answer = run(argument) => answer,
            ended = self.values.end(SURPLUS_BYTES_MAX) => return Err(match ended {
                Ok(()) => Broken::Gone("it ended its side before the answer".to_owned()),
                Err(error) => Broken::unreadable(error),
            }),
        };
        self.write_one(answer).await
    }

    /// Answers a streaming call that takes no argument with one item.
    pub(super) async fn one<R: Encode>(&mut self, run: Soon<'_, R>) -> Result<(), Broken> {
        let answer = tokio::select! {
            answer = run => answer,
            broken = broken(&mut self.values) => return Err(broken),
        };
        self.write_one(answer).await
    }

    /// Answers a streaming call with a list, of the first argument where there is one.
    pub(super) async fn list<A: Decode + Default, R: Encode>(
        &mut self,
        run: impl FnOnce(A) -> Items<R>,
    ) -> Result<(), Broken> {
        let argument = self.argument(self.patience.argument).await?;
        self.items(run(argument.unwrap_or_default())).await
    }

    /// Answers a streaming call with a list; arguments are passed over.
    pub(super) async fn items<R: Encode>(&mut self, mut list: Items<R>) -> Result<(), Broken> {
        loop {
            let item = tokio::select! {
                item = list.next() => item,
                broken = broken(&mut self.values) => return Err(broken),
            };
            let item = match item {
                Ok(Some(item)) => item,
                Ok(None) => return Ok(()),
                Err(refusal) => return Err(Broken::refused(refusal)),
            };
            let mut writer = Writer::default();
            self.put(&mut writer, &item);
            while writer.len() < WRITTEN_TOGETHER_BYTES
                && let Some(item) = list.ready()
            {
                self.put(&mut writer, &item);
            }
            self.write(&writer.into_bytes()).await?;
        }
    }

    /// Runs a streaming call that takes arguments as they come, and answers with an end alone.
    pub(super) async fn upload<'p, A: Decode>(
        &mut self,
        run: impl FnOnce(Items<A>) -> Soon<'p, ()>,
    ) -> Result<(), Broken> {
        let (feed, arguments) = items(ARGUMENTS_WAITING_MAX);
        let done = tokio::select! {
            // First: a list that broke must not be waited for by the method.
            biased;
            broken = self.feed(feed) => return Err(broken),
            done = run(arguments) => done,
        };
        done.map_err(Broken::refused)
    }

    /// Hands arguments on; ends only when they break.
    async fn feed<A: Decode>(&mut self, feed: Feed<A>) -> Broken {
        loop {
            match self.argument(self.patience.next_argument).await {
                // A method that has enough says so by being done.
                Ok(Some(argument)) => {
                    if feed.send(argument).await.is_err() {
                        return pending().await;
                    }
                }
                Ok(None) => {
                    feed.end().await;
                    return pending().await;
                }
                Err(broken) => return broken,
            }
        }
    }

    async fn argument<A: Decode>(&mut self, limit: Duration) -> Result<Option<A>, Broken> {
        let read = timeout(limit, self.values.next(ARGUMENT_BYTES_MAX)).await;
        let argument = read.map_err(|_| Broken::Stalled("send its argument", limit))?;
        let Some(argument) = argument.map_err(Broken::unreadable)? else {
            return Ok(None);
        };
        from_bytes(&argument).map(Some).map_err(|error| Broken::undecodable(&error))
    }

    async fn write_one<R: Encode>(&mut self, answer: Result<R, Refusal>) -> Result<(), Broken> {
        let mut writer = Writer::default();
        self.put(&mut writer, &answer.map_err(Broken::refused)?);
        self.write(&writer.into_bytes()).await
    }

    fn put(&self, writer: &mut Writer, body: &impl Encode) {
        writer.put(&Answered { called: self.called.clone(), ..Answered::default() });
        writer.put(body);
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.is_writing = true;
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = in_time(self.patience.answer, self.to.write(rest)).await?;
            if written == 0 {
                return Err(Broken::Gone("it takes no more bytes".to_owned()));
            }
            rest = rest.get(written..).unwrap_or_default();
        }
        in_time(self.patience.answer, self.to.flush()).await?;
        self.is_writing = false;
        Ok(())
    }

    /// Tells the caller how it ended, ends our side, and says for the log what was not answered.
    pub(super) async fn conclude(mut self, served: Result<(), Broken>) -> Result<(), ServeError> {
        let called = format!("{}.{}", self.called.service, self.called.method);
        let told = match &served {
            Ok(()) => None,
            Err(broken) => broken.words(&called),
        };
        if let Some((fault, error)) = told
            && !self.is_writing
        {
            let mut writer = Writer::default();
            writer.put(&Answered { called: self.called.clone(), error, fault });
            writer.nil();
            // A caller that is gone cannot be told.
            drop(timeout(LINGER, self.write(&writer.into_bytes())).await);
        }
        drop(timeout(LINGER, self.to.close()).await);
        if matches!(served, Err(Broken::Told(..) | Broken::Denied)) {
            // Dropped while the caller still sends, the stream would be reset under its eyes.
            drop(timeout(LINGER, self.values.end(SURPLUS_BYTES_MAX)).await);
        }
        served.or_else(|broken| broken.into_error(called))
    }
}

/// Waits until the stream of a caller that may well have ended its side breaks.
async fn broken<R: AsyncRead + Unpin>(values: &mut Values<R>) -> Broken {
    match values.end(SURPLUS_BYTES_MAX).await {
        Ok(()) => pending().await,
        Err(error) => Broken::unreadable(error),
    }
}

async fn in_time<T>(
    limit: Duration,
    io: impl Future<Output = std::io::Result<T>>,
) -> Result<T, Broken> {
    let done = timeout(limit, io).await.map_err(|_| Broken::Stalled("read its answer", limit))?;
    done.map_err(|error| Broken::Gone(error.to_string()))
}
