//! Messages and headers in recordings and snapshots: as they stand on the wire, bytes in hexadecimal where they are
//! not text.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::headers::Headers;
use super::{Message, Request, Response};

fn write<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    match std::str::from_utf8(bytes) {
        Ok(text) => serializer.collect_str(&format_args!("t{text}")),
        Err(_) => serializer.collect_str(&format_args!("x{}", hex::encode(bytes))),
    }
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Message, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes = match (text.strip_prefix('t'), text.strip_prefix('x')) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (_, Some(code)) => hex::decode(code).map_err(Error::custom)?,
        _ => return Err(Error::custom("a message begins with t or x")),
    };
    Message::parse(&bytes).map_err(Error::custom)
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write(&self.to_bytes(), serializer)
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer)
    }
}

impl Serialize for Request {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write(&self.to_bytes(), serializer)
    }
}

impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match read(deserializer)? {
            Message::Request(request) => Ok(request),
            Message::Response(_) => Err(Error::custom("a response stands where a request should")),
        }
    }
}

impl Serialize for Response {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write(&self.to_bytes(), serializer)
    }
}

impl<'de> Deserialize<'de> for Response {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match read(deserializer)? {
            Message::Response(response) => Ok(response),
            Message::Request(_) => Err(Error::custom("a request stands where a response should")),
        }
    }
}

impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_pairs().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Headers::from_pairs)
    }
}
