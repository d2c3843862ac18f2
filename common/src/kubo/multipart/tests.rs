//! Arguments in a multipart body, whole and damaged.

use super::*;

fn part(headers: &str, content: &str, end: &str) -> Vec<u8> {
    format!("--B\r\nContent-Disposition: form-data; {headers}\r\n\r\n{content}{end}").into_bytes()
}

fn read(body: &[u8]) -> StdinArgs {
    StdinArgs::read(body, "B")
}

#[test]
fn each_line_of_the_first_part_is_an_argument() {
    let body = part(
        "name=\"file\"; filename=\"stdin\"",
        "one\r\ntwo\nthree",
        "\r\n--B\r\n\r\nno\r\n--B--\r\n",
    );
    assert_eq!(
        read(&body),
        StdinArgs { lines: vec!["one".into(), "two".into(), "three".into()], stop: None }
    );
}

#[test]
fn an_empty_line_is_an_empty_argument_but_at_the_end() {
    let body = part("name=\"file\"", "one\n\ntwo\n", "\r\n--B--\r\n");
    assert_eq!(read(&body).lines, ["one", "", "two"]);
    assert_eq!(read(&part("name=\"file\"", "", "\r\n--B--")).lines, Vec::<String>::new());
}

#[test]
fn a_part_that_is_cut_off_keeps_its_whole_lines() {
    let body = part("name=\"file\"", "one\ntw", "");
    assert_eq!(
        read(&body),
        StdinArgs { lines: vec!["one".into()], stop: Some(Stop::UnexpectedEof) }
    );
}

#[test]
fn a_body_without_a_part_is_told_from_one_that_ends_at_once() {
    assert_eq!(read(b"").stop, Some(Stop::NoPart));
    assert_eq!(read(b"--C\r\n\r\n").stop, Some(Stop::NoPart));
    assert_eq!(read(b"--B--\r\n"), StdinArgs::default());
}

#[test]
fn directories_are_recognised() {
    assert_eq!(
        read(&part("name=f; filename=\"a/b\"", "x", "\r\n--B--")).stop,
        Some(Stop::Directory)
    );
    let directory = b"--B\r\nContent-Type: application/x-directory\r\n\r\n\r\n--B--\r\n";
    assert_eq!(read(directory).stop, Some(Stop::Directory));
}

#[test]
fn content_types_are_read_with_quotes_and_any_case() {
    assert_eq!(form("MULTIPART/Form-Data; Boundary=\"a;\\\"b\""), Form::Boundary("a;\"b".into()));
    assert_eq!(form("multipart/form-data; x=1; boundary=abc"), Form::Boundary("abc".into()));
    assert_eq!(form("multipart/mixed; boundary=abc"), Form::None);
    assert!(
        matches!(form("multipart/form-data"), Form::Broken(words) if words.starts_with("no multipart"))
    );
}

proptest::proptest! {
    #[test]
    fn any_body_is_read_without_a_panic(body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let _read = StdinArgs::read(&body, "B");
    }

    #[test]
    fn lines_survive_a_round_trip(lines in proptest::collection::vec("[a-zA-Z0-9/]{1,20}", 0..20)) {
        let body = part("name=\"file\"", &lines.join("\n"), "\r\n--B--\r\n");
        proptest::prop_assert_eq!(read(&body).lines, lines);
    }
}

#[test]
fn more_lines_than_are_held_are_none() {
    let lines = |count| part("name=\"file\"", &"\n".repeat(count), "\r\n--B--\r\n");
    let all = read(&lines(ARGS_MAX));
    assert_eq!((all.lines.len(), all.stop), (ARGS_MAX, None));
    let none = read(&lines(ARGS_MAX + 1));
    assert_eq!((none.lines.len(), none.stop), (0, Some(Stop::TooMany)));
    assert!(Stop::TooMany.message().contains(&ARGS_MAX.to_string()));
}

#[test]
fn the_first_part_is_there_once_its_headers_are() {
    let form = "--b\r\nContent-Type: application/octet-stream\r\n\
                Content-Disposition: form-data; name=\"file\"; filename=\"a+b%2Fc.car\"\r\n\r\nxy";
    let part = FirstPart::read(form.as_bytes(), "b").unwrap();
    assert_eq!((part.name.as_str(), part.content), ("a b/c.car", &b"xy"[..]));
    assert_eq!(FirstPart::read(&form.as_bytes()[..form.len() - 5], "b"), None);
    let nameless = FirstPart::read(b"--b\r\nContent-Disposition: form-data\r\n\r\n", "b").unwrap();
    assert_eq!(nameless.name, "");
    assert_eq!(FirstPart::read(b"--b--\r\n", "b"), None);
}
