//! Escaping of text for HTML, for SVG, and for JSON that stands in HTML: no name of a symbol can
//! end the text in which it stands.

use std::fmt;

/// Text between tags, or in an attribute in double quotes.
pub(crate) struct Text<'text>(pub(crate) &'text str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|letter| match letter {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            _ => write!(f, "{letter}"),
        })
    }
}

/// A JSON string that can stand in a `script` element: no `<` ends it.
pub(crate) struct Json<'text>(pub(crate) &'text str);

impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        self.0.chars().try_for_each(|letter| match letter {
            '"' => f.write_str("\\\""),
            '\\' => f.write_str("\\\\"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\x1f' => {
                write!(f, "\\u{:04x}", u32::from(letter))
            }
            _ => write!(f, "{letter}"),
        })?;
        f.write_str("\"")
    }
}

/// An address in two groups of eight digits, between which a line may end.
pub(crate) fn address(va: u64) -> String {
    format!("{:08x}<wbr>{:08x}", va >> 32, va & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::{Json, Text};

    #[test]
    fn nothing_that_a_name_can_have_ends_the_text_that_it_stands_in() {
        let name = "</script><b a=\"'&\\\n\u{2028}";
        let text = "&lt;/script&gt;&lt;b a=&quot;&#39;&amp;\\\n\u{2028}";
        assert_eq!(Text(name).to_string(), text);
        let json = r#""\u003c/script\u003e\u003cb a=\"'\u0026\\\u000a\u2028""#;
        assert_eq!(Json(name).to_string(), json);
    }
}
