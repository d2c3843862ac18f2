//! Arguments that come in a body: the lines of the first part of a multipart form ("stdin").

/// The media type of a request's body, as far as arguments need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// No multipart form: the body is not looked at.
    None,
    /// A multipart form with its boundary.
    Boundary(String),
    /// A multipart form without a usable boundary: Kubo's words for its 400 answer.
    Broken(&'static str),
}

/// Reads a `Content-Type`.
#[must_use]
pub fn form(content_type: &str) -> Form {
    let mut pieces = split_parameters(content_type).into_iter();
    let kind = pieces.next().unwrap_or_default();
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return Form::None;
    }
    let boundary = pieces.find_map(|piece| {
        let (key, value) = piece.split_once('=')?;
        key.trim().eq_ignore_ascii_case("boundary").then(|| unquote(value.trim()))
    });
    match boundary {
        None => Form::Broken("no multipart boundary param in Content-Type"),
        Some(boundary) if boundary.is_empty() => Form::Broken("multipart: boundary is empty"),
        Some(boundary) => Form::Boundary(boundary),
    }
}

/// Splits at `;` outside quotes.
fn split_parameters(text: &str) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(|c| {
        let separator = c == ';' && !quoted;
        match c {
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = quoted && c == '\\' && !escaped;
        separator
    })
    .collect()
}

fn unquote(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')) else {
        return value.to_owned();
    };
    let mut chars = inner.chars();
    let mut out = String::with_capacity(inner.len());
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    out
}

/// The first part of a form, as far as it has come.
#[derive(Debug, PartialEq, Eq)]
pub struct FirstPart<'a> {
    /// The name of its file; empty for none.
    pub name: String,
    /// The beginning of its content; what ends it may be in there.
    pub content: &'a [u8],
}

impl<'a> FirstPart<'a> {
    /// Reads the beginning of a form; `None` while the headers of the part are not there whole.
    #[must_use]
    pub fn read(start: &'a [u8], boundary: &str) -> Option<Self> {
        let dash = [b"--", boundary.as_bytes()].concat();
        let Some(Start::Part(part)) = first_part(start, &dash) else { return None };
        let (headers, content) = split_headers(part)?;
        let name = file_name(&String::from_utf8_lossy(headers)).unwrap_or_default();
        Some(Self { name, content })
    }
}

fn file_name(headers: &str) -> Option<String> {
    let disposition = headers.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let name = split_parameters(disposition).into_iter().find_map(|piece| {
        let (key, name) = piece.split_once('=')?;
        key.trim().eq_ignore_ascii_case("filename").then(|| unquote(name.trim()))
    })?;
    // Written as in a query. Source: boxo `files`.
    let spaced = name.replace('+', " ");
    let name = percent_encoding::percent_decode_str(&spaced).decode_utf8().ok()?;
    Some(name.trim_matches('/').to_owned())
}

/// Most arguments that are read from a body: more than a change of the pinset takes at a time, and
/// few enough to be held in memory.
pub const ARGS_MAX: usize = 100_000;

/// The arguments in a body, as far as it could be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StdinArgs {
    /// One argument a line.
    pub lines: Vec<String>,
    /// What kept Kubo from reading on after those lines.
    pub stop: Option<Stop>,
}

/// Why reading stopped before the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The body has no part and no end of parts: refused whatever else is given.
    NoPart,
    /// The part ends without a boundary.
    UnexpectedEof,
    /// The first part is a directory, over which Kubo stumbles.
    Directory,
    /// There are more than [`ARGS_MAX`] lines; Kubo has no such limit.
    TooMany,
}

impl Stop {
    /// Kubo's words.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::NoPart => "multipart: NextPart: EOF",
            Self::UnexpectedEof => "unexpected EOF",
            Self::Directory => "an error occurred",
            Self::TooMany => "more than 100000 arguments in the body: send fewer at a time",
        }
    }
}

