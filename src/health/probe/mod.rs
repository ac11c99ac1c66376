//! Asks one server one question, once, under one deadline.
