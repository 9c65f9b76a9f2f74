//! The state codes that identity documents use: ISO 3166-1 alpha-3 and the additions of ICAO Doc 9303 part 3.

use std::collections::HashSet;
use std::sync::LazyLock;

/// ISO 3166-1 alpha-3, in alphabetical order.
const ISO_ALPHA3: &str = "ABW AFG AGO AIA ALA ALB AND ARE ARG ARM ASM ATA ATF ATG AUS AUT AZE BDI BEL BEN BES BFA BGD BGR BHR BHS BIH BLM BLR \
    BLZ BMU BOL BRA BRB BRN BTN BVT BWA CAF CAN CCK CHE CHL CHN CIV CMR COD COG COK COL COM CPV CRI CUB CUW CXR CYM CYP CZE DEU DJI DMA DNK \
    DOM DZA ECU EGY ERI ESH ESP EST ETH FIN FJI FLK FRA FRO FSM GAB GBR GEO GGY GHA GIB GIN GLP GMB GNB GNQ GRC GRD GRL GTM GUF GUM GUY HKG \
    HMD HND HRV HTI HUN IDN IMN IND IOT IRL IRN IRQ ISL ISR ITA JAM JEY JOR JPN KAZ KEN KGZ KHM KIR KNA KOR KWT LAO LBN LBR LBY LCA LIE LKA \
    LSO LTU LUX LVA MAC MAF MAR MCO MDA MDG MDV MEX MHL MKD MLI MLT MMR MNE MNG MNP MOZ MRT MSR MTQ MUS MWI MYS MYT NAM NCL NER NFK NGA NIC \
    NIU NLD NOR NPL NRU NZL OMN PAK PAN PCN PER PHL PLW PNG POL PRI PRK PRT PRY PSE PYF QAT REU ROU RUS RWA SAU SDN SEN SGP SGS SHN SJM SLB \
    SLE SLV SMR SOM SPM SRB SSD STP SUR SVK SVN SWE SWZ SXM SYC SYR TCA TCD TGO THA TJK TKL TKM TLS TON TTO TUN TUR TUV TWN TZA UGA UKR UMI \
    URY USA UZB VAT VCT VEN VGB VIR VNM VUT WLF WSM YEM ZAF ZMB ZWE";

/// What ICAO adds: Germany's single letter, British classes, Kosovo, organisations, stateless persons and refugees,
/// withdrawn codes that valid documents still carry, and Utopia of the specimens.
const ICAO_ONLY: &str = "D GBD GBN GBO GBP GBS RKS XKX EUE UNO UNA UNK XXA XXB XXC XXX INP XOM XPO XBA XIM XCC XCE XCO XEC XES XMP XDC IAO UTO ANT \
    NTZ SCG YUG ROM ZAR TMP";

/// Both lists. The zone's decoder asks for every state that it may have read, so they are not gone through.
static STATE_CODES: LazyLock<HashSet<&str>> = LazyLock::new(|| ISO_ALPHA3.split(' ').chain(ICAO_ONLY.split(' ')).collect());

/// Whether a machine-readable zone may carry this code; fillers have to be trimmed before.
pub(crate) fn is_state_code(code: &str) -> bool {
    STATE_CODES.contains(code)
}

/// The code as it is reported: Germany's `D` and Kosovo's `XKX` in their usual three letters, all others as they stand.
pub(crate) fn reported_code(code: &str) -> &str {
    match code {
        "D" => "DEU",
        "XKX" => "RKS",
        other => other,
    }
}

/// Whether two codes may stand for the same state on one document, as British subjects' and citizens' codes do.
pub(crate) fn is_same_state(one: &str, other: &str) -> bool {
    fn family(code: &str) -> &str {
        match reported_code(code) {
            "GBD" | "GBN" | "GBO" | "GBP" | "GBS" => "GBR",
            known => known,
        }
    }
    family(one) == family(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_and_icao_codes_are_known_and_near_misses_are_not() {
        for code in ["UTO", "D", "DEU", "GBD", "RKS", "XXA", "ZWE", "ABW"] {
            assert!(is_state_code(code), "{code}");
        }
        for code in ["", "UT0", "AB", "W A", "DE", "PPC", " ", "ABW AFG"] {
            assert!(!is_state_code(code), "{code}");
        }
    }

    #[test]
    fn every_code_of_the_list_is_found() {
        for code in ISO_ALPHA3.split(' ').chain(ICAO_ONLY.split(' ')) {
            assert!(is_state_code(code), "{code}");
        }
        assert!(ISO_ALPHA3.split(' ').is_sorted());
    }

    #[test]
    fn british_classes_are_one_state() {
        assert!(is_same_state("GBD", "GBR"));
        assert!(is_same_state("D", "DEU"));
        assert!(!is_same_state("FRA", "DEU"));
    }
}
