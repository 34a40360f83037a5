//! Physical memory as the walk reads it: by tables of 512 descriptors.

use crate::gdb::{Client, Connection, GdbError};

/// The RAM of a machine, read through its debugger's stub.
pub struct MachineMemory<'client, C> {
    client: &'client mut Client<C>,
    /// The end of RAM, which begins at 0. A read behind it may reach a device and have effects.
    ram_end: u64,
}

impl<'client, C: Connection> MachineMemory<'client, C> {
    /// The memory of a machine with RAM from 0 to `ram_end`.
    pub const fn new(client: &'client mut Client<C>, ram_end: u64) -> Self {
        Self { client, ram_end }
    }
}

impl<C: Connection> PhysicalMemory for MachineMemory<'_, C> {
    type Error = GdbError;

    fn read_table(&mut self, pa: u64) -> Result<Option<Table>, GdbError> {
        if pa >= self.ram_end {
            return Ok(None);
        }
        let mut bytes = [0; 4096];
        match self.client.read_physical(pa, &mut bytes) {
            Ok(()) => {}
            Err(GdbError::Refused { .. }) => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut table: Table = Box::new([0; 512]);
        for (word, bytes) in table.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Ok(Some(table))
    }
}

/// The 512 descriptors of a table.
pub type Table = Box<[u64; 512]>;

/// Physical memory that contains translation tables.
pub trait PhysicalMemory {
    /// The error with which reading ends for good.
    type Error;

    /// Reads the table at `pa`, a multiple of 4096; none where there is no RAM.
    ///
    /// # Errors
    /// When the connection to the memory has failed.
    fn read_table(&mut self, pa: u64) -> Result<Option<Table>, Self::Error>;
}
