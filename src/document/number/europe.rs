//! Numbers of European states.

use super::algorithm::{digits, is_month_and_day, luhn, mod_11_10, weighted};

/// Spain: eight digits, or X, Y or Z and seven, and a letter by the remainder modulo 23.
pub(super) fn dni(number: &str) -> bool {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let Some((body, letter)) = number.split_at_checked(number.len().saturating_sub(1)).filter(|_| number.len() == 9) else { return false };
    let body = match body.as_bytes()[0] {
        first @ b'X'..=b'Z' => format!("{}{}", first - b'X', &body[1..]),
        _ => body.to_owned(),
    };
    digits(&body, 8).is_some() && body.parse::<usize>().is_ok_and(|n| LETTERS[n % 23] == letter.as_bytes()[0])
}

/// Poland.
pub(super) fn pesel(number: &str) -> bool {
    digits(number, 11).is_some_and(|d| {
        let month = (d[2] * 10 + d[3]) % 20;
        weighted(&d, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).is_multiple_of(10) && is_month_and_day(month, d[4] * 10 + d[5])
    })
}

/// Italy: sixteen characters, the last by tables over odd and even places modulo 26.
pub(super) fn codice_fiscale(number: &str) -> bool {
    const ODD: [u32; 26] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let bytes = number.as_bytes();
    if bytes.len() != 16 || !bytes.iter().all(u8::is_ascii_alphanumeric) || !bytes[15].is_ascii_uppercase() {
        return false;
    }
    let rank = |byte: u8| if byte.is_ascii_digit() { u32::from(byte - b'0') } else { u32::from(byte - b'A') };
    // Letters LMNPQRSTUV stand for digits where two persons would share a code.
    let is_digit_place = |idx: usize| matches!(idx, 6 | 7 | 9 | 10 | 12..=14);
    let fits =
        (0..15).all(|idx| bytes[idx].is_ascii_digit() == is_digit_place(idx) || is_digit_place(idx) && b"LMNPQRSTUV".contains(&bytes[idx]));
    let sum: u32 = (0..15).map(|idx| if idx % 2 == 0 { ODD[rank(bytes[idx]) as usize] } else { rank(bytes[idx]) }).sum();
    fits && sum % 26 == rank(bytes[15])
}

/// France: thirteen digits (2A and 2B for Corsica) and 97 minus the remainder.
pub(super) fn nir(number: &str) -> bool {
    let number = match number.get(5..7) {
        Some("2A") => format!("{}19{}", &number[..5], &number[7..]),
        Some("2B") => format!("{}18{}", &number[..5], &number[7..]),
        _ => number.to_owned(),
    };
    digits(&number, 15).is_some()
        && number[..13].parse::<u64>().ok().zip(number[13..].parse::<u64>().ok()).is_some_and(|(body, check)| check == 97 - body % 97)
}

/// Portugal: document number, digit, version and digit; Luhn over twelve places with letters as 10 to 35.
pub(super) fn cartao_de_cidadao(number: &str) -> bool {
    if number.len() != 12 || !number[..9].bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let values: Option<Vec<u32>> = number.chars().map(|c| c.to_digit(36)).collect();
    values.is_some_and(|values| {
        let sum: u32 = values
            .iter()
            .enumerate()
            .map(|(idx, &value)| match idx % 2 {
                0 if value * 2 > 9 => value * 2 - 9,
                0 => value * 2,
                _ => value,
            })
            .sum();
        sum.is_multiple_of(10)
    })
}

/// Netherlands: weights 9 to 2, and minus one for the last digit, modulo 11.
pub(super) fn bsn(number: &str) -> bool {
    digits(number, 9).is_some_and(|d| {
        let sum = weighted(&d, &[9, 8, 7, 6, 5, 4, 3, 2]);
        sum > 0 && sum % 11 == d[8]
    })
}

/// Belgium: 97 minus the remainder, with a 2 before the nine digits of those born since 2000.
pub(super) fn belgian_number(number: &str) -> bool {
    let Some((body, check)) = digits(number, 11).and_then(|_| number[..9].parse::<u64>().ok().zip(number[9..].parse::<u64>().ok())) else {
        return false;
    };
    [body, body + 2_000_000_000].iter().any(|n| 97 - n % 97 == check)
}

/// Germany: the tax identification number.
pub(super) fn german_tax_id(number: &str) -> bool {
    digits(number, 11).is_some_and(|d| d[0] != 0 && mod_11_10(&d))
}

