//! Where a message ends: decided from its head, strictly. Source: RFC 9112, section 6.

use super::fields::{Fields, Known};
use super::head::HeadError;

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks, then trailers.
    Chunked,
    /// All until the connection ends; answers only.
    UntilClose,
}

/// Framing of a request. `is_http_10`: then chunks are not known.
pub(crate) fn of_request(fields: &Fields, is_http_10: bool) -> Result<Framing, HeadError> {
    Ok(match (length(fields)?, is_chunked(fields)?) {
        (Some(_), true) => {
            return Err(HeadError::Malformed("Content-Length with Transfer-Encoding"));
        }
        (None, true) if is_http_10 => {
            return Err(HeadError::Malformed("Transfer-Encoding in HTTP/1.0"));
        }
        (None, true) => Framing::Chunked,
        (None | Some(0), false) => Framing::None,
        (Some(bytes), false) => Framing::Length(bytes),
    })
}

/// Framing of an answer with this status to a request with this method.
pub(crate) fn of_answer(fields: &Fields, status: u16, method: &[u8]) -> Result<Framing, HeadError> {
    let declared = match (length(fields)?, is_chunked(fields)?) {
        (Some(_), true) => {
            return Err(HeadError::Malformed("Content-Length with Transfer-Encoding"));
        }
        (None, true) => Framing::Chunked,
        (Some(0), false) => Framing::None,
        (Some(bytes), false) => Framing::Length(bytes),
        (None, false) => Framing::UntilClose,
    };
    let bodiless = method == b"HEAD"
        || matches!(status, 100..200 | 204 | 304)
        || (method == b"CONNECT" && matches!(status, 200..300));
    Ok(if bodiless { Framing::None } else { declared })
}

/// The one `Content-Length`: digits only. Listed, repeated or signed ones are read differently by
/// different programs, and so are refused.
fn length(fields: &Fields) -> Result<Option<u64>, HeadError> {
    let mut values = fields.known(Known::ContentLength);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(HeadError::Malformed("more than one Content-Length"));
    }
    let digits = std::str::from_utf8(value).ok().filter(|text| {
        // 19 digits always fit in 63 bits, as far as Kubo counts.
        (1..20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
    });
    let bytes = digits.and_then(|text| text.parse().ok()).filter(|n| i64::try_from(*n).is_ok());
    bytes.map(Some).ok_or(HeadError::Malformed("Content-Length is no number"))
}

/// Whether the one `Transfer-Encoding` is exactly `chunked`.
fn is_chunked(fields: &Fields) -> Result<bool, HeadError> {
    let mut values = fields.known(Known::TransferEncoding);
    match (values.next(), values.next()) {
        (None, _) => Ok(false),
        (Some(value), None) if value.eq_ignore_ascii_case(b"chunked") => Ok(true),
        (Some(_), _) => Err(HeadError::Malformed("a Transfer-Encoding other than chunked")),
    }
}
