//! Signatures of webhooks, as the Standard Webhooks specification has them: HMAC-SHA256 (RFC 2104) over the event's id,
//! the time of sending and the body, so that the receiver knows who sent it and that it is no old one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac::{HMAC_SHA256, Key, sign};

/// A shorter secret can be guessed.
const SHORTEST: usize = 16;

pub(super) struct Secret(Key);

impl Secret {
    /// `whsec_` and base64, or the bytes themselves.
    pub fn read(text: &str) -> Result<Secret, String> {
        let bytes = match text.strip_prefix("whsec_") {
            Some(encoded) => STANDARD
                .decode(encoded)
                .map_err(|_| "secret_file: what follows whsec_ is no base64; write the secret as it is".to_owned())?,
            None => text.as_bytes().to_vec(),
        };
        if bytes.len() < SHORTEST {
            return Err(format!("secret_file: the secret has {} bytes; at least {SHORTEST}", bytes.len()));
        }
        Ok(Secret(Key::new(HMAC_SHA256, &bytes)))
    }

    /// The value of the header `webhook-signature`. `timestamp` is in seconds since 1970.
    pub fn signature(&self, id: &str, timestamp: i64, body: &str) -> String {
        let tag = sign(&self.0, format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(tag.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of the specification's reference libraries.
        let secret = Secret::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = secret.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_weak_or_broken_secret_is_refused() {
        for text in ["", "short", "whsec_!!!", "whsec_AAAA"] {
            assert!(Secret::read(text).is_err(), "{text}");
        }
        assert!(Secret::read("sixteen bytes ok").is_ok());
    }
}