/// Croatia.
pub(super) fn oib(number: &str) -> bool {
    digits(number, 11).is_some_and(|d| mod_11_10(&d))
}

/// Sweden: ten digits, or twelve with the century, and `+` for those over a hundred.
pub(super) fn personnummer(number: &str) -> bool {
    let number: String = number.chars().filter(|c| *c != '+').collect();
    let short = if number.len() == 12 { &number[2..] } else { &number[..] };
    // The day of coordination numbers is raised by 60.
    digits(short, 10).is_some_and(|d| luhn(&d) && is_month_and_day(d[2] * 10 + d[3], (d[4] * 10 + d[5]) % 60))
}

/// Finland: date, sign of the century, three digits and a character by the remainder modulo 31.
pub(super) fn hetu(number: &str) -> bool {
    const CHARACTERS: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    // The hyphen of the twentieth century is gone when hyphens do not matter; other signs are a letter or `+`.
    let body: String = match number.len() {
        10 => number[..9].to_owned(),
        11 if !number.as_bytes()[6].is_ascii_digit() => format!("{}{}", &number[..6], &number[7..10]),
        _ => return false,
    };
    let check = number.as_bytes()[number.len() - 1];
    digits(&body, 9).is_some_and(|d| is_month_and_day(d[2] * 10 + d[3], d[0] * 10 + d[1]))
        && body.parse::<usize>().is_ok_and(|n| CHARACTERS[n % 31] == check)
}

/// Norway: two digits modulo 11.
pub(super) fn fodselsnummer(number: &str) -> bool {
    digits(number, 11).is_some_and(|d| {
        weighted(&d, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]).is_multiple_of(11)
            && weighted(&d, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
    })
}

/// Denmark.
pub(super) fn cpr(number: &str) -> bool {
    digits(number, 10).is_some_and(|d| {
        weighted(&d, &[4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11) && is_month_and_day(d[2] * 10 + d[3], d[0] * 10 + d[1])
    })
}

/// Iceland.
pub(super) fn kennitala(number: &str) -> bool {
    digits(number, 10).is_some_and(|d| weighted(&d, &[3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11) && matches!(d[9], 0 | 8 | 9))
}

/// Estonia and Lithuania.
pub(super) fn baltic_code(number: &str) -> bool {
    digits(number, 11).is_some_and(|d| {
        let first = weighted(&d, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
        let check = if first < 10 { first } else { weighted(&d, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10 };
        check == d[10] && is_month_and_day(d[3] * 10 + d[4], d[5] * 10 + d[6])
    })
}

/// Romania.
pub(super) fn cnp(number: &str) -> bool {
    digits(number, 13).is_some_and(|d| {
        let check = weighted(&d, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
        (if check == 10 { 1 } else { check }) == d[12] && is_month_and_day(d[3] * 10 + d[4], d[5] * 10 + d[6])
    })
}

/// Bulgaria.
pub(super) fn egn(number: &str) -> bool {
    digits(number, 10).is_some_and(|d| {
        // Month plus 20 for births before 1900, plus 40 for those since 2000.
        let month = (d[2] * 10 + d[3]) % 20;
        weighted(&d, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10 == d[9] && is_month_and_day(month, d[4] * 10 + d[5])
    })
}

/// Slovenia and the other states that were Yugoslavia.
pub(super) fn emso(number: &str) -> bool {
    digits(number, 13).is_some_and(|d| {
        let rest = weighted(&d, &[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
        (11 - rest) % 11 == d[12] && is_month_and_day(d[2] * 10 + d[3], d[0] * 10 + d[1])
    })
}

/// Czechia and Slovakia: nine digits until 1953, then ten; month plus 50 for women, plus 20 where a day's numbers ran out.
pub(super) fn rodne_cislo(number: &str) -> bool {
    let Some(d) = digits(number, number.len()).filter(|d| matches!(d.len(), 9 | 10)) else { return false };
    let month = (d[2] * 10 + d[3]) % 50;
    let is_date = is_month_and_day(if month > 20 { month - 20 } else { month }, d[4] * 10 + d[5]);
    is_date && (d.len() == 9 || number[..9].parse::<u64>().is_ok_and(|body| (body % 11 % 10) as u32 == d[9]))
}

/// Switzerland: an EAN-13 that begins with 756.
pub(super) fn ahv(number: &str) -> bool {
    number.starts_with("756")
        && digits(number, 13).is_some_and(|d| weighted(&d, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10))
}
