//! HTTP towards Kubo: calls over TCP or a Unix socket, kept alive, each with a deadline.

use std::time::Duration;

use bytes::BytesMut;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, SERVER};
use hyper::{Request, Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::address::Address;
use super::error::ConnectorError;
use super::form::{Body, Form};
use super::http::{Http, innermost};
use super::lines::Lines;

/// Longest answer that is read as one value, in bytes.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// Everything but letters, digits and `-._~` is encoded in a query.
const KEEP: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Calls one Kubo. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    http: Http,
    address: String,
    authority: String,
    authorization: Option<HeaderValue>,
    call_timeout: Duration,
}

/// What a daemon says to a command that only some have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Served<T> {
    /// Its answer.
    Answer(T),
    /// It has no such command.
    Unknown {
        /// What program it says that it is; empty for nothing.
        server: String,
    },
}

/// Kubo's error body.
#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "Message")]
    message: String,
}

impl Client {
    /// A client of the Kubo at an address; nothing is connected yet. `call_timeout` limits calls
    /// with one short answer.
    pub fn new(
        address: &Address,
        authorization: Option<HeaderValue>,
        call_timeout: Duration,
    ) -> Self {
        let (http, authority) = Http::to(address);
        Self { http, address: address.to_string(), authority, authorization, call_timeout }
    }

    /// Calls a command and reads its one answer, within the call time-out.
    ///
    /// # Errors
    /// [`ConnectorError`].
    pub async fn call<T: DeserializeOwned>(
        &self,
        attempt: &'static str,
        command: &str,
        query: &[(&str, &str)],
    ) -> Result<T, ConnectorError> {
        self.call_within(self.call_timeout, attempt, command, query).await
    }

    /// As [`Self::call`], with another limit.
    ///
    /// # Errors
    /// [`ConnectorError`].
    pub async fn call_within<T: DeserializeOwned>(
        &self,
        limit: Duration,
        attempt: &'static str,
        command: &str,
        query: &[(&str, &str)],
    ) -> Result<T, ConnectorError> {
        let whole = async {
            let body = self.send(attempt, (command, query), None).await?;
            let bytes = self.read_whole(attempt, body).await?;
            serde_json::from_slice(&bytes).map_err(|error| ConnectorError::Unintelligible {
                attempt,
                reason: error.to_string(),
            })
        };
        timeout(limit, whole).await.unwrap_or_else(|_| Err(self.stalled(attempt, limit)))
    }

    /// Calls a command that only some daemons have.
    ///
    /// # Errors
    /// [`ConnectorError`].
    pub async fn call_where_served<T: DeserializeOwned>(
        &self,
        limit: Duration,
        attempt: &'static str,
        command: &str,
        query: &[(&str, &str)],
    ) -> Result<Served<T>, ConnectorError> {
        let whole = async {
            let answer = self.exchange(attempt, (command, query), None).await?;
            // A Kubo whose tokens open some paths alone refuses others before it looks for the command.
            if [StatusCode::NOT_FOUND, StatusCode::FORBIDDEN, StatusCode::METHOD_NOT_ALLOWED]
                .contains(&answer.status())
            {
                let server = answer.headers().get(SERVER).and_then(|value| value.to_str().ok());
                return Ok(Served::Unknown { server: server.unwrap_or_default().to_owned() });
            }
            let bytes = self.read_whole(attempt, self.accepted(attempt, answer).await?).await?;
            let value = serde_json::from_slice(&bytes).map_err(|error| {
                ConnectorError::Unintelligible { attempt, reason: error.to_string() }
            })?;
            Ok(Served::Answer(value))
        };
        timeout(limit, whole).await.unwrap_or_else(|_| Err(self.stalled(attempt, limit)))
    }

    /// Calls a command that answers line by line. The caller limits the wait for each line.
    ///
    /// # Errors
    /// [`ConnectorError`], also when Kubo refuses at once.
    pub async fn stream(
        &self,
        attempt: &'static str,
        command: &str,
        query: &[(&str, &str)],
    ) -> Result<Lines, ConnectorError> {
        let body = self.send(attempt, (command, query), None).await?;
        Ok(Lines::new(body, attempt, self.address.clone()))
    }

