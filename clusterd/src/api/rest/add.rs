//! `/add`: an upload streams through to this machine's Kubo, and its roots are pinned in the cluster
//! before the answer ends.
//!
//! An upload that breaks off is pinned nowhere; one that has come whole is pinned even if the client
//! has left.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::Version;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use bytes::Bytes;
use common::api::add::{AddOptions, AddedOutput, Format, Layout};
use common::api::error::{ApiError, ErrorCode};
use common::ids::{Cid, PeerId, PinName};
use common::kubo::multipart::{self, Form};
use common::pin::{Pin, Replication};
use tokio::sync::{mpsc, oneshot};

use super::super::kubo::Upload;
use super::super::refusal::{bad, unexpected};
use super::super::reply::Answered;
use super::super::room::Room;
use super::super::trailer::Trailer;
use super::Parameters;

mod body;
mod lines;
mod out;
mod pin;

use body::Passing;
use lines::Answer;
use out::Out;

pub(in super::super) async fn add(
    State(room): State<Arc<Room>>,
    Query(query): Parameters,
    request: Request,
) -> Answered {
    let (parts, body) = request.into_parts();
    let (options, boundary) = match wanted(&room, &query, &parts) {
        Ok(wanted) => wanted,
        Err(error) => {
            body::drain(body).await;
            return Err(error.into());
        }
    };
    // Before HTTP/1.1 there are no trailers.
    let trailer = parts.extensions.get::<Trailer>().cloned();
    let trailer = trailer.filter(|_| parts.version >= Version::HTTP_11);
    let (head, begun) = oneshot::channel();
    let out = Out::new(head, options.stream, trailer);
    // By itself, so that what has come whole is pinned whoever leaves.
    tokio::spawn(Adding { room, options }.run(body, boundary, out));
    begun.await.map_err(|_| unexpected())?
}

/// What is asked for, and what separates the parts of the form.
fn wanted(
    room: &Room,
    query: &[(String, String)],
    parts: &Parts,
) -> Result<(AddOptions, String), ApiError> {
    let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let boundary = match multipart::form(kind.unwrap_or_default()) {
        Form::Boundary(boundary) => boundary,
        Form::Broken(words) => return Err(bad(words)),
        // Go's words.
        Form::None => return Err(bad("request Content-Type isn't multipart/form-data")),
    };
    let options = AddOptions::from_query(query, room.door.now().seconds())?;
    if options.wrap && options.format == Format::Car {
        return Err(bad("cannot wrap a CAR file upload"));
    }
    PinName::new(options.pin.name.clone()).map_err(|error| bad(error.to_string()))?;
    // Better now than after a long upload.
    if let Some(Replication::Between { min, .. }) = options.pin.replication
        && !options.no_pin
        && room.members.borrow().len() < usize::from(min.get())
    {
        let words = format!(
            "not enough peers to hold it: needed are {min}, in the cluster are {}",
            room.members.borrow().len()
        );
        return Err(ApiError::new(ErrorCode::Conflict, words));
    }
    Ok((options, boundary))
}

struct Adding {
    room: Arc<Room>,
    options: AddOptions,
}

impl Adding {
    async fn run(self, body: Body, boundary: String, mut out: Out) {
        let (passing, form) = Passing::begin(body, &boundary);
        let upload = Upload {
            command: if self.options.format == Format::Car { "dag/import" } else { "add" },
            query: kubo_query(&self.options),
            // Its form as a quoted string holds whatever the client chose.
            content_type: format!("multipart/form-data; boundary={}", quoted(&boundary)),
            body: form,
        };
        let lines = self.room.kubo.upload(upload);
        match self.add(lines, &passing, &mut out).await {
            Ok(()) => out.finish(),
            Err(error) => {
                passing.drained().await;
                out.fail(error);
            }
        }
    }

