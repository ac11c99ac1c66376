//! Words that every room uses: units, deadlines, backoff.
