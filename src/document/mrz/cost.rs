//! What the rules of zones cost, in nats (negative natural logarithms of odds), chosen against the look-alike likelihoods: a
//! failed digit is believed rather than two replaced characters of a certain reading, and doubted rather than one.

/// A check digit does not hold.
pub(super) const FAILED_CHECK: f32 = 8.0;
/// A number goes on in the optional data.
pub(super) const LONG_NUMBER: f32 = 2.5;
/// No state has this code.
pub(super) const NO_STATE: f32 = 7.0;
/// No calendar has this day.
pub(super) const NO_DATE: f32 = 6.0;
/// Part of a date is unknown.
pub(super) const UNKNOWN_DATE: f32 = 2.0;
/// A letter after three fillers in a name.
pub(super) const LETTER_AFTER_FILLERS: f32 = 9.0;
/// A letter after the second double filler in a name.
pub(super) const THIRD_NAME: f32 = 5.0;
/// A third equal letter in a row in a name.
pub(super) const TRIPLE_LETTER: f32 = 7.0;
/// A name that begins with a filler.
pub(super) const NO_SURNAME: f32 = 3.0;
/// A name without given names.
pub(super) const NO_GIVEN_NAMES: f32 = 2.5;
/// A card whose code does not begin with I, as nearly all do.
pub(super) const RARE_CODE: f32 = 1.5;
/// A second character of a document's code that is mostly another, misread: a digit or O for a D, A or C for a filler.
pub(super) const ODD_CODE: f32 = 2.5;
/// A letter of a name, against a filler after it: names are not random letters.
pub(super) const LETTER_IN_NAME: f32 = 0.5;
/// A further given name.
pub(super) const WORD_IN_NAME: f32 = 0.7;
/// Two letters side by side that fillers may both have been.
pub(super) const FILLER_LIKE_PAIR: f32 = 1.2;
/// A name of one letter that a filler may have been.
pub(super) const LONE_FILLER_LIKE: f32 = 3.0;
/// A symbol that may not stand where the recogniser saw it is taken for one that may, whichever.
pub(super) const FORCED: f32 = 10.0;
