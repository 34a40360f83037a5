//! The structure block, token by token, and its nodes.
//!
//! Devicetree Specification, release 0.4: 5.4, the structure block; 5.5, the strings block.
//!
//! Reads what is there, as far as it goes: names may be of any length, the properties of a node may
//! stand before, between and behind its children, and the sizes of the blocks are not asked for (a
//! tree of version 16 does not say how long its structure is): the structure ends with its last
//! token, and both blocks with the tree.
#![forbid(unsafe_code)]

use crate::drivers::facts::Damage;

const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const NOTHING: u32 = 4;
const END: u32 = 9;
/// Bytes of a token, and of a cell.
const WORD: usize = 4;
/// No name that is asked for is longer. One that is has an end somewhere, which is not looked for.
const LONGEST_NAME: usize = 40;

/// Why nothing more can be read, and from where on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken {
    pub(super) damage: Damage,
    /// From the tree's first byte on.
    pub(super) at: usize,
}

/// A property.
#[derive(Clone, Copy)]
pub(super) struct Property<'a> {
    /// From its name on to the end of the tree.
    name: &'a [u8],
    pub(super) value: &'a [u8],
}

impl Property<'_> {
    pub(super) fn is(&self, name: &str) -> bool {
        let (name, found) = (name.as_bytes(), self.name);
        found.starts_with(name) && found.get(name.len()) == Some(&0)
    }

    /// Whether it has a name at all: one that lies in the tree, and is not empty, as it would be in
    /// memory to which the end of a tree was never copied.
    pub(super) fn is_named(&self) -> bool {
        let ends = self.name.len() > LONGEST_NAME || self.name.contains(&0);
        ends && self.name.first() != Some(&0)
    }

    /// The number in one or two cells.
    pub(super) fn number(&self) -> Option<u64> {
        match self.value.len() {
            4 | 8 => Some(big_endian(self.value)),
            _ => None,
        }
    }

    /// Whether the string is this text.
    pub(super) fn is_text(&self, text: &str) -> bool {
        self.value.strip_suffix(&[0]) == Some(text.as_bytes())
    }
}

/// The number in at most eight bytes.
pub(super) fn big_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A node whose name was read.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    pub(super) name: &'a [u8],
    contents: Tokens<'a>,
}

impl<'a> Node<'a> {
    /// The root of the tree in `blob`, whose blocks begin at these offsets.
    pub(super) fn root(blob: &'a [u8], structure: usize, strings: usize) -> Result<Self, Broken> {
        let mut tokens = Tokens {
            blob,
            at: structure,
            strings: blob.get(strings..).unwrap_or_default(),
        };
        let not_a_node = |token| Broken {
            damage: Damage::Token(token),
            at: structure,
        };
        match tokens.next()? {
            Token::Begin(name) => Ok(Self {
                name,
                contents: tokens,
            }),
            Token::Property(_) => Err(not_a_node(PROPERTY)),
            Token::End => Err(not_a_node(END_NODE)),
        }
    }

    /// Its name, without a unit address.
    pub(super) fn base_name(&self) -> &'a [u8] {
        let end = self.name.iter().position(|byte| *byte == b'@');
        self.name
            .get(..end.unwrap_or(self.name.len()))
            .unwrap_or(self.name)
    }

    /// Its properties and children, in their order. What is broken ends them.
    pub(super) const fn items(&self) -> Items<'a> {
        Items {
            tokens: self.contents,
            depth: 0,
            ended: false,
        }
    }

    /// Its properties, as far as they can be read: what is broken is for [`Node::items`] to tell.
    pub(super) fn properties(&self) -> impl Iterator<Item = Property<'a>> {
        self.items().filter_map(|item| match item {
            Ok(Item::Property(property)) => Some(property),
            Ok(Item::Child(_)) | Err(_) => None,
        })
    }

    /// The property of this name, as far as can be read.
    pub(super) fn property(&self, name: &str) -> Option<Property<'a>> {
        self.properties().find(|property| property.is(name))
    }
}

/// An item of a node.
pub(super) enum Item<'a> {
    Property(Property<'a>),
    Child(Node<'a>),
}

/// The properties and children of a node.
#[derive(Clone, Copy)]
pub(super) struct Items<'a> {
    tokens: Tokens<'a>,
    /// How many nodes inside are open.
    depth: usize,
    ended: bool,
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<Item<'a>, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            match self.tokens.next() {
                Ok(Token::Begin(name)) => {
                    self.depth += 1;
                    if self.depth == 1 {
                        let contents = self.tokens;
                        return Some(Ok(Item::Child(Node { name, contents })));
                    }
                }
                Ok(Token::End) => match self.depth.checked_sub(1) {
                    Some(depth) => self.depth = depth,
                    None => self.ended = true,
                },
                Ok(Token::Property(property)) if self.depth == 0 => {
                    return Some(Ok(Item::Property(property)));
                }
                Ok(Token::Property(_)) => {}
                Err(broken) => {
                    self.ended = true;
                    return Some(Err(broken));
                }
            }
        }
        None
    }
}

enum Token<'a> {
    Begin(&'a [u8]),
    End,
    Property(Property<'a>),
}

/// The tokens from a place on.
#[derive(Clone, Copy)]
struct Tokens<'a> {
    blob: &'a [u8],
    /// From the tree's first byte on.
    at: usize,
    strings: &'a [u8],
}

impl<'a> Tokens<'a> {
    /// The next one that means something; each step moves on by a word at least.
    fn next(&mut self) -> Result<Token<'a>, Broken> {
        loop {
            let at = self.at;
            match self.word()? {
                NOTHING => {}
                BEGIN_NODE => return self.name().map(Token::Begin),
                END_NODE => return Ok(Token::End),
                PROPERTY => return self.property().map(Token::Property),
                END => {
                    return Err(Broken {
                        damage: Damage::Unclosed,
                        at,
                    });
                }
                other => {
                    let damage = Damage::Token(other);
                    return Err(Broken { damage, at });
                }
            }
        }
    }

    fn property(&mut self) -> Result<Property<'a>, Broken> {
        let len = self.word()? as usize;
        let name = self.word()? as usize;
        Ok(Property {
            value: self.bytes(len)?,
            name: self.strings.get(name..).unwrap_or_default(),
        })
    }

    /// A node's name, without its NUL.
    fn name(&mut self) -> Result<&'a [u8], Broken> {
        let rest = self.blob.get(self.at..).unwrap_or_default();
        match rest.iter().position(|byte| *byte == 0) {
            Some(len) => {
                self.bytes(len + 1)?;
                Ok(rest.get(..len).unwrap_or_default())
            }
            None => Err(Broken {
                damage: Damage::CutOff,
                at: self.at,
            }),
        }
    }

    fn word(&mut self) -> Result<u32, Broken> {
        self.bytes(WORD).map(|bytes| big_endian(bytes) as u32)
    }

    /// The next `len` bytes; what fills their last word is skipped.
    fn bytes(&mut self, len: usize) -> Result<&'a [u8], Broken> {
        let at = self.at;
        let damage = Damage::CutOff;
        let rest = self.blob.get(at..).ok_or(Broken { damage, at })?;
        let bytes = rest.get(..len).ok_or(Broken { damage, at })?;
        self.at = at + len.next_multiple_of(WORD);
        Ok(bytes)
    }
}
