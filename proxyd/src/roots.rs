//! Which lines of an `add` answer are roots: what Kubo itself pins.

use serde::Deserialize;

/// A line of an `add` answer, as far as roots need it.
#[derive(Debug, Deserialize)]
struct Line {
    #[serde(rename = "Name", default)]
    name: String,
    #[serde(rename = "Hash", default)]
    hash: String,
}

/// Roots seen so far. Kubo adds each top-level entry on its own, and its line comes after those of
/// its children, whose names have a slash. A line without a name is the directory around all
/// entries before it: the wrapper, or a directory sent without a name.
#[derive(Debug, Default)]
pub struct Roots {
    found: Vec<String>,
}

impl Roots {
    /// Looks at one line, without its line feed. Lines of another form are no roots.
    pub fn see(&mut self, line: &[u8]) {
        let Ok(line) = serde_json::from_slice::<Line>(line) else {
            return;
        };
        if line.hash.is_empty() || line.name.contains('/') {
            return;
        }
        if line.name.is_empty() {
            self.found.clear();
        }
        self.found.push(line.hash);
    }

    /// How many wait to be taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Takes those found so far, in order.
    pub fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots(lines: &[&str]) -> Vec<String> {
        let mut roots = Roots::default();
        for line in lines {
            roots.see(line.as_bytes());
        }
        roots.take()
    }

    #[test]
    fn each_top_level_entry_is_a_root() {
        let lines = [
            r#"{"Name":"d/x","Hash":"QmX","Size":"14"}"#,
            r#"{"Name":"d","Bytes":5}"#,
            r#"{"Name":"d","Hash":"QmD","Size":"61"}"#,
            r#"{"Name":"y","Hash":"QmY","Size":"14"}"#,
        ];
        assert_eq!(roots(&lines), ["QmD", "QmY"]);
    }

    #[test]
    fn a_wrapper_is_the_only_root() {
        let lines = [
            r#"{"Name":"y","Hash":"QmY","Size":"14"}"#,
            r#"{"Name":"d","Hash":"QmD","Size":"61"}"#,
            r#"{"Name":"","Hash":"QmW","Size":"165"}"#,
        ];
        assert_eq!(roots(&lines), ["QmW"]);
    }

    #[test]
    fn a_file_without_name_has_its_cid_for_one() {
        assert_eq!(roots(&[r#"{"Name":"QmA","Hash":"QmA","Size":"1"}"#]), ["QmA"]);
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_read_without_a_panic(line in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..100)) {
            Roots::default().see(&line);
        }
    }
}
