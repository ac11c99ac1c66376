//! Probes ask, one pure machine concludes.
