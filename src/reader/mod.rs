//! Who reads a document: the engine in this process, or the hosted API. All of reqwest and jsonwebtoken.

pub mod embedded;
mod http_date;
mod order;
pub mod remote;
mod source;
pub mod token;

pub(crate) use http_date::parse_http_date;

pub use embedded::{EmbeddedReader, SeenPage};
pub use order::Reader;
pub use source::{ImageSource, OpenImage};
