//! Image bytes -> text lines and codes. CPU work only.
//!
//! Everything of `ort` and of `image` is in this module. It knows nothing of documents, queues or logs: what comes out
//! is a [`Page`] of lines and codes in the upright frame, and what goes wrong is an [`ImageError`].

mod error;
mod page;

pub use error::ImageError;
pub use page::{Code, CodeKind, LATTICE_ALPHABET, Lattice, Line, Page, Point, Quad, Quality};
