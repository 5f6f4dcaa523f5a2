//! Trees and layers.

mod layers;
