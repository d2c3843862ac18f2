//! The header fields of one message, with the bytes they came as.

use std::ops::Range;

use super::head::HeadError;
use crate::buffer::{Charge, SMALL_BYTES};

/// Fields of a message; a head with more is refused. Kubo's clients send about ten.
pub const FIELDS_MAX: usize = 1024;
/// So many fields are parsed without an allocation of their own.
const FIELDS_USUAL: usize = 48;
/// Names in all `Connection` fields together; each field is compared with each of them.
const CONNECTION_NAMES_MAX: usize = 32;

/// One field line: where its name and value stand in the raw bytes.
#[derive(Debug, Clone)]
struct Field {
    name: Range<usize>,
    value: Range<usize>,
    /// Kind of the field, so that names are compared once.
    known: Known,
}

/// Fields that the relay itself looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    Connection,
    ContentLength,
    TransferEncoding,
    Host,
    Expect,
    /// Meant for the next hop only, whether `Connection` names it or not.
    HopOnly,
    Other,
}

/// Header fields in wire order, and the whole head as it came.
#[derive(Debug)]
pub struct Fields {
    /// Start line, fields and the empty line.
    raw: Vec<u8>,
    /// Length of the start line with its CRLF.
    start_line: usize,
    fields: Vec<Field>,
    /// Given back with the head.
    _charge: Charge,
}

impl Fields {
    /// `raw` is a whole head whose start line ends before `start_line`; `parsed` borrows from it.
    pub(crate) fn new(
        raw: &[u8],
        start_line: usize,
        parsed: &[httparse::Header<'_>],
    ) -> Result<Self, HeadError> {
        check_line_ends(raw)?;
        // Twice, as a head is copied for the next hop while it is held here.
        let held = 2 * raw.len() + size_of_val(parsed);
        let charge =
            Charge::of(held.saturating_sub(2 * SMALL_BYTES)).map_err(|_| HeadError::TooLarge)?;
        let fields = parsed
            .iter()
            .map(|field| Field {
                name: range_in(raw, field.name.as_bytes()),
                value: range_in(raw, field.value),
                known: known(field.name.as_bytes()),
            })
            .collect();
        let fields = Self { raw: raw.to_vec(), start_line, fields, _charge: charge };
        if fields.names_in_connection().nth(CONNECTION_NAMES_MAX).is_some() {
            return Err(HeadError::TooManyFields);
        }
        Ok(fields)
    }

    /// Value of the first field of that name, in any case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, v)| v)
    }

    /// Name and value of each field, in wire order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter().map(|f| (&self.raw[f.name.clone()], &self.raw[f.value.clone()]))
    }

    /// Values of the fields of a known kind.
    pub(crate) fn known(&self, kind: Known) -> impl Iterator<Item = &[u8]> {
        self.fields.iter().filter(move |f| f.known == kind).map(|f| &self.raw[f.value.clone()])
    }

    /// The whole head as it came.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Writes the field lines for the next hop, byte for byte but for those that end here: the
    /// hop's own fields, and those that `Connection` names. `replace` gives a field another value;
    /// `connection` is for the next hop, and stands where the sender's own stood, else at the end.
    pub(crate) fn copy_onward(
        &self,
        out: &mut Vec<u8>,
        replace: &[(&str, &[u8])],
        mut connection: Option<&[u8]>,
    ) {
        let mut line_start = self.start_line;
        for field in &self.fields {
            let line = line_start..field.value.end + self.line_tail(field.value.end);
            line_start = line.end;
            if self.ends_here(field) {
                if let Some(value) = connection.take_if(|_| field.known == Known::Connection) {
                    push_field(out, b"Connection", value);
                }
                continue;
            }
            let name = &self.raw[field.name.clone()];
            match replace.iter().find(|(n, _)| name.eq_ignore_ascii_case(n.as_bytes())) {
                Some((_, value)) => push_field(out, name, value),
                None => out.extend_from_slice(&self.raw[line]),
            }
        }
        if let Some(value) = connection {
            push_field(out, b"Connection", value);
        }
    }

    /// Bytes from the end of a value to the start of the next line: blanks and CRLF.
    fn line_tail(&self, value_end: usize) -> usize {
        self.raw[value_end..].iter().position(|b| *b == b'\n').map_or(0, |lf| lf + 1)
    }

    fn ends_here(&self, field: &Field) -> bool {
        match field.known {
            Known::Connection | Known::HopOnly => true,
            // Naming one of these in `Connection` would change where the message ends.
            Known::ContentLength | Known::TransferEncoding | Known::Host | Known::Expect => false,
            Known::Other => {
                let name = &self.raw[field.name.clone()];
                // Kubo judges by these; a client must not be able to have them dropped on the way.
                let judged = [&b"origin"[..], b"referer", b"user-agent", b"authorization"];
                self.names_in_connection().any(|n| n.eq_ignore_ascii_case(name))
                    && !judged.iter().any(|j| j.eq_ignore_ascii_case(name))
            }
        }
    }

    /// The words of all `Connection` fields.
    pub(crate) fn names_in_connection(&self) -> impl Iterator<Item = &[u8]> {
        self.known(Known::Connection)
            .flat_map(|value| value.split(|b| *b == b','))
            .map(<[u8]>::trim_ascii)
    }
}

/// Writes one field line.
pub(crate) fn push_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

/// Runs `parse` with room for the usual number of fields, then once more with room for the most.
pub(crate) fn with_room<'b, T>(
    mut parse: impl FnMut(&mut [httparse::Header<'b>]) -> Result<T, HeadError>,
) -> Result<T, HeadError> {
    match parse(&mut [httparse::EMPTY_HEADER; FIELDS_USUAL]) {
        Err(HeadError::TooManyFields) => parse(&mut vec![httparse::EMPTY_HEADER; FIELDS_MAX]),
        other => other,
    }
}

/// CR and LF only ever together: the parser takes a bare LF, and others do not.
fn check_line_ends(raw: &[u8]) -> Result<(), HeadError> {
    let apart =
        raw.iter().zip(&raw[1..]).fold(false, |bad, (a, b)| bad | ((*a == b'\r') != (*b == b'\n')));
    if apart || raw.first() == Some(&b'\n') {
        return Err(HeadError::Malformed("a line that does not end in CR LF"));
    }
    Ok(())
}

fn range_in(raw: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr() as usize - raw.as_ptr() as usize;
    start..start + part.len()
}

fn known(name: &[u8]) -> Known {
    let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
    match name.len() {
        4 if is("host") => Known::Host,
        6 if is("expect") => Known::Expect,
        7 if is("upgrade") => Known::HopOnly,
        10 if is("connection") => Known::Connection,
        10 if is("keep-alive") => Known::HopOnly,
        14 if is("content-length") => Known::ContentLength,
        16 if is("proxy-connection") => Known::HopOnly,
        17 if is("transfer-encoding") => Known::TransferEncoding,
        _ => Known::Other,
    }
}
