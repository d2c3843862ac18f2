//! Which requests may be sent twice when a kept connection turns out to be stale.

use crate::h1::head::RequestHead;

/// Commands that only read. All of Kubo's RPC is POST, so the method does not tell.
/// Source: Kubo 0.42.0, `ipfs commands`.
const READING: &[&str] = &[
    "bitswap/stat",
    "bitswap/wantlist",
    "block/get",
    "block/stat",
    "bootstrap/list",
    "cat",
    "cid/base32",
    "cid/format",
    "commands",
    "config/show",
    "dag/export",
    "dag/get",
    "dag/resolve",
    "dag/stat",
    "diag/sys",
    "files/ls",
    "files/read",
    "files/stat",
    "get",
    "id",
    "key/list",
    "ls",
    "multibase/list",
    "name/resolve",
    "pin/ls",
    "refs",
    "refs/local",
    "repo/ls",
    "repo/stat",
    "repo/version",
    "resolve",
    "routing/findpeer",
    "routing/findprovs",
    "stats/bitswap",
    "stats/bw",
    "stats/provide",
    "stats/repo",
    "swarm/addrs",
    "swarm/addrs/listen",
    "swarm/addrs/local",
    "swarm/peers",
    "version",
];

/// Whether asking twice does nothing that asking once does not.
pub(crate) fn is_harmless(head: &RequestHead) -> bool {
    // Kubo runs nothing but POST.
    if matches!(head.method(), b"GET" | b"HEAD" | b"OPTIONS") {
        return true;
    }
    let target = head.target();
    let path = target.split(|b| *b == b'?').next().unwrap_or(target);
    let Some(command) = path.strip_prefix(b"/api/v0/") else {
        return false;
    };
    head.method() == b"POST"
        && READING.binary_search_by(|known| known.as_bytes().cmp(command)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn harmless(line: &str) -> bool {
        let text = format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n");
        is_harmless(&RequestHead::parse(text.as_bytes()).unwrap().unwrap().0)
    }

    #[test]
    fn the_table_is_sorted_for_the_search() {
        assert!(READING.is_sorted());
    }

    #[test]
    fn only_reading_commands_are_sent_twice() {
        assert!(harmless("POST /api/v0/cat?arg=x") && harmless("GET /webui"));
        for line in [
            "POST /api/v0/add",
            "POST /api/v0/key/gen?arg=x",
            "POST /api/v0/cat/../add",
            "POST /api/v0/c%61t",
            "POST /api/v0/catx",
            "DELETE /api/v0/cat",
            "POST /elsewhere",
        ] {
            assert!(!harmless(line), "{line}");
        }
    }
}
