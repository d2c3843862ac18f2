//! Reads a request target the way Kubo's HTTP server routes it.

use crate::kubo::query;

/// A request target, split and decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<'a> {
    /// The decoded path, such as `/api/v0/pin/add`.
    pub path: String,
    /// The path as it came, with its escapes.
    pub raw_path: &'a str,
    /// The query as it came, without `?`.
    pub query: &'a str,
    is_unclean: bool,
    is_command: bool,
}

impl<'a> Target<'a> {
    /// Splits a target in origin form (`/a?b`) or absolute form (`http://host/a?b`). Go takes any
    /// scheme, and a path right behind it (`x:/a`).
    ///
    /// `None` for every other form and for a broken escape in the path: Kubo runs nothing for them.
    #[must_use]
    pub fn parse(target: &'a str) -> Option<Self> {
        let (rest, query) = target.split_once('?').unwrap_or((target, ""));
        let raw_path = if rest.starts_with('/') { rest } else { path_behind_scheme(rest)? };
        let path = query::decode(raw_path, false)?;
        // Go's router cleans the escaped path, so that `%2e` is no dot to it; but it escapes the
        // path anew where that is escaped too little.
        let is_kept = raw_path.bytes().all(is_left_by_go);
        let routed = if is_kept { raw_path } else { path.as_str() };
        let is_unclean = !routed.starts_with('/')
            || routed.contains("//")
            || routed.split('/').any(|segment| matches!(segment, "." | ".."));
        let mut parts = raw_path.splitn(4, '/').skip(1);
        let mut is = |wanted| {
            parts.next().is_some_and(|part| query::decode(part, false).as_deref() == Some(wanted))
        };
        let is_command = path.starts_with(COMMANDS)
            && (!is_kept || (is("api") && is("v0") && parts.next().is_some()));
        Some(Self { path, raw_path, query, is_unclean, is_command })
    }

    /// Whether Kubo answers with a redirect to the cleaned path (307) instead of running anything.
    #[must_use]
    pub fn is_unclean(&self) -> bool {
        self.is_unclean
    }

    /// The command's segments, such as `["pin", "add"]` and what follows them; `None` where Kubo
    /// looks for no command: outside `/api/v0/` and for unclean paths.
    #[must_use]
    pub fn segments(&self) -> Option<Vec<&str>> {
        if self.is_unclean || !self.is_command {
            return None;
        }
        self.path.strip_prefix(COMMANDS).map(|rest| rest.split('/').collect())
    }
}

/// What all commands' decoded paths begin with.
pub const COMMANDS: &str = "/api/v0/";

/// The path behind a scheme and perhaps an authority. Source: `parse` in Go's `net/url`.
fn path_behind_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    if !is_scheme || !rest.starts_with('/') {
        return None;
    }
    match rest.strip_prefix("//") {
        Some(authority) => Some(authority.find('/').map_or("", |at| &authority[at..])),
        None => Some(rest),
    }
}

/// Whether Go leaves a byte of an escaped path alone. Source: `validEncoded` in Go's `net/url`.
fn is_left_by_go(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-_.~!$&'()*+,;=:@[]%".contains(&byte)
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
            "/api/v0/%zz",
            "/api/v1/pin/add",
            "/api/v0",
            "/api%2Fv0/id",
            "//h/api/v0/id",
            "*",
            "x:api/v0/id",
            "1x:/api/v0/id",
            ":/api/v0/id",
            "http://h",
            "http://h?/api/v0/id",
            "",
        ] {
            assert_eq!(segments(target), None, "{target}");
        }
    }

    #[test]
    fn any_scheme_will_do_with_and_without_an_authority() {
        for target in [
            "x:/api/v0/id",
            "http:/api/v0/id",
            "HTTPS://h:1/api/v0/id?a=b",
            "ftp://u@h/api/v0/id",
            "a+b-c.1:/api/v0/id",
            "http:///api/v0/id",
        ] {
            assert_eq!(segments(target).unwrap(), ["id"], "{target}");
        }
    }

    #[test]
    fn an_escaped_dot_or_slash_is_no_reason_to_redirect() {
        assert_eq!(segments("/api/v0/repo/gc/%2e").unwrap(), ["repo", "gc", "."]);
        assert_eq!(segments("/api/v0/repo/gc/.%2E").unwrap(), ["repo", "gc", ".."]);
        assert_eq!(segments("/api/v0/pin%2F%2Fadd").unwrap(), ["pin", "", "add"]);
    }

    #[test]
    fn a_path_that_is_escaped_too_little_is_escaped_anew_before_it_is_judged() {
        assert_eq!(segments("/api/v0/repo/gc/%2e/{"), None);
        assert_eq!(segments("/api/v0/repo/gc/%2e{").unwrap(), ["repo", "gc", ".{"]);
        assert_eq!(segments("/api%2Fv0/repo/gc/{").unwrap(), ["repo", "gc", "{"]);
    }
}
