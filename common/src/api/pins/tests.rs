//! Against what the real Go service wrote.

use super::*;

const EXPORT: &str = include_str!("../../../../tests/vectors/state-export.ndjson");
const ENCODINGS: &str = include_str!("../../../../tests/vectors/pin-encodings.json");

#[test]
fn gos_export_survives_reading_and_writing_byte_for_byte() {
    assert_eq!(EXPORT.lines().count(), 8);
    for line in EXPORT.lines() {
        let json: PinJson = serde_json::from_str(line).unwrap();
        let pin = Pin::try_from(json).unwrap();
        assert_eq!(serde_json::to_string(&PinJson::from(pin)).unwrap(), line);
    }
}

#[test]
fn every_shape_of_record_reads_as_go_stores_it() {
    let cases: Vec<serde_json::Value> = serde_json::from_str(ENCODINGS).unwrap();
    let mut read = 0;
    for case in cases.iter().filter(|case| case["case"] != "zero") {
        let fresh: PinJson = serde_json::from_value(case["json"].clone()).unwrap();
        let stored = case["json_after_protobuf_roundtrip"].clone();
        let pin = Pin::try_from(fresh).unwrap();
        assert_eq!(serde_json::to_value(PinJson::from(pin)).unwrap(), stored, "{}", case["case"]);
        read += 1;
    }
    assert_eq!(read, 5);
}

#[test]
fn a_record_needs_a_cid_and_a_depth_that_exists() {
    let refuse = |text: &str| Pin::try_from(serde_json::from_str::<PinJson>(text).unwrap());
    assert_eq!(refuse("{}"), Err(PinJsonError::NoCid));
    let cid = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPBdX";
    assert_eq!(
        refuse(&format!(r#"{{"cid":"{cid}","max_depth":-2}}"#)),
        Err(PinJsonError::Depth(-2))
    );
    let early = format!(r#"{{"cid":"{cid}","expire_at":"1969-01-01T00:00:00Z"}}"#);
    assert!(refuse(&early).unwrap_err().to_string().contains("expire_at"));
    let direct = format!(r#"{{"cid":"{cid}","mode":"direct","origins":null}}"#);
    assert_eq!(refuse(&direct).unwrap().depth, Depth::Direct);
}

#[test]
fn status_of_a_real_peer_reads_and_writes_byte_for_byte() {
    // GET /pins/CID of ipfs-cluster-service 1.1.6, whose Kubo was stopped.
    let line = concat!(
        r#"{"cid":"QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPBdX","name":"","allocations":[],"#,
        r#""origins":[],"created":"2026-11-22T18:17:46Z","metadata":null,"peer_map":{"#,
        r#""12D3KooWSZ2ZmmbwDEcQsJwM2QWHLhiQWc5hUAGivYC9fDYPEPha":{"peername":"alpha","#,
        r#""ipfs_peer_id":"12D3KooWLeTYRzRbbd38BbSMF5Tntgo7ridMziK8FUr4R7cj478q","#,
        r#""status":"pin_error","timestamp":"2026-11-22T18:17:46.394662066Z","#,
        r#""error":"connection refused","attempt_count":1,"priority_pin":true}}}"#,
    );
    let info: GlobalPinInfo = serde_json::from_str(line).unwrap();
    assert_eq!(info.peer_map.values().next().unwrap().status, PinStatus::PinError);
    assert_eq!(serde_json::to_string(&info).unwrap(), line);
}
