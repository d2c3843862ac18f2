//! The simulation can fail: each mistake of the core is found, and by which world.

use std::panic::{AssertUnwindSafe, catch_unwind};

use clusterd_core::mutant::{self, Mutant};

use crate::run::small_world;
use crate::second_root;

/// Worlds in which a mistake must show. All mistakes but few show in the first ones.
const WORLDS: u64 = 200;

const ALL: [Mutant; 18] = [
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
];

/// The first world that finds the mistake, and how it shows.
fn find(mutant: Mutant) -> Option<(String, String)> {
    mutant::set(Some(mutant));
    let found = if mutant == Mutant::OwnChangesGivenUp {
        // Which of two values wins is no matter of agreement; a told story says which it must be.
        fails(second_root::own_changes_win).map(|how| ("second root".to_owned(), how))
    } else {
        (1..=WORLDS).find_map(|seed| {
            fails(|| drop(small_world(seed))).map(|how| (format!("SIM_SEED={seed}"), how))
        })
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
