//! Queries: the same pairs as Go's rules give, written down a second time.

use common::kubo::path::Target;
use common::kubo::query;

use super::{Random, run};

const SEEDS: [&str; 6] = [
    "arg=QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn&recursive=false",
    "arg=%2Fipfs%2FQm/a+b&type=direct;stream=true&quiet",
    "a=1&&=&b=%zz&c=%4&d=%41%C3%A9%ff",
    "stream-channels=true&encoding=json&pin=1&arg=a&arg=b",
    "n%61me=x%26y%3Dz&name=%25%2B+",
    "",
];

const WORDS: [&[u8]; 14] = [
    b"&",
    b"=",
    b";",
    b"%",
    b"%4",
    b"%41",
    b"%zz",
    b"%00",
    b"+",
    b"%2B",
    b"%26",
    b"%C3%A9",
    b"arg=",
    b"\xc3\xa9",
];

/// Go's `url.ParseQuery`, read plainly: pieces with `;` or a broken escape are dropped.
fn plainly(text: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut pairs = Vec::new();
    for piece in text.split('&') {
        if piece.is_empty() || piece.contains(';') {
            continue;
        }
        let equals = piece.find('=').unwrap_or(piece.len());
        let key = unescaped(&piece.as_bytes()[..equals]);
        let value = unescaped(piece.as_bytes().get(equals + 1..).unwrap_or_default());
        pairs.extend(key.zip(value));
    }
    pairs
}

fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    match text {
        [] => Some(Vec::new()),
        [b'%', high, low, rest @ ..] => {
            let digits = [*high, *low];
            let digits = std::str::from_utf8(&digits)
                .ok()
                .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
            let byte = u8::from_str_radix(digits, 16).ok()?;
            unescaped(rest).map(|rest| [vec![byte], rest].concat())
        }
        [b'%', ..] => None,
        [b'+', rest @ ..] => unescaped(rest).map(|rest| [vec![b' '], rest].concat()),
        [byte, rest @ ..] => unescaped(rest).map(|rest| [vec![*byte], rest].concat()),
    }
}

/// As Go's JSON shows it: each byte that is of no character becomes one mark.
fn shown(mut bytes: Vec<u8>) -> String {
    let mut text = String::new();
    while !bytes.is_empty() {
        let whole = (1..=bytes.len().min(4))
            .find_map(|length| std::str::from_utf8(&bytes[..length]).ok().map(str::to_owned));
        text.push_str(whole.as_deref().unwrap_or("\u{fffd}"));
        bytes.drain(..whole.map_or(1, |whole| whole.len()));
    }
    text
}

fn text(random: &mut Random) -> String {
    let mut bytes = random.pick(&SEEDS).as_bytes().to_vec();
    random.mutate(&mut bytes, &WORDS, 5);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn pairs(text: &str) -> Vec<(String, String)> {
    query::pairs(text).into_iter().map(|pair| (pair.key, pair.value)).collect()
}

#[test]
fn queries_are_split_as_go_does() {
    run("queries", |random| {
        let text = text(random);
        let plain: Vec<_> =
            plainly(&text).into_iter().map(|(key, value)| (shown(key), shown(value))).collect();
        assert_eq!(pairs(&text), plain, "{text}");
    });
}

#[test]
fn removed_keys_are_gone_and_the_others_stay() {
    run("queries", |random| {
        let text = text(random);
        let removed = ["arg", "name"];
        let mut kept = pairs(&text);
        kept.retain(|(key, _)| !removed.contains(&key.as_str()));
        assert_eq!(pairs(&query::without(&text, &removed)), kept, "{text}");
    });
}

#[test]
fn targets_are_read_without_a_panic_and_keep_their_query() {
    run("queries", |random| {
        let path = random.pick(&[
            "/api/v0/pin%2Fadd",
            "http://h/api/v0/add",
            "*",
            "/api/v0//id/../x",
            "//",
        ]);
        let mut bytes = path.as_bytes().to_vec();
        random.mutate(&mut bytes, &[b"/", b"..", b"%2F", b"%", b"?", b"#", b"://"], 3);
        let target = format!("{}?{}", String::from_utf8_lossy(&bytes), text(random));
        let Some(read) = Target::parse(&target) else { return };
        assert!(target.ends_with(read.query), "{target}");
        let climbs = read.raw_path.split('/').any(|segment| segment == "..");
        assert!(!climbs || read.segments().is_none(), "{target}");
    });
}
