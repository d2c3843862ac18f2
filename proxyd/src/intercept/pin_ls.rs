//! `pin/ls`: what is pinned in the cluster, whole or argument by argument.

use std::collections::BTreeMap;
use std::io;

use common::api::proxy::{PinKind, PinLookup, PinLs};
use common::ids::PinName;
use common::kubo::cid_base::CidBase;
use common::pin::PinMode;

use super::lines::{Entry, Form, Writer};
use super::request::Request;
use super::request::limit::{DEADLINE_EXCEEDED, Stop};
use super::{Context, listing};
use crate::cluster::{Found, Lookup};
use crate::reply::{Answer, Shape};

/// What a listing is asked for.
#[derive(Debug)]
pub(crate) struct Listing {
    /// Which pins.
    pub(crate) kind: PinKind,
    /// Only those whose name contains this.
    pub(crate) name: Option<String>,
    /// How entries are written.
    pub(crate) writer: Writer,
}

impl Listing {
    /// The question for clusterd; `None` when only indirect pins are wanted, which it does not list.
    #[must_use]
    pub(crate) fn cluster_query(&self) -> Option<PinLs> {
        let mode = match self.kind {
            PinKind::All => None,
            PinKind::Recursive => Some(PinMode::Recursive),
            PinKind::Direct => Some(PinMode::Direct),
            PinKind::Indirect => return None,
        };
        Some(PinLs { mode, name: self.name.clone(), after: None })
    }

    /// Whether the local Kubo's indirect pins belong to it; they have no names.
    #[must_use]
    pub(crate) fn has_indirect(&self) -> bool {
        self.name.is_none() && matches!(self.kind, PinKind::All | PinKind::Indirect)
    }
}

/// Answers the request.
///
/// # Errors
/// The client is gone.
pub(crate) async fn serve(
    request: &Request,
    answer: Answer<'_>,
    context: &Context,
) -> io::Result<()> {
    let listing = match read(request, &answer) {
        Ok(listing) => listing,
        Err(words) => return answer.fail(&words).await,
    };
    if request.options.args.is_empty() {
        return listing::serve(request, &listing, answer, context).await;
    }
    let wanted = PinLookup {
        args: request.options.args.clone(),
        kind: listing.kind,
        timeout_ms: request.timeout_ms(),
    };
    let limit = request.limit_of_clusterd(DEADLINE_EXCEEDED);
    match limit.bound_for(answer.exchange, context.cluster.pin_lookup(&wanted)).await {
        Ok(lookup) => show(lookup, &listing.writer, answer).await,
        Err(Stop::Gone(error)) => Err(error),
        Err(Stop::Words(words)) => answer.fail(&words).await,
    }
}

/// Checks in Kubo's order: name, type, base.
fn read(request: &Request, answer: &Answer<'_>) -> Result<Listing, String> {
    let options = &request.options;
    let name = PinName::new(options.text("name").unwrap_or_default().to_owned())
        .map_err(|error| error.to_string())?
        .into_string();
    let kind = match options.text("type").unwrap_or("all") {
        "all" => PinKind::All,
        "recursive" => PinKind::Recursive,
        "direct" => PinKind::Direct,
        "indirect" => PinKind::Indirect,
        other => {
            return Err(format!(
                "invalid type '{other}', must be one of {{direct, indirect, recursive, all}}"
            ));
        }
    };
    let base = request.cid_base()?;
    let name = (!name.is_empty()).then_some(name);
    let shows_names = options.is_set("names") || name.is_some();
    let form = if options.is_set("stream") { Form::Stream } else { Form::Map };
    let quiet = options.is_set("quiet");
    let writer = Writer { encoding: answer.encoding, form, quiet, shows_names, base };
    Ok(Listing { kind, name, writer })
}

/// Shows what a lookup found. Kubo looks all arguments up before it shows the first, so an error
/// that is not about a missing pin comes alone.
async fn show(lookup: Lookup, writer: &Writer, mut answer: Answer<'_>) -> io::Result<()> {
    let Lookup { found, error } = lookup;
    match (writer.form, error) {
        (Form::Map, Some(words)) => answer.fail(&words).await,
        (Form::Stream, Some(words)) if !words.ends_with(" is not pinned") => {
            answer.fail(&words).await
        }
        (Form::Map, None) => {
            let mut by_cid: BTreeMap<String, Found> = BTreeMap::new();
            for one in found {
                by_cid.insert(writer.base.rewrite(&one.cid), one);
            }
            let mut out = Vec::new();
            for (cid, one) in &by_cid {
                writer.push(&mut out, entry(cid, &shown_kind(&one.kind, writer.base), &one.name));
            }
            match writer.finish(&mut out, !by_cid.is_empty()) {
                Ok(()) => answer.single(&out).await,
                Err(words) => {
                    answer.begin(Shape::Single);
                    answer.fail(words).await
                }
            }
        }
        (Form::Stream, error) => {
            let mut out = Vec::new();
            for one in &found {
                let cid = writer.base.rewrite(&one.cid);
                writer.push(&mut out, entry(&cid, &shown_kind(&one.kind, writer.base), &one.name));
            }
            let unwritable = writer.finish(&mut out, !found.is_empty()).err();
            if !found.is_empty() {
                answer.emit(&out).await?;
            }
            match unwritable.map(str::to_owned).or(error) {
                Some(words) => answer.fail(&words).await,
                None => answer.end(b"").await,
            }
        }
    }
}

fn entry<'a>(cid: &'a str, kind: &'a str, name: &'a str) -> Entry<'a> {
    Entry { cid: cid.as_bytes(), kind, name }
}

/// The kind with the CID in it written as asked for.
fn shown_kind(kind: &str, base: CidBase) -> String {
    match kind.strip_prefix("indirect through ") {
        Some(root) => format!("indirect through {}", base.rewrite(root)),
        None => kind.to_owned(),
    }
}
