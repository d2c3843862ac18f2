//! Entries of a pin listing, written in each form and encoding that Kubo has.

use common::kubo::cid_base::CidBase;
use common::kubo::text;
use common::kubo::value::Encoding;

/// Whether entries come one by one or in one map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// An object an entry.
    Stream,
    /// One object with all entries, sorted by CID.
    Map,
}

/// One entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    /// The CID as it is shown.
    pub(crate) cid: &'a [u8],
    /// `recursive`, `direct`, `indirect` or `indirect through …`.
    pub(crate) kind: &'a str,
    /// The pin's name; empty for none.
    pub(crate) name: &'a str,
}

/// Kubo's words for what its XML library cannot write.
const NO_XML: &str = "xml: unsupported type: map[string]pin.PinLsType";

/// Writes entries one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Writer {
    /// The encoding.
    pub(crate) encoding: Encoding,
    /// The form.
    pub(crate) form: Form,
    /// Whether the text form has CIDs alone.
    pub(crate) quiet: bool,
    /// Whether names are shown.
    pub(crate) shows_names: bool,
    /// How CIDs are written; entries are given written already.
    pub(crate) base: CidBase,
}

impl Writer {
    /// Appends one entry. `out` is empty before the very first entry of a map, and only then, unless
    /// [`Self::next`] is used.
    pub(crate) fn push(&self, out: &mut Vec<u8>, entry: Entry<'_>) {
        let first = out.is_empty();
        self.next(out, entry, first);
    }

    /// Appends one entry; `first` says whether it opens the map.
    pub(crate) fn next(&self, out: &mut Vec<u8>, entry: Entry<'_>, first: bool) {
        let name = if self.shows_names { entry.name } else { "" };
        match (self.encoding, self.form) {
            (Encoding::Json, Form::Stream) => push_object(out, entry.cid, entry.kind, name),
            (Encoding::Json, Form::Map) => {
                out.extend_from_slice(if first { b"{\"Keys\":{\"" } else { b",\"" });
                out.extend_from_slice(entry.cid);
                out.extend_from_slice(b"\":{\"Type\":\"");
                out.extend_from_slice(entry.kind.as_bytes());
                out.extend_from_slice(b"\",\"Name\":");
                text::push_json(out, name);
                out.push(b'}');
            }
            (Encoding::Text, Form::Stream | Form::Map) => {
                out.extend_from_slice(entry.cid);
                if !self.quiet {
                    out.push(b' ');
                    out.extend_from_slice(entry.kind.as_bytes());
                    if !name.is_empty() {
                        out.push(b' ');
                        out.extend_from_slice(name.as_bytes());
                    }
                }
                out.push(b'\n');
            }
            (Encoding::TextLines | Encoding::Octets, Form::Stream) => {
                out.extend_from_slice(b"{{map[]} {");
                for part in [entry.cid, b" ", name.as_bytes(), b" ", entry.kind.as_bytes(), b"}}"] {
                    out.extend_from_slice(part);
                }
                if self.encoding == Encoding::TextLines {
                    out.push(b'\n');
                }
            }
            (Encoding::TextLines | Encoding::Octets, Form::Map) => {
                out.extend_from_slice(if first { b"{{map[" } else { b" " });
                for part in [entry.cid, b":{", entry.kind.as_bytes(), b" ", name.as_bytes(), b"}"] {
                    out.extend_from_slice(part);
                }
            }
            // Kubo fails at the first; so does the end of the listing here.
            (Encoding::Xml, Form::Stream | Form::Map) => {}
        }
    }

