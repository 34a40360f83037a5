//! Decoder of A64: the class and the operands of every integer instruction of Armv8.0-A.
//!
//! One decoder for every reader of machine code here: the checks of the linked image, and models
//! that execute an image. The encodings are those of the Arm Architecture Reference Manual for
//! A-profile (DDI 0487), section C4.1 "A64 instruction set encoding"; each decoding function names
//! the table (encoding class) that it follows.
//!
//! | module | contents; each uses the modules above it |
//! |---|---|
//! | `operand` | [`Register`], [`Width`], [`Condition`] |
//! | [`data`] | data processing, with immediates and with registers |
//! | [`flow`] | branches, returns, exceptions |
//! | [`system`] `names` | barriers, hints, maintenance, system registers, and their names |
//! | [`memory`] | loads and stores |
//! | [`vector`] | loads, stores and moves of SIMD and floating-point registers |
//! | `instruction` | [`Instruction`], and questions that are answered for every class |
//! | `decode` | [`decode()`], from a word to its instruction |
//! | `display` | instructions as text |
//!
//! ```
//! use a64::{Instruction, Register, data::Data, decode};
//!
//! // adr x0, .+20
//! let Instruction::Data(Data::Adr { rd, offset }) = decode(0x1000_00a0) else {
//!     panic!("it is an ADR");
//! };
//! assert_eq!((rd, offset), (Register(0), 20));
//! ```
//!
//! # Decisions
//! - No disassembler crate: the crates take for allocated whatever they decode, and on words that a
//!   compiler never emits they differ from each other. An answer of this decoder is traced to a
//!   line of a table in the manual, and on every word of the image it is compared with another
//!   disassembler's.
//! - SIMD, floating point, SVE and SME are told as [`Instruction::Vector`] and not decoded: the
//!   kernel has none. What other kernels' compilers copy memory with, [`decode_vector()`] decodes. An instruction that came after Armv8.0 is [`Instruction::Later`] where the
//!   first bits of its word tell its class, or [`Instruction::Unallocated`].
//! - Instructions are printed in the manual's canonical form, without the preferred aliases (`orr
//!   x0, xzr, x1` for `mov x0, x1`): the fields of the encoding, not their purpose.
#![forbid(unsafe_code)]

pub mod data;
mod decode;
mod display;
pub mod flow;
mod instruction;
pub mod memory;
mod names;
mod operand;
pub mod system;
pub mod vector;

pub use decode::{decode, decode_vector};
pub use instruction::{Instruction, Later};
pub use operand::{Condition, Register, Width};
