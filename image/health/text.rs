//! Bytes that are put together without an allocator.

/// At most `N` bytes; what would be more is left out.
pub(crate) struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Text<N> {
    pub(crate) fn new() -> Self {
        Self { bytes: [0; N], length: 0 }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&[])
    }

    pub(crate) fn add(&mut self, more: &[u8]) -> &mut Self {
        for byte in more {
            if let Some(place) = self.bytes.get_mut(self.length) {
                *place = *byte;
                self.length += 1;
            }
        }
        self
    }

    /// Adds bytes as Base64 (RFC 4648, 4).
    pub(crate) fn add_base64(&mut self, bytes: &[u8]) -> &mut Self {
        const LETTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for group in bytes.chunks(3) {
            let mut number = 0;
            for place in 0..3 {
                number = number << 8 | u32::from(group.get(place).copied().unwrap_or(0));
            }
            for place in 0..4 {
                let letter = LETTERS[(number >> (18 - 6 * place) & 63) as usize];
                self.add(&[if place <= group.len() { letter } else { b'=' }]);
            }
        }
        self
    }
}

/// Reads a number of at most 16 bits.
pub(crate) fn number(text: &[u8]) -> Option<u16> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u16, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(u16::from(digit))
    })
}

/// Returns a text without the line breaks at its end.
pub(crate) fn without_line_breaks(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b'\n'] = text {
        text = rest;
    }
    text
}
