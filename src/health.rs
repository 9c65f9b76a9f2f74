//! Whether this process can take work, and why not. Shared between the worker, which knows, and `/readyz`, which tells.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Reasons for which the process is not ready, by the part that gave them.
#[derive(Debug, Default)]
pub struct Health {
    reasons: Mutex<BTreeMap<&'static str, String>>,
}

impl Health {
    /// Notes why a part cannot work.
    pub fn set(&self, part: &'static str, reason: impl Into<String>) {
        self.lock().insert(part, reason.into());
    }

    /// Notes that a part works.
    pub fn clear(&self, part: &'static str) {
        self.lock().remove(part);
    }

    /// The reasons, by part; empty when the process is ready.
    pub fn reasons(&self) -> BTreeMap<&'static str, String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