    /// As [`Self::stream`], with a form that is sent while the answer comes.
    ///
    /// # Errors
    /// [`ConnectorError`], also when Kubo refuses at once.
    pub async fn post(
        &self,
        attempt: &'static str,
        command: &str,
        query: &[(&str, &str)],
        form: Form,
    ) -> Result<Lines, ConnectorError> {
        let body = self.send(attempt, (command, query), Some(form)).await?;
        Ok(Lines::new(body, attempt, self.address.clone()))
    }

    /// The limit of calls with one short answer.
    pub fn call_timeout(&self) -> Duration {
        self.call_timeout
    }

    /// That nothing moved for `limit`.
    pub fn stalled(&self, attempt: &'static str, limit: Duration) -> ConnectorError {
        ConnectorError::Stalled { address: self.address.clone(), attempt, seconds: limit.as_secs() }
    }

    async fn send(
        &self,
        attempt: &'static str,
        command: (&str, &[(&str, &str)]),
        form: Option<Form>,
    ) -> Result<Incoming, ConnectorError> {
        let answer = self.exchange(attempt, command, form).await?;
        self.accepted(attempt, answer).await
    }

    async fn exchange(
        &self,
        attempt: &'static str,
        (command, query): (&str, &[(&str, &str)]),
        form: Option<Form>,
    ) -> Result<Response<Incoming>, ConnectorError> {
        let request = self.request(command, query, form).map_err(|error| {
            ConnectorError::Unintelligible { attempt, reason: error.to_string() }
        })?;
        let answer = self.http.request(request).await;
        answer.map_err(|error| self.lost(attempt, &error))
    }

    /// The body of an answer, unless it is a refusal.
    async fn accepted(
        &self,
        attempt: &'static str,
        answer: Response<Incoming>,
    ) -> Result<Incoming, ConnectorError> {
        if answer.status().is_success() {
            return Ok(answer.into_body());
        }
        let status = answer.status();
        let bytes = self.read_whole(attempt, answer.into_body()).await?;
        let message = match serde_json::from_slice::<Refusal>(&bytes) {
            Ok(refusal) => refusal.message,
            // Kubo's refusals before a command runs are plain text.
            Err(_) => format!("{status}: {}", String::from_utf8_lossy(&bytes).trim()),
        };
        Err(ConnectorError::Refused { attempt, message })
    }

    fn request(
        &self,
        command: &str,
        query: &[(&str, &str)],
        form: Option<Form>,
    ) -> Result<Request<Body>, hyper::http::Error> {
        let scheme = match self.http {
            Http::Tcp(_) => "http",
            Http::Unix(_) => "unix",
        };
        let mut target = format!("{scheme}://{}/api/v0/{command}", self.authority);
        for (place, (key, value)) in query.iter().enumerate() {
            target.push(if place == 0 { '?' } else { '&' });
            target.push_str(key);
            target.push('=');
            target.extend(utf8_percent_encode(value, KEEP));
        }
        let mut request = Request::post(target);
        if matches!(self.http, Http::Unix(_)) {
            request = request.header(HOST, "localhost");
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        match form {
            Some(form) => request.header(CONTENT_TYPE, form.content_type).body(form.body),
            None => request.body(Empty::new().map_err(|never| match never {}).boxed_unsync()),
        }
    }

    async fn read_whole(
        &self,
        attempt: &'static str,
        mut body: Incoming,
    ) -> Result<BytesMut, ConnectorError> {
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.lost(attempt, &error))?;
            let Ok(bytes) = frame.into_data() else {
                continue;
            };
            if whole.len() + bytes.len() > ANSWER_BYTES_MAX {
                let reason = "the answer is too long".to_owned();
                return Err(ConnectorError::Unintelligible { attempt, reason });
            }
            whole.extend_from_slice(&bytes);
        }
        Ok(whole)
    }

    fn lost(&self, attempt: &'static str, error: &dyn std::error::Error) -> ConnectorError {
        ConnectorError::Unreachable {
            address: self.address.clone(),
            attempt,
            reason: innermost(error),
        }
    }
}
