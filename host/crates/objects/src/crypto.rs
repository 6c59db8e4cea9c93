//! Digests and signatures of requests to a bucket, by the libraries that everything else uses.

use hmac::{Hmac, Mac};
use object_store::client::{CryptoProvider, DigestAlgorithm, DigestContext, HmacContext, Signer, SigningAlgorithm};
use object_store::{Error, Result};
use sha2::{Digest, Sha256};

/// What signing requests to S3 takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crypto;

impl CryptoProvider for Crypto {
    fn digest(&self, algorithm: DigestAlgorithm) -> Result<Box<dyn DigestContext>> {
        match algorithm {
            DigestAlgorithm::Sha256 => Ok(Box::new(Running { state: Some(Sha256::new()), value: [0; 32] })),
            other => Err(unsupported(&other)),
        }
    }

    fn hmac(&self, algorithm: DigestAlgorithm, secret: &[u8]) -> Result<Box<dyn HmacContext>> {
        match (algorithm, Hmac::<Sha256>::new_from_slice(secret)) {
            (DigestAlgorithm::Sha256, Ok(state)) => Ok(Box::new(Running { state: Some(state), value: [0; 32] })),
            (other, _) => Err(unsupported(&other)),
        }
    }

    fn sign(&self, algorithm: SigningAlgorithm, _: &[u8]) -> Result<Box<dyn Signer>> {
        Err(unsupported(&algorithm))
    }
}

fn unsupported(what: &dyn std::fmt::Debug) -> Error {
    Error::NotSupported { source: format!("{what:?} is not needed for S3").into() }
}

/// A digest or an HMAC that goes on until its value is asked for.
struct Running<S> {
    state: Option<S>,
    value: [u8; 32],
}

impl DigestContext for Running<Sha256> {
    fn update(&mut self, data: &[u8]) {
        if let Some(state) = &mut self.state {
            state.update(data);
        }
    }

    fn finish(&mut self) -> Result<&[u8]> {
        if let Some(state) = self.state.take() {
            self.value = state.finalize().into();
        }
        Ok(&self.value)
    }
}

impl HmacContext for Running<Hmac<Sha256>> {
    fn update(&mut self, data: &[u8]) {
        if let Some(state) = &mut self.state {
            Mac::update(state, data);
        }
    }

    fn finish(&mut self) -> Result<&[u8]> {
        if let Some(state) = self.state.take() {
            self.value = state.finalize().into_bytes().into();
        }
        Ok(&self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 4231, case 2, and FIPS 180-2.
    #[test]
    fn digests_and_hmacs_are_those_of_the_standards() {
        let mut digest = Crypto.digest(DigestAlgorithm::Sha256).unwrap();
        digest.update(b"a");
        digest.update(b"bc");
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(digest.finish().unwrap()), expected);
        assert_eq!(hex(digest.finish().unwrap()), expected, "also when it is asked for twice");
        let mut hmac = Crypto.hmac(DigestAlgorithm::Sha256, b"Jefe").unwrap();
        hmac.update(b"what do ya want for nothing?");
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex(hmac.finish().unwrap()), expected);
    }

    #[test]
    fn rsa_is_not_needed() {
        assert!(Crypto.sign(SigningAlgorithm::RS256, b"key").is_err());
    }
}
