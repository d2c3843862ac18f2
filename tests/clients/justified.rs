//! The calls whose outcome through proxyd may differ from Kubo's, each with its reason.

/// A difference that is meant.
#[derive(Debug)]
pub(crate) struct Justified {
    /// The client whose script has the call.
    pub(crate) client: &'static str,
    /// The Kubo command.
    pub(crate) command: &'static str,
    /// What is special about the call.
    pub(crate) call: &'static str,
    /// A part of the outcome through proxyd: any other difference is a fault still.
    pub(crate) through: &'static str,
    /// Why it is right.
    pub(crate) reason: &'static str,
}

/// A pin that failed stays wanted, so it can be withdrawn where Kubo has nothing to withdraw.
const STAYS_WANTED: &str = "a pin that could not be made in time stays accepted and is tried again, \
     so `pin rm` has something to withdraw";

/// Garbage is collected on every peer.
const SAYS_WHOSE: &str = "errors of a collection name the peer they come from";

const GC_ERRORS: &str = "Error: tester: could not retrieve links for Qmf7ynNKmT12cLfJ2mkXHWAwhDLGZSFvwEiubxfZkeHqx7: \
     protobuf: (PBNode) invalid wireType, expected 2, got 3; tester: garbage collection aborted: could not \
     retrieve some links\\n";

const GC_ERRORS_AS_THEY_COME: &str = "expected 2, got 3\\nError: tester: garbage collection aborted: could not \
     retrieve some links";

/// All of them; `MATRIX.md` numbers them from 1.
pub(crate) const JUSTIFIED: &[Justified] = &[
    Justified {
        client: "ipfs",
        command: "repo/gc",
        call: "over a broken block",
        through: GC_ERRORS,
        reason: SAYS_WHOSE,
    },
    Justified {
        client: "ipfs",
        command: "repo/gc",
        call: "over a broken block, errors as they come",
        through: GC_ERRORS_AS_THEY_COME,
        reason: SAYS_WHOSE,
    },
    Justified {
        client: "ipfs",
        command: "pin/rm",
        call: "withdraw the failed pin",
        through: "unpinned bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
        reason: STAYS_WANTED,
    },
    Justified {
        client: "kubo-rpc-client",
        command: "pin/rm",
        call: "withdraw the failed pin",
        through: r#"{"ok":"bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"}"#,
        reason: STAYS_WANTED,
    },
];

impl Justified {
    /// Whether it speaks of this call.
    pub(crate) fn is_for(&self, client: &str, command: &str, call: &str) -> bool {
        (self.client, self.command, self.call) == (client, command, call)
    }
}

/// The entry for a call, with its number.
pub(crate) fn find(client: &str, command: &str, call: &str) -> Option<(usize, &'static Justified)> {
    let place = JUSTIFIED.iter().position(|entry| entry.is_for(client, command, call))?;
    Some((place + 1, &JUSTIFIED[place]))
}

/// The entries of one client.
pub(crate) fn of(client: &str) -> impl Iterator<Item = &'static Justified> {
    JUSTIFIED.iter().filter(move |entry| entry.client == client)
}
