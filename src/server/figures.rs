//! Once a second what the shells have counted goes to the metrics.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::Receiver;

use crate::media::Media;
use crate::net::{Net, NetEvent};
use crate::store::Counters;
use crate::web::metrics::Meters;

const EVERY: Duration = Duration::from_secs(1);

/// What is read.
pub struct Counted {
    pub net: Arc<Net>,
    pub media: Arc<Media>,
    pub store: Arc<Counters>,
    /// Only its length is looked at.
    pub waiting: Receiver<NetEvent>,
}

/// Runs as long as the process.
pub async fn gather(counted: Counted, meters: Meters) {
    let mut beat = tokio::time::interval(EVERY);
    loop {
        beat.tick().await;
        read(&counted, &meters);
    }
}

fn read(counted: &Counted, meters: &Meters) {
    let net = counted.net.figures();
    meters.sip_received.absolute(net.received + net.malformed);
    meters.sip_sent.absolute(net.sent);
    meters.sip_malformed.absolute(net.malformed);
    meters.sip_insecure.absolute(net.insecure);
    meters.sip_dropped.absolute(net.dropped + net.refused);
    let media = counted.media.counters();
    meters.rtp_received.absolute(media.packets_received);
    meters.rtp_sent.absolute(media.packets_sent);
    meters.rtp_strangers.absolute(media.strangers);
    meters.rtp_not_authentic.absolute(media.not_authentic);
    meters.rtp_ports_free.set(media.ports_free as f64);
    meters.recordings.set(media.recordings as f64);
    meters.recordings_failed.absolute(media.recordings_failed);
    meters.recording_dropped.absolute(media.recording_dropped);
    let store = &counted.store;
    meters.records_written.absolute(store.moved.load(Ordering::Relaxed));
    meters.records_waiting.set(store.waiting.load(Ordering::Relaxed) as f64);
    meters.records_memory.set(store.memory_bytes.load(Ordering::Relaxed) as f64);
    meters.records_lost.absolute(store.lost.load(Ordering::Relaxed));
    meters.database_failures.absolute(store.database_failures.load(Ordering::Relaxed));
    meters.engine_waiting.set(counted.waiting.len() as f64);
}
