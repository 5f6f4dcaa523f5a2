//! What comes out of foreign archives, and what never does.

mod damage;
mod limits;
pub(crate) mod material;
mod peers;
mod refused;
mod round;