    /// Appends what closes the listing; `any` says whether it has an entry.
    ///
    /// # Errors
    /// The encoding cannot hold it; Kubo's words, for the trailer.
    pub(crate) fn finish(&self, out: &mut Vec<u8>, any: bool) -> Result<(), &'static str> {
        let close: &[u8] = match (self.encoding, self.form) {
            (Encoding::Json, Form::Map) => {
                if any {
                    b"}}\n"
                } else {
                    b"{}\n"
                }
            }
            (Encoding::TextLines | Encoding::Octets, Form::Map) => {
                if !any {
                    out.extend_from_slice(b"{{map[");
                }
                if self.encoding == Encoding::TextLines { b"]} {  }}\n" } else { b"]} {  }}" }
            }
            (Encoding::Xml, Form::Stream) if !any => b"",
            (Encoding::Xml, Form::Stream | Form::Map) => return Err(NO_XML),
            (Encoding::Text, Form::Stream | Form::Map)
            | (Encoding::Json | Encoding::TextLines | Encoding::Octets, Form::Stream) => b"",
        };
        out.extend_from_slice(close);
        Ok(())
    }
}

/// The object of the stream form, which clients meet most.
fn push_object(out: &mut Vec<u8>, cid: &[u8], kind: &str, name: &str) {
    out.extend_from_slice(b"{\"Cid\":\"");
    out.extend_from_slice(cid);
    if !name.is_empty() {
        out.extend_from_slice(b"\",\"Name\":");
        text::push_json(out, name);
        out.extend_from_slice(b",\"Type\":\"");
    } else {
        out.extend_from_slice(b"\",\"Type\":\"");
    }
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\"}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(
        encoding: Encoding,
        form: Form,
        names: bool,
        entries: &[(&str, &str, &str)],
    ) -> String {
        let writer =
            Writer { encoding, form, quiet: false, shows_names: names, base: CidBase::default() };
        let mut out = Vec::new();
        for (cid, kind, name) in entries {
            writer.push(&mut out, Entry { cid: cid.as_bytes(), kind, name });
        }
        let end = writer.finish(&mut out, !entries.is_empty());
        String::from_utf8(out).unwrap() + end.err().unwrap_or("")
    }

    const TWO: &[(&str, &str, &str)] = &[("QmA", "recursive", "a<b"), ("QmB", "direct", "")];

    /// All expected texts have the form of answers recorded from Kubo 0.42.0.
    #[test]
    fn the_map_form_has_names_always_and_the_stream_form_when_there_are_some() {
        assert_eq!(
            shown(Encoding::Json, Form::Map, false, TWO),
            "{\"Keys\":{\"QmA\":{\"Type\":\"recursive\",\"Name\":\"\"},\"QmB\":{\"Type\":\"direct\",\"Name\":\"\"}}}\n"
        );
        assert_eq!(
            shown(Encoding::Json, Form::Stream, true, TWO),
            "{\"Cid\":\"QmA\",\"Name\":\"a\\u003cb\",\"Type\":\"recursive\"}\n{\"Cid\":\"QmB\",\"Type\":\"direct\"}\n"
        );
    }

    #[test]
    fn other_encodings_are_kubos_too() {
        assert_eq!(
            shown(Encoding::TextLines, Form::Map, false, TWO),
            "{{map[QmA:{recursive } QmB:{direct }]} {  }}\n"
        );
        assert_eq!(
            shown(Encoding::Octets, Form::Stream, false, &TWO[1..]),
            "{{map[]} {QmB  direct}}"
        );
        assert_eq!(shown(Encoding::Text, Form::Map, true, TWO), "QmA recursive a<b\nQmB direct\n");
        assert_eq!(shown(Encoding::Xml, Form::Stream, false, TWO), NO_XML);
    }

    #[test]
    fn a_listing_of_nothing_has_its_own_form() {
        assert_eq!(shown(Encoding::Json, Form::Map, false, &[]), "{}\n");
        assert_eq!(shown(Encoding::Json, Form::Stream, false, &[]), "");
        assert_eq!(shown(Encoding::TextLines, Form::Map, false, &[]), "{{map[]} {  }}\n");
        assert_eq!(shown(Encoding::Xml, Form::Map, false, &[]), NO_XML);
        assert_eq!(shown(Encoding::Xml, Form::Stream, false, &[]), "");
    }
}
