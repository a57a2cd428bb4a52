//! Call-backs outlive the process.

use super::*;
use crate::callback::{Callback, CallbackState, Wished};
use crate::ids::CallbackId;

fn promised(n: u128, state: CallbackState, attempts: u32) -> Callback {
    let asked_at = record(1).started_at;
    Callback {
        id: CallbackId(n),
        call_id: Some(record(1).call_id),
        wished: Wished::InCall,
        number: format!("+3315550{n}"),
        queue: "sales".into(),
        demand: Default::default(),
        language: "en".into(),
        trunk: Some("acme".into()),
        origin: None,
        dialled: Some("610".to_owned()),
        asked_at,
        waiting_since: asked_at,
        not_before: asked_at,
        attempts,
        state,
        last_failure: None,
    }
}

fn entry(callback: Callback) -> Entry {
    Entry::Callback(Box::new(callback))
}

#[test]
fn promises_are_found_again_as_they_were_told_last() {
    use CallbackState::{Cancelled, Dialling, Done, Scheduled, Waiting};
    let data = tempfile::tempdir().unwrap();
    let (mut store, recovered) = Store::open(data.path()).unwrap();
    assert_eq!(recovered.callbacks, []);
    for (n, state) in [(1, Scheduled), (2, Scheduled), (3, Scheduled), (1, Waiting), (2, Waiting), (3, Cancelled)] {
        store.append(entry(promised(n, state, 0)));
    }
    all_moved(&store);
    // What is in the spool only counts as well.
    let locked = Locked::new(data.path());
    store.append(entry(promised(1, Dialling, 1)));
    store.append(entry(promised(2, Done, 1)));
    let killed = as_killed_now(data.path());
    locked.release();
    for _ in 0..2 {
        let (store, recovered) = Store::open(killed.path()).unwrap();
        assert_eq!(recovered.callbacks, [promised(1, Dialling, 1)]);
        store.close();
    }
}
