//! A whole centre on a virtual clock: callers, agents' phones, a lossy network and simulated media around one engine.
//! Every run is decided by its seed. `RELAIS_SEED=n cargo test --test centre` runs one seed and prints its ladder.

mod bots;
mod media;
mod network;
mod people;
#[path = "../support/provider.rs"]
mod provider;
mod providers;
mod recorded;
mod truth;
mod world;

use world::World;

/// Seeded runs, each of 50 calls. Every one must leave nothing behind.
const RUNS: u64 = 1_000;

#[test]
fn nothing_is_left_over_whatever_callers_agents_and_the_network_do() {
    if let Some(seed) = std::env::var("RELAIS_SEED").ok().and_then(|seed| seed.parse().ok()) {
        let mut world = World::new(seed);
        world.narrate = true;
        world.run().unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
        return;
    }
    let runs = std::env::var("RELAIS_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(RUNS);
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let faults: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|first| scope.spawn(move || run_seeds(first, threads, runs))).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker that does not panic")).collect()
    });
    assert!(
        faults.is_empty(),
        "{} of {runs} seeds failed, the first ones:\n{}",
        faults.len(),
        faults[..faults.len().min(5)].join("\n")
    );
}

fn run_seeds(first: u64, step: u64, runs: u64) -> Vec<String> {
    let mut faults = Vec::new();
    for seed in (first..runs).step_by(step as usize) {
        let result = std::panic::catch_unwind(|| World::new(seed).run());
        match result {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => faults.push(format!("seed {seed}: {fault}")),
            Err(_) => faults.push(format!("seed {seed}: panicked")),
        }
    }
    faults
}

#[test]
fn a_run_is_reproduced_by_its_seed() {
    let journal = |seed| {
        let mut world = World::new(seed);
        world.run().unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
        serde_json::to_string(&world.journal).expect("a journal that serialises")
    };
    assert_eq!(journal(7), journal(7));
    assert_ne!(journal(7), journal(8), "two seeds gave the same run: the seed decides nothing");
}

#[test]
fn a_run_goes_on_from_a_snapshot_as_if_nothing_had_happened() {
    for seed in 0..20 {
        let mut whole = World::new(seed);
        whole.run().unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
        let mut broken = World::new(seed);
        // A snapshot holds the plans of each call that is up: it is dear.
        broken.snapshot_every = Some(1_000 + seed);
        broken.run().unwrap_or_else(|fault| panic!("seed {seed} with snapshots: {fault}"));
        assert_eq!(
            serde_json::to_string(&whole.journal).expect("a journal"),
            serde_json::to_string(&broken.journal).expect("a journal"),
            "seed {seed}: the run differs after a snapshot was restored"
        );
    }
}
