//! The store after crashes, on a full volume, and with damage.

use std::ops::ControlFlow;

use clusterd_core::snapshot::Snapshot;

use super::*;

fn put(store: &mut FjallStore, key: &[u8], value: &[u8]) {
    store.put(Space::Pins, key.to_vec(), value.to_vec());
}

fn keys(store: &FjallStore) -> Vec<Vec<u8>> {
    let rows = store.scan(Space::Pins, b"", None, usize::MAX).unwrap();
    rows.into_iter().map(|(key, _)| key).collect()
}

#[test]
fn what_was_committed_is_there_after_a_restart_and_the_open_batch_is_not() {
    let state = tempfile::tempdir().unwrap();
    let mut store = FjallStore::open(state.path()).unwrap();
    put(&mut store, b"a", b"1");
    store.commit().unwrap();
    put(&mut store, b"b", b"2");
    drop(store);
    let store = FjallStore::open(state.path()).unwrap();
    assert_eq!(keys(&store), [b"a"]);
}

#[test]
fn reads_see_the_open_batch_until_it_is_rolled_back() {
    let state = tempfile::tempdir().unwrap();
    let mut store = FjallStore::open(state.path()).unwrap();
    for key in [b"a", b"c", b"e"] {
        put(&mut store, key, b"old");
    }
    store.commit().unwrap();
    put(&mut store, b"b", b"new");
    put(&mut store, b"c", b"new");
    put(&mut store, b"f", b"new");
    store.delete(Space::Pins, b"a".to_vec());
    assert_eq!(keys(&store), [b"b", b"c", b"e", b"f"]);
    assert_eq!(store.get(Space::Pins, b"c").unwrap().unwrap(), b"new");
    let after = store.scan(Space::Pins, b"", Some(b"b"), 2).unwrap();
    assert_eq!(after.iter().map(|(key, _)| key.as_slice()).collect::<Vec<_>>(), [b"c", b"e"]);
    store.rollback();
    assert_eq!(keys(&store), [b"a", b"c", b"e"]);
}

#[test]
fn a_scan_stays_within_its_prefix() {
    let state = tempfile::tempdir().unwrap();
    let mut store = FjallStore::open(state.path()).unwrap();
    put(&mut store, b"x1", b"");
    put(&mut store, b"x3", b"");
    put(&mut store, b"y1", b"");
    store.commit().unwrap();
    put(&mut store, b"x2", b"");
    let rows = store.scan(Space::Pins, b"x", None, 10).unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!(store.scan(Space::Pins, b"x", Some(b"x2"), 10).unwrap().len(), 1);
}

#[test]
fn a_second_store_on_one_directory_is_refused() {
    let state = tempfile::tempdir().unwrap();
    let _first = FjallStore::open(state.path()).unwrap();
    let words = FjallStore::open(state.path()).err().unwrap().to_string();
    assert!(words.contains("another clusterd uses"), "{words}");
}

#[test]
fn the_state_of_a_newer_program_is_refused() {
    let state = tempfile::tempdir().unwrap();
    std::fs::write(state.path().join("format"), "2\n").unwrap();
    let error = FjallStore::open(state.path()).err().unwrap();
    assert!(matches!(error, StoreError::TooNew { found: 2, known: 1 }), "{error}");
}

#[test]
fn commits_that_the_journal_lost_are_noticed() {
    let state = tempfile::tempdir().unwrap();
    let mut store = FjallStore::open(state.path()).unwrap();
    for round in 0..3_u8 {
        put(&mut store, &[round], b"x");
        store.commit().unwrap();
    }
    drop(store);
    // The engine takes an ill start of a record for the torn end of its journal.
    let journal = engine::journals(&state.path().join("pinset")).pop().unwrap();
    let file = File::options().read(true).write(true).open(journal).unwrap();
    let mut bytes = vec![0; 600];
    let length = file.read_at(&mut bytes, 0).unwrap();
    let last = bytes[..length].windows(3).rposition(|window| window == [0, 0, 3]).unwrap_or(60);
    file.set_len(last as u64 / 2).unwrap();
    let error = FjallStore::open(state.path()).err().unwrap();
    assert!(matches!(&error, StoreError::Damaged { what } if what.contains("missing")), "{error}");
    std::fs::remove_file(state.path().join("commits")).unwrap();
    FjallStore::open(state.path()).unwrap();
}

#[test]
fn shrinking_keeps_everything_and_drops_the_journal() {
    let state = tempfile::tempdir().unwrap();
    let mut store = FjallStore::open(state.path()).unwrap();
    for key in 0..2000_u32 {
        put(&mut store, &key.to_be_bytes(), &[7; 100]);
    }
    store.commit().unwrap();
    store.housekeeper().shrink().unwrap();
    assert!(journal_bytes(&state.path().join("pinset")) < 1 << 20);
    assert_eq!(keys(&store).len(), 2000);
    put(&mut store, b"z", b"");
    store.commit().unwrap();
    drop(store);
    assert_eq!(keys(&FjallStore::open(state.path()).unwrap()).len(), 2001);
}

#[test]
fn a_failed_engine_is_opened_again_with_what_was_durable() {
    let state = tempfile::tempdir().unwrap();
    let mut store = FjallStore::open(state.path()).unwrap();
    put(&mut store, b"a", b"1");
    store.commit().unwrap();
    // As after a failed write: the engine takes no more writes until it is opened again.
    store.shared.write().take();
    put(&mut store, b"b", b"2");
    store.commit().unwrap();
    assert_eq!(keys(&store), [b"a", b"b"]);
}

#[test]
fn readers_join_pins_with_what_is_unsettled() {
    let state = tempfile::tempdir().unwrap();
    let mut store = FjallStore::open(state.path()).unwrap();
    put(&mut store, b"a", b"1");
    put(&mut store, b"c", b"3");
    store.put(Space::Unsettled, b"b".to_vec(), b"u".to_vec());
    store.put(Space::Unsettled, b"c".to_vec(), b"u".to_vec());
    store.commit().unwrap();
    let mut seen = Vec::new();
    let reader = store.reader();
    reader
        .visit(None, &mut |row| {
            seen.push((row.key[0], row.pin.is_some(), row.unsettled.is_some()));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(seen, [(b'a', true, false), (b'b', false, true), (b'c', true, true)]);
    let mut rest = 0;
    reader
        .visit(Some(b"a"), &mut |_| {
            rest += 1;
            ControlFlow::Break(())
        })
        .unwrap();
    assert_eq!(rest, 1);
    let mut both = false;
    reader.look(b"c", &mut |row| both = row.pin.is_some() && row.unsettled.is_some()).unwrap();
    assert!(both);
}
