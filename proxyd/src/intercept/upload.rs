//! What `add`, `block/put`, `dag/put` and `dag/import` share: the body goes to Kubo with every
//! option, and what Kubo has pinned is pinned in the cluster before the answer ends.

pub(crate) mod kept;
mod refused;
mod view;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use common::api::proxy::PinAdd;
use common::go_duration;
use common::kubo::cid_base::CidBase;
use common::kubo::command::Command;
use common::kubo::options::{self, Options};
use common::kubo::path::Target;
use common::kubo::query;
use common::kubo::value::Encoding;
use common::pin::{FastProvide, PinMode};
use tokio::time::Instant;
use tracing::warn;

use super::Context;
use crate::exchange::Exchange;
use crate::h1::reply::Line;
use crate::relay::{self, Edits, Observed};

use super::request::limit::{Limit, PIN_DEADLINE_EXCEEDED};
use kept::naming;
use refused::{forbidden, show_error, unanswered};
use view::{Broken, View};

/// CIDs held until they are pinned; about the size of one request to clusterd.
pub(crate) const ROOTS_MAX: usize = 10_000;
/// Fields that belong to the hop between Kubo and us.
const OF_THE_HOP: [&str; 5] =
    ["connection", "content-length", "date", "keep-alive", "transfer-encoding"];
/// A time limit beyond this is none.
const TIMEOUT_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// What a request's options say, as far as the proxy needs them.
#[derive(Debug)]
pub(crate) struct Upload {
    /// The options. Kubo checks them all.
    pub(crate) options: Options,
    /// How the client wants its answer.
    pub(crate) encoding: Encoding,
    /// How it wants CIDs.
    pub(crate) base: CidBase,
    /// For Kubo: JSON with canonical CIDs, in which roots are found.
    target: Vec<u8>,
    deadline: Option<Instant>,
}

/// What is known of the content that is to be pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    /// Kubo has just been given it, with its own pin.
    Pinned,
    /// Kubo says so, and may have dropped it.
    Reported,
    /// Kubo has failed since.
    Before,
}

impl Upload {
    /// Reads the query. `None` when Kubo will refuse it: then it is passed through. `dropped` names
    /// options that would keep Kubo from showing what it adds.
    #[must_use]
    pub(crate) fn read(
        exchange: &Exchange,
        command: &'static Command,
        dropped: &[&str],
    ) -> Option<Self> {
        let text = std::str::from_utf8(exchange.head.target()).ok()?;
        let target = Target::parse(text)?;
        let pairs = query::pairs(target.query);
        let options = Options::parse(command, None, &pairs).ok()?;
        let encoding = Encoding::parse(options.text("encoding").unwrap_or("json"))?;
        let upgrade = options.flag("upgrade-cidv0-in-output");
        // Whether a base that is none matters is Kubo's to say: some answers hold no such CID.
        let base = CidBase::from_options(options.text("cid-base"), upgrade);
        let deadline = match options.text("timeout") {
            None => None,
            Some(text) => {
                let nanos = u64::try_from(go_duration::parse(text).ok()?).unwrap_or(0);
                Some(Instant::now() + Duration::from_nanos(nanos).min(TIMEOUT_MAX))
            }
        };
        let mut ours = vec!["encoding", "enc"];
        if base.is_ok() {
            ours.extend(["cid-base", "upgrade-cidv0-in-output"]);
        }
        ours.extend(dropped);
        ours.extend(options::overruled(command, &pairs));
        let path = text.split_once('?').map_or(text, |(path, _)| path);
        let target = format!("{path}?{}", query::without(target.query, &ours)).into_bytes();
        let base = base.unwrap_or_default();
        Some(Self { options, encoding, base, target, deadline })
    }

    /// Pins in the cluster what Kubo has just been given with its own pin.
    ///
    /// # Errors
    /// What the client is told; the roots stay pinned on the local Kubo.
    pub(crate) async fn pin(
        &self,
        roots: &[String],
        name: Option<&str>,
        context: &Context,
    ) -> Result<(), String> {
        if roots.is_empty() {
            return Ok(());
        }
        self.ask(roots.to_vec(), name, Given::Pinned, context).await
    }

    /// The same for nodes that Kubo may have reported and then dropped without an error: those are
    /// not pinned.
    ///
    /// # Errors
    /// As [`Self::pin`].
    pub(crate) async fn pin_if_held(
        &self,
        roots: &[String],
        context: &Context,
    ) -> Result<(), String> {
        if roots.is_empty() {
            return Ok(());
        }
        self.ask(roots.to_vec(), None, Given::Reported, context).await
    }

    /// Pins what Kubo had added before it failed: it keeps those, so the cluster does. Whether it
    /// really holds them is looked up. The answer is an error already, so another changes nothing.
    pub(crate) async fn pin_remains(
        &self,
        roots: &[String],
        name: Option<&str>,
        context: &Context,
    ) {
        if roots.is_empty() {
            return;
        }
        if let Err(error) = self.ask(roots.to_vec(), name, Given::Before, context).await {
            let kept = kept::list(roots);
            warn!(error, kept, "what Kubo added before it failed is pinned there alone");
        }
    }

