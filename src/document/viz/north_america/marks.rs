//! The words and numbers that announce fields on cards of the United States and Canada.

use std::sync::LazyLock;

use regex_lite::Regex;

/// Words that announce a field, with the field's number before them; the value follows without a blank where it may.
pub(super) struct Marks {
    pub(super) birth: Regex,
    pub(super) issue: Regex,
    pub(super) expiry: Regex,
    pub(super) sex: Regex,
    pub(super) number: Regex,
    /// Any of the fields above and those of no interest: what a value ends at.
    pub(super) any: Regex,
}

/// The patterns, compiled once.
pub(super) static MARKS: LazyLock<Marks> = LazyLock::new(|| {
    let regex = |pattern: &str| Regex::new(pattern).expect("the patterns are part of the program and tested");
    Marks {
        birth: regex(
            r"(?:^3[01]? ?[D0O][O0Q][B8]|(?:\b3[. ]?)?\bD[. ]?[O0Q][. ]?[B8]\b|[3J ]D[O0Q]B|\b3[O0]0?B\b|\bD[O0Q]B|(?:3[. ]*)?DATE OF BIRTH|BIRTH ?DATE|\bBORN|\bDATE DE NAISSANCE|\b3 ?[O0]{2}B\b|^3 ?[O0]{2}$)[ .:]*",
        ),
        issue: regex(r"(?:4 ?[A&][. ]*)?(?:\bI?SS(?:UED?|UE DATE)?\b|[1I]SS|\bISS(?:UED)?|DATE ISSUED|ISSUE DATE|DELIV\.?)[ .:]*"),
        expiry: regex(r"(?:4 ?[B&][. ]*)?(?:\bEXP(?:IRES|IRY|IRATION)?(?: DATE)?|[B ]EXP|\bVALID THRU|\bEX(?:PIR)?\b)[ .:/]*"),
        sex: regex(r"(?:15[. ]*)?(?:\bSEXE?(?:/SEXE?)?|5 ?SEX|\bGENDER)[ .:/]*"),
        number: regex(
            r"(?:\b4 ?[D0O][. ]*)(?:OLN\b|IDN\b|L[I1|]C[. ]*N[O0][. ]*|CUSTOMER IDENTIFIER|CUST(?:OMER)? ?ID|D ?LN?\b|DLN[O0][. ]+|DLN|DL ?N[O0][. ]*|DL ?#|(?:DL|ID|LIC(?:ENSE)?|IDENTIFICATION)[. ]*(?:N[O0](?:\.|\b)|NUMBER|#|ID)?|N[O0]\b|NUMBER)[ .:#]*|^[4A] ?[D0O][A-Z|]{1,4}[. ]*(?:N[O0])?[. :#]+|\b4 ?[D0O](?:[. :]+|$)|\b(?:CUSTOMER IDENTIFIER|(?:DRIVER'?S? ?)?LIC(?:EN[CS]E)?[. ]*(?:N[O0](?:\.|\b)|NUMBER|#)|DL ?(?:N?[O0][. ]+|#|NUMBER)|\bDLN|\bIDN\b|\bNDL|ID ?(?:N[O0]\b|#|NUMBER)|IDENTIFICATION (?:CARD )?(?:N[O0]|NUMBER|#)|DD REF|PERMIT (?:N[O0]|NUMBER|#)|OLN|CDL ?N?[O0]?)[ .:#]*|^(?:DL|ID|N[O0])(?:[.:# ]+|\b)|^DL ?[O0]?[.:# ]*|^D?L[I1|]C[. ]*N[O0][. :]*|^\w?DL ?[NH][O0][. :]+|^(?:[A-Z0-9]{0,3}[A-NP-Z0-9])?C#[.: ]*|^4[A-Z0-9]{0,4} ?N[O0][. :]+|^4[A-Z]{1,5}(?:[#.:]| N?[O0]?\b) *",
        ),
        any: regex(
            r"\b(?:3 ?D[O0Q]B|D[O0Q]B|4 ?A? ?ISS|ISS|4 ?B? ?EXP|EXP|15 ?SEX|SEX|9 ?CLASS|CLASS|9A ?END|END(?:ORS)?|12 ?REST|RESTR?|16 ?HGT|HGT|HT|17 ?WGT|WGT|WT|18 ?EYES|19 ?HAIR|HAIR|DONOR|5 ?DD|DD|DUPS?|REV|TYPE)\b|3?D[O0Q]B\b|EYES|\d?(?:3D[O0Q]B|9CLASS|15SEX)",
        ),
    }
});

#[cfg(test)]
mod tests {
    use super::MARKS;

    #[test]
    fn small_captions_that_are_misread_announce_the_number() {
        let check = |text: &str, number| {
            let hit = MARKS.number.find(text).unwrap_or_else(|| panic!("no mark in {text}"));
            assert_eq!(&text[hit.end()..], number);
        };
        check("4D LIC# SAM-67-1234", "SAM-67-1234");
        check("MUC# SAM-67-1234", "SAM-67-1234");
        check("UDLHO.98765432", "98765432");
        assert!(!MARKS.number.is_match("DOC# 12345678"));
    }
}
