//! Names pins that stay on the local Kubo, so that somebody can look after them.

/// CIDs that are named; the rest is counted, as a trailer is short.
const NAMED_MAX: usize = 5;

/// The words of an error, and what stays pinned on Kubo alone.
#[must_use]
pub(crate) fn naming(words: &str, kept: &[String]) -> String {
    if kept.is_empty() {
        return words.to_owned();
    }
    format!("{words} (still pinned on the local Kubo: {})", list(kept))
}

/// The first CIDs, and how many more there are.
#[must_use]
pub(crate) fn list(cids: &[String]) -> String {
    let named = cids.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    match cids.len().saturating_sub(NAMED_MAX) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_kubo_keeps_is_named_up_to_a_bound() {
        let cids: Vec<String> = (0..7).map(|n| format!("Qm{n}")).collect();
        assert_eq!(naming("no", &[]), "no");
        assert_eq!(naming("no", &cids[..1]), "no (still pinned on the local Kubo: Qm0)");
        assert_eq!(
            naming("no", &cids),
            "no (still pinned on the local Kubo: Qm0, Qm1, Qm2, Qm3, Qm4 and 2 more)"
        );
    }
}
