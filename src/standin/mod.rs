//! Stand-in servers for the demo and the tests.
