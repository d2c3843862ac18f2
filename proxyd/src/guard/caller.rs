//! What Kubo's rules see of a caller, and what is changed so that a page of ours is local to Kubo.

use common::kubo::path::Target;

use super::origin::Ports;
use crate::exchange::Door;
use crate::h1::head::RequestHead;
use crate::relay::Edits;
use crate::upstream::Upstream;

/// A caller as Kubo's rules see it: the fields that count, and the path where that counts too.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Caller {
    pub(super) fields: Vec<(&'static str, Vec<u8>)>,
    /// The escaped path of the request.
    pub(super) path: Option<String>,
    /// The client's own origin where Kubo is shown another: the answer has this one.
    pub(super) origin: Option<Vec<u8>>,
}

impl Caller {
    pub(super) fn of(head: &RequestHead, door: Door, upstream: &Upstream) -> Self {
        let mut caller = Self::default();
        let edits = edits(head, door, upstream);
        for name in ["Origin", "Referer"] {
            let edited = edits.request.iter().find(|(edited, _)| *edited == name);
            let value = edited.map(|(_, value)| value.as_slice()).or_else(|| head.header(name));
            caller.fields.extend(value.filter(|v| !v.is_empty()).map(|v| (name, v.to_vec())));
        }
        caller.origin = edits.answer_origin.map(|(_, ours)| ours);
        let from_page = !caller.fields.is_empty();
        let agent = head.header("User-Agent").unwrap_or_default();
        if names_kubo(agent) || (!from_page && agent.starts_with(b"Mozilla")) {
            caller.fields.push(("User-Agent", agent.to_vec()));
        }
        if let Some(token) = head.header("Authorization") {
            caller.fields.push(("Authorization", token.to_vec()));
            // A token opens some paths and not others, by the path as the client wrote it: those too
            // that Kubo has no command for.
            let target = std::str::from_utf8(head.target()).ok().and_then(Target::parse);
            caller.path = target.map(|target| target.raw_path.to_owned());
        }
        caller
    }

    /// How many bytes a client has chosen.
    pub(super) fn length(&self) -> usize {
        let fields: usize = self.fields.iter().map(|(_, value)| value.len()).sum();
        let (path, origin) = (self.path.as_ref(), self.origin.as_ref());
        fields + path.map_or(0, String::len) + origin.map_or(0, Vec::len)
    }

    /// Whether nothing about the caller is for Kubo to judge.
    pub(super) fn is_plain(&self) -> bool {
        self.fields.is_empty()
    }
}

/// What is changed on the way to Kubo and back, so that a page served by this listener is local to Kubo.
pub(super) fn edits(head: &RequestHead, door: Door, upstream: &Upstream) -> Edits {
    let mut edits = Edits::default();
    let Some(address) = door.address else {
        return edits;
    };
    let ports = Ports { ours: address.port(), kubos: upstream.address().port() };
    let text = |name| head.header(name).and_then(|value| std::str::from_utf8(value).ok());
    if let Some(origin) = text("Origin")
        && let Some(kubos) = ports.origin(origin)
    {
        edits.answer_origin = Some((kubos.clone().into_bytes(), origin.as_bytes().to_vec()));
        edits.request.push(("Origin", kubos.into_bytes()));
    }
    if let Some(referer) = text("Referer").and_then(|referer| ports.referer(referer)) {
        edits.request.push(("Referer", referer.into_bytes()));
    }
    edits
}

/// Whether Kubo compares this agent with its own version.
pub(super) fn names_kubo(agent: &[u8]) -> bool {
    let agent = String::from_utf8_lossy(agent);
    agent.contains("/kubo/") || agent.contains("/go-ipfs/")
}
