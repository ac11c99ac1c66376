//! Certificates chosen by name, and trust towards servers.
