//! A request of an intercepted command, after the checks that come before any command runs.

pub(crate) mod limit;
mod stdin;

use std::io;
use std::time::Duration;

use common::go_duration;
use common::kubo::cid_base::CidBase;
use common::kubo::command::Command;
use common::kubo::multipart::{self, Form, StdinArgs, Stop as StdinStop};
use common::kubo::options::Options;
use common::kubo::path::Target;
use common::kubo::query;
use common::kubo::value::Encoding;
use common::pin::FastProvide;
use tokio::time::Instant;

use crate::exchange::Exchange;
use limit::{Limit, Stop};
use stdin::Stdin;

/// A time limit beyond this is none.
const TIMEOUT_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// A request that its command can run.
#[derive(Debug)]
pub(crate) struct Request {
    /// Options, and the arguments of path and query.
    pub(crate) options: Options,
    /// How answers are encoded.
    pub(crate) encoding: Encoding,
    /// When the client's time limit is over.
    pub(crate) deadline: Option<Instant>,
    stdin: Stdin,
}

/// A request that no command runs for.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Plain words, status 400; `late` says that Kubo has set its own headers by then.
    Refused {
        /// Kubo's words.
        words: String,
        /// See above.
        late: bool,
    },
    /// Kubo's empty 200.
    Silent {
        /// As above.
        late: bool,
    },
    /// The client is gone.
    Gone(io::Error),
}

impl Request {
    /// Reads options, arguments and time limit, in the order in which Kubo checks them.
    ///
    /// # Errors
    /// [`Fault`]; the client has not been told.
    pub(crate) async fn read(
        exchange: &mut Exchange,
        command: &'static Command,
        slash_arg: Option<&str>,
    ) -> Result<Self, Fault> {
        let target = String::from_utf8_lossy(exchange.head.target()).into_owned();
        let pairs = Target::parse(&target).map(|t| query::pairs(t.query)).unwrap_or_default();
        let content_type = exchange.head.header("Content-Type").unwrap_or_default();
        let form = multipart::form(&String::from_utf8_lossy(content_type));
        let options = Options::parse(command, slash_arg, &pairs);
        let stdin = match form {
            // A form without a body has no parts either.
            Form::Boundary(boundary) if command.stdin_args => {
                Stdin::read(exchange, &boundary).await?
            }
            Form::Broken(words) if options.is_ok() => return Err(refused(words)),
            Form::Boundary(_) | Form::Broken(_) | Form::None => Stdin::default(),
        };
        let mut options = options.map_err(|error| refused(&error.to_string()))?;
        if let Some(stop @ (StdinStop::NoPart | StdinStop::TooMany)) = stdin.args.stop {
            return Err(refused(stop.message()));
        }
        let mut stdin = stdin;
        take_required(command, &mut options, &mut stdin.args)?;
        let deadline = match options.text("timeout") {
            None => None,
            Some(text) => {
                let nanos = go_duration::parse(text).map_err(|_| Fault::Silent { late: true })?;
                let limit = Duration::from_nanos(u64::try_from(nanos).unwrap_or(0));
                Some(Instant::now() + limit.min(TIMEOUT_MAX))
            }
        };
        let name = options.text("encoding").unwrap_or("json");
        let encoding = Encoding::parse(name).ok_or_else(|| Fault::Refused {
            words: format!("invalid encoding: {name}"),
            late: true,
        })?;
        Ok(Self { options, encoding, deadline, stdin })
    }

    /// All arguments: path, query, body.
    ///
    /// # Errors
    /// The body could not be read to its end; Kubo's words.
    pub(crate) fn all_args(&self) -> Result<Vec<String>, String> {
        if let Some(stop) = self.stdin.args.stop {
            return Err(stop.message().to_owned());
        }
        Ok(self.options.args.iter().chain(&self.stdin.args.lines).cloned().collect())
    }

    /// How CIDs are written in the answer.
    ///
    /// # Errors
    /// Kubo does not know the base; its words.
    pub(crate) fn cid_base(&self) -> Result<CidBase, String> {
        let upgrade = self.options.flag("upgrade-cidv0-in-output");
        CidBase::from_options(self.options.text("cid-base"), upgrade)
            .map_err(|error| error.to_string())
    }

    /// Whether Kubo shall not look on the network.
    #[must_use]
    pub(crate) fn is_offline(&self) -> bool {
        self.options.is_set("offline") || self.options.is_set("local")
    }

    /// What the client says about announcing the content.
    #[must_use]
    pub(crate) fn fast_provide(&self) -> FastProvide {
        FastProvide {
            root: self.options.flag("fast-provide-root"),
            dag: self.options.flag("fast-provide-dag"),
            wait: self.options.flag("fast-provide-wait"),
        }
    }

    /// What is left of the time limit.
    #[must_use]
    pub(crate) fn timeout_ms(&self) -> Option<u64> {
        let left = self.deadline?.saturating_duration_since(Instant::now());
        Some(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
    }

    /// Gives `work` the time that the client allows, as long as the client is there. For work that
    /// does not know of that limit.
    ///
    /// # Errors
    /// The words of Kubo when the time is over, else those of `work`; or the client is gone.
    pub(crate) async fn in_time<T>(
        &self,
        exchange: &mut Exchange,
        work: impl Future<Output = Result<T, String>>,
    ) -> Result<T, Stop> {
        Limit::ours(self.deadline).bound_for(exchange, work).await
    }

    /// The same for a call that tells clusterd the limit; `words` are Kubo's for its end.
    pub(crate) fn limit_of_clusterd(&self, words: &'static str) -> Limit {
        Limit::of_clusterd(self.deadline, words)
    }
}

/// Takes required arguments from the body where the query has none.
fn take_required(
    command: &Command,
    options: &mut Options,
    stdin: &mut StdinArgs,
) -> Result<(), Fault> {
    let missing = match options.require_args(command) {
        Ok(()) => return Ok(()),
        Err(error) => error.to_string(),
    };
    if !stdin.lines.is_empty() {
        options.args.push(stdin.lines.remove(0));
        return Ok(());
    }
    Err(match stdin.stop {
        // Kubo stumbles before its own headers are set.
        Some(StdinStop::Directory) => Fault::Silent { late: false },
        Some(stop) => refused(stop.message()),
        None => refused(&missing),
    })
}

fn refused(words: &str) -> Fault {
    Fault::Refused { words: words.to_owned(), late: false }
}
