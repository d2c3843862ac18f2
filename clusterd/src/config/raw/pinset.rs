//! `[pinset]`, `[allocation]` and `[tags]` as they are written.

use std::collections::BTreeMap;
use std::time::Duration;

use common::config::Faults;
use common::units::Seconds;
use serde::Deserialize;
use toml::Spanned;

use super::super::{AllocateTo, Config, PinsetSettings, Trusted};
use super::duration;

/// A client waits as long as its change may wait for others.
const BATCH_AGE_MAX: Duration = Duration::from_secs(60);

/// A block has room for some thousand pins, whatever is asked for.
const BATCH_PINS: std::ops::RangeInclusive<usize> = 1..=100_000;

/// Go's peers ask each minute; rarer than hourly a peer that missed something stays behind for long.
const REBROADCAST: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(3600);

/// Names of metrics and tags go into each message; so do their values.
const WORD_BYTES_MAX: usize = 128;

/// Tags and metrics that decide; each costs a message every 15 seconds.
const WORDS_MAX: usize = 16;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPinset {
    rebroadcast_every: Option<Spanned<Seconds>>,
    batch_age: Option<Spanned<Seconds>>,
    batch_pins: Option<Spanned<usize>>,
}

impl RawPinset {
    pub(super) fn check(self, pinset: &mut PinsetSettings, faults: &mut Faults) {
        if let Some(every) = &self.rebroadcast_every
            && !REBROADCAST.contains(&every.as_ref().0)
        {
            faults.add(every.span(), "too often or too rare", "use 1s to 1h");
        }
        duration(self.rebroadcast_every, &mut pinset.rebroadcast_every, faults);
        if let Some(age) = self.batch_age {
            if age.as_ref().0 > BATCH_AGE_MAX {
                faults.add(age.span(), "clients would wait too long", "use 0s to 1m");
            }
            pinset.batch_age = age.into_inner().0;
        }
        if let Some(pins) = self.batch_pins {
            if !BATCH_PINS.contains(pins.as_ref()) {
                faults.add(pins.span(), "no such number of pins", "use 1 to 100000");
            }
            pinset.batch_pins = pins.into_inner();
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawAllocation {
    by: Option<Spanned<Vec<Spanned<String>>>>,
    pin_only_on_trusted_peers: Option<Spanned<bool>>,
    pin_only_on_untrusted_peers: Option<Spanned<bool>>,
}

impl RawAllocation {
    /// `[peers]` is checked before.
    pub(super) fn check(self, config: &mut Config, faults: &mut Faults) {
        let is_on = |setting: &Spanned<bool>| *setting.as_ref();
        let trusted = self.pin_only_on_trusted_peers.filter(is_on);
        let untrusted = self.pin_only_on_untrusted_peers.filter(is_on);
        config.allocate_to = match (trusted, untrusted) {
            (None, None) => AllocateTo::All,
            (Some(_), None) => AllocateTo::Trusted,
            (None, Some(untrusted)) => {
                if config.peers.trusted == Trusted::Everyone {
                    let fix = "list the trusted peers under trusted in [peers], or leave this out";
                    faults.add(
                        untrusted.span(),
                        "all peers are trusted, so none could be given a pin",
                        fix,
                    );
                }
                AllocateTo::Untrusted
            }
            (Some(trusted), Some(_)) => {
                let words = "pins cannot be for trusted and for untrusted peers only";
                faults.add(trusted.span(), words, "leave one of the two out");
                AllocateTo::All
            }
        };
        let Some(by) = self.by else { return };
        let span = by.span();
        let names = by.into_inner();
        if names.is_empty() || names.len() > WORDS_MAX {
            faults.add(span, "no metric, or too many", "use 1 to 16, as in the default");
        }
        for name in &names {
            word(name, faults);
        }
        config.allocate_by = names.into_iter().map(Spanned::into_inner).collect();
    }
}

/// Tags by name.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct RawTags(Option<BTreeMap<String, Spanned<String>>>);

impl RawTags {
    pub(super) fn check(self, config: &mut Config, faults: &mut Faults) {
        let Some(tags) = self.0 else { return };
        if tags.len() > WORDS_MAX {
            faults.add_general("there are too many tags", "use 16 at most");
        }
        for (name, value) in tags {
            word(&value, faults);
            if name.is_empty() || name.len() > WORD_BYTES_MAX {
                faults.add(value.span(), "a tag's name is empty or too long", "use 1 to 128 bytes");
            }
            config.tags.insert(name, value.into_inner());
        }
    }
}

fn word(word: &Spanned<String>, faults: &mut Faults) {
    if word.as_ref().is_empty() || word.as_ref().len() > WORD_BYTES_MAX {
        faults.add(word.span(), "it is empty or too long", "use 1 to 128 bytes");
    }
}
