//! What options mean to Kubo, and which it refuses.

use super::*;
use crate::kubo::command::{ADD, PIN_ADD, PIN_LS, PIN_UPDATE};
use crate::kubo::query::pairs;

fn parse(command: &Command, query: &str) -> Result<Options, OptionError> {
    Options::parse(command, None, &pairs(query))
}

fn refusal(command: &Command, query: &str) -> String {
    parse(command, query).unwrap_err().to_string()
}

#[test]
fn booleans_are_read_as_go_does_and_empty_is_true() {
    for value in ["", "1", "t", "T", "true", "True", "tRUe"] {
        assert_eq!(parse_bool(value), Some(true), "{value}");
    }
    for value in ["0", "f", "F", "false", "FALSE"] {
        assert_eq!(parse_bool(value), Some(false), "{value}");
    }
    assert_eq!(parse_bool("yes"), None);
    assert!(parse(&PIN_LS, "stream").unwrap().is_set("stream"));
}

#[test]
fn a_bad_boolean_is_refused_under_its_long_name() {
    assert_eq!(
        refusal(&PIN_LS, "s=maybe"),
        "could not convert value \"maybe\" to type \"bool\" (for option \"-stream\")"
    );
    assert_eq!(
        refusal(&PIN_ADD, "recursive=%22%0A"),
        "could not convert value \"\\\"\\n\" to type \"bool\" (for option \"-recursive\")"
    );
}

#[test]
fn a_repeated_option_is_refused_and_a_repeated_unknown_one_is_not() {
    assert_eq!(
        refusal(&PIN_LS, "type=direct&type=recursive"),
        "expected key type to have only a single value, received [direct recursive]"
    );
    assert!(parse(&PIN_LS, "foo=1&foo=2").is_ok());
    assert!(parse(&ADD, "ignore=a&ignore=b").is_ok());
}

#[test]
fn both_names_of_an_option_are_no_mistake() {
    let options = parse(&PIN_LS, "type=direct&t=recursive").unwrap();
    assert_eq!(options.text("type"), Some("recursive"));
}

#[test]
fn of_two_names_the_one_that_is_not_taken_is_overruled() {
    let keys = |query| {
        let pairs = pairs(query);
        overruled(&ADD, &pairs)
    };
    assert_eq!(keys("only-hash=true&x&n=false"), ["only-hash"]);
    assert_eq!(keys("n=false&only-hash=true&enc=xml&encoding=json"), ["n", "enc"]);
    assert!(keys("only-hash=true&pin=false&ignore=a&ignore=b&z&z").is_empty());
}

#[test]
fn common_options_belong_to_every_command() {
    assert_eq!(parse(&PIN_UPDATE, "enc=text").unwrap().text("encoding"), Some("text"));
    assert!(refusal(&PIN_UPDATE, "offline=x").contains("\"-offline\""));
}

#[test]
fn the_argument_in_the_path_comes_first() {
    let options = Options::parse(&PIN_UPDATE, Some("a"), &pairs("arg=b&arg=c")).unwrap();
    assert_eq!(options.args, ["a", "b", "c"]);
    assert!(options.require_args(&PIN_UPDATE).is_ok());
}

#[test]
fn a_missing_argument_is_named() {
    let one = parse(&PIN_UPDATE, "arg=a").unwrap();
    assert_eq!(
        one.require_args(&PIN_UPDATE).unwrap_err().to_string(),
        "argument \"to-path\" is required"
    );
}

proptest::proptest! {
    #[test]
    fn any_query_is_read_or_refused_without_a_panic(query in ".{0,200}") {
        let _outcome = parse(&PIN_LS, &query).is_ok();
    }
}
