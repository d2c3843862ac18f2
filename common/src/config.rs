//! Configuration: file, then raw values, then checked values; every mistake is shown with its line.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use serde::de::DeserializeOwned;
use thiserror::Error;

/// Largest configuration file that is read, in bytes: far above any real one.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file has mistakes; all that were found, each with its line.
    #[error("{report}")]
    Faulty {
        /// Rendered for a terminal or a journal, without colours.
        report: String,
    },
}

/// Collects mistakes, so that all are shown at once.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

#[derive(Debug)]
struct Fault {
    span: Option<Range<usize>>,
    message: String,
    fix: String,
}

impl Faults {
    /// Notes a mistake at a place (byte range, from `toml::Spanned`): what is wrong, and what to do.
    pub fn add(&mut self, span: Range<usize>, message: impl Into<String>, fix: impl Into<String>) {
        self.0.push(Fault { span: Some(span), message: message.into(), fix: fix.into() });
    }

    /// Notes a mistake that has no place of its own, such as a missing pair.
    pub fn add_general(&mut self, message: impl Into<String>, fix: impl Into<String>) {
        self.0.push(Fault { span: None, message: message.into(), fix: fix.into() });
    }

    /// Whether nothing was noted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn render(&self, path: &Path, text: &str) -> String {
        let path = path.display().to_string();
        let rendered: Vec<String> = self.0.iter().map(|fault| fault.render(&path, text)).collect();
        rendered.join("\n")
    }
}

impl Fault {
    fn render(&self, path: &str, text: &str) -> String {
        let title = Level::ERROR.primary_title(self.message.as_str());
        let mut group = match &self.span {
            // A span may end past the text when the text ends in the middle of a value.
            Some(span) => {
                let end = span.end.min(text.len());
                let span = span.start.min(end)..end;
                let note = AnnotationKind::Primary.span(span);
                title.element(Snippet::source(text).path(path).annotation(note))
            }
            None => title.element(annotate_snippets::Origin::path(path)),
        };
        if !self.fix.is_empty() {
            group = group.element(Level::HELP.message(self.fix.as_str()));
        }
        Renderer::plain().render(&[group]).to_string()
    }
}

/// Loads a daemon's configuration. `given` is the file named on the command line, which must exist;
/// without it `default` is read, and a missing one means "all defaults". `check` turns raw values
/// into checked ones and notes every mistake; its result counts only when it noted none.
///
/// # Errors
/// [`ConfigError`] when the file cannot be read or has mistakes.
pub fn load<R, C>(
    given: Option<&Path>,
    default: &Path,
    check: impl FnOnce(R, &mut Faults) -> Option<C>,
) -> Result<C, ConfigError>
where
    R: DeserializeOwned,
{
    let path = given.unwrap_or(default);
    let text = match read(path) {
        Err(source) if given.is_none() && source.kind() == io::ErrorKind::NotFound => String::new(),
        other => {
            other.map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?
        }
    };
    parse(path, &text, check)
}

/// As [`load`], from text that is at hand; `path` only names it in messages.
///
/// # Errors
/// [`ConfigError::Faulty`] when the text has mistakes.
pub fn parse<R, C>(
    path: &Path,
    text: &str,
    check: impl FnOnce(R, &mut Faults) -> Option<C>,
) -> Result<C, ConfigError>
where
    R: DeserializeOwned,
{
    let mut faults = Faults::default();
    let checked = match toml::from_str::<R>(text) {
        Ok(raw) => check(raw, &mut faults),
        Err(error) => {
            faults.0.push(Fault {
                span: error.span(),
                message: error.message().to_owned(),
                fix: String::new(),
            });
            None
        }
    };
    match checked {
        Some(checked) if faults.is_empty() => Ok(checked),
        _ => Err(ConfigError::Faulty { report: faults.render(path, text) }),
    }
}

fn read(path: &Path) -> io::Result<String> {
    let bytes = std::fs::metadata(path)?.len();
    if bytes > FILE_BYTES_MAX {
        let words = format!("{bytes} bytes is no configuration file (at most {FILE_BYTES_MAX})");
        return Err(io::Error::new(io::ErrorKind::InvalidData, words));
    }
    std::fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use toml::Spanned;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Raw {
        port: Option<Spanned<i64>>,
    }

    fn check(raw: Raw, faults: &mut Faults) -> Option<u16> {
        let Some(port) = raw.port else {
            return Some(9095);
        };
        match u16::try_from(*port.as_ref()) {
            Ok(number) => Some(number),
            Err(_) => {
                faults.add(port.span(), "no such port", "use a number from 1 to 65535");
                None
            }
        }
    }

    fn faulty(text: &str) -> String {
        parse(Path::new("x.toml"), text, check).unwrap_err().to_string()
    }

    #[test]
    fn a_mistake_is_shown_with_its_line_and_what_to_do() {
        let report = faulty("# ports\nport = 99999\n");
        assert!(report.contains("no such port") && report.contains("x.toml:2:8"), "{report}");
        assert!(report.contains("^^^^^") && report.contains("use a number"), "{report}");
    }

    #[test]
    fn unknown_keys_and_broken_text_are_shown_with_their_line() {
        assert!(faulty("prot = 1\n").contains("unknown field `prot`"));
        assert!(faulty("a = 1\nport = \"").contains("x.toml:2"));
    }

    #[test]
    fn only_the_default_file_may_be_missing() {
        let missing = Path::new("/nonexistent/x.toml");
        assert_eq!(load(None, missing, check).unwrap(), 9095);
        let error = load(Some(missing), missing, check).unwrap_err();
        assert!(error.to_string().starts_with("cannot read the configuration file /nonexistent"));
    }
}
