//! Who may say what runs: each file of a release is signed by one of the pipeline's keys, if it has any.
//!
//! Signatures are those of ed25519 over the file's bytes, in a file beside it: 64 bytes, or these in base64. Keys are as
//! `openssl pkey -pubout` writes them.

use std::io;
use std::path::{Path, PathBuf};

use ed25519_dalek::{Signature, VerifyingKey};

use super::manifest::Artifact;
use crate::codec::base64;
use crate::config::Config;
use crate::error::{Code, Error, Result};

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";
/// What stands before the 32 bytes of a key in its DER: that it is one of ed25519.
const PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// A file that holds a key or a signature is no longer.
const LONGEST: u64 = 64 << 10;

/// Public keys. With none, nothing need be signed.
#[derive(Clone, Debug, Default)]
pub struct Keys(Vec<VerifyingKey>);

impl Keys {
    /// Those of a pipeline.
    pub fn of(config: &Config) -> Result<Self> {
        let key = |path: &PathBuf| {
            let path = config.path(path);
            let refuse = |why: String| Error::new(Code::Unsigned, format!("key {}: {why}", path.display()));
            let bytes = read(&path).map_err(|error| refuse(error.to_string()))?;
            let key = key(&bytes);
            key.ok_or_else(|| {
                refuse("is no ed25519 public key as `openssl pkey -pubout` writes it".to_owned())
            })
        };
        config.releases.keys.iter().map(key).collect::<Result<_>>().map(Self)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Refuses a file without a signature by one of the keys.
    pub fn check(&self, artifact: &Artifact, bytes: &[u8]) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let Artifact { file, signature, .. } = artifact;
        let refuse = |why: &str| Err(Error::new(Code::Unsigned, format!("{file}: {why}")));
        let Some(signature) = signature else {
            return refuse(&format!("has no signature: {file}.sig must lie beside it"));
        };
        let signature = Signature::from_bytes(signature);
        if self.0.iter().any(|key| key.verify_strict(bytes, &signature).is_ok()) {
            return Ok(());
        }
        refuse("its signature is not that of any key in releases.keys over these bytes: sign the file again")
    }
}

/// The file of a file's signature.
pub fn path_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

/// The signature beside a file, if there is one.
pub fn beside(file: &Path) -> Result<Option<[u8; 64]>> {
    let path = path_of(file);
    let refuse = |why: String| Error::new(Code::Unsigned, format!("{}: {why}", path.display()));
    let bytes = match read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refuse(error.to_string())),
    };
    let signature = signature(&bytes);
    signature
        .map(Some)
        .ok_or_else(|| refuse("is no signature of ed25519: 64 bytes, or these in base64".to_owned()))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    if std::fs::metadata(path)?.len() > LONGEST {
        return Err(io::Error::other("is far too long"));
    }
    std::fs::read(path)
}

/// From 64 bytes, or these in base64.
pub fn signature(bytes: &[u8]) -> Option<[u8; 64]> {
    bytes.try_into().ok().or_else(|| decoded(std::str::from_utf8(bytes).ok()?)?.try_into().ok())
}

fn key(pem: &[u8]) -> Option<VerifyingKey> {
    let (_, rest) = std::str::from_utf8(pem).ok()?.split_once(BEGIN)?;
    let (body, _) = rest.split_once(END)?;
    let der = decoded(body)?;
    VerifyingKey::from_bytes(der.strip_prefix(&PREFIX)?.try_into().ok()?).ok()
}

/// From base64 with whatever line ends.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let (text, mut bytes) = (text.split_ascii_whitespace().collect::<String>(), Vec::new());
    base64::decode(text.as_bytes(), &mut bytes).map(|()| bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::samples::facts;
    use super::*;

    /// Made by `openssl genpkey -algorithm ed25519`; the signature is of `hello` and a line end.
    const KEY: &str = include_str!("signature/key.pem");
    const OTHER: &str = include_str!("signature/other.pem");
    const SIGNATURE: &str = include_str!("signature/hello.sig");
    const HELLO: &[u8] = b"hello\n";

    fn keys(pems: &[&str]) -> Keys {
        Keys(pems.iter().map(|pem| key(pem.as_bytes()).expect("a key")).collect())
    }

    fn signed(signature: Option<[u8; 64]>) -> Artifact {
        Artifact { signature, ..facts(2).content.artifacts[0].clone() }
    }

    #[test]
    fn what_openssl_signs_is_believed_and_nothing_else() {
        let good = signature(SIGNATURE.as_bytes()).expect("a signature");
        assert_eq!(signature(&good), Some(good));
        keys(&[KEY]).check(&signed(Some(good)), HELLO).expect("signed");
        keys(&[OTHER, KEY]).check(&signed(Some(good)), HELLO).expect("by one of them");
        Keys::default().check(&signed(None), b"anything").expect("no key, no need");
        let mut bad = good;
        bad[3] ^= 1;
        for (keys, signature, bytes, says) in [
            (keys(&[KEY]), None, HELLO, "f.wasm.sig must lie beside it"),
            (keys(&[OTHER]), Some(good), HELLO, "sign the file again"),
            (keys(&[KEY]), Some(good), b"hello", "sign the file again"),
            (keys(&[KEY]), Some(bad), HELLO, "sign the file again"),
            (keys(&[KEY]), Some([0; 64]), HELLO, "sign the file again"),
        ] {
            let error = keys.check(&signed(signature), bytes).expect_err("not signed");
            assert!(error.code == Code::Unsigned && error.message.contains(says), "{error}");
        }
    }

    #[test]
    fn keys_that_are_none_are_refused() {
        let prime = KEY.replace("MCow", "MCox");
        for wrong in ["", "-----BEGIN PUBLIC KEY-----", &prime, &KEY.replace("PUBLIC", "PRIVATE")] {
            assert!(key(wrong.as_bytes()).is_none(), "{wrong}");
        }
        assert!(key(KEY.replace('\n', "\r\n").as_bytes()).is_some());
    }

    #[test]
    fn a_signature_lies_beside_its_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("f.wasm");
        assert_eq!(beside(&file).expect("none"), None);
        fs::write(folder.path().join("f.wasm.sig"), SIGNATURE).expect("writable");
        assert!(beside(&file).expect("one").is_some());
        fs::write(folder.path().join("f.wasm.sig"), "nonsense").expect("writable");
        assert_eq!(beside(&file).expect_err("nonsense").code, Code::Unsigned);
    }
}
