use std::collections::BTreeMap;
use std::fmt;

use crate::ocr::Quad;

/// What kind of document it is: the closed vocabulary of `idType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IdType {
    /// Passport booklet or card with a TD3 zone.
    Passport,
    /// National identity card, and US or Canadian state identity cards.
    NationalId,
    /// Driving licence.
    DrivingLicence,
    /// Residence permit or residence card.
    ResidencePermit,
    /// Visa sticker.
    Visa,
    /// Indian permanent account number card.
    Pan,
    /// Indian Aadhaar card or letter.
    Aadhaar,
    /// Indian elector's photo identity card.
    VoterId,
    /// None of these, or not certain.
    #[default]
    Unknown,
}

/// The fields that a reading can hold; the serialised names are those of the event's `details`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FieldName {
    /// The document's number, as printed, spaces and hyphens kept where the print has them.
    IdNumber,
    /// Full name in reading order: given names, then surname.
    Name,
    /// Surname alone.
    Surname,
    /// Given names alone.
    GivenNames,
    /// Date of birth, `YYYY-MM-DD`, or `YYYY` where only a year is printed.
    DateOfBirth,
    /// `M`, `F` or `X`.
    Gender,
    /// Postal address on one line, parts separated by `, `.
    Address,
    /// Mobile number as printed.
    MobileNumber,
    /// Nationality: ISO 3166-1 alpha-3 or an ICAO code.
    Nationality,
    /// Issuing state: ISO 3166-1 alpha-3 or an ICAO code.
    IssuingCountry,
    /// Date of issue, ISO 8601.
    IssueDate,
    /// Date of expiry, ISO 8601.
    ExpiryDate,
    /// National or personal number where it is not the document's number.
    PersonalNumber,
    /// Father's, husband's or guardian's name, kept apart from the holder's.
    RelativeName,
    /// Place of birth as printed.
    PlaceOfBirth,
    /// Authority that issued the document, as printed.
    Authority,
}

impl FieldName {
    /// The field that events call so, `idNumber` for example.
    pub fn named(name: &str) -> Option<Self> {
        serde_json::from_value(name.into()).ok()
    }
}

/// Where a value was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A QR code whose signature held.
    SignedQr,
    /// The machine-readable zone.
    Mrz,
    /// A PDF417 barcode.
    Pdf417,
    /// A QR code without a signature that could be verified.
    Qr,
    /// The visual zone.
    Viz,
    /// Computed from other fields.
    Derived,
    /// The hosted API's answer, which does not say where it read what.
    Remote,
}

/// Which image a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The image given as front.
    Front,
    /// The image given as back.
    Back,
}

/// One check that was made on a value, and how it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The field's own check digit holds.
    CheckDigitOk,
    /// The field's own check digit does not hold.
    CheckDigitFailed,
    /// The zone's composite check digit holds.
    CompositeOk,
    /// The zone's composite check digit does not hold.
    CompositeFailed,
    /// The value has the shape its issuer prints.
    FormatOk,
    /// The value has not the shape its issuer prints.
    FormatFailed,
    /// Another zone says the same.
    CrossMatch,
    /// Another zone says something else.
    CrossMismatch,
    /// A character was replaced: a check digit proves the replacement, or clear print has it in a name that the zone
    /// spells with doubt.
    Repaired,
    /// The signature over the value holds.
    SignatureOk,
}

/// One reading of one field by one zone, before fusing.
///
/// `Debug` never shows the value.
#[derive(Clone, PartialEq)]
pub struct Candidate {
    /// Which field it is a reading of.
    pub name: FieldName,
    /// The normalised value, never empty.
    pub value: String,
    /// The text as it was read.
    pub raw: String,
    /// Which zone it comes from.
    pub source: Source,
    /// Which image it comes from.
    pub side: Side,
    /// 0..=1: how sure the reader of the zone is.
    pub confidence: f32,
    /// Where it stands, where it stands in one place.
    pub quad: Option<Quad>,
    /// The checks made on it.
    pub checks: Vec<Check>,
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate")
            .field("name", &self.name)
            .field("source", &self.source)
            .field("side", &self.side)
            .finish_non_exhaustive()
    }
}

/// The value that fusing decided on, with what speaks for and against it.
///
/// `Debug` never shows the value.
#[derive(Clone, PartialEq)]
pub struct Field {
    /// The reading that won.
    pub chosen: Candidate,
    /// Readings of other zones that say something else.
    pub others: Vec<Candidate>,
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Field").field("chosen", &self.chosen).field("n_others", &self.others.len()).finish()
    }
}

/// Everything that was read off one document.
///
/// `Debug` never shows a value.
#[derive(Clone, Default, PartialEq)]
pub struct Reading {
    /// What kind of document it is.
    pub id_type: IdType,
    /// The fields that were read; a field that is not on the document is not in the map.
    pub fields: BTreeMap<FieldName, Field>,
    /// The lines of the machine-readable zone, where there is one, exactly as decoded.
    pub mrz: Vec<String>,
    /// Sentences for whoever looks at this reading: conflicts, failed checks, quality. They name fields, never values.
    pub warnings: Vec<String>,
    /// Quality signals by name (`front.blur`, `back.glare`, …): data, never a verdict of genuineness.
    pub signals: BTreeMap<String, serde_json::Value>,
    /// What the hosted API answered beyond the fields known here, by its own keys; empty for readings of the engine.
    pub extra: BTreeMap<String, serde_json::Value>,
}

impl Reading {
    /// The value of a field, or an empty string where it was not read.
    pub fn value(&self, name: FieldName) -> &str {
        self.fields.get(&name).map_or("", |field| field.chosen.value.as_str())
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading")
            .field("id_type", &self.id_type)
            .field("n_fields", &self.fields.len())
            .field("n_warnings", &self.warnings.len())
            .finish_non_exhaustive()
    }
}
