//! A datagram that claims to be SIP. What can be read can be written and read again as the same message; what cannot is
//! refused with something that can itself be read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use relais::sip::message::Message;

fuzz_target!(|datagram: &[u8]| {
    match Message::parse(datagram) {
        Ok(message) => {
            let written = message.to_bytes();
            let again = Message::parse(&written);
            assert_eq!(again.as_ref(), Ok(&message), "{}", String::from_utf8_lossy(&written));
        }
        Err(error) => {
            if let Some(refusal) = error.refusal() {
                let refusal = String::from_utf8_lossy(&refusal).into_owned();
                assert!(Message::parse(refusal.as_bytes()).is_ok(), "{refusal}");
            }
        }
    }
});
