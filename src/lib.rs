//! Relais: a contact-centre appliance for the telephone. ARCHITECTURE.md has the picture.

#![deny(unsafe_code)]

pub mod callback;
pub mod caller;
pub mod comfort;
pub mod conversation;
pub mod demand;
pub mod findings;
pub mod heard;
pub mod ids;
pub mod outbox;
pub mod record;
pub mod security;
pub mod settings;
pub mod shift;
pub mod time;
pub mod trace;
pub mod views;

// Pure rooms: no sockets, threads, clocks or global randomness. tests/tidy.rs holds their edges.
#[forbid(unsafe_code)]
pub mod audio;
#[forbid(unsafe_code)]
pub mod bridge;
#[forbid(unsafe_code)]
pub mod call;
#[forbid(unsafe_code)]
pub mod callbot;
#[forbid(unsafe_code)]
pub mod dialplan;
#[forbid(unsafe_code)]
pub mod engine;
#[forbid(unsafe_code)]
pub mod ivr;
#[forbid(unsafe_code)]
pub mod queue;
#[forbid(unsafe_code)]
pub mod report;
#[forbid(unsafe_code)]
pub mod rtp;
#[forbid(unsafe_code)]
pub mod sdp;
#[forbid(unsafe_code)]
pub mod sip;
#[forbid(unsafe_code)]
pub mod spoken;
#[forbid(unsafe_code)]
pub mod staffing;

// Shells: they do the I/O. Clocks and entropy are theirs.
#[allow(clippy::disallowed_methods)]
pub mod bench;
#[allow(clippy::disallowed_methods)]
pub mod cli;
#[allow(clippy::disallowed_methods)]
pub mod config;
#[allow(clippy::disallowed_methods)]
pub mod inputs;
#[allow(clippy::disallowed_methods)]
pub mod media;
#[allow(clippy::disallowed_methods)]
pub mod net;
#[allow(clippy::disallowed_methods)]
pub mod outside;
#[allow(clippy::disallowed_methods)]
pub mod prompts;
#[allow(clippy::disallowed_methods)]
pub mod server;
#[allow(clippy::disallowed_methods)]
pub mod speech;
#[allow(clippy::disallowed_methods)]
pub mod store;
#[allow(clippy::disallowed_methods)]
pub mod tls;
#[allow(clippy::disallowed_methods)]
pub mod vault;
#[allow(clippy::disallowed_methods)]
pub mod web;
