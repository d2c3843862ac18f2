//! Records in every encoding, as Kubo writes them.

use super::*;

fn shown(record: &Record, encoding: Encoding) -> String {
    let mut out = Vec::new();
    record.render(encoding, &mut out);
    String::from_utf8(out).unwrap()
}

fn progress(pins: &[&str], nodes: u64, bytes: u64) -> Record {
    let pins = pins.iter().map(|pin| (*pin).to_owned()).collect();
    Record {
        name: "AddPinOutput",
        fields: vec![
            optional("Pins", Value::Texts(pins)),
            optional("Progress", Value::Number(nodes, "int")),
            optional("Bytes", Value::Number(bytes, "uint64")),
        ],
    }
}

/// All expected texts were recorded from Kubo 0.42.0.
#[test]
fn a_pin_answer_has_kubos_bytes_in_every_encoding() {
    let done = progress(&["QmA"], 0, 0);
    assert_eq!(shown(&done, Encoding::Json), "{\"Pins\":[\"QmA\"]}\n");
    assert_eq!(
        shown(&done, Encoding::Xml),
        "<AddPinOutput><Pins>QmA</Pins><Progress>0</Progress><Bytes>0</Bytes></AddPinOutput>"
    );
    assert_eq!(shown(&done, Encoding::TextLines), "&{[QmA] %!s(int=0) %!s(uint64=0)}\n");
    assert_eq!(shown(&progress(&[], 1, 11), Encoding::Octets), "&{[] %!s(int=1) %!s(uint64=11)}");
    assert_eq!(shown(&progress(&[], 0, 0), Encoding::Json), "{}\n");
}

#[test]
fn embedded_members_are_flat_but_in_gos_text_form() {
    let stat = Record {
        name: "Stat",
        fields: vec![
            field(
                "",
                Value::Embedded(vec![
                    field("RepoSize", Value::Number(5, "uint64")),
                    field("StorageMax", Value::Number(9, "uint64")),
                ]),
            ),
            field("RepoPath", Value::Text("/r".to_owned())),
        ],
    };
    assert_eq!(
        shown(&stat, Encoding::Json),
        "{\"RepoSize\":5,\"StorageMax\":9,\"RepoPath\":\"/r\"}\n"
    );
    assert_eq!(
        shown(&stat, Encoding::Xml),
        "<Stat><RepoSize>5</RepoSize><StorageMax>9</StorageMax><RepoPath>/r</RepoPath></Stat>"
    );
    assert_eq!(shown(&stat, Encoding::TextLines), "&{{%!s(uint64=5) %!s(uint64=9)} /r}\n");
}

#[test]
fn a_link_is_an_object_in_json_alone() {
    let gc = |cid: Option<&str>| Record {
        name: "GcResult",
        fields: vec![
            field("Key", Value::Link(cid.map(str::to_owned))),
            optional("Error", Value::Text(String::new())),
        ],
    };
    assert_eq!(shown(&gc(Some("bafk")), Encoding::Json), "{\"Key\":{\"/\":\"bafk\"}}\n");
    assert_eq!(shown(&gc(None), Encoding::Json), "{\"Key\":null}\n");
    assert_eq!(
        shown(&gc(Some("bafk")), Encoding::Xml),
        "<GcResult><Key>bafk</Key><Error></Error></GcResult>"
    );
    assert_eq!(shown(&gc(Some("bafk")), Encoding::TextLines), "&{bafk }\n");
}

#[test]
fn encodings_are_case_sensitive_and_protobuf_is_none() {
    assert_eq!(Encoding::parse("text"), Some(Encoding::Text));
    for bad in ["", "JSON", "protobuf", "yaml"] {
        assert_eq!(Encoding::parse(bad), None, "{bad}");
    }
}
