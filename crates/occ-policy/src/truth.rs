//! Three-valued truth, after Kleene: what is not known stays not known until something else decides.

use std::ops::Not;

use serde::Serialize;

/// Whether something holds; ordered from no to yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Truth {
    /// It does not.
    No,
    /// Nobody knows.
    Unknown,
    /// It does.
    Yes,
}

impl Truth {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::No, Self::Unknown, Self::Yes];

    /// Returns whether all hold: as true as the least of them. All of nothing is yes.
    pub fn all(truths: impl IntoIterator<Item = Self>) -> Self {
        truths.into_iter().min().unwrap_or(Self::Yes)
    }

    /// Returns whether any holds: as true as the most of them. Any of nothing is no.
    pub fn any(truths: impl IntoIterator<Item = Self>) -> Self {
        truths.into_iter().max().unwrap_or(Self::No)
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

impl Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
            Self::Yes => Self::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Truth::{self, No, Unknown, Yes};

    #[test]
    fn all_and_any_of_nothing_are_yes_and_no() {
        assert_eq!(Truth::all([]), Yes);
        assert_eq!(Truth::any([]), No);
    }

    #[test]
    fn all_and_any_of_one_are_that_one() {
        for one in Truth::ALL {
            assert_eq!((Truth::all([one]), Truth::any([one])), (one, one));
        }
    }

    #[test]
    fn the_truth_table_of_all() {
        let rows = [
            (No, No, No),
            (No, Unknown, No),
            (No, Yes, No),
            (Unknown, No, No),
            (Unknown, Unknown, Unknown),
            (Unknown, Yes, Unknown),
            (Yes, No, No),
            (Yes, Unknown, Unknown),
            (Yes, Yes, Yes),
        ];
        for (one, other, both) in rows {
            assert_eq!(Truth::all([one, other]), both, "{one:?} and {other:?}");
        }
    }

    #[test]
    fn the_truth_table_of_any() {
        let rows = [
            (No, No, No),
            (No, Unknown, Unknown),
            (No, Yes, Yes),
            (Unknown, No, Unknown),
            (Unknown, Unknown, Unknown),
            (Unknown, Yes, Yes),
            (Yes, No, Yes),
            (Yes, Unknown, Yes),
            (Yes, Yes, Yes),
        ];
        for (one, other, either) in rows {
            assert_eq!(Truth::any([one, other]), either, "{one:?} or {other:?}");
        }
    }

    #[test]
    fn the_truth_table_of_not() {
        assert_eq!(Truth::ALL.map(|truth| !truth), [Yes, Unknown, No]);
    }
}