impl StdinArgs {
    /// Reads the lines of the first part of `body`. A line ends with LF or CR LF; the last may lack it.
    #[must_use]
    pub fn read(body: &[u8], boundary: &str) -> Self {
        let dash = [b"--", boundary.as_bytes()].concat();
        let Some(start) = first_part(body, &dash) else {
            return Self { lines: Vec::new(), stop: Some(Stop::NoPart) };
        };
        let Start::Part(after) = start else {
            return Self::default();
        };
        let Some((headers, content)) = split_headers(after) else {
            return Self { lines: Vec::new(), stop: Some(Stop::NoPart) };
        };
        if is_directory(headers) {
            return Self { lines: Vec::new(), stop: Some(Stop::Directory) };
        }
        let (content, stop) = match part_end(content, &dash) {
            Some(end) => (&content[..end], None),
            None => (content, Some(Stop::UnexpectedEof)),
        };
        match lines(content, stop.is_none()) {
            Some(lines) => Self { lines, stop },
            None => Self { lines: Vec::new(), stop: Some(Stop::TooMany) },
        }
    }
}

enum Start<'a> {
    Part(&'a [u8]),
    NoMore,
}

/// Finds the first boundary line.
fn first_part<'a>(body: &'a [u8], dash: &[u8]) -> Option<Start<'a>> {
    let mut rest = body;
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        if let Some(tail) = line.strip_prefix(dash) {
            if tail.starts_with(b"--") {
                return Some(Start::NoMore);
            }
            if tail.trim_ascii().is_empty() {
                return after.split_first().map(|(_, part)| Start::Part(part));
            }
        }
        rest = after.split_first()?.1;
    }
}

/// Splits a part behind its empty line.
fn split_headers(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    loop {
        let end = at + part[at..].iter().position(|byte| *byte == b'\n')?;
        if part[at..end].trim_ascii().is_empty() {
            return Some((&part[..at], &part[end + 1..]));
        }
        at = end + 1;
    }
}

/// Whether the part is a directory, or a file in one.
fn is_directory(headers: &[u8]) -> bool {
    String::from_utf8_lossy(headers).lines().any(|line| {
        let Some((name, value)) = line.split_once(':') else {
            return false;
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-type") {
            return value
                .split(';')
                .next()
                .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-directory"));
        }
        name.eq_ignore_ascii_case("content-disposition")
            && split_parameters(value).into_iter().any(|piece| {
                piece.split_once('=').is_some_and(|(key, name)| {
                    key.trim().eq_ignore_ascii_case("filename")
                        && unquote(name.trim()).trim_matches('/').contains('/')
                })
            })
    })
}

/// Where the content ends: before the line feed that comes before a boundary.
fn part_end(content: &[u8], dash: &[u8]) -> Option<usize> {
    if is_boundary(content, dash) {
        return Some(0);
    }
    let mut at = 0;
    while let Some(found) = content[at..].iter().position(|byte| *byte == b'\n') {
        let feed = at + found;
        if is_boundary(&content[feed + 1..], dash) {
            return Some(if content[..feed].ends_with(b"\r") { feed - 1 } else { feed });
        }
        at = feed + 1;
    }
    None
}

fn is_boundary(text: &[u8], dash: &[u8]) -> bool {
    text.strip_prefix(dash).is_some_and(|tail| {
        tail.is_empty()
            || tail.starts_with(b"--")
            || matches!(tail[0], b'\r' | b'\n' | b' ' | b'\t')
    })
}

/// The lines of a content; what follows the last line feed counts only when the content is whole.
/// `None` when they are too many.
fn lines(content: &[u8], whole: bool) -> Option<Vec<String>> {
    let mut lines = Vec::new();
    for piece in content.split_inclusive(|byte| *byte == b'\n') {
        let line = match piece.strip_suffix(b"\n") {
            Some(line) => line.strip_suffix(b"\r").unwrap_or(line),
            None if whole => piece,
            None => break,
        };
        if lines.len() == ARGS_MAX {
            return None;
        }
        lines.push(String::from_utf8_lossy(line).into_owned());
    }
    Some(lines)
}

#[cfg(test)]
#[path = "multipart/tests.rs"]
mod tests;
