//! Sizes as people read them.

use std::fmt;

/// A number of bytes, shown in decimal units, as engines and registries do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(
    /// Bytes.
    pub u64,
);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut unit, mut tenths) = ("B", u128::from(self.0) * 10);
        for next in ["kB", "MB", "GB", "TB"] {
            if tenths < 10_000 {
                break;
            }
            (unit, tenths) = (next, (tenths + 500) / 1000);
        }
        let text = match unit {
            "B" => format!("{} B", self.0),
            unit => format!("{}.{} {unit}", tenths / 10, tenths % 10),
        };
        f.pad(&text)
    }
}

/// The difference of two sizes, with its sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Growth(pub(crate) u64, pub(crate) u64);

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.1 < self.0 { '-' } else { '+' };
        f.pad(&format!("{sign}{}", Size(self.0.abs_diff(self.1))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_decimal_and_the_unit_that_fits() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1049, "1.0 kB"),
            (1050, "1.1 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (1_500_000_000, "1.5 GB"),
            (u64::MAX, "18446744.1 TB"),
        ] {
            assert_eq!(Size(bytes).to_string(), text);
        }
        assert_eq!(Growth(5, 2005).to_string(), "+2.0 kB");
        assert_eq!(format!("{:>8}", Growth(7, 5)), "    -2 B");
    }
}