    async fn ask(
        &self,
        args: Vec<String>,
        name: Option<&str>,
        given: Given,
        context: &Context,
    ) -> Result<(), String> {
        let wanted = PinAdd {
            args,
            mode: PinMode::Recursive,
            name: name.filter(|name| !name.is_empty()).map(str::to_owned),
            accepted: context.accepted,
            timeout_ms: None,
            offline: false,
            local: given != Given::Before,
            if_held: given == Given::Reported,
            // Kubo has had these options with the upload itself.
            fast_provide: FastProvide::default(),
            request_id: None,
            again: false,
            progress: false,
        };
        let limit = Limit::of_clusterd(self.deadline, PIN_DEADLINE_EXCEEDED);
        let wait = context.cluster.pin_add(wanted, self.deadline);
        limit.bound(wait.end()).await.map(|_| ())
    }
}

/// What is special about one command.
pub(crate) trait Watch: Send {
    /// Looks at a line of Kubo's answer, without its line feed, before the client sees it; gives
    /// another line in its place, if that shall be shown.
    ///
    /// # Errors
    /// Words for the trailer, which ends the answer.
    fn see(&mut self, line: &[u8]) -> impl Future<Output = Result<Option<Vec<u8>>, String>> + Send;

    /// Kubo has ended without an error; the last line has not been shown yet.
    ///
    /// # Errors
    /// Words for the trailer, in place of the last line.
    fn end(&mut self) -> impl Future<Output = Result<(), String>> + Send;

    /// Kubo has ended with an error; the client gets its words.
    fn failed(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// What Kubo has pinned and the cluster has not, as far as is known.
    fn kept(&self) -> &[String];

    /// Writes a line as the client wants it; Kubo sent JSON with canonical CIDs.
    ///
    /// # Errors
    /// Words for the trailer.
    fn render(&self, line: &[u8]) -> Result<Vec<u8>, String>;
}

/// Sends the request to Kubo and shows its answer, the last line held back until `watch` is done.
///
/// # Errors
/// The client is gone, or the answer was cut.
pub(crate) async fn serve(
    exchange: &mut Exchange,
    edits: &Edits,
    upload: &Upload,
    watch: &mut impl Watch,
) -> io::Result<()> {
    let context = Arc::clone(&exchange.worker.context);
    if let Err(words) = context.cluster.may_pin().await {
        return forbidden(exchange, &context, upload.encoding, &words).await;
    }
    let onward = Edits { target: Some(upload.target.clone()), ..edits.clone() };
    let mut observed = match relay::observe(exchange, &onward).await {
        Ok(observed) => observed,
        Err(error) => return unanswered(exchange, error).await,
    };
    if observed.head.status() != 200 {
        return show_error(exchange, edits, upload.encoding, observed).await;
    }
    let mut view = View::new(edits, upload.encoding.content_type());
    let shown = view.run(exchange, &mut observed, watch).await;
    let trailers = observed.trailers();
    if !matches!(shown, Err(Broken::Cut(_))) {
        view.begin(exchange, &observed);
    }
    observed.finish(exchange).await;
    match shown {
        Ok(last) => {
            let trailers: Vec<Line<'_>> =
                trailers.iter().map(|(n, v)| (n.as_str(), v.as_slice())).collect();
            exchange.reply.last(&last, &trailers).await
        }
        Err(Broken::Words(words)) => {
            let words = naming(&words, watch.kept());
            warn!(error = words, "an upload is not pinned in the cluster");
            exchange.reply.end(&[("X-Stream-Error", words.as_bytes())]).await
        }
        Err(Broken::Cut(error)) => {
            if !watch.kept().is_empty() {
                let kept = kept::list(watch.kept());
                warn!(kept, "an upload broke off; its roots may be pinned on the local Kubo alone");
            }
            Err(error)
        }
    }
}

/// Kubo's own fields, for the client.
fn fields(
    observed: &Observed,
    edits: &Edits,
    content_type: Option<&str>,
) -> Vec<(String, Vec<u8>)> {
    let mut fields: Vec<(String, Vec<u8>)> = observed
        .head
        .headers()
        .map(|(name, value)| (String::from_utf8_lossy(name).into_owned(), value.to_vec()))
        .filter(|(name, _)| !OF_THE_HOP.contains(&name.to_ascii_lowercase().as_str()))
        .collect();
    for (name, value) in &mut fields {
        if name.eq_ignore_ascii_case("Content-Type")
            && let Some(content_type) = content_type
        {
            *value = content_type.as_bytes().to_vec();
        }
        if name.eq_ignore_ascii_case("Access-Control-Allow-Origin")
            && let Some((kubos, ours)) = &edits.answer_origin
            && value == kubos
        {
            value.clone_from(ours);
        }
    }
    fields
}
