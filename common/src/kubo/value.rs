//! Answers of the Kubo RPC in every encoding a client may ask for: JSON, XML and Go's own text form.

use crate::kubo::text;

/// How an answer is encoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Encoding {
    /// One JSON object a line.
    #[default]
    Json,
    /// XML elements without line feeds.
    Xml,
    /// The command's text form, or Go's `%s` when it has none.
    Text,
    /// Go's `%s` and a line feed.
    TextLines,
    /// Go's `%s`.
    Octets,
}

impl Encoding {
    /// Reads the value of the option `encoding`; `None` for what Kubo refuses.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "json" => Self::Json,
            "xml" => Self::Xml,
            "text" => Self::Text,
            "textnl" => Self::TextLines,
            "octet-stream" => Self::Octets,
            _ => return None,
        })
    }

    /// The `Content-Type` of an answer.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Xml => "application/xml",
            Self::Text | Self::TextLines => "text/plain",
            Self::Octets => "application/octet-stream",
        }
    }

    /// The `Content-Type` of an error: as Kubo looks it up, `textnl` has none.
    #[must_use]
    pub fn error_content_type(self) -> &'static str {
        match self {
            Self::TextLines => "",
            Self::Json | Self::Xml | Self::Text | Self::Octets => self.content_type(),
        }
    }
}

/// One value of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A string.
    Text(String),
    /// A CID: a link object in JSON. `None` is `null`.
    Link(Option<String>),
    /// A number, with the name of its Go type, which shows in the text form.
    Number(u64, &'static str),
    /// Strings; in XML one element each.
    Texts(Vec<String>),
    /// A record inside; absent when `None`.
    Record(Option<Record>),
    /// The members of an embedded Go struct: part of the outer record but in the text form.
    Embedded(Vec<Field>),
}

/// One member of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name in JSON and XML.
    pub name: &'static str,
    /// Its value.
    pub value: Value,
    /// Whether JSON leaves it out when it is zero or empty.
    pub optional: bool,
}

/// One emitted object: a Go struct with its type's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The type's name, which XML shows.
    pub name: &'static str,
    /// Its members in order.
    pub fields: Vec<Field>,
}

/// A member that is always there.
#[must_use]
pub fn field(name: &'static str, value: Value) -> Field {
    Field { name, value, optional: false }
}

/// A member that JSON leaves out when it is empty.
#[must_use]
pub fn optional(name: &'static str, value: Value) -> Field {
    Field { name, value, optional: true }
}

impl Value {
    fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Number(number, _) => *number == 0,
            Self::Texts(texts) => texts.is_empty(),
            Self::Record(record) => record.is_none(),
            Self::Link(_) | Self::Embedded(_) => false,
        }
    }
}

impl Record {
    /// Appends the record in an encoding, with the line feed that belongs to it.
    pub fn render(&self, encoding: Encoding, out: &mut Vec<u8>) {
        match encoding {
            Encoding::Json => {
                self.push_json(out);
                out.push(b'\n');
            }
            Encoding::Xml => self.push_xml(self.name, out),
            Encoding::Text | Encoding::Octets => self.push_go(out),
            Encoding::TextLines => {
                self.push_go(out);
                out.push(b'\n');
            }
        }
    }

    fn push_json(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        let mut first = true;
        push_json_fields(&self.fields, &mut first, out);
        out.push(b'}');
    }

    fn push_xml(&self, element: &str, out: &mut Vec<u8>) {
        push_tag(out, "<", element);
        push_xml_fields(&self.fields, out);
        push_tag(out, "</", element);
    }

    /// Go's `%s` of a pointer to the struct.
    fn push_go(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"&{");
        push_go_fields(&self.fields, out);
        out.push(b'}');
    }
}

fn push_json_fields(fields: &[Field], first: &mut bool, out: &mut Vec<u8>) {
    for field in fields {
        if let Value::Embedded(inner) = &field.value {
            push_json_fields(inner, first, out);
            continue;
        }
        if field.optional && field.value.is_empty() {
            continue;
        }
        if !std::mem::take(first) {
            out.push(b',');
        }
        text::push_json(out, field.name);
        out.push(b':');
        push_json_value(&field.value, out);
    }
}

fn push_json_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Text(text) => text::push_json(out, text),
        Value::Link(Some(cid)) => {
            out.extend_from_slice(b"{\"/\":");
            text::push_json(out, cid);
            out.push(b'}');
        }
        Value::Link(None) | Value::Record(None) => out.extend_from_slice(b"null"),
        Value::Number(number, _) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Texts(texts) => {
            out.push(b'[');
            for (i, text) in texts.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                text::push_json(out, text);
            }
            out.push(b']');
        }
        Value::Record(Some(record)) => record.push_json(out),
        Value::Embedded(inner) => push_json_fields(inner, &mut true, out),
    }
}

fn push_xml_fields(fields: &[Field], out: &mut Vec<u8>) {
    for field in fields {
        match &field.value {
            Value::Texts(texts) => {
                for text in texts {
                    push_element(out, field.name, text);
                }
            }
            Value::Text(text) | Value::Link(Some(text)) => push_element(out, field.name, text),
            Value::Link(None) => push_element(out, field.name, ""),
            Value::Number(number, _) => push_element(out, field.name, &number.to_string()),
            Value::Record(Some(record)) => record.push_xml(field.name, out),
            Value::Record(None) => {}
            Value::Embedded(inner) => push_xml_fields(inner, out),
        }
    }
}

fn push_element(out: &mut Vec<u8>, name: &str, text: &str) {
    push_tag(out, "<", name);
    text::push_xml(out, text);
    push_tag(out, "</", name);
}

fn push_tag(out: &mut Vec<u8>, open: &str, name: &str) {
    out.extend_from_slice(open.as_bytes());
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
}

fn push_go_fields(fields: &[Field], out: &mut Vec<u8>) {
    for (i, field) in fields.iter().enumerate() {
        if i > 0 {
            out.push(b' ');
        }
        match &field.value {
            Value::Text(text) | Value::Link(Some(text)) => out.extend_from_slice(text.as_bytes()),
            Value::Link(None) => {}
            Value::Number(number, go_type) => {
                out.extend_from_slice(format!("%!s({go_type}={number})").as_bytes());
            }
            Value::Texts(texts) => {
                out.push(b'[');
                out.extend_from_slice(texts.join(" ").as_bytes());
                out.push(b']');
            }
            // Go prints the address of an inner pointer, which means nothing; the content is kinder.
            Value::Record(Some(record)) => record.push_go(out),
            Value::Record(None) => out.extend_from_slice(b"%!s(<nil>)"),
            Value::Embedded(inner) => {
                out.push(b'{');
                push_go_fields(inner, out);
                out.push(b'}');
            }
        }
    }
}

#[cfg(test)]
#[path = "value/tests.rs"]
mod tests;
