//! Options and arguments of a command, read and refused as Kubo's command library does.

use thiserror::Error;

use crate::kubo::command::{COMMON, Command};
use crate::kubo::query::Pair;
use crate::kubo::text;

/// What an option's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `strconv.ParseBool` in any case of letters; the empty value is true.
    Bool,
    /// Any text.
    Text,
    /// Texts: may be given several times.
    Texts,
}

/// One option of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionSpec {
    /// The long name.
    pub name: &'static str,
    /// The one-letter (or other short) name; empty for none.
    pub short: &'static str,
    /// What its value is.
    pub kind: Kind,
}

/// A mistake in options or arguments: Kubo's words for its plain 400 answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OptionError {
    /// The key stands twice.
    #[error("expected key {key} to have only a single value, received [{values}]")]
    Repeated {
        /// Long name of the option.
        key: &'static str,
        /// The values with spaces between.
        values: String,
    },
    /// The value has another form.
    #[error("could not convert {value} to type \"{kind}\" (for option \"-{key}\")")]
    Form {
        /// Long name of the option.
        key: &'static str,
        /// `value "…"` quoted as Go does, or `empty value`.
        value: String,
        /// Go's name of the type.
        kind: &'static str,
    },
    /// A required argument is missing.
    #[error("argument \"{name}\" is required")]
    Missing {
        /// The argument's name in Kubo's help.
        name: &'static str,
    },
}

impl Kind {
    fn go_name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Text => "string",
            Self::Texts => "array",
        }
    }

    fn admits(self, value: &str) -> bool {
        match self {
            Self::Bool => parse_bool(value).is_some(),
            Self::Text | Self::Texts => true,
        }
    }
}

/// A Boolean as Kubo reads it; `None` when it is none.
#[must_use]
pub fn parse_bool(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "" | "1" | "t" | "true" => Some(true),
        "0" | "f" | "false" => Some(false),
        _ => None,
    }
}

/// Keys that stand in the query beside the other name of the same option and that
/// [`Options::parse`] does not take. Kubo takes either at random: it must not be sent both.
#[must_use]
pub fn overruled(command: &Command, pairs: &[Pair]) -> Vec<&'static str> {
    let specs = command.options.iter().chain(COMMON).filter(|spec| !spec.short.is_empty());
    let of = |spec: &OptionSpec| {
        let last = pairs.iter().rfind(|p| p.key == spec.name || p.key == spec.short)?;
        let other = if last.key == spec.name { spec.short } else { spec.name };
        pairs.iter().any(|pair| pair.key == other).then_some(other)
    };
    specs.filter_map(of).collect()
}

/// A command's options and arguments after all checks that come before it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    values: Vec<(&'static str, String)>,
    /// The arguments: the one in the path first, then those of the query.
    pub args: Vec<String>,
}

impl Options {
    /// Reads a query. `slash_arg` is what stood behind the command in the path. Unknown keys are ignored.
    ///
    /// Required arguments are checked later, as they may come in the body.
    ///
    /// # Errors
    /// The first mistake, with Kubo's words. (Kubo walks a map, and so may name another mistake of several.)
    pub fn parse(
        command: &Command,
        slash_arg: Option<&str>,
        pairs: &[Pair],
    ) -> Result<Self, OptionError> {
        let mut options = Self::default();
        options.args.extend(slash_arg.map(str::to_owned));
        options.args.extend(pairs.iter().filter(|p| p.key == "arg").map(|p| p.value.clone()));
        for pair in pairs {
            let Some(spec) = command.option(&pair.key) else {
                continue;
            };
            if spec.kind == Kind::Texts {
                options.values.push((spec.name, pair.value.clone()));
                continue;
            }
            let same: Vec<&str> =
                pairs.iter().filter(|p| p.key == pair.key).map(|p| p.value.as_str()).collect();
            if same.len() > 1 {
                return Err(OptionError::Repeated { key: spec.name, values: same.join(" ") });
            }
            // Long and short name together are no mistake for Kubo: one of them wins.
            options.values.retain(|(name, _)| *name != spec.name);
            options.values.push((spec.name, pair.value.clone()));
        }
        for (name, value) in &options.values {
            let kind = command.option(name).map_or(Kind::Text, |spec| spec.kind);
            if !kind.admits(value) {
                let value = match value.as_str() {
                    "" => "empty value".to_owned(),
                    other => format!("value {}", text::quote(other)),
                };
                return Err(OptionError::Form { key: name, value, kind: kind.go_name() });
            }
        }
        Ok(options)
    }

    /// The value of a text option; `None` when it was not given.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }

    /// The value of a Boolean option; `None` when it was not given.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.text(name).and_then(parse_bool)
    }

    /// Whether a Boolean option is given and true.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        self.flag(name) == Some(true)
    }

    /// Checks that the command has its required arguments.
    ///
    /// # Errors
    /// [`OptionError::Missing`] with the name of the first that is not there.
    pub fn require_args(&self, command: &Command) -> Result<(), OptionError> {
        match command.required.get(self.args.len()) {
            Some(name) => Err(OptionError::Missing { name }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "options/tests.rs"]
mod tests;
