//! The appliance as a process: the real clock, the engine's thread, the shells around it, and how it starts, drains,
//! reloads and stops.

mod engine_loop;
mod signals;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crossbeam_channel::bounded;

use crate::config::{self, Overrides};
use crate::engine::{Engine, Input, LostPlace};
use crate::media::{Media, MediaSettings};
use crate::net::Net;
use crate::prompts::Library;
use crate::settings::Settings;
use crate::store::Store;
use crate::web;
use engine_loop::{Clock, Control, EngineLoop, Inputs};

/// Inputs that may wait for the engine before the shells refuse or drop more (each shell says which).
const SIP_QUEUE: usize = 4_096;
const MEDIA_QUEUE: usize = 16_384;
const REQUEST_QUEUE: usize = 256;

/// Why the appliance does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Wrong configuration: exit code 2. The findings have been printed.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Config(Vec<config::Finding>),
    /// Anything else at run time: exit code 1.
    #[error("{0}")]
    Runtime(String),
}

impl ServerError {
    fn runtime(error: impl std::fmt::Display) -> ServerError {
        ServerError::Runtime(error.to_string())
    }

    pub fn exit_code(&self) -> u8 {
        match self {
            ServerError::Config(_) => 2,
            ServerError::Runtime(_) => 1,
        }
    }
}

/// Runs until it is told to stop and the last call has ended.
pub fn run(config: PathBuf, overrides: Overrides) -> Result<(), ServerError> {
    let loaded = config::load(&config, &overrides).map_err(ServerError::Config)?;
    let settings = Arc::new(loaded.settings);
    std::fs::create_dir_all(&settings.data)
        .map_err(|error| ServerError::Runtime(format!("data folder {}: {error}", settings.data.display())))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(ServerError::runtime)?;
    let served = runtime.block_on(serve(config, overrides, settings, Arc::new(loaded.plans)));
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}
