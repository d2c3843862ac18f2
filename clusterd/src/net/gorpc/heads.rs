//! What stands in front of arguments and answers: which method, and whether it failed.

use super::msgpack::{Decode, DecodeError, Encode, Reader, Writer};

/// Longest head of a request that is read, in bytes; Go's longest name has 256.
pub(super) const REQUEST_HEAD_BYTES_MAX: usize = 1 << 10;

/// Head of a request: a method by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Called {
    /// Which group of methods.
    pub(super) service: String,
    /// Which of them.
    pub(super) method: String,
}

impl Encode for Called {
    fn encode(&self, to: &mut Writer) {
        to.fields(|fields| {
            fields.put("Name", &self.service).put("Method", &self.method);
        });
    }
}

impl Decode for Called {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut called = Self::default();
        from.fields(&["Name", "Method"], |key, value| {
            match key {
                "Name" => called.service = value.take()?,
                _ => called.method = value.take()?,
            }
            Ok(())
        })?;
        Ok(called)
    }
}

/// Who says that a call failed. Source: `errors.go` of go-libp2p-gorpc 0.6.0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Fault {
    /// The method itself.
    #[default]
    Application,
    /// The server in front of it: no such method, or an argument that cannot be read.
    Server,
    /// The caller's own side.
    Client,
    /// The caller may not call it.
    Authorization,
}

impl Fault {
    fn number(self) -> i64 {
        match self {
            Self::Application => 0,
            Self::Server => 1,
            Self::Client => 2,
            Self::Authorization => 3,
        }
    }

    /// Numbers that Go does not know are taken as it takes them.
    fn from_number(number: i64) -> Self {
        match number {
            1 => Self::Server,
            2 => Self::Client,
            3 => Self::Authorization,
            _ => Self::Application,
        }
    }
}

/// Head of an answer, or of one item of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answered {
    /// What was called.
    pub(super) called: Called,
    /// Words of the failure; empty for none.
    pub(super) error: String,
    /// Who says so.
    pub(super) fault: Fault,
}

impl Encode for Answered {
    fn encode(&self, to: &mut Writer) {
        let fault = self.fault.number();
        to.fields(|fields| {
            fields.put("Service", &self.called).put_text("Error", &self.error).put_if(
                fault != 0,
                "ErrType",
                &fault,
            );
        });
    }
}

impl Decode for Answered {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut answered = Self::default();
        from.fields(&["Service", "Error", "ErrType"], |key, value| {
            match key {
                "Service" => answered.called = value.take()?,
                "Error" => answered.error = value.take()?,
                _ => answered.fault = Fault::from_number(value.take()?),
            }
            Ok(())
        })?;
        Ok(answered)
    }
}
