//! The intercepted endpoints: one table, total dispatch.

mod add;
mod block_put;
mod cluster_tree;
mod dag_import;
mod dag_put;
mod indirect;
mod lines;
mod listing;
mod pin_add;
mod pin_ls;
mod pin_rm;
mod pin_update;
mod repo_gc;
mod repo_stat;
mod request;
mod upload;

use std::io;
use std::path::Path;
use std::sync::Arc;

use common::kubo::command::{self, Command};
use common::kubo::path::Target;
use common::kubo::{options, query};

use crate::cluster::Cluster;
use crate::exchange::Exchange;
use crate::guard::authorizations::Authorizations;
use crate::guard::{Guard, Verdict};
use crate::h1::head::RequestHead;
use crate::relay::Edits;
use crate::reply;
use crate::ring::Ring;
use crate::upstream::address::Address;

use request::{Fault, Request};

/// The status of what would go round for ever. Source: RFC 5842.
pub const LOOP_DETECTED: u16 = 508;

/// What all intercepted calls share.
#[derive(Debug)]
pub struct Context {
    /// Who may call.
    pub guard: Arc<Guard>,
    /// clusterd.
    pub cluster: Cluster,
    /// Whether pins are answered once accepted (the setting `wait = "accepted"`), not once pinned.
    pub accepted: bool,
    /// What is known of the way behind this proxyd.
    pub ring: Ring,
}

impl Context {
    /// `socket` is clusterd's proxy socket; `extra` the setting `extract_headers_extra`; `listen` where
    /// this proxyd can be reached.
    #[must_use]
    pub fn new(
        socket: &Path,
        accepted: bool,
        extra: Vec<String>,
        authorizations: Option<Authorizations>,
        listen: Vec<Address>,
    ) -> Arc<Self> {
        let guard = Guard::new(authorizations, extra);
        let ring = Ring::new(listen);
        Arc::new(Self { guard, cluster: Cluster::new(socket), accepted, ring })
    }
}

/// One intercepted endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// Adds files, then pins their roots.
    Add,
    /// Pins.
    PinAdd,
    /// Unpins.
    PinRm,
    /// Lists pins.
    PinLs,
    /// Replaces a pin.
    PinUpdate,
    /// Sums the repositories.
    RepoStat,
    /// Collects garbage everywhere.
    RepoGc,
    /// Puts blocks, then pins them if asked to.
    BlockPut,
    /// Puts nodes, then pins them if asked to.
    DagPut,
    /// Imports CAR files, then pins their roots.
    DagImport,
    /// Tells the cluster with all below it; Kubo has no such command.
    ClusterTree,
}

impl Endpoint {
    /// Every endpoint, in the order of the README.
    pub const ALL: [Self; 11] = [
        Self::Add,
        Self::PinAdd,
        Self::PinRm,
        Self::PinLs,
        Self::PinUpdate,
        Self::RepoStat,
        Self::RepoGc,
        Self::BlockPut,
        Self::DagPut,
        Self::DagImport,
        Self::ClusterTree,
    ];

    /// Its command: path, arguments, options.
    #[must_use]
    pub fn command(self) -> &'static Command {
        match self {
            Self::Add => &command::ADD,
            Self::PinAdd => &command::PIN_ADD,
            Self::PinRm => &command::PIN_RM,
            Self::PinLs => &command::PIN_LS,
            Self::PinUpdate => &command::PIN_UPDATE,
            Self::RepoStat => &command::REPO_STAT,
            Self::RepoGc => &command::REPO_GC,
            Self::BlockPut => &command::BLOCK_PUT,
            Self::DagPut => &command::DAG_PUT,
            Self::DagImport => &command::DAG_IMPORT,
            Self::ClusterTree => &command::CLUSTER_TREE,
        }
    }

    /// The endpoint at a path below `/api/v0/`, aliases included.
    fn at(path: &str) -> Option<Self> {
        let path = if path == "stats/repo" { "repo/stat" } else { path };
        Self::ALL.into_iter().find(|endpoint| endpoint.command().path == path)
    }
}

/// An endpoint, and the argument that stood behind it in the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The last segment where it is no command: Kubo takes it for the first argument.
    pub slash_arg: Option<String>,
}

/// Decides whether a request is intercepted. Every method but `POST` is Kubo's to answer, and so is
/// an expectation that it does not know (417).
#[must_use]
pub fn find(head: &RequestHead) -> Option<Found> {
    let expects_else =
        head.header("Expect").is_some_and(|value| !value.is_empty() && !names_continue(value));
    if head.method() != b"POST" || expects_else {
        return None;
    }
    let target = Target::parse(std::str::from_utf8(head.target()).ok()?)?;
    find_path(&target)
}

