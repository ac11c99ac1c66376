//! Accepting sockets and the workers behind them.
