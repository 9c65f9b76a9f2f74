//! One neural network in ONNX Runtime. Everything of `ort` is here.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, ensure};
pub(crate) use ort::environment::Environment;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::TensorRef;

/// The process has one runtime; whoever opens the first engine decides which library it is.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

/// The variable that keeps the runtime's library from telling its maker of the process that loads it. Its own switch comes
/// too late: by then a thread has a first event to send, to mobile.events.data.microsoft.com, and keeps asking for the address.
pub const TELEMETRY_SWITCH: &str = "ORT_DISABLE_TELEMETRY";

/// Loads the runtime library, once. The process must have [`TELEMETRY_SWITCH`] in its environment from its start.
pub(crate) fn load_runtime(library: &Path) -> anyhow::Result<Environment> {
    let mut slot = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = slot.as_ref() {
        return Ok(environment.clone());
    }
    let environment = ort::init_from(library)
        .with_context(|| format!("failed to load the runtime library {}", library.display()))?
        .with_name("idmill")
        .with_telemetry(false)
        .build()
        .context("failed to start ONNX Runtime")?;
    *slot = Some(environment.clone());
    Ok(environment)
}

/// A network with one input image and one output, which runs on the calling thread.
pub(crate) struct Network {
    session: Session,
}

impl Network {
    /// Builds the network from an ONNX file's bytes.
    pub(crate) fn new(environment: &Environment, model: &[u8]) -> anyhow::Result<Self> {
        let build = || -> ort::Result<Session> {
            // One thread: instances side by side use the cores better than threads inside a small network do.
            Session::builder(environment)?
                .with_optimization_level(GraphOptimizationLevel::Level3)?
                .with_intra_threads(1)?
                .with_inter_threads(1)?
                // Plans of the memory for each size of input seen: no two lines are of one size, and the plans' blocks never fit again.
                // Without them a process holds a fifth less, in the same time.
                .with_memory_pattern(false)?
                .commit_from_memory(model)
        };
        let session = build().context("ONNX Runtime refuses the model")?;
        ensure!(session.inputs().len() == 1 && !session.outputs().is_empty(), "the model has not one input and one output");
        Ok(Self { session })
    }

    /// Runs (1, 3, `height`, `width`) planes through the network and hands the first output to `use_output`, with its shape.
    pub(crate) fn run<T>(
        &mut self,
        planes: &[f32],
        height: usize,
        width: usize,
        use_output: impl FnOnce(&[i64], &[f32]) -> T,
    ) -> Result<T, RunError> {
        let input = TensorRef::from_array_view(([1_usize, 3, height, width], planes))?;
        let outputs = self.session.run(ort::inputs![input])?;
        let (shape, values) = outputs[0].try_extract_tensor::<f32>()?;
        Ok(use_output(shape, values))
    }
}

/// ONNX Runtime failed on an input that it should take: a fault of ours or of the machine, never of the image.
#[derive(Debug, thiserror::Error)]
#[error("the network failed: {0}")]
pub struct RunError(String);

impl From<ort::Error> for RunError {
    fn from(error: ort::Error) -> Self {
        // The runtime's own words name operators and shapes; it never sees text.
        Self(error.to_string())
    }
}