    async fn add(
        &self,
        mut lines: mpsc::Receiver<Result<Bytes, ApiError>>,
        passing: &Passing,
        out: &mut Out,
    ) -> Result<(), ApiError> {
        let mut answer = Answer::new(self.options.format, self.options.wrap);
        let imported = import(&mut lines, &mut answer, out).await;
        // Kubo gives up what it has not ended.
        drop(lines);
        let roots = answer.roots().map_err(|words| ApiError::new(ErrorCode::Internal, words))?;
        let pinned = match imported {
            Ok(()) if self.options.no_pin => Ok(Vec::new()),
            Ok(()) if roots.is_empty() => {
                Err(ApiError::new(ErrorCode::IpfsRefused, "ipfs added nothing"))
            }
            Ok(()) => pin::pin(&self.room, &roots, &self.options).await,
            Err(error) => Err(error),
        };
        let pins = match pinned {
            Ok(pins) => pins,
            Err(error) => return Err(pin::naming_kept(&self.room, &roots, error).await),
        };
        let rest = self.allocated(answer.rest(passing.first_file()), &pins);
        for line in rest {
            out.line(line).await;
        }
        Ok(())
    }

    /// The lines, with the peers that shall hold what was pinned.
    fn allocated(&self, mut lines: Vec<AddedOutput>, pins: &[Pin]) -> Vec<AddedOutput> {
        let everybody = || -> Vec<PeerId> { self.room.members.borrow().iter().copied().collect() };
        let pins: HashMap<Cid, &Pin> = pins.iter().map(|pin| (pin.cid, pin)).collect();
        for line in &mut lines {
            line.allocations = match line.cid.and_then(|cid| pins.get(&cid)) {
                None => Vec::new(),
                Some(pin) if pin.replication == Replication::Everywhere => everybody(),
                Some(pin) => pin.allocations.clone(),
            };
        }
        lines
    }
}

/// Takes all lines of Kubo's answer.
async fn import(
    lines: &mut mpsc::Receiver<Result<Bytes, ApiError>>,
    answer: &mut Answer,
    out: &mut Out,
) -> Result<(), ApiError> {
    while let Some(line) = lines.recv().await {
        let shown = answer.take(&line?);
        if let Some(shown) = shown.map_err(|words| ApiError::new(ErrorCode::IpfsRefused, words))? {
            out.check_room()?;
            out.line(shown).await;
        }
    }
    Ok(())
}

/// The options in Kubo's words. All that decides about CIDs is said, as Kubo's own defaults may have
/// been changed.
fn kubo_query(options: &AddOptions) -> Vec<(&'static str, String)> {
    let pin = !options.no_pin;
    if options.format == Format::Car {
        return vec![("pin-roots", pin.to_string()), ("stats", true.to_string())];
    }
    let mut query = vec![
        ("pin", pin.to_string()),
        ("progress", options.progress.to_string()),
        ("wrap-with-directory", options.wrap.to_string()),
        ("trickle", (options.layout == Layout::Trickle).to_string()),
        ("chunker", options.chunker.clone()),
        ("raw-leaves", options.raw_leaves.to_string()),
        ("cid-version", options.cid_version.to_string()),
        ("hash", options.hash.clone()),
    ];
    if options.no_copy {
        query.push(("nocopy", true.to_string()));
    }
    if pin && !options.pin.name.is_empty() {
        query.push(("pin-name", options.pin.name.clone()));
    }
    query
}

fn quoted(boundary: &str) -> String {
    format!("\"{}\"", boundary.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubo_is_told_all_that_decides_about_cids() {
        let options = AddOptions { raw_leaves: true, cid_version: 1, ..AddOptions::default() };
        let query = kubo_query(&options);
        let value = |name| query.iter().find(|(key, _)| *key == name).map(|(_, value)| &**value);
        assert_eq!(value("raw-leaves"), Some("true"));
        assert_eq!((value("cid-version"), value("chunker")), (Some("1"), Some("size-262144")));
        assert_eq!((value("nocopy"), value("pin-name"), value("pin")), (None, None, Some("true")));
    }

    #[test]
    fn without_a_pin_there_is_no_name_for_one() {
        let mut options = AddOptions { no_pin: true, ..AddOptions::default() };
        options.pin.name = "x".to_owned();
        assert!(!kubo_query(&options).iter().any(|(key, _)| *key == "pin-name"));
        let car = kubo_query(&AddOptions { format: Format::Car, ..options });
        assert_eq!(car[0], ("pin-roots", "false".to_owned()));
    }

    #[test]
    fn a_boundary_cannot_leave_its_quotes() {
        assert_eq!(quoted(r#"a"b\"#), r#""a\"b\\""#);
    }
}
