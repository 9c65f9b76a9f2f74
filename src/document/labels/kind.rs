//! What captions announce, and what the values look like that stand beside them.

use serde::Deserialize;

use crate::document::field::FieldName;

/// What a caption announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The holder's surname.
    Surname,
    /// The holder's given names.
    GivenNames,
    /// The whole name, or one of the two parts: the other captions of the document decide.
    Name,
    /// The second of two surnames with captions of their own.
    SecondSurname,
    /// The whole name, the surname on the first of its lines.
    SurnameFirst,
    /// A middle name that belongs after the given names.
    MiddleName,
    /// A name of the holder that is not part of the name asked for: at birth, of a marriage, of an order.
    OtherName,
    /// Name of a parent, spouse or guardian.
    Relative,
    /// Date of birth, perhaps with the place.
    BirthDate,
    /// Year of birth.
    BirthYear,
    /// Sex.
    Sex,
    /// Number of the document.
    Number,
    /// Number of a passport: the document's own on passports, and their holder's on others.
    PassportNumber,
    /// Number of the person that identity cards carry as their own; other documents print it beside theirs.
    IdentityNumber,
    /// Number of the card: the document's own on identity cards, another one beside a licence's.
    CardNumber,
    /// National number of the person.
    PersonalNumber,
    /// Another number that must not be taken for the document's.
    OtherNumber,
    /// Postal address.
    Address,
    /// Nationality.
    Nationality,
    /// Date of issue.
    IssueDate,
    /// Date of expiry.
    ExpiryDate,
    /// Place of birth.
    BirthPlace,
    /// Issuing authority.
    Authority,
    /// Telephone number.
    Mobile,
    /// A caption of no interest, whose value must not be taken for another one.
    Other,
}

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A name of a person, or a part of one.
    Name,
    /// A day.
    Date,
    /// A year of four digits.
    Year,
    /// `M`, `F`, `X`, or a word for one of them.
    Sex,
    /// Digits, and letters of a series.
    Number,
    /// Street and town.
    Address,
    /// The name of a state, or its code.
    State,
    /// A town or an office.
    Place,
    /// A telephone number.
    Telephone,
    /// Anything.
    Any,
}

impl Kind {
    /// What its value looks like, and which field it is, where it is one by itself: parts of a name are put together.
    pub(crate) fn value(self) -> (Shape, Option<FieldName>) {
        match self {
            Self::Surname
            | Self::GivenNames
            | Self::Name
            | Self::SecondSurname
            | Self::SurnameFirst
            | Self::MiddleName
            | Self::OtherName => (Shape::Name, None),
            Self::Relative => (Shape::Name, Some(FieldName::RelativeName)),
            Self::BirthDate => (Shape::Date, Some(FieldName::DateOfBirth)),
            Self::BirthYear => (Shape::Year, Some(FieldName::DateOfBirth)),
            Self::IssueDate => (Shape::Date, Some(FieldName::IssueDate)),
            Self::ExpiryDate => (Shape::Date, Some(FieldName::ExpiryDate)),
            Self::Sex => (Shape::Sex, Some(FieldName::Gender)),
            Self::Number | Self::PassportNumber | Self::CardNumber | Self::IdentityNumber => (Shape::Number, Some(FieldName::IdNumber)),
            Self::PersonalNumber => (Shape::Number, Some(FieldName::PersonalNumber)),
            Self::OtherNumber => (Shape::Number, None),
            Self::Address => (Shape::Address, Some(FieldName::Address)),
            Self::Nationality => (Shape::State, Some(FieldName::Nationality)),
            Self::BirthPlace => (Shape::Place, Some(FieldName::PlaceOfBirth)),
            Self::Authority => (Shape::Place, Some(FieldName::Authority)),
            Self::Mobile => (Shape::Telephone, Some(FieldName::MobileNumber)),
            Self::Other => (Shape::Any, None),
        }
    }
}

/// A set of kinds: some words mean different things in different languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Kinds(u32);

impl Kinds {
    /// The set of one.
    pub(crate) fn one(kind: Kind) -> Self {
        Self(1 << kind as u32)
    }

    /// Whether the kind is among them.
    pub(crate) fn has(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u32) != 0
    }

    /// Both sets together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What both have in common, if anything.
    pub(crate) fn common(self, other: Self) -> Option<Self> {
        (self.0 & other.0 != 0).then_some(Self(self.0 & other.0))
    }

    /// Whether nothing but the parts of a name is meant.
    pub(crate) fn is_name(self) -> bool {
        let parts = Self::one(Kind::Surname).and(Self::one(Kind::GivenNames)).and(Self::one(Kind::Name));
        self.0 != 0 && self.0 & !parts.0 == 0
    }
}
