//! What a worker and a server say to each other, as either may be sent it by a stranger.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use relais::speech::{Ask, Frame, Tell, Wire};
use tokio_util::codec::{Decoder, Encoder};

fuzz_target!(|input: &[u8]| {
    let mut bytes = BytesMut::from(input);
    while let Ok(Some(frame)) = Wire.decode(&mut bytes) {
        let mut again = BytesMut::new();
        Wire.encode(frame.clone(), &mut again).expect("what was read can be written");
        assert_eq!(Wire.decode(&mut again).expect("a frame"), Some(frame.clone()));
        if let Frame::Message(text) = frame {
            let _ = serde_json::from_slice::<Ask>(&text);
            let _ = serde_json::from_slice::<Tell>(&text);
        }
    }
});
