//! Reads a request target the way Kubo's HTTP server routes it.

use crate::kubo::query;

/// A request target, split and decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<'a> {
    /// The decoded path, such as `/api/v0/pin/add`.
    pub path: String,
    /// The query as it came, without `?`.
    pub query: &'a str,
}

impl<'a> Target<'a> {
    /// Splits a target in origin form (`/a?b`) or absolute form (`http://host/a?b`).
    ///
    /// `None` for every other form and for a broken escape in the path: Kubo refuses both before it looks further.
    #[must_use]
    pub fn parse(target: &'a str) -> Option<Self> {
        let from_path = match target.as_bytes().first()? {
            b'/' => target,
            _ => {
                let (scheme, rest) = target.split_once("://")?;
                if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
                    return None;
                }
                &rest[rest.find(['/', '?'])?..]
            }
        };
        let (path, query) = from_path.split_once('?').unwrap_or((from_path, ""));
        Some(Self { path: query::decode(path, false)?, query })
    }

    /// Whether Kubo answers with a redirect to the cleaned path (307) instead of running anything.
    #[must_use]
    pub fn is_unclean(&self) -> bool {
        !self.path.starts_with('/')
            || self.path.contains("//")
            || self.path.split('/').any(|segment| matches!(segment, "." | ".."))
    }

    /// The command's segments, such as `["pin", "add"]` and what follows them; `None` outside `/api/v0/`
    /// and for unclean paths.
    #[must_use]
    pub fn segments(&self) -> Option<Vec<&str>> {
        if self.is_unclean() {
            return None;
        }
        self.path.strip_prefix("/api/v0/").map(|rest| rest.split('/').collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments(target: &str) -> Option<Vec<String>> {
        let target = Target::parse(target)?;
        target.segments().map(|all| all.into_iter().map(str::to_owned).collect())
    }

    #[test]
    fn the_path_is_decoded_before_it_is_split() {
        for target in ["/api/v0/pin/add", "/api/v0/pin%2Fadd?x", "/%61pi/v0/%70in/add"] {
            assert_eq!(segments(target).unwrap(), ["pin", "add"], "{target}");
        }
        assert_eq!(segments("http://other:1/api/v0/pin/add?a=b").unwrap(), ["pin", "add"]);
    }

    #[test]
    fn a_trailing_slash_is_an_empty_segment() {
        assert_eq!(segments("/api/v0/add/").unwrap(), ["add", ""]);
    }

    #[test]
    fn what_kubo_redirects_or_refuses_has_no_segments() {
        for target in [
            "/api/v0//pin/add",
            "/api/v0/x/../pin/add",
            "/api/v0/./id",
            "/api/v0/pin%2F%2Fadd",
            "/api/v0/%zz",
            "/api/v1/pin/add",
            "/api/v0",
            "*",
            "ftp://h/api/v0/id",
        ] {
            assert_eq!(segments(target), None, "{target}");
        }
    }
}
