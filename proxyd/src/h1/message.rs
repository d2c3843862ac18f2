//! What heads of requests and of answers have in common: fields, framing, and whether to close.

use super::fields::Fields;
use super::framing::Framing;

/// A head without its start line.
#[derive(Debug)]
pub struct Message {
    fields: Fields,
    framing: Framing,
    close: bool,
}

impl Message {
    /// A head that was checked.
    pub(crate) fn new(fields: Fields, framing: Framing, is_http_10: bool) -> Self {
        let close = wants_close(&fields, is_http_10);
        Self { fields, framing, close }
    }

    /// Value of the first field of that name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.fields.get(name)
    }

    /// All fields in wire order, with those of the hop (`Connection`, `Transfer-Encoding`).
    pub fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.fields.iter()
    }

    /// Length of the head in bytes, as it came.
    #[must_use]
    pub fn length(&self) -> usize {
        self.fields.raw().len()
    }

    /// How the body ends.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Whether the sender wants the connection closed after this exchange.
    #[must_use]
    pub fn wants_close(&self) -> bool {
        self.close
    }

    /// The fields, and the head as it came.
    pub(crate) fn fields(&self) -> &Fields {
        &self.fields
    }
}

/// Whether the connection ends after this message.
fn wants_close(fields: &Fields, is_http_10: bool) -> bool {
    let says = |word: &[u8]| fields.names_in_connection().any(|n| n.eq_ignore_ascii_case(word));
    says(b"close") || (is_http_10 && !says(b"keep-alive"))
}