/// Whether one of the expectations is the known one. Source: `hasToken` in Go's `net/http`.
fn names_continue(expect: &[u8]) -> bool {
    let tokens = expect.split(|byte| b", \t".contains(byte));
    tokens.into_iter().any(|token| token.eq_ignore_ascii_case(b"100-continue"))
}

fn find_path(target: &Target<'_>) -> Option<Found> {
    let segments = target.segments()?;
    if let Some(endpoint) = Endpoint::at(&segments.join("/")) {
        return Some(Found { endpoint, slash_arg: None });
    }
    let (last, parents) = segments.split_last()?;
    let endpoint = Endpoint::at(&parents.join("/"))?;
    Some(Found { endpoint, slash_arg: Some((*last).to_owned()) })
}

/// The target for Kubo where the client gave an option under both its names, with the one that we
/// take; Kubo would take either at random, and might pin what we do not.
#[must_use]
pub fn settled_target(found: &Found, head: &RequestHead) -> Option<Vec<u8>> {
    let (path, query) = std::str::from_utf8(head.target()).ok()?.split_once('?')?;
    let overruled = options::overruled(found.endpoint.command(), &query::pairs(query));
    let settled = || format!("{path}?{}", query::without(query, &overruled)).into_bytes();
    (!overruled.is_empty()).then(settled)
}

/// Answers an intercepted request. Whatever happens, the client gets an answer or a reset.
pub async fn serve(found: Found, exchange: &mut Exchange, edits: &Edits) {
    let context = Arc::clone(&exchange.worker.context);
    // Uploads are Kubo's to read, pinned or not, and so are their faults to name.
    let edits = Edits { kubo_refuses: true, ..edits.clone() };
    let served = match found.endpoint {
        Endpoint::Add => add::serve(exchange, &edits, &context).await,
        Endpoint::BlockPut => block_put::serve(exchange, &edits, &context).await,
        Endpoint::DagPut => dag_put::serve(exchange, &edits, &context).await,
        Endpoint::DagImport => dag_import::serve(exchange, &edits, &context).await,
        Endpoint::PinAdd
        | Endpoint::PinRm
        | Endpoint::PinLs
        | Endpoint::PinUpdate
        | Endpoint::RepoStat
        | Endpoint::RepoGc
        | Endpoint::ClusterTree => answer(found, exchange, &context).await,
    };
    if served.is_err() {
        exchange.reply.abort();
    }
}

/// Why a request cannot be served while proxyds stand in a ring; `None` while they do not, and for what
/// ends there as well: the tree, which shows how they stand, and an unpin. A cluster hands an unpin on
/// only once it has removed its own record, and one without a record answers at once, so that an unpin
/// passes each cluster once at most.
#[must_use]
pub fn looped(found: Option<&Found>, ring: &Ring) -> Option<Arc<str>> {
    let words = ring.closed()?;
    let ends = |found: &Found| matches!(found.endpoint, Endpoint::ClusterTree | Endpoint::PinRm);
    (!found.is_some_and(ends)).then_some(words)
}

