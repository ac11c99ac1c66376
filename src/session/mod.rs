//! One connection, in the order it is lived.
