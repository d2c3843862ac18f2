//! The repository's Rust files, and the paths that they name.

use std::fs;
use std::path::{Path, PathBuf};

/// One file.
pub(super) struct Source {
    /// Its path from the top of the repository, with `/`.
    pub(super) path: String,
    /// All of it.
    pub(super) text: String,
}

impl Source {
    /// The part before the inline tests.
    pub(super) fn without_tests(&self) -> &str {
        self.text.split("\n#[cfg(test)]\n").next().unwrap_or_default()
    }

    /// Every path with `::` in it that the code names, those in the groups of `use` written out.
    pub(super) fn paths(&self) -> Vec<String> {
        let code: String = self
            .without_tests()
            .lines()
            .map(|line| without_comment(line).to_owned() + "\n")
            .collect();
        let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        let inline = code.split(|c| !is_path(c)).filter(|word| word.contains("::"));
        let mut paths: Vec<String> = inline.map(str::to_owned).collect();
        for (at, _) in code.match_indices("use ") {
            let is_statement = code[..at].ends_with([' ', '\n', '\t']) || at == 0;
            if let Some((tree, _)) = code[at + 4..].split_once(';').filter(|_| is_statement) {
                expand("", tree, &mut paths);
            }
        }
        paths
    }
}

fn without_comment(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// Writes `a::{b, c::d}` as `a::b` and `a::c::d`.
fn expand(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((head, group)) = tree.split_once('{') else {
        paths.push(format!("{prefix}{}", tree.split(" as ").next().unwrap_or_default().trim()));
        return;
    };
    let prefix = format!("{prefix}{}", head.trim());
    let group = group.trim_end().trim_end_matches('}');
    let (mut depth, mut start) = (0_u32, 0);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                expand(&prefix, &group[start..at], paths);
                start = at + 1;
            }
            _ => {}
        }
    }
    if !group[start..].trim().is_empty() {
        expand(&prefix, &group[start..], paths);
    }
}

/// The top of the repository.
pub(super) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every Rust file of the workspace below `top`.
pub(super) fn sources(top: &str) -> Vec<Source> {
    let root = repository();
    let mut found = Vec::new();
    for path in files(&root.join(top)) {
        if path.extension().is_some_and(|extension| extension == "rs") {
            let relative = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            found.push(Source { path: relative, text: fs::read_to_string(&path).unwrap() });
        }
    }
    assert!(!found.is_empty(), "no Rust file below {top}: has the directory moved?");
    found
}

/// Every file below a directory but what is built, hidden or not ours.
pub(super) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with('.') || name == "target" || path.ends_with("packaging/out") {
            continue;
        }
        if path.is_dir() {
            found.append(&mut files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn groups_of_use_are_written_out() {
    let text =
        "use crate::{net::{gossip, task as t}, ipfs};\nfn f() { crate::store::x() } // a::b\n";
    let source = Source { path: String::new(), text: text.to_owned() };
    let paths = source.paths();
    for path in ["crate::net::gossip", "crate::net::task", "crate::ipfs", "crate::store::x"] {
        assert!(paths.iter().any(|found| found == path), "{path} is not in {paths:?}");
    }
    assert!(!paths.iter().any(|found| found == "a::b"));
}
