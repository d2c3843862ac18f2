//! One recorded exchange: its request, the requests around it, and Kubo's answers.

use std::time::Duration;

use data_encoding::BASE64;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::difference::{Difference, compare};
use crate::normal::Rule;
use crate::wire::{Answer, Target};

/// One exchange. A recorded file is trusted: it is part of this test.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// Everything is unpinned first.
    #[serde(default)]
    fresh: bool,
    #[serde(default)]
    setup: Vec<Request>,
    /// Seconds between setup and request.
    #[serde(default)]
    settle: f64,
    request: Request,
    /// Requests that show the state afterwards.
    #[serde(default)]
    then: Vec<Probe>,
    #[serde(default)]
    norm: Vec<Rule>,
    kubo: Answer,
}

/// A request after the one in question, with Kubo's answer.
#[derive(Debug, Deserialize)]
struct Probe {
    #[serde(flatten)]
    request: Request,
    norm: Option<Vec<Rule>>,
    kubo: Answer,
}

/// A request as it was sent. `{host}` and `{port}` stand for the target's.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) headers: Vec<(String, String)>,
    #[serde(default)]
    body_parts: Vec<Part>,
    body_b64: Option<String>,
    /// The whole request; the other members do not count then.
    pub(crate) raw_b64: Option<String>,
    pub(crate) http: Option<String>,
    #[serde(default)]
    pub(crate) half_close: bool,
    /// Seconds to wait before it is sent.
    #[serde(default)]
    delay: f64,
}

/// A piece of a body: given, or made from a seed.
#[derive(Debug, Clone, Deserialize)]
struct Part {
    b64: Option<String>,
    prng: Option<serde_json::Value>,
    #[serde(default)]
    len: usize,
}

impl Request {
    pub(crate) fn post(path: &str) -> Self {
        Self { method: "POST".to_owned(), path: path.to_owned(), ..Self::default() }
    }

    pub(crate) fn body(&self) -> Option<Vec<u8>> {
        if let Some(text) = &self.body_b64 {
            return Some(decode(text));
        }
        (!self.body_parts.is_empty())
            .then(|| self.body_parts.iter().flat_map(Part::bytes).collect())
    }
}

impl Part {
    fn bytes(&self) -> Vec<u8> {
        if let Some(text) = &self.b64 {
            return decode(text);
        }
        let seed = match &self.prng {
            Some(serde_json::Value::String(seed)) => seed.clone(),
            Some(seed) => seed.to_string(),
            None => String::new(),
        };
        let blocks = (0..).flat_map(|i: u64| Sha256::digest(format!("{seed}:{i}")));
        blocks.take(self.len).collect()
    }
}

pub(crate) fn decode(text: &str) -> Vec<u8> {
    BASE64.decode(text.as_bytes()).unwrap()
}

impl Case {
    /// Plays it against a target and gives what differs from Kubo's answers. `forget` removes what a
    /// client cannot see: pins that failed are tried again here, and Kubo knows of none.
    pub(crate) fn replay(&self, target: &Target, forget: impl Fn()) -> Vec<Difference> {
        if self.fresh {
            unpin_all(target);
            forget();
        }
        for request in &self.setup {
            let _answer = target.exchange(request, None);
            pause(request.delay);
        }
        pause(self.settle);
        let mut differences = asked("", target, &self.request, &self.kubo, &self.norm);
        for (i, probe) in self.then.iter().enumerate() {
            pause(probe.request.delay);
            let rules = probe.norm.as_ref().unwrap_or(&self.norm);
            let place = format!("then[{i}] ");
            differences.extend(asked(&place, target, &probe.request, &probe.kubo, rules));
        }
        differences
    }
}

/// Sends one request and compares the answer with Kubo's.
fn asked(
    place: &str,
    target: &Target,
    request: &Request,
    kubo: &Answer,
    rules: &[Rule],
) -> Vec<Difference> {
    let answer = target.exchange(request, kubo.closed);
    compare(place, kubo, &answer, rules)
}

/// A recorded exchange may have a pause of its own, such as for a timer of Kubo's.
fn pause(seconds: f64) {
    if seconds > 0.0 {
        std::thread::sleep(Duration::from_secs_f64(seconds));
    }
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "PascalCase")]
struct Listing {
    keys: std::collections::BTreeMap<String, serde_json::Value>,
}

fn unpin_all(target: &Target) {
    for kind in ["recursive", "direct"] {
        let listed = Request::post(&format!("/api/v0/pin/ls?type={kind}"));
        let answer = target.exchange(&listed, None);
        let listing: Listing = serde_json::from_str(&answer.body).unwrap_or_default();
        for cid in listing.keys.keys() {
            let unpin = Request::post(&format!("/api/v0/pin/rm?arg={cid}"));
            let _answer = target.exchange(&unpin, None);
        }
    }
}
