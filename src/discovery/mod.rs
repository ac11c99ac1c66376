//! Where servers are: fixed addresses and names that resolve.
