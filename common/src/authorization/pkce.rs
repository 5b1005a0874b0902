//! Proof Key for Code Exchange, on the server's side (RFC 7636), with the method S256 only.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Whether this is a well-formed challenge: the base64url of 32 bytes (section 4.2).
pub fn is_challenge(challenge: &str) -> bool {
    matches!(BASE64_URL_SAFE_NO_PAD.decode(challenge), Ok(hash) if hash.len() == 32)
}

/// Whether the challenge was made from this verifier (section 4.6).
///
/// In constant time, so that the response time reveals nothing about the challenge.
pub fn is_proven(challenge: &str, verifier: &str) -> bool {
    let expected = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
    is_verifier(verifier) && expected.as_bytes().ct_eq(challenge.as_bytes()).into()
}

/// 43 to 128 unreserved characters (section 4.1): a shorter verifier could be guessed from the
/// challenge, which anyone may see.
fn is_verifier(verifier: &str) -> bool {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&verifier.len()) && verifier.bytes().all(is_unreserved)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_example_of_the_rfc_passes() {
        assert!(is_challenge(CHALLENGE));
        assert!(is_proven(CHALLENGE, VERIFIER));
    }

    #[test]
    fn only_the_verifier_itself_proves_its_challenge() {
        let longer = format!("{VERIFIER}k");
        for verifier in ["", CHALLENGE, &VERIFIER.to_lowercase(), &longer] {
            assert!(!is_proven(CHALLENGE, verifier), "{verifier}");
        }
        assert!(!is_proven("", VERIFIER));
        assert!(!is_proven(&CHALLENGE[..42], VERIFIER));
    }

    #[test]
    fn a_verifier_of_the_wrong_length_or_alphabet_is_rejected() {
        let proves_itself = |verifier: &str| {
            let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
            is_proven(&challenge, verifier)
        };
        for (length, is_right) in [(42, false), (43, true), (128, true), (129, false)] {
            assert_eq!(proves_itself(&"v".repeat(length)), is_right, "{length}");
        }
        assert!(proves_itself(&"-._~".repeat(11)));
        for wrong in [" ", "+", "/", "=", "é"] {
            assert!(!proves_itself(&format!("{VERIFIER}{wrong}")), "{wrong}");
        }
    }

    #[test]
    fn a_challenge_is_a_whole_hash_without_padding() {
        let (shorter, longer) = (&CHALLENGE[..42], format!("{CHALLENGE}A"));
        let padded = format!("{CHALLENGE}=");
        let other = CHALLENGE.replace('-', "+");
        for challenge in [
            "",
            shorter,
            &longer,
            &padded,
            &other,
            VERIFIER.trim_end_matches('k'),
        ] {
            assert!(!is_challenge(challenge), "{challenge}");
        }
    }
}
