//! A stream of SIP, cut into pieces as the network likes: the messages are the same however it is cut.

#![no_main]

use libfuzzer_sys::fuzz_target;
use relais::sip::message::{Framed, Framer, Message};

fn messages<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Framed> {
    let mut framer = Framer::default();
    let mut found = Vec::new();
    for piece in pieces {
        framer.push(piece);
        found.extend(framer.by_ref());
    }
    found
}

fuzz_target!(|input: (u8, &[u8])| {
    let (size, stream) = input;
    let whole = messages(std::iter::once(stream));
    let in_pieces = messages(stream.chunks(usize::from(size).max(1)));
    assert_eq!(whole, in_pieces);
    for framed in whole {
        if let Framed::Message(bytes) = framed {
            let _ = Message::parse(&bytes);
        }
    }
});
