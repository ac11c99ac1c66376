//! Which server next? Pure decisions over candidates.
