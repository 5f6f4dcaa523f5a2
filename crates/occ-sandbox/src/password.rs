//! The password of one sandbox: made here, kept in a file only its user can read.

use std::io;

use rustix::rand::{GetRandomFlags, getrandom};

use crate::files::{self, FileError};
use crate::record::Home;

/// The password of a sandbox; it does not print itself.
pub type Password = occ_opencode::Secret<String>;

/// Characters a generated password is made of: no two of them look alike.
const ALPHABET: &[u8; 56] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";
/// Characters of a generated password: 24 of 56 kinds are 139 bits.
const LENGTH: usize = 24;

/// Returns a new password from the kernel's random source.
///
/// # Errors
/// When the kernel has no randomness to give.
pub fn generate() -> io::Result<Password> {
    let mut text = String::with_capacity(LENGTH);
    let mut bytes = [0_u8; 64];
    while text.len() < LENGTH {
        let count = getrandom(&mut bytes, GetRandomFlags::empty())?;
        // Bytes past the largest multiple of 56 would favour the alphabet's start.
        let fair = bytes[..count].iter().filter(|byte| **byte < 224);
        let room = LENGTH - text.len();
        text.extend(fair.take(room).map(|byte| char::from(ALPHABET[usize::from(byte % 56)])));
    }
    Ok(Password::from(text))
}

/// Returns the stored password, or none when there is no usable one.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn load(home: &Home) -> Result<Option<Password>, FileError> {
    let path = home.password_path();
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let text = text.trim_end_matches(['\n', '\r']);
            Ok((!text.is_empty()).then(|| Password::from(text)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::wrap("read", &path)(error)),
    }
}

/// Stores a password, readable by its owner alone.
///
/// # Errors
/// When the folder is not writable or full.
pub fn store(home: &Home, password: &Password) -> Result<(), FileError> {
    files::replace(&home.password_path(), format!("{}\n", password.expose()).as_bytes(), 0o600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_passwords_are_long_plain_and_never_the_same() {
        let (one, two) = (generate().expect("random"), generate().expect("random"));
        assert_eq!(one.expose().len(), LENGTH);
        assert!(one.expose().bytes().all(|byte| ALPHABET.contains(&byte)));
        assert_ne!(one, two);
    }
}
