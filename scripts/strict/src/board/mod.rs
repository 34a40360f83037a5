//! The devices of the BCM2837.
