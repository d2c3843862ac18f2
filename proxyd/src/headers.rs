//! The header fields that Kubo puts on a command's answers, learnt from one of its own.

use crate::h1::head::ResponseHead;
use crate::h1::reply::Line;

/// Field names that belong to one answer, its body or its connection, in lower case.
const OF_ONE_ANSWER: [&str; 16] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "keep-alive",
    "location",
    "proxy-connection",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-chunked-output",
    "x-content-length",
    "x-stream-output",
];
/// Fields of the hop: never repeated, not even when the configuration names them.
const OF_THE_HOP: [&str; 8] = [
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Kubo sets these itself on each command's answer, over what its configuration says.
const EXPOSED: &[u8] = b"X-Stream-Output, X-Chunked-Output, X-Content-Length";

/// What Kubo adds to answers for one kind of caller; nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KuboHeaders {
    /// Set by Kubo's CORS library on every answer: `Vary` and what allows the origin.
    cors: Vec<(String, Vec<u8>)>,
    /// Set on a command's answers alone: `Server` and `API.HTTPHeaders`.
    command: Vec<(String, Vec<u8>)>,
}

impl KuboHeaders {
    /// Takes the fields of an answer that carries no body of its own. `extra` names, in any case,
    /// further fields to repeat; `origin` replaces the allowed origin that Kubo was asked about.
    #[must_use]
    pub fn learn(head: &ResponseHead, extra: &[String], origin: Option<&[u8]>) -> Self {
        let mut learnt = Self { cors: Vec::new(), command: Vec::new() };
        for (name, value) in head.headers() {
            let name = String::from_utf8_lossy(name).into_owned();
            let lower = name.to_ascii_lowercase();
            let named = extra.iter().any(|extra| extra.eq_ignore_ascii_case(&name));
            if OF_THE_HOP.contains(&lower.as_str())
                || (OF_ONE_ANSWER.contains(&lower.as_str()) && !named)
            {
                continue;
            }
            match lower.as_str() {
                "access-control-allow-headers" | "access-control-expose-headers" => {}
                "access-control-allow-origin" => {
                    let value = match origin {
                        Some(origin) if value != b"*" => origin,
                        Some(_) | None => value,
                    };
                    learnt.cors.push((name, value.to_vec()));
                }
                "vary" | "access-control-allow-credentials" => {
                    learnt.cors.push((name, value.to_vec()));
                }
                _ => learnt.command.push((name, value.to_vec())),
            }
        }
        learnt
    }

    /// Fields of a command's answer, sorted by name. `own` are those that differ by answer.
    #[must_use]
    pub fn for_command<'a>(&'a self, own: &[Line<'a>]) -> Vec<Line<'a>> {
        let fixed: [Line<'a>; 3] = [
            ("Access-Control-Allow-Headers", EXPOSED),
            ("Access-Control-Expose-Headers", EXPOSED),
            ("Trailer", b"X-Stream-Error"),
        ];
        sorted(
            lines(&self.cors).chain(lines(&self.command)).chain(fixed).chain(own.iter().copied()),
        )
    }

    /// Fields of an answer that is given after Kubo's own headers are set, but by no command.
    #[must_use]
    pub fn before_command<'a>(&'a self, own: &[Line<'a>]) -> Vec<Line<'a>> {
        sorted(lines(&self.cors).chain(lines(&self.command)).chain(own.iter().copied()))
    }

    /// Fields of an answer that is given before Kubo's own headers are set.
    #[must_use]
    pub fn for_refusal<'a>(&'a self, own: &[Line<'a>]) -> Vec<Line<'a>> {
        sorted(lines(&self.cors).chain(own.iter().copied()))
    }
}

fn lines(fields: &[(String, Vec<u8>)]) -> impl Iterator<Item = Line<'_>> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
}

/// Go writes fields sorted by name; values of one name keep their order.
fn sorted<'a>(fields: impl Iterator<Item = Line<'a>>) -> Vec<Line<'a>> {
    let mut fields: Vec<Line<'a>> = fields.collect();
    fields.sort_by_key(|(name, _)| *name);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(fields: &str) -> ResponseHead {
        let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        ResponseHead::parse(text.as_bytes(), b"POST").unwrap().unwrap().0
    }

    fn names(lines: &[Line<'_>]) -> Vec<String> {
        lines.iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    #[test]
    fn configured_fields_are_repeated_and_those_of_one_answer_are_not() {
        let kubo = head(
            "Server: kubo/0.42.0\r\nVary: Origin\r\nX-Mine: 1\r\nContent-Length: 0\r\nDate: now\r\n",
        );
        let learnt = KuboHeaders::learn(&kubo, &[], None);
        assert_eq!(
            names(&learnt.for_command(&[("Content-Type", b"application/json")])),
            [
                "Access-Control-Allow-Headers",
                "Access-Control-Expose-Headers",
                "Content-Type",
                "Server",
                "Trailer",
                "Vary",
                "X-Mine"
            ]
        );
        assert_eq!(names(&learnt.for_refusal(&[])), ["Vary"]);
    }

    #[test]
    fn a_named_field_is_repeated_unless_it_belongs_to_the_hop() {
        let kubo = head("Set-Cookie: a=b\r\nTrailer: X\r\n");
        let extra = ["set-cookie".to_owned(), "Trailer".to_owned()];
        let learnt = KuboHeaders::learn(&kubo, &extra, None);
        assert_eq!(names(&learnt.before_command(&[])), ["Set-Cookie"]);
    }

    #[test]
    fn the_allowed_origin_is_the_clients_own_again() {
        let kubo = head("Access-Control-Allow-Origin: http://127.0.0.1:5001\r\n");
        let learnt = KuboHeaders::learn(&kubo, &[], Some(b"http://127.0.0.1:9095"));
        let fields = learnt.for_refusal(&[]);
        assert_eq!(fields, [("Access-Control-Allow-Origin", b"http://127.0.0.1:9095".as_slice())]);
        let any = KuboHeaders::learn(&head("Access-Control-Allow-Origin: *\r\n"), &[], Some(b"x"));
        assert_eq!(any.for_refusal(&[])[0].1, b"*");
    }
}
