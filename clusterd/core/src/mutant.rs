//! Chosen mistakes, for the tests that show that they would find them. Only the feature `mutants`
//! makes any of them; without it the compiler leaves all of this out.

/// A mistake of the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// A merge leaves removals out.
    TombstonesIgnored,
    /// A merge takes elements before tombstones.
    ElementsFirst,
    /// Of two values of equal height the lesser wins.
    TieTurnedRound,
    /// A new block is one above the lowest head.
    HeightAboveLowestHead,
    /// What a block links to stays a head.
    HeadBesideDescendant,
    /// A block is announced one commit before it is stored.
    AnnouncedBeforeStored,
    /// Wanted blocks are in memory alone.
    FrontierForgotten,
    /// The bytes of a block are not compared with its CID.
    BytesUnchecked,
    /// A removal never leaves a surviving value.
    SurvivorForgotten,
    /// Kubo is not told of what other peers unpin.
    RemovalUntracked,
    /// Kubo is not told of what other peers pin.
    PinUntracked,
    /// A block below a merged one is given up when it cannot be had.
    FailedForgotten,
    /// An announced head that turns out to lie below another becomes a head all the same.
    AnnouncedStaysHead,
    /// Heads that others once announced are never announced again.
    SeenKeptForever,
    /// Removals name blocks as Go does not read them.
    TombstoneWithoutSlash,
    /// A merge goes between the changes of an open delta.
    DeltaLeftOpen,
    /// A merged pin is not counted.
    PinUncounted,
    /// A peer that wrote alone gives way to older history.
    OwnChangesGivenUp,
    /// A pin counts as pinned as soon as this peer holds it.
    AnyHolderSuffices,
    /// What another peer has lost still counts as held there.
    LossIgnored,
    /// What a peer holds of an earlier record counts for the one there is now.
    AnyRecordHeld,
    /// Nobody is told when a pin comes to be held here.
    HeldUntold,
    /// Which others lack a pin is forgotten when its record changes.
    SpreadForgotten,
}

#[cfg(feature = "mutants")]
std::thread_local! {
    static CURRENT: std::cell::Cell<Option<Mutant>> = const { std::cell::Cell::new(None) };
}

/// Lets the core make one mistake on this thread, or none.
#[cfg(feature = "mutants")]
pub fn set(mutant: Option<Mutant>) {
    CURRENT.set(mutant);
}

/// Whether the core makes this mistake.
#[cfg(feature = "mutants")]
pub(crate) fn is(mutant: Mutant) -> bool {
    CURRENT.get() == Some(mutant)
}

/// Never.
#[cfg(not(feature = "mutants"))]
pub(crate) const fn is(_: Mutant) -> bool {
    false
}
