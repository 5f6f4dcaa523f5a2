//! What can happen to a caller at any call.

use super::{Op, World};
use crate::error::Error;

/// What happens at one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// The caller is killed before the call takes effect.
    KilledBefore,
    /// The caller is killed when the call has taken effect.
    KilledAfter,
    /// The engine is gone before the call takes effect, and stays away.
    GoneBefore,
    /// The engine is gone when the call has taken effect, and stays away.
    GoneAfter,
    /// The call fails without any effect.
    Refused,
}

/// What a killed caller's panic carries: the closest thing to SIGKILL that a test in the same process
/// can survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Killed;

impl Blow {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::KilledBefore, Self::KilledAfter, Self::GoneBefore, Self::GoneAfter, Self::Refused];

    pub(super) fn comes_after(self) -> bool {
        matches!(self, Self::KilledAfter | Self::GoneAfter)
    }
}

impl World {
    /// Lets a blow fall.
    pub(super) fn suffer(&mut self, blow: Option<Blow>, op: Op) -> Result<(), Error> {
        match blow {
            None => Ok(()),
            Some(Blow::KilledBefore | Blow::KilledAfter) => {
                // Without the panic hook: nothing is wrong.
                std::panic::resume_unwind(Box::new(Killed))
            }
            Some(Blow::GoneBefore | Blow::GoneAfter) => {
                self.vanish();
                self.present()
            }
            Some(Blow::Refused) => {
                Err(Error::Refused { status: 500, message: format!("{op} is refused") })
            }
        }
    }
}
