//! With a container daemon: this machine's own, or one that the test starts for itself.

mod life;
