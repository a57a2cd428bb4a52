//! The way into a thread that has several bounded queues: one bell for all of them, so that it sleeps in one place and
//! a burst wakes it once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;

use crossbeam_channel::{Sender, TrySendError};

/// Wakes the one thread that waits by it.
#[derive(Debug, Default)]
pub struct Bell {
    rung: AtomicBool,
    sleeper: OnceLock<Thread>,
}

impl Bell {
    /// Only the first ring since the thread last looked costs a system call.
    pub fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel)
            && let Some(sleeper) = self.sleeper.get()
        {
            sleeper.unpark();
        }
    }

    /// Sleeps until it rings, or has rung since the last call; at most `limit`. Then look into every queue: what is put
    /// in after that rings again. Always the same thread's.
    pub fn wait(&self, limit: Duration) {
        self.sleeper.get_or_init(std::thread::current);
        if self.rung.swap(false, Ordering::AcqRel) {
            return;
        }
        std::thread::park_timeout(limit);
        self.rung.store(false, Ordering::Release);
    }
}

/// One bounded queue into the thread.
#[derive(Debug)]
pub struct Outbox<T> {
    queue: Sender<T>,
    bell: Arc<Bell>,
}

impl<T> Outbox<T> {
    pub fn new(queue: Sender<T>, bell: Arc<Bell>) -> Outbox<T> {
        Outbox { queue, bell }
    }

    /// Never waits.
    pub fn try_send(&self, item: T) -> Result<(), TrySendError<T>> {
        self.queue.try_send(item)?;
        self.bell.ring();
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.queue.len()
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub fn capacity(&self) -> Option<usize> {
        self.queue.capacity()
    }
}

impl<T> Clone for Outbox<T> {
    fn clone(&self) -> Self {
        Outbox { queue: self.queue.clone(), bell: self.bell.clone() }
    }
}

/// For a receiver that waits on the queue itself.
impl<T> From<Sender<T>> for Outbox<T> {
    fn from(queue: Sender<T>) -> Self {
        Outbox { queue, bell: Arc::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_rings_before_the_wait_is_not_missed() {
        let bell = Bell::default();
        bell.ring();
        bell.wait(Duration::from_secs(3600));
    }

    #[test]
    fn every_item_of_many_threads_arrives_though_the_receiver_sleeps_between_them() {
        let bell = Arc::new(Bell::default());
        let (queue, items) = crossbeam_channel::bounded(64);
        let senders: Vec<_> = (0..4)
            .map(|_| {
                let outbox = Outbox::new(queue.clone(), bell.clone());
                std::thread::spawn(move || {
                    for n in 0..5_000 {
                        while outbox.try_send(n).is_err() {
                            std::thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        let mut taken = 0;
        while taken < 20_000 {
            taken += items.try_iter().count();
            if taken < 20_000 {
                bell.wait(Duration::from_secs(3600));
            }
        }
        senders.into_iter().for_each(|sender| sender.join().expect("a sender that ends"));
    }
}
