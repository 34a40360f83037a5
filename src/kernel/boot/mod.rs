//! The order of boot: what comes before the shell.

mod init;
