//! Barcodes and two-dimensional codes -> candidates, whoever made them.

use super::aadhaar_qr;
use super::aamva;
use super::field::{Candidate, IdType, Side};
use super::signer_key::SignerKey;
use crate::ocr::Code;

/// What one code says.
///
/// `Debug` never shows values.
#[derive(Debug, Clone)]
pub struct CodeReading {
    /// What kind of document carries such a code.
    pub id_type: IdType,
    /// What it says, field by field.
    pub candidates: Vec<Candidate>,
    /// Whether its signature holds under one of the keys; `None` where it has none.
    pub is_signed: Option<bool>,
}

/// Whether a code is that of a licence or identity card of the United States or Canada.
pub(super) fn is_of_licence(code: &Code) -> bool {
    aamva::read(code).is_some()
}

/// Reads every code that a document of a known kind carries; `keys` are the keys that may have signed Aadhaar codes.
pub fn read(codes: &[Code], side: Side, keys: &[SignerKey]) -> Vec<CodeReading> {
    codes
        .iter()
        .filter_map(|code| {
            if let Some(licence) = aamva::read(code) {
                return Some(CodeReading { id_type: licence.id_type, candidates: licence.candidates(side), is_signed: None });
            }
            let qr = aadhaar_qr::read(code, keys)?;
            Some(CodeReading { id_type: IdType::Aadhaar, candidates: qr.candidates(side), is_signed: qr.is_signed })
        })
        .collect()
}
