//! From plan files to checked plans.

use crate::findings::{Finding, Source};
use crate::ivr::Names;

use super::plan::Plan;

pub(super) fn load(_sources: &[Source], _names: &Names) -> (Vec<Plan>, Vec<Finding>) {
    (Vec::new(), Vec::new())
}
