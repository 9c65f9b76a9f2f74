//! Lines and codes -> fields: classify, parse, check, fuse.
//!
//! Pure: no input or output, no clock (today's date is an argument), no logs. Every reader of a zone (machine-readable
//! zone, barcode, visual zone) yields [`Candidate`]s; fusing weighs them and makes one [`Reading`].

pub mod answer;
mod coded_date;
mod country;
mod doubt;
mod field;
pub mod mrz;
mod number;
mod read;

pub use doubt::{doubtful_lines, faults};
pub use field::{Candidate, Check, Field, FieldName, IdType, Reading, Side, Source};
pub use read::read;
