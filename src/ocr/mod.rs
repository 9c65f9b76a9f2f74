//! Image bytes -> text lines and codes. CPU work only.
//!
//! Everything of `ort` and of `image` is in this module. It knows nothing of documents, queues or logs: what comes out
//! is a [`Page`] of lines and codes in the upright frame, and what goes wrong is an [`OcrError`].

mod alphabet;
mod boxes;
mod code_areas;
mod codes;
mod ctc;
mod decode;
mod detect;
mod draw;
mod engine;
mod error;
mod frame;
mod geometry;
mod heic;
mod level;
mod network;
mod onnx;
mod order;
mod orient;
mod page;
mod picture;
mod quality;
mod recognise;
mod spent;
pub mod steps;
mod weights;
mod zone_box;

pub use codes::find as find_codes;
pub use decode::{Limits, inspect};
pub(crate) use decode::{SNIFF_BYTES, media_type};
pub use draw::{Canvas, Colour};
pub use engine::{Engine, OcrError, Original};
pub use error::ImageError;
pub use network::{RunError, TELEMETRY_SWITCH};
pub(crate) use page::MAX_ZONE_PITCH;
pub use page::{Code, CodeKind, FILLER_LOOK_ALIKES, LATTICE_ALPHABET, Lattice, Line, Page, Point, Quad, Quality};
pub use spent::Spent;
pub use weights::{Fault, RUNTIME_LIBRARY, WEIGHTS, Weight, Weights, find_folder, read_checked};
