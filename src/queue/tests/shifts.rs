//! What agents do is told change by change, and taken up by the next process.

use std::time::Duration;

use super::*;
use crate::shift::AgentChange;
use crate::views::AgentState;
