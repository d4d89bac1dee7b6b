//! Strict in-memory fakes of the ports.
