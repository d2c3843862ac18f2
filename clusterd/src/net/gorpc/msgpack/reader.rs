//! Takes values out of bytes one after another, as liberally as Go does.

use thiserror::Error;

use super::Decode;
use super::head::{Head, Kind, Rest};

/// Why bytes are not the value that was looked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The bytes end inside of a value.
    #[error("the bytes end too early")]
    Short,
    /// Bytes follow the value.
    #[error("bytes follow the value")]
    Excess,
    /// Another kind of value stands there.
    #[error("expected {expected}, found marker {found:#04x}")]
    Kind {
        /// What was looked for.
        expected: &'static str,
        /// The first byte of what was found.
        found: u8,
    },
    /// The kind is right, the content is not.
    #[error("{0}")]
    Content(String),
    /// A list of more elements than are taken.
    #[error("a list of {count} elements, more than {max}")]
    TooMany {
        /// How many there are.
        count: usize,
        /// How many are taken.
        max: usize,
    },
    /// One field of a struct cannot be read.
    #[error("{key}: {reason}")]
    Field {
        /// The field's key.
        key: String,
        /// What is wrong with its value.
        reason: Box<DecodeError>,
    },
}

impl DecodeError {
    /// That a value of the right kind means nothing.
    pub(crate) fn content(reason: impl ToString) -> Self {
        Self::Content(reason.to_string())
    }

    fn at(self, key: &str) -> Self {
        Self::Field { key: key.to_owned(), reason: Box::new(self) }
    }
}

/// Bytes that values are taken from.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The head of the next value, without taking it.
    pub(super) fn peek(&self) -> Result<Head, DecodeError> {
        match (Head::read(self.rest), self.rest.first()) {
            (Ok(head), _) => Ok(head),
            (Err(_), Some(0xc1)) => Err(DecodeError::Kind { expected: "a value", found: 0xc1 }),
            (Err(_), _) => Err(DecodeError::Short),
        }
    }

    /// That the next value is of another kind than `expected`.
    pub(super) fn unexpected(&self, expected: &'static str) -> DecodeError {
        let found = self.rest.first().copied();
        found.map_or(DecodeError::Short, |found| DecodeError::Kind { expected, found })
    }

    /// Takes the next value if it is nil, or an empty string: how Go's undefined identifiers look.
    ///
    /// # Errors
    /// [`DecodeError`] when there is no next value.
    pub fn is_absent(&mut self) -> Result<bool, DecodeError> {
        let head = self.peek()?;
        let is_absent = match head.kind {
            Kind::Nil => true,
            Kind::Raw => head.rest == Rest::Bytes(0),
            Kind::Bool(_)
            | Kind::Small(_)
            | Kind::Unsigned
            | Kind::Signed
            | Kind::Float
            | Kind::List
            | Kind::Map
            | Kind::Extension => false,
        };
        if is_absent {
            self.body(head)?;
        }
        Ok(is_absent)
    }

    /// Takes the next value's head and the bytes behind it; none for a list or map.
    pub(super) fn body(&mut self, head: Head) -> Result<&'a [u8], DecodeError> {
        let length = match head.rest {
            Rest::Bytes(length) => usize::try_from(length).map_err(|_| DecodeError::Short)?,
            Rest::Values(_) => 0,
        };
        self.skip_bytes(head.bytes)?;
        self.skip_bytes(length)
    }

    fn skip_bytes(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(DecodeError::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Takes a string or bytes, of whichever family; nil is empty.
    ///
    /// # Errors
    /// [`DecodeError`] for every other value.
    pub fn raw(&mut self) -> Result<&'a [u8], DecodeError> {
        let head = self.peek()?;
        if matches!(head.kind, Kind::Nil | Kind::Raw) {
            return self.body(head);
        }
        Err(self.unexpected("a string or bytes"))
    }

    /// Takes the head of a list and gives the number of its elements; nil is an empty list.
    ///
    /// # Errors
    /// [`DecodeError`] for every other value.
    pub fn list(&mut self) -> Result<usize, DecodeError> {
        self.elements(Kind::List, "a list")
    }

    /// Takes the head of a map and gives the number of its pairs; nil is an empty map.
    ///
    /// # Errors
    /// [`DecodeError`] for every other value.
    pub fn map(&mut self) -> Result<usize, DecodeError> {
        Ok(self.elements(Kind::Map, "a map")? / 2)
    }

    fn elements(&mut self, kind: Kind, expected: &'static str) -> Result<usize, DecodeError> {
        let head = self.peek()?;
        if head.kind != kind && head.kind != Kind::Nil {
            return Err(self.unexpected(expected));
        }
        self.body(head)?;
        match head.rest {
            Rest::Values(count) => usize::try_from(count).map_err(|_| DecodeError::Short),
            Rest::Bytes(_) => Ok(0),
        }
    }

    /// Takes a struct: calls `take` for each key of `keys` that is there, which must take the value.
    ///
    /// The struct may be a map, a list of its values in the order of `keys`, or nil. Other keys and
    /// surplus values are passed over.
    ///
    /// # Errors
    /// [`DecodeError`] of the first field that cannot be read, or for every other value.
    pub fn fields(
        &mut self,
        keys: &[&'static str],
        mut take: impl FnMut(&'static str, &mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let head = self.peek()?;
        if head.kind == Kind::List {
            for place in 0..self.list()? {
                match keys.get(place) {
                    Some(key) => take(key, self).map_err(|error| error.at(key))?,
                    None => self.skip()?,
                }
            }
            return Ok(());
        }
        for _ in 0..self.map()? {
            // Go writes field keys as strings; a key of another kind is none of ours.
            let before = self.clone();
            let Ok(key) = self.raw() else {
                *self = before;
                self.skip()?;
                self.skip()?;
                continue;
            };
            match keys.iter().find(|known| known.as_bytes() == key) {
                Some(key) => take(key, self).map_err(|error| error.at(key))?,
                None => self.skip()?,
            }
        }
        Ok(())
    }

    /// Takes the next value.
    ///
    /// # Errors
    /// [`DecodeError`] when it is no `T`.
    pub fn take<T: Decode>(&mut self) -> Result<T, DecodeError> {
        T::decode(self)
    }

    /// Passes over the next value, whatever it is.
    ///
    /// # Errors
    /// [`DecodeError`] when the bytes end before it does.
    pub fn skip(&mut self) -> Result<(), DecodeError> {
        let mut owed = 1_u64;
        while owed > 0 {
            let head = self.peek()?;
            self.body(head)?;
            owed -= 1;
            if let Rest::Values(values) = head.rest {
                owed = owed.checked_add(values).ok_or(DecodeError::Short)?;
            }
        }
        Ok(())
    }
}
