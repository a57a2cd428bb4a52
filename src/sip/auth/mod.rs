//! Digest authentication both ways (RFC 7616, RFC 8760; RFC 2617 where a peer knows no better).

mod client;
mod digest;
mod disguise;
mod resource;
mod server;
#[cfg(test)]
mod tests;

pub use client::authorize;
pub use digest::Algorithm;
pub use disguise::disguise;
pub use server::{Authenticator, Verdict};
