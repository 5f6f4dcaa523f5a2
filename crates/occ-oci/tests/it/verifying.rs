use std::io::{self, Cursor, Read};

use occ_oci::{Digest, Verifying, VerifyingError};
use proptest::prelude::*;

fn read(source: &[u8], promised: &[u8]) -> Result<Vec<u8>, VerifyingError> {
    let mut reader = Verifying::new(source, Digest::sha256(promised), promised.len() as u64);
    let mut bytes = Vec::new();
    match reader.read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => {
            let again = reader.read(&mut [0; 8]).unwrap_err();
            assert_eq!(VerifyingError::of(&again), VerifyingError::of(&error));
            Err(VerifyingError::of(&error).expect("an error of ours").clone())
        }
    }
}

#[test]
fn bytes_as_promised_pass_and_others_do_not() {
    assert_eq!(read(b"abc", b"abc"), Ok(b"abc".to_vec()));
    assert_eq!(read(b"", b""), Ok(Vec::new()));
    assert_eq!(read(b"ab", b"abc"), Err(VerifyingError::TooShort { expected: 3, got: 2 }));
    assert_eq!(read(b"abcd", b"abc"), Err(VerifyingError::TooLong { expected: 3 }));
    assert_eq!(
        read(b"abx", b"abc"),
        Err(VerifyingError::Digest {
            expected: Digest::sha256(b"abc"),
            got: Digest::sha256(b"abx")
        })
    );
}

#[test]
fn no_more_than_one_byte_beyond_the_promised_ones_is_read() {
    let mut source = Cursor::new(b"abcdefgh".to_vec());
    let mut reader = Verifying::new(&mut source, Digest::sha256(b"abc"), 3);
    assert!(reader.read_to_end(&mut Vec::new()).is_err());
    drop(reader);
    assert_eq!(source.position(), 4);
}

/// Hands out one byte at a time, and is interrupted before each.
struct Hesitant<'a>(&'a [u8], bool);

impl Read for Hesitant<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        self.0.take(1).read(buffer).inspect(|taken| self.0 = &self.0[*taken..])
    }
}

proptest! {
    #[test]
    fn only_the_promised_bytes_ever_come_to_a_good_end(
        source in prop::collection::vec(0u8..3, 0..6), promised in prop::collection::vec(0u8..3, 0..6)
    ) {
        let mut reader =
            Verifying::new(Hesitant(&source, false), Digest::sha256(&promised), promised.len() as u64);
        let mut bytes = Vec::new();
        let good = reader.read_to_end(&mut bytes).is_ok();
        prop_assert_eq!(good, source == promised);
        prop_assert!(bytes.len() <= promised.len());
    }
}
