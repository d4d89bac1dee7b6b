//! One secret, sealed: AES-256-GCM under a key that PBKDF2 makes of the key of the vault.

use std::num::NonZeroU32;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    pbkdf2::{PBKDF2_HMAC_SHA256, derive},
    rand::{SecureRandom as _, SystemRandom},
};
use serde::{Deserialize, Serialize};

const ROUNDS: NonZeroU32 = match NonZeroU32::new(100_000) {
    Some(rounds) => rounds,
    None => NonZeroU32::MIN,
};

/// How long salts are that are made here.
pub(super) const SALT_BYTES: usize = 16;

/// The version of the form.
const VERSION: u32 = 2;

/// A secret as its file has it.
#[derive(Serialize, Deserialize)]
pub(super) struct Sealed {
    iv: String,
    /// The encrypted text and the tag that proves it.
    data: String,
    salt: String,
    version: u32,
}

/// The key of one secret.
pub(super) type SecretKey = [u8; 32];

/// The key that the key material of a vault gives with a salt.
pub(super) fn key_of(material: &[u8], salt: &[u8]) -> SecretKey {
    let mut key = [0; 32];
    derive(PBKDF2_HMAC_SHA256, ROUNDS, salt, material, &mut key);
    key
}

/// Random bytes of the system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| "the system gives no random numbers".to_owned())?;
    Ok(bytes)
}

impl Sealed {
    /// Reads the content of a file.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let sealed: Self = serde_json::from_slice(bytes).map_err(|_| "the file has another form".to_owned())?;
        if sealed.version != VERSION {
            return Err(format!("the file has version {}, and {VERSION} is known", sealed.version));
        }
        Ok(sealed)
    }

    /// The content of a file.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, String> {
        serde_json::to_vec(self).map_err(|error| error.to_string())
    }

    pub(super) fn salt(&self) -> Result<Vec<u8>, String> {
        decode("salt", &self.salt)
    }

    /// The text.
    pub(super) fn open(&self, key: &SecretKey) -> Result<String, String> {
        let iv = decode("iv", &self.iv)?;
        let iv: [u8; NONCE_LEN] = iv.try_into().map_err(|_| format!("`iv` has not {NONCE_LEN} bytes"))?;
        let mut data = decode("data", &self.data)?;
        let opened = cipher(key)?.open_in_place(Nonce::assume_unique_for_key(iv), Aad::empty(), &mut data);
        let bytes = opened.map_err(|_| "it was encrypted with another key, or changed since".to_owned())?;
        String::from_utf8(bytes.to_vec()).map_err(|_| "it is no text".to_owned())
    }

    /// Seals a text under the key that belongs to this salt. The salt, and with it the key, is used once.
    pub(super) fn new(key: &SecretKey, salt: &[u8], text: &str) -> Result<Self, String> {
        Self::with_iv(key, salt, random()?, text)
    }

    pub(super) fn with_iv(key: &SecretKey, salt: &[u8], iv: [u8; NONCE_LEN], text: &str) -> Result<Self, String> {
        let mut data = text.as_bytes().to_vec();
        let sealed = cipher(key)?.seal_in_place_append_tag(Nonce::assume_unique_for_key(iv), Aad::empty(), &mut data);
        sealed.map_err(|_| "it is too long".to_owned())?;
        Ok(Self { iv: STANDARD.encode(iv), data: STANDARD.encode(data), salt: STANDARD.encode(salt), version: VERSION })
    }
}

fn cipher(key: &SecretKey) -> Result<LessSafeKey, String> {
    Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(|_| "the key cannot be used".to_owned())?))
}

fn decode(name: &str, text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text).map_err(|_| format!("`{name}` is no base64"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MATERIAL: &str = "00000000-0000-4000-8000-00000000000111111111-1111-4111-8111-111111111111";
    const FILE: &str = r#"{"iv":"AAECAwQFBgcICQoL","data":"F1+RboRPNxGXo5mgOnfiagObdOSjiUEHl6o=","salt":"AAECAwQFBgcICQoLDA0ODw==","version":2}"#;

    #[test]
    fn d1_a_file_of_the_format_is_read_and_written() {
        let sealed = Sealed::read(FILE.as_bytes()).expect("the form");
        let salt = sealed.salt().expect("a salt");
        let key = key_of(MATERIAL.as_bytes(), &salt);
        let hex = "7097a6aed4a1e312ddbeaa697164b2a4bb47a14c413299d6cd13a5e45bd3e425";
        for (index, byte) in key.iter().enumerate() {
            assert_eq!(format!("{byte:02x}"), hex[2 * index..2 * index + 2]);
        }
        assert_eq!(sealed.open(&key).as_deref(), Ok("hunter2-ä"));
        let iv = std::array::from_fn(|index| u8::try_from(index).unwrap());
        let written = Sealed::with_iv(&key, &salt, iv, "hunter2-ä").expect("sealed");
        assert_eq!(String::from_utf8(written.to_bytes().unwrap()).unwrap(), FILE);
    }

    #[test]
    fn d2_the_bytes_of_the_key_count_as_they_are() {
        let sealed = Sealed::read(FILE.as_bytes()).expect("the form");
        let key = key_of(format!("{MATERIAL}\n").as_bytes(), &sealed.salt().expect("a salt"));
        assert_eq!(sealed.open(&key), Err("it was encrypted with another key, or changed since".to_owned()));
    }

    #[test]
    fn what_is_no_such_file_says_what_is_wrong() {
        for (file, message) in [
            ("", "the file has another form"),
            (&FILE.replace("\"version\":2", "\"version\":3"), "the file has version 3, and 2 is known"),
        ] {
            assert_eq!(Sealed::read(file.as_bytes()).err().as_deref(), Some(message));
        }
        let key = key_of(b"x", b"y");
        let short = Sealed::read(FILE.replace("AAECAwQFBgcICQoL\"", "AAEC\"").as_bytes()).expect("the form");
        assert_eq!(short.open(&key), Err("`iv` has not 12 bytes".to_owned()));
        let garbage = Sealed::read(FILE.replace("F1+R", "*").as_bytes()).expect("the form");
        assert_eq!(garbage.open(&key), Err("`data` is no base64".to_owned()));
    }
}
