//! Holds the shipped configuration files and their man pages against the settings that there are.
//!
//! For tests of the daemons. The list of settings comes from the raw types themselves: what a table
//! admits stands in the message with which it refuses a stranger.

use serde::de::DeserializeOwned;

/// No setting is named like this.
const STRANGER: &str = "no_such_setting";

/// A shipped file with every setting in force: `#key` becomes `key`, while `# prose` stays a comment.
#[must_use]
pub fn uncommented(shipped: &str) -> String {
    let setting = |line: &str| line.starts_with(|c: char| c == '[' || c.is_ascii_lowercase());
    let lines = shipped.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if setting(rest) => rest,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// All settings of a raw configuration as `(table, key)`; the table is empty at the top level.
/// Which keys are tables is read from the shipped file, which has a `[header]` for each.
#[must_use]
pub fn settings<R: DeserializeOwned>(shipped: &str) -> Vec<(String, String)> {
    let text = uncommented(shipped);
    let is_table = |key: &str| text.lines().any(|line| line == format!("[{key}]"));
    let mut all = Vec::new();
    for key in keys::<R>("") {
        if is_table(&key) {
            let inner = keys::<R>(&format!("[{key}]\n"));
            all.extend(inner.into_iter().map(|setting| (key.clone(), setting)));
        } else {
            all.push((String::new(), key));
        }
    }
    all
}

/// The settings that a shipped file does not describe, as `table.key`.
#[must_use]
pub fn undescribed<R: DeserializeOwned>(shipped: &str) -> Vec<String> {
    let text = uncommented(shipped);
    let described = |table: &str, key: &str| {
        let mut current = "";
        text.lines().any(|line| {
            if let Some(header) = line.strip_prefix('[') {
                current = header.trim_end_matches(']');
            }
            // A setting without a default is shown as an example, in a comment.
            let line = line.strip_prefix("# ").unwrap_or(line);
            current == table && line.strip_prefix(key).is_some_and(|rest| rest.starts_with(" ="))
        })
    };
    let missing = settings::<R>(shipped).into_iter().filter(|(table, key)| !described(table, key));
    missing.map(|(table, key)| format!("{table}.{key}")).collect()
}

/// The settings that a man page (troff, man macros) has no entry for, as `table.key`. An entry is a
/// line `.B key` in the section that is named like the table, or before all tables.
#[must_use]
pub fn unexplained<R: DeserializeOwned>(shipped: &str, page: &str) -> Vec<String> {
    let explained = |table: &str, key: &str| {
        let mut current = "";
        page.lines().any(|line| {
            if let Some(header) = line.strip_prefix(".SS [") {
                current = header.trim_end_matches(']');
            }
            current == table && line == format!(".B {key}")
        })
    };
    let missing = settings::<R>(shipped).into_iter().filter(|(table, key)| !explained(table, key));
    missing.map(|(table, key)| format!("{table}.{key}")).collect()
}

/// What one table admits; empty when it admits everything, or the text is faulty already.
fn keys<R: DeserializeOwned>(header: &str) -> Vec<String> {
    let Err(error) = toml::from_str::<R>(&format!("{header}{STRANGER} = 1\n")) else {
        return Vec::new();
    };
    // A table whose keys anybody may choose complains of the value.
    if !error.message().starts_with("unknown field") {
        return Vec::new();
    }
    // unknown field `x`, expected one of `a`, `b`
    let words = error.message().split('`').skip(1).step_by(2);
    words.filter(|word| *word != STRANGER).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize, Default)]
    #[serde(deny_unknown_fields, default)]
    struct Raw {
        one: u8,
        two: u8,
        inner: Inner,
    }

    #[derive(Deserialize, Default)]
    #[serde(deny_unknown_fields, default)]
    struct Inner {
        one: u8,
    }

    #[test]
    fn a_setting_left_out_is_found_at_its_table() {
        let full = "# words = here\n#one = 1\n# two = 2\n#[inner]\n#one = 3\n";
        assert_eq!(undescribed::<Raw>(full), Vec::<String>::new());
        assert_eq!(undescribed::<Raw>("#one = 1\n# two = 2\n#[inner]\n"), ["inner.one"]);
        assert_eq!(undescribed::<Raw>("#two = 1\n#[inner]\n#one = 1\n"), [".one"]);
        let page = ".TP\n.B one\n.TP\n.B two\n.SS [inner]\n.TP\n.B one\n";
        assert_eq!(unexplained::<Raw>(full, page), Vec::<String>::new());
        assert_eq!(
            unexplained::<Raw>(full, ".B one\n.SS [inner]\n.B two\n"),
            [".two", "inner.one"]
        );
    }

    #[test]
    fn prose_stays_a_comment() {
        assert_eq!(uncommented("# a = 1\n#b = 2\n#[c]\n"), "# a = 1\nb = 2\n[c]");
    }
}
