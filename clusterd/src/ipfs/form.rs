//! Forms with files, as Kubo takes uploads.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

/// What is sent with a call.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A body and what it is.
#[derive(Debug)]
pub struct Form {
    /// The `Content-Type`.
    pub content_type: String,
    /// The body.
    pub body: Body,
}

impl Form {
    /// A form of files without names, which are not copied.
    #[must_use]
    pub fn of_files(files: impl IntoIterator<Item = Bytes>) -> Self {
        // Drawn anew each time: who makes a file cannot know what would end its part.
        let random = RandomState::new();
        let boundary = format!("composite-{:016x}{:016x}", random.hash_one(0), random.hash_one(1));
        let first = Bytes::from(format!(
            "--{boundary}\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"file\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        ));
        let next = Bytes::from([b"\r\n", first.as_ref()].concat());
        let mut pieces = Vec::new();
        for file in files {
            pieces.push(if pieces.is_empty() { first.clone() } else { next.clone() });
            pieces.push(file);
        }
        pieces.push(Bytes::from(format!("\r\n--{boundary}--\r\n")));
        let frames = pieces.into_iter().map(|piece| Ok(Frame::data(piece)));
        Self {
            content_type: format!("multipart/form-data; boundary={boundary}"),
            body: StreamBody::new(stream::iter(frames)).boxed_unsync(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn text(form: Form) -> String {
        let body = form.body.collect().await.unwrap().to_bytes();
        let (_, boundary) = form.content_type.split_once("boundary=").unwrap();
        String::from_utf8(body.to_vec()).unwrap().replace(boundary, "B")
    }

    #[tokio::test]
    async fn each_file_is_a_part_and_none_knows_the_boundary() {
        let head = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\n\
                    Content-Type: application/octet-stream\r\n\r\n";
        let files = || [Bytes::from_static(b"one"), Bytes::new()];
        assert_eq!(
            text(Form::of_files(files())).await,
            format!("{head}one\r\n{head}\r\n--B--\r\n")
        );
        assert_ne!(Form::of_files(files()).content_type, Form::of_files(files()).content_type);
    }
}
