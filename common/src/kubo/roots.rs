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
    /// Everything is wrapped, so that lines with a name are no roots.
    wraps: bool,
}

impl Roots {
    /// None seen yet; `wraps` says that the client asked for a directory around all entries.
    #[must_use]
    pub fn new(wraps: bool) -> Self {
        Self { found: Vec::new(), wraps }
    }

    /// Looks at one line, without its line feed. Lines of another form are no roots.
    pub fn see(&mut self, line: &[u8]) {
        let Ok(line) = serde_json::from_slice::<Line>(line) else {
            return;
        };
        let is_wrapped = self.wraps && !line.name.is_empty();
        if line.hash.is_empty() || line.name.contains('/') || is_wrapped {
            return;
        }
        if line.name.is_empty() {
            self.found.clear();
        }
        self.found.push(line.hash);
    }

    /// Those found and not let go of, in order.
    #[must_use]
    pub fn held(&self) -> &[String] {
        &self.found
    }

    /// Lets go of the first ones.
    pub fn let_go(&mut self, count: usize) {
        self.found.drain(..count.min(self.found.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots(lines: &[&str]) -> Vec<String> {
        see_all(Roots::default(), lines).held().to_vec()
    }

    fn see_all(mut roots: Roots, lines: &[&str]) -> Roots {
        for line in lines {
            roots.see(line.as_bytes());
        }
        roots
    }

    #[test]
    fn what_will_be_wrapped_is_not_held() {
        let entry = r#"{"Name":"y","Hash":"QmY","Size":"14"}"#;
        assert!(see_all(Roots::new(true), &[entry, entry]).held().is_empty());
        let wrapper = r#"{"Name":"","Hash":"QmW","Size":"165"}"#;
        assert_eq!(see_all(Roots::new(true), &[entry, wrapper]).held(), ["QmW"]);
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
