//! Questions about the tokens of a source file.

#![forbid(unsafe_code)]

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The tokens of a stream, to be looked at in any order.
pub(super) fn list(stream: TokenStream) -> Vec<TokenTree> {
    stream.into_iter().collect()
}

/// The line of a token, from 1.
pub(super) fn line(token: &TokenTree) -> usize {
    token.span().start().line
}

/// Whether the token at `at` is the identifier or keyword `name`.
pub(super) fn is_ident(tokens: &[TokenTree], at: usize, name: &str) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Ident(ident)) if *ident == name)
}

/// Whether the token at `at` is the character `expected`.
pub(super) fn is_punct(tokens: &[TokenTree], at: usize, expected: char) -> bool {
    matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == expected)
}

/// Whether `::` stands at `at` and the next place.
pub(super) fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    is_punct(tokens, at, ':') && is_punct(tokens, at + 1, ':')
}

/// The tokens in the group at `at`, when it has that kind of bracket.
pub(super) fn group(tokens: &[TokenTree], at: usize, kind: Delimiter) -> Option<Vec<TokenTree>> {
    match tokens.get(at) {
        Some(TokenTree::Group(group)) if group.delimiter() == kind => Some(list(group.stream())),
        _ => None,
    }
}

/// Whether the identifier or keyword `name` stands anywhere in the tokens, or in a group in them.
pub(super) fn mentions(tokens: &[TokenTree], name: &str) -> bool {
    tokens.iter().any(|token| match token {
        TokenTree::Ident(ident) => *ident == name,
        TokenTree::Group(group) => mentions(&list(group.stream()), name),
        _ => false,
    })
}
