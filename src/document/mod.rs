//! Lines and codes -> fields: classify, parse, check, fuse.
//!
//! Pure: no input or output, no clock (today's date is an argument), no logs. Every reader of a zone (machine-readable
//! zone, barcode, visual zone) yields [`Candidate`]s; fusing weighs them and makes one [`Reading`].

mod aadhaar_qr;
mod aamva;
mod address;
mod agree;
pub mod answer;
mod classify;
mod coded_date;
pub mod codes;
mod country;
mod customs;
mod date;
mod doubt;
mod field;
mod fuse;
mod issuer;
mod labels;
mod layout;
mod mask;
pub mod mrz;
mod number;
mod original;
mod person_name;
mod read;
mod reconcile;
mod sides;
mod signals;
mod signer_key;
mod text;
mod translit;
mod viz;

#[cfg(test)]
mod perturbed;
#[cfg(test)]
mod specimens;
#[cfg(test)]
mod testing;

pub use doubt::{doubtful_lines, faults, may_gain_from_codes};
pub use field::{Candidate, Check, Field, FieldName, IdType, Reading, Side, Source};
pub use mask::mask_aadhaar;
pub use original::in_original_frame;
pub use read::read;
pub use sides::mark_as_same_image;
pub use signer_key::SignerKey;
