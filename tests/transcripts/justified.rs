//! The differences that are meant: the table of `JUSTIFIED.md`.

use crate::difference::Difference;

/// Exchange, parts that may differ, and why.
#[derive(Debug)]
pub(crate) struct Justified {
    rows: Vec<(String, Vec<String>)>,
}

impl Justified {
    /// Reads the table's rows: `| exchange | parts, with commas | reason |`.
    pub(crate) fn parse(text: &str) -> Self {
        let rows = text
            .lines()
            .filter_map(|line| line.strip_prefix("| o-"))
            .map(|line| {
                let mut cells = line.split('|').map(str::trim);
                let name = format!("o-{}", cells.next().unwrap_or_default());
                let parts = cells.next().unwrap_or_default();
                let reason = cells.next().unwrap_or_default();
                assert!(!reason.is_empty(), "{name} is justified without a reason");
                (name, parts.split(',').map(|part| part.trim().to_owned()).collect())
            })
            .collect();
        Self { rows }
    }

    /// Whether a difference is meant.
    pub(crate) fn holds(&self, name: &str, difference: &Difference) -> bool {
        self.rows.iter().any(|(row, parts)| row == name && parts.contains(&difference.part))
    }

    /// All exchanges that have a row.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().map(|(name, _)| name.as_str())
    }
}
