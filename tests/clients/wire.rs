//! Requests written by hand, for what no client would send.

use harness::http::{Answer, Client, Connection};

/// Between the parts of an upload.
const BOUNDARY: &str = "part-of-a-test";

/// The head of an upload to `target` whose body is chunked, up to the empty line of its one part.
pub(crate) fn upload_start(target: &str) -> String {
    let part = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n{:x}\r\n{part}\r\n",
        part.len()
    )
}

/// One chunk of an upload.
pub(crate) fn chunk(content: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", content.len()).as_bytes(), content, b"\r\n"].concat()
}

/// The end of the part and of the upload.
pub(crate) fn upload_end() -> Vec<u8> {
    [chunk(format!("\r\n--{BOUNDARY}--\r\n").as_bytes()).as_slice(), b"0\r\n\r\n"].concat()
}

/// Uploads `content` to `target` as one file.
pub(crate) fn upload(client: &Client, target: &str, content: &[u8]) -> Answer {
    let mut connection = client.connect().unwrap();
    let message = [upload_start(target).as_bytes(), &chunk(content), &upload_end()].concat();
    connection.send(&message).unwrap();
    connection.answer(false).unwrap()
}

/// A request with a small form as its body; `headers` are whole lines.
pub(crate) fn form(client: &Client, method: &str, target: &str, headers: &str) -> Answer {
    let body = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nfrom a page\r\n\
         --{BOUNDARY}--\r\n"
    );
    let mut connection: Connection = client.connect().unwrap();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n{headers}\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n",
        body.len()
    );
    connection.send(format!("{head}{body}").as_bytes()).unwrap();
    connection.answer(method == "HEAD").unwrap()
}
