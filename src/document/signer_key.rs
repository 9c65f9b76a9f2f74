//! The public keys that sign Aadhaar codes, out of the files in which they are handed out.

use std::fmt;

use anyhow::{Context, bail};
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A public key that signs Aadhaar codes: RSA of 2048 bits or more, with SHA-256.
#[derive(Clone)]
pub struct SignerKey(ParsedPublicKey);

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignerKey")
    }
}

impl SignerKey {
    /// The keys of a file: certificates or public keys in PEM, any number of them, or one of either in DER.
    ///
    /// A certificate's dates are not looked at: cards outlive the certificates they were signed with.
    ///
    /// # Errors
    /// The file holds no key, or one that is no RSA key of 2048 bits or more.
    pub fn read_all(file: &[u8]) -> anyhow::Result<Vec<Self>> {
        let ders = match std::str::from_utf8(file) {
            Ok(text) if text.contains("-----BEGIN ") => pem_blocks(text)?,
            _ => vec![file.to_vec()],
        };
        if ders.is_empty() {
            bail!("there is no certificate and no public key in it");
        }
        ders.iter().map(|der| Self::from_der(der)).collect()
    }

    /// A certificate, a subject public key info or an RSA public key (PKCS #1).
    fn from_der(der: &[u8]) -> anyhow::Result<Self> {
        let key = certificate_key(der).unwrap_or(der);
        let parsed = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key);
        parsed.map(Self).ok().context("it is no certificate and no RSA public key of 2048 bits or more")
    }

    /// Whether the signature over the message is of this key.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }
}

/// The contents of every block of a kind that may hold a public key; private keys and requests are passed over.
fn pem_blocks(text: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut blocks = Vec::new();
    for kind in ["CERTIFICATE", "PUBLIC KEY", "RSA PUBLIC KEY"] {
        let (begin, end) = (format!("-----BEGIN {kind}-----"), format!("-----END {kind}-----"));
        for block in text.split(&begin).skip(1) {
            let body = block.split_once(&end).context("a PEM block in it has no end")?.0;
            let base64: String = body.split_whitespace().collect();
            blocks.push(STANDARD.decode(base64).context("a PEM block in it is no base64")?);
        }
    }
    Ok(blocks)
}

/// The subject public key info inside a certificate (RFC 5280, section 4.1); `None` where it is none.
fn certificate_key(der: &[u8]) -> Option<&[u8]> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (mut fields, _) = element(certificate.contents, SEQUENCE).map(|(tbs, rest)| (tbs.contents, rest))?;
    // The version has a tag of its own and may be missing.
    if let Some((_, rest)) = element(fields, VERSION) {
        fields = rest;
    }
    for tag in [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE] {
        // Serial number, signature algorithm, issuer, validity, subject.
        fields = element(fields, tag)?.1;
    }
    element(fields, SEQUENCE).map(|(key, _)| key.whole)
}

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// One element of DER.
struct Element<'a> {
    whole: &'a [u8],
    contents: &'a [u8],
}

/// The first element, where it has this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(Element<'_>, &[u8])> {
    let [first, length, rest @ ..] = der else { return None };
    let (n_length_bytes, length) = match length {
        0..=0x7f => (0, usize::from(*length)),
        0x81..=0x83 => {
            let n = usize::from(length - 0x80);
            (n, rest.get(..n)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
        }
        _ => return None,
    };
    let contents = rest.get(n_length_bytes..n_length_bytes + length).filter(|_| *first == tag)?;
    let (whole, after) = der.split_at(2 + n_length_bytes + length);
    Some((Element { whole, contents }, after))
}

#[cfg(test)]
pub(super) mod tests {
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::KeyPair as _;
    use proptest::prelude::*;

    use super::*;

    /// The key of a pair, as a file of it would give it.
    pub(in super::super) fn key_of(pair: &KeyPair) -> SignerKey {
        SignerKey::from_der(pair.public_key().as_ref()).expect("a public key")
    }

    fn pair() -> KeyPair {
        KeyPair::generate(KeySize::Rsa2048).expect("a key")
    }

    fn spki(pair: &KeyPair) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("its encoding");
        der.as_ref().to_vec()
    }

    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let contents = parts.concat();
        let n = contents.len() as u16;
        [&[tag, 0x82][..], &n.to_be_bytes(), &contents].concat()
    }

    /// Everything that a certificate has before and behind its key, without meaning.
    fn certificate(pair: &KeyPair) -> Vec<u8> {
        let (version, serial) = ([VERSION, 3, INTEGER, 1, 2], [INTEGER, 1, 7]);
        let other = der(SEQUENCE, &[b"issuer"]);
        let tbs = der(SEQUENCE, &[&version, &serial, &other, &other, &other, &other, &spki(pair)]);
        der(SEQUENCE, &[&tbs, &other, &[3, 1, 0]])
    }

    fn pem(kind: &str, der: &[u8]) -> String {
        let text = STANDARD.encode(der);
        let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        format!("-----BEGIN {kind}-----\r\n{}\r\n-----END {kind}-----\r\n", lines.join("\r\n"))
    }

    #[test]
    fn keys_are_read_however_they_are_handed_out() {
        let pair = pair();
        let pkcs1 = pair.public_key().as_ref();
        let bundle = format!("Subject: nobody\n{}{}", pem("CERTIFICATE", &certificate(&pair)), pem("PUBLIC KEY", &spki(&pair)));
        for (file, n_keys) in [
            (pkcs1.to_vec(), 1),
            (spki(&pair), 1),
            (certificate(&pair), 1),
            (pem("RSA PUBLIC KEY", pkcs1).into_bytes(), 1),
            (bundle.into_bytes(), 2),
        ] {
            let keys = SignerKey::read_all(&file).expect("keys");
            assert_eq!(keys.len(), n_keys);
            let encoded = |key: &SignerKey| AsDer::<PublicKeyX509Der<'_>>::as_der(&key.0).expect("its encoding").as_ref().to_vec();
            assert!(keys.iter().all(|key| encoded(key) == spki(&pair)));
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let pem_of_nothing = pem("CERTIFICATE", b"no certificate");
        let private = pem("PRIVATE KEY", b"secret");
        for file in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA", pem_of_nothing.as_str(), private.as_str()] {
            assert!(SignerKey::read_all(file.as_bytes()).is_err(), "{file}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = certificate_key(&bytes);
            let _ = SignerKey::read_all(&bytes);
        }
    }
}