/// Answers a command that Kubo never sees.
async fn answer(found: Found, exchange: &mut Exchange, context: &Context) -> io::Result<()> {
    let command = found.endpoint.command();
    // In a ring there is no Kubo to ask.
    let admitted = match context.ring.closed() {
        None => context.guard.admit(exchange).await,
        Some(words) => match context.guard.admit_without_kubo(exchange) {
            Some(verdict) => Ok(verdict),
            None => return reply::unavailable(exchange, LOOP_DETECTED, &words).await,
        },
    };
    let headers = match admitted {
        Ok(Verdict::Admitted(headers)) => headers,
        Ok(Verdict::Refused(refusal)) => return refusal.send(exchange).await,
        Err(error) => {
            return reply::unavailable(exchange, error.status(), &error.to_string()).await;
        }
    };
    let request = match Request::read(exchange, command, found.slash_arg.as_deref()).await {
        Ok(request) => request,
        Err(Fault::Refused { words, late }) => {
            return reply::refuse(exchange, &headers, &words, late).await;
        }
        Err(Fault::Silent { late }) => return reply::empty(exchange, &headers, late).await,
        Err(Fault::Gone(error)) => return Err(error),
    };
    let answer = reply::Answer::new(exchange, headers, request.encoding);
    match found.endpoint {
        Endpoint::PinAdd => pin_add::serve(&request, answer, context).await,
        Endpoint::PinRm => pin_rm::serve(&request, answer, context).await,
        Endpoint::PinLs => pin_ls::serve(&request, answer, context).await,
        Endpoint::PinUpdate => pin_update::serve(&request, answer, context).await,
        Endpoint::RepoStat => repo_stat::serve(&request, answer, context).await,
        Endpoint::RepoGc => repo_gc::serve(&request, answer, context).await,
        Endpoint::ClusterTree => cluster_tree::serve(&request, answer, context).await,
        // These are dispatched before, as Kubo reads their requests.
        Endpoint::Add | Endpoint::BlockPut | Endpoint::DagPut | Endpoint::DagImport => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(target: &str) -> Option<(Endpoint, Option<String>)> {
        let target = Target::parse(target)?;
        find_path(&target).map(|found| (found.endpoint, found.slash_arg))
    }

    #[test]
    fn every_endpoint_is_found_at_its_path_and_with_a_trailing_slash() {
        for endpoint in Endpoint::ALL {
            let path = format!("/api/v0/{}", endpoint.command().path);
            assert_eq!(found(&path), Some((endpoint, None)));
            assert_eq!(found(&format!("{path}/?arg=x")), Some((endpoint, Some(String::new()))));
            assert_eq!(found(&format!("{path}/a")), Some((endpoint, Some("a".to_owned()))));
        }
        assert_eq!(found("/api/v0/stats/repo"), Some((Endpoint::RepoStat, None)));
    }

    #[test]
    fn an_escaped_dot_is_an_argument() {
        for (target, arg) in [
            ("/api/v0/repo/gc/%2e", "."),
            ("/api/v0/repo/gc/%2E%2e", ".."),
            ("x:/api/v0/repo/gc/a", "a"),
        ] {
            assert_eq!(found(target), Some((Endpoint::RepoGc, Some(arg.to_owned()))), "{target}");
        }
    }

    #[test]
    fn an_expectation_that_kubo_does_not_know_is_its_own_to_answer() {
        let expecting = |value: &str| {
            let text = format!("POST /api/v0/add HTTP/1.1\r\nHost: h\r\nExpect: {value}\r\n\r\n");
            find(&RequestHead::parse(text.as_bytes()).unwrap().unwrap().0).is_some()
        };
        for value in ["100-continue", "100-Continue, x", "x\t100-continue", "x,100-CONTINUE", ""] {
            assert!(expecting(value), "{value}");
        }
        for value in ["x", "100-continues", "100-continue;x", "200-continue"] {
            assert!(!expecting(value), "{value}");
        }
    }

    #[test]
    fn of_two_names_of_an_option_kubo_is_sent_the_one_that_counts() {
        let sent = |query: &str| {
            let text = format!("POST /api/v0/add?{query} HTTP/1.1\r\nHost: h\r\n\r\n");
            let head = RequestHead::parse(text.as_bytes()).unwrap().unwrap().0;
            let target = settled_target(&find(&head).unwrap(), &head);
            target.map(|target| String::from_utf8(target).unwrap())
        };
        let both = sent("only-hash=true&a=b&%6e=false");
        assert_eq!(both.as_deref(), Some("/api/v0/add?a=b&%6e=false"));
        assert_eq!(sent("n=false&only-hash=true").as_deref(), Some("/api/v0/add?only-hash=true"));
        assert_eq!(sent("only-hash=true&a=b"), None);
    }

    #[test]
    fn the_readme_names_every_endpoint_and_no_other() {
        let readme = include_str!("../../../README.md");
        let table = readme.split("| endpoint |").nth(1).unwrap();
        let rows = table.lines().skip(2).take_while(|line| line.starts_with("| `"));
        let mut named: Vec<&str> = rows.map(|row| row.split('`').nth(1).unwrap()).collect();
        let mut known: Vec<&str> = Endpoint::ALL.map(|endpoint| endpoint.command().path).to_vec();
        named.sort_unstable();
        known.sort_unstable();
        assert_eq!(named, known);
    }

    #[test]
    fn neighbours_are_passed_through() {
        for path in [
            "/api/v0/pin",
            "/api/v0/pin/",
            "/api/v0/pin/verify",
            "/api/v0/pin/remote/add",
            "/api/v0/pin/add/a/b",
            "/api/v0/Pin/add",
            "/api/v0//pin/add",
            "/api/v0/pin/./add",
            "/api/v0/stats/repo/a/b",
            "/api/v0/block/get",
            "/api/v0/cluster",
            "/api/v0/cluster/trees",
            "/api/v0/addx",
        ] {
            assert_eq!(found(path), None, "{path}");
        }
    }
}
