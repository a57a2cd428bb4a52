//! Offers and answers of others, one after the other, to one negotiator; our own answer to each can be taken by another.

#![no_main]

use libfuzzer_sys::fuzz_target;
use relais::sdp::{Direction, LocalAudio, Negotiator, Offers, Protection};
use relais::security::{Fingerprint, Secret};
use relais::settings::{Codec, IceSide};

fn side(port: u16) -> Negotiator {
    Negotiator::new(LocalAudio {
        address: ([127, 0, 0, 1], port).into(),
        codecs: vec![Codec::Pcma, Codec::Pcmu, Codec::G722],
        session_id: 1,
        inside: None,
        protection: Protection {
            offers: Offers::Plain,
            sdes: true,
            required: false,
            fingerprint: Some(Fingerprint([1; 32])),
            ice: if port % 4 == 0 { IceSide::Lite } else { IceSide::Full },
            secret: Secret([1; 32]),
        },
    })
}

fuzz_target!(|sdp: &[u8]| {
    let mut ours = side(10_000);
    for part in sdp.split(|byte| *byte == 0) {
        if let Ok((answer, agreed)) = ours.take_offer(part, Direction::BOTH) {
            assert!(std::str::from_utf8(&answer).is_ok());
            assert_eq!(ours.agreed(), Some(&agreed));
        }
    }
    // The same bytes as the answer to our offer, and as an offer while ours is open.
    let mut asking = side(10_002);
    let offer = asking.offer(Direction::BOTH);
    let _ = asking.take_answer(sdp);
    assert!(side(10_004).take_offer(&offer, Direction::BOTH).is_ok());
});
