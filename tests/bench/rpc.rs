//! Calls of the Kubo RPC, to Kubo itself or through a proxy, that must succeed.

use harness::error::HarnessError;
use harness::http::{Answer, Client};

use crate::BenchError;
use crate::content::Form;

/// Posts without a body, on a connection of its own.
///
/// # Errors
/// When the answer is no success.
pub(crate) fn post(port: u16, target: &str) -> Result<Answer, BenchError> {
    checked(target, Client::tcp(port).post(target)?)
}

/// Posts a form, on a connection of its own.
///
/// # Errors
/// When the answer is no success.
pub(crate) fn post_form(port: u16, target: &str, form: &Form) -> Result<Answer, BenchError> {
    let mut connection = Client::tcp(port).connect()?;
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\n{}Content-Length: {}\r\n\r\n",
        form.content_type,
        form.body.len()
    );
    connection.send(head.as_bytes())?;
    connection.send(&form.body)?;
    checked(target, connection.answer(false)?)
}

/// The answer, when it is a success to its end.
///
/// # Errors
/// When it is not.
pub(crate) fn checked(target: &str, answer: Answer) -> Result<Answer, BenchError> {
    let late = answer
        .trailers
        .iter()
        .find(|(name, value)| name.eq_ignore_ascii_case("X-Stream-Error") && !value.is_empty());
    if answer.status == 200 && late.is_none() {
        return Ok(answer);
    }
    let found = format!("{} {late:?} {}", answer.status, answer.text());
    Err(HarnessError::Failed {
        command: format!("POST {target}"),
        status: answer.status.to_string(),
        output: found,
    }
    .into())
}
