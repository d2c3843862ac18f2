//! The text of the page. Source: Prometheus, "Exposition formats", text-based format.

use std::fmt::Arguments;

use super::families::Family;

/// A label: its name, and any text.
pub(super) type Label<'a> = (&'static str, &'a str);

/// The page so far.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    /// Begins a family; its samples follow.
    pub(super) fn family(&mut self, family: Family) -> Samples<'_> {
        let Family { name, kind, help } = family;
        self.put(format_args!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.word()));
        Samples { page: self, name }
    }

    /// A family with one sample without labels.
    pub(super) fn single(&mut self, family: Family, value: f64) {
        self.family(family).add(&[], value);
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }

    fn put(&mut self, text: Arguments<'_>) {
        self.0.push_str(&text.to_string());
    }
}

/// Where the samples of one family go.
#[derive(Debug)]
pub(super) struct Samples<'a> {
    page: &'a mut Page,
    name: &'static str,
}

impl Samples<'_> {
    /// Adds a sample; labels must differ from those of the others.
    pub(super) fn add(&mut self, labels: &[Label<'_>], value: f64) {
        let labels: Vec<String> =
            labels.iter().map(|(name, text)| format!("{name}=\"{}\"", escaped(text))).collect();
        let name = self.name;
        match labels.as_slice() {
            [] => self.page.put(format_args!("{name} {value}\n")),
            labels => self.page.put(format_args!("{name}{{{}}} {value}\n", labels.join(","))),
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A count as Prometheus keeps it: exact up to 2^53.
pub(super) fn count(count: impl TryInto<u64>) -> f64 {
    count.try_into().unwrap_or(u64::MAX) as f64
}

#[cfg(test)]
mod tests {
    use super::super::families;
    use super::*;

    #[test]
    fn names_of_others_cannot_break_a_line_or_a_quote() {
        let mut page = Page::default();
        page.family(families::MEMBER).add(&[("peer", "x"), ("name", "a\"b\\c\nd")], 1.0);
        page.single(families::PINS, count(1_000_000_u64));
        let text = page.into_text();
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [r#"clusterd_peer_member{peer="x",name="a\"b\\c\nd"} 1"#, "clusterd_pins 1000000"]
        );
    }
}
