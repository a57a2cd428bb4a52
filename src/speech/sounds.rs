//! A voice's way from a media thread to the task that listens: a ring that is made once, so that a tick which gives it a
//! piece allocates nothing (a channel of tokio's takes another block now and then).

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use tokio::sync::Notify;

/// Pieces of audio on their way to the task: 2 s.
pub const SOUNDS: usize = 100;

/// Up to 20 ms of a voice at up to 16 kHz.
#[derive(Clone, Copy, Debug)]
pub struct Sound {
    pcm: [i16; 320],
    samples: u16,
    /// The level of what was played to this voice: the mean square of its samples.
    pub played: f32,
}

impl Sound {
    /// What is beyond 320 samples is left out.
    pub fn new(pcm: &[i16], played: f32) -> Sound {
        let mut sound = Sound { pcm: [0; 320], samples: 0, played };
        for (place, sample) in sound.pcm.iter_mut().zip(pcm) {
            *place = *sample;
            sound.samples += 1;
        }
        sound
    }

    pub fn samples(&self) -> &[i16] {
        self.pcm.get(..usize::from(self.samples)).unwrap_or_default()
    }
}

/// The media thread's end. Dropping it ends what the other end is told.
#[derive(Debug)]
pub struct ToTask {
    // Dropped first, so that who wakes by the bell finds it gone.
    ring: Sender<Sound>,
    bell: Bell,
}

/// The task's end.
#[derive(Debug)]
pub struct FromMedia {
    ring: Receiver<Sound>,
    bell: Arc<Notify>,
}

#[derive(Debug)]
struct Bell(Arc<Notify>);

impl Drop for Bell {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

pub fn sounds() -> (ToTask, FromMedia) {
    let (ring, from) = bounded(SOUNDS);
    let bell = Arc::new(Notify::new());
    (ToTask { ring, bell: Bell(bell.clone()) }, FromMedia { ring: from, bell })
}

impl ToTask {
    /// False where there is no room, or nobody at the other end.
    pub fn give(&self, sound: Sound) -> bool {
        let given = self.ring.try_send(sound).is_ok();
        self.bell.0.notify_one();
        given
    }
}

impl FromMedia {
    /// The next piece; `None` when the other end is gone and nothing is left. May be dropped at any time without a loss.
    pub async fn next(&self) -> Option<Sound> {
        loop {
            match self.ring.try_recv() {
                Ok(sound) => return Some(sound),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => self.bell.notified().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_given_comes_in_order_and_then_the_end() {
        let (to, from) = sounds();
        for n in 0..SOUNDS as i16 {
            assert!(to.give(Sound::new(&[n; 160], 0.5)));
        }
        assert!(!to.give(Sound::new(&[1; 160], 0.5)), "no room is left");
        drop(to);
        for n in 0..SOUNDS as i16 {
            let sound = from.next().await.expect("all that was given");
            assert_eq!((sound.samples(), sound.played), (&[n; 160][..], 0.5));
        }
        assert!(from.next().await.is_none());
    }

    #[tokio::test]
    async fn who_waits_is_woken_by_a_piece_and_by_the_end() {
        let (to, from) = sounds();
        let task = tokio::spawn(async move {
            let first = from.next().await.map(|sound| sound.samples().len());
            (first, from.next().await.is_none())
        });
        tokio::task::yield_now().await;
        assert!(to.give(Sound::new(&[1; 400], 0.0)));
        tokio::task::yield_now().await;
        drop(to);
        assert_eq!(task.await.expect("no panic"), (Some(320), true));
    }
}
