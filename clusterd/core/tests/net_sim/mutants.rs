//! The simulation can fail: each mistake of the core is found, and by which world.

use std::panic::{AssertUnwindSafe, catch_unwind};

use clusterd_core::mutant::{self, Mutant};

use crate::run::small_world;
use crate::{second_root, spread};

/// Worlds in which a mistake must show. All mistakes but few show in the first ones.
const WORLDS: u64 = 200;

const ALL: [Mutant; 23] = [
    Mutant::TombstonesIgnored,
    Mutant::ElementsFirst,
    Mutant::TieTurnedRound,
    Mutant::HeightAboveLowestHead,
    Mutant::HeadBesideDescendant,
    Mutant::AnnouncedBeforeStored,
    Mutant::FrontierForgotten,
    Mutant::BytesUnchecked,
    Mutant::SurvivorForgotten,
    Mutant::RemovalUntracked,
    Mutant::PinUntracked,
    Mutant::FailedForgotten,
    Mutant::AnnouncedStaysHead,
    Mutant::SeenKeptForever,
    Mutant::TombstoneWithoutSlash,
    Mutant::DeltaLeftOpen,
    Mutant::PinUncounted,
    Mutant::OwnChangesGivenUp,
    Mutant::AnyHolderSuffices,
    Mutant::LossIgnored,
    Mutant::HeldUntold,
    Mutant::SpreadForgotten,
    Mutant::AnyRecordHeld,
];

/// The first world that finds the mistake, and how it shows.
fn find(mutant: Mutant) -> Option<(String, String)> {
    mutant::set(Some(mutant));
    // What is a matter of agreement shows in any world; for these a told story says what must be.
    let story: Option<(&str, fn())> = match mutant {
        Mutant::OwnChangesGivenUp => Some(("second root", second_root::own_changes_win)),
        Mutant::AnyHolderSuffices => {
            Some(("too few", spread::a_pin_is_done_when_its_minimum_holds_it))
        }
        Mutant::LossIgnored => {
            Some(("loss", spread::what_a_holder_lost_is_not_pinned_until_it_has_it_again))
        }
        Mutant::HeldUntold => Some(("told", spread::what_is_held_is_told_within_a_second)),
        Mutant::AnyRecordHeld => {
            Some(("record", spread::what_a_peer_held_of_an_earlier_record_does_not_count))
        }
        Mutant::SpreadForgotten => {
            Some(("change", spread::a_new_name_does_not_make_a_missing_pin_held))
        }
        _ => None,
    };
    let found = match story {
        Some((name, story)) => fails(story).map(|how| (name.to_owned(), how)),
        None => (1..=WORLDS).find_map(|seed| {
            fails(|| drop(small_world(seed))).map(|how| (format!("SIM_SEED={seed}"), how))
        }),
    };
    mutant::set(None);
    found
}

/// How it fails, if it does.
fn fails(run: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(run)).err()?;
    let words = panic.downcast_ref::<String>().cloned();
    let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned()));
    let words = words.unwrap_or_default();
    Some(words.lines().take(3).collect::<Vec<_>>().join(" ").chars().take(100).collect())
}

#[test]
fn every_mutant_is_caught() {
    // Hundreds of expected panics would bury the report.
    std::panic::set_hook(Box::new(|_| {}));
    let found = ALL.map(|mutant| (mutant, find(mutant)));
    drop(std::panic::take_hook());
    let mut missed = Vec::new();
    for (mutant, found) in found {
        match found {
            Some((by, how)) => eprintln!("{mutant:?}: caught by {by}: {how}"),
            None => missed.push(mutant),
        }
    }
    assert!(missed.is_empty(), "not caught in {WORLDS} worlds: {missed:?}");
}
