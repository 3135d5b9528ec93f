//! The header of a `.npy` file, parsed within bounds.
//!
//! ```text
//! \x93NUMPY  major minor  length (u16, from version 2 on u32, little endian)  text
//! text = {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }  + spaces + newline
//! ```
//!
//! The general parser of Python literals under `npyz` recurses, backtracks and multiplies shapes unchecked, so it must
//! not see text from outside. This one is a single left-to-right pass without recursion over at most
//! [`LONGEST_HEADER`] bytes, and knows just the dictionary above. Cost: linear in the header.
//!
//! Source: NumPy enhancement proposal 1, "A simple file format for NumPy arrays".

use std::io::Read;

use super::array::quoted;
use super::error::NpyError;

/// Longest header text accepted, in bytes. Version 1 cannot exceed it; arrays of numbers need under 200.
pub(super) const LONGEST_HEADER: u64 = 65_536;

/// The three entries of the dictionary.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    /// Element type: the text between the quotes, or the whole expression for a structured type.
    pub descr: String,
    /// Whether `descr` is a plain string, so no structured type.
    pub plain: bool,
    /// True: the first index runs fastest.
    pub fortran_order: bool,
    /// Lengths of the dimensions.
    pub shape: Vec<u64>,
}

/// A shape as Python writes it: `()`, `(3,)`, `(3, 4)`; at most 8 lengths, then `..`.
pub(super) fn shape_text(shape: &[u64]) -> String {
    match shape {
        [n] => format!("({n},)"),
        shape => {
            let shown: Vec<_> = shape.iter().take(8).map(u64::to_string).collect();
            let cut = if shape.len() > 8 { ", .." } else { "" };
            format!("({}{cut})", shown.join(", "))
        }
    }
}

/// The header of a new file, version 1.0, at most two dimensions: the bytes that `numpy.save` writes.
///
/// Spaces fill it up to a multiple of 64 bytes, so that the data are aligned.
pub(super) fn written(descr: &str, fortran_order: bool, shape: &[u64]) -> Vec<u8> {
    const PREFIX: usize = 10;
    let order = if fortran_order { "True" } else { "False" };
    let text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {}, }}", shape_text(shape));
    let size = (PREFIX + text.len() + 1).next_multiple_of(64);
    let length = u16::try_from(size - PREFIX).expect("a short type and two lengths take under 200 bytes");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(length.to_le_bytes());
    bytes.extend(text.bytes());
    bytes.resize(size - 1, b' ');
    bytes.push(b'\n');
    bytes
}

/// Reads magic, version, length and text; returns the header and the bytes it took.
///
/// `size` is the number of bytes that the stream holds.
///
/// # Errors
/// Wrong magic or version, a header that does not fit in `size` bytes, text that is not the dictionary.
pub(super) fn read(reader: &mut impl Read, size: u64) -> Result<(Header, u64), NpyError> {
    let mut start = [0; 12];
    let got = fill(reader, &mut start[..8])?;
    if got < 6 || start[..6] != *b"\x93NUMPY" {
        return Err(NpyError::Magic { found: found_start(&start[..got]) });
    }
    let length_bytes = match (start[6], start[7]) {
        _ if got < 8 => return Err(truncated(10, got as u64)),
        (1, 0) => 2,
        (2 | 3, 0) => 4,
        (major, minor) => return Err(NpyError::Version { major, minor }),
    };
    let got = fill(reader, &mut start[8..8 + length_bytes])?;
    let prefix = 8 + length_bytes as u64;
    if got < length_bytes {
        return Err(truncated(prefix, 8 + got as u64));
    }
    // The unread bytes are zero, so the u16 of version 1 reads right as a u32.
    let length = u64::from(u32::from_le_bytes([start[8], start[9], start[10], start[11]]));
    if prefix + length > size {
        return Err(truncated(prefix + length, size));
    }
    if length > LONGEST_HEADER {
        return Err(NpyError::HeaderTooLong { found: length, limit: LONGEST_HEADER });
    }
    let mut text = vec![0; length as usize];
    let got = fill(reader, &mut text)?;
    if got < text.len() {
        return Err(truncated(prefix + length, prefix + got as u64));
    }
    Ok((parse(&text)?, prefix + length))
}

fn truncated(promised: u64, found: u64) -> NpyError {
    NpyError::HeaderTruncated { promised, found }
}

fn found_start(bytes: &[u8]) -> String {
    if bytes.is_empty() { "nothing".to_owned() } else { bytes.escape_ascii().to_string() }
}

/// Reads until `buffer` is full or the stream ends; returns the bytes read.
pub(super) fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> Result<usize, NpyError> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(problem) if problem.kind() == std::io::ErrorKind::Interrupted => {}
            Err(problem) => return Err(NpyError::Io { problem }),
        }
    }
    Ok(filled)
}

/// `{'descr': .., 'fortran_order': .., 'shape': ..}` in any order, each exactly once.
fn parse(text: &[u8]) -> Result<Header, NpyError> {
    let mut cursor = Cursor { text, position: 0 };
    let (mut descr, mut fortran_order, mut shape) = (None, None, None);
    cursor.expect(b'{', "{")?;
    while !cursor.take(b'}') {
        let key_position = cursor.position;
        let key = cursor.string("a quoted key or }")?;
        cursor.expect(b':', ":")?;
        let new = match key.as_str() {
            "descr" => descr.replace(cursor.descr()?).is_none(),
            "fortran_order" => fortran_order.replace(cursor.boolean()?).is_none(),
            "shape" => shape.replace(cursor.shape()?).is_none(),
            _ => false,
        };
        if !new {
            cursor.position = key_position;
            return Err(cursor.error("one each of 'descr', 'fortran_order' and 'shape'"));
        }
        if !cursor.take(b',') {
            cursor.expect(b'}', ", or }")?;
            break;
        }
    }
    if cursor.peek().is_some() {
        return Err(cursor.error("nothing after }"));
    }
    let missing = |key| NpyError::Header { position: text.len(), found: "the end".to_owned(), expected: key };
    let (plain, descr) = descr.ok_or_else(|| missing("the key 'descr' before it"))?;
    let fortran_order = fortran_order.ok_or_else(|| missing("the key 'fortran_order' before it"))?;
    let shape = shape.ok_or_else(|| missing("the key 'shape' before it"))?;
    Ok(Header { descr, plain, fortran_order, shape })
}

/// A place in the header text.
struct Cursor<'a> {
    text: &'a [u8],
    position: usize,
}

impl Cursor<'_> {
    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.text[self.position..];
        self.position += rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
        self.text.get(self.position).copied()
    }

    fn take(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.position += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: u8, expected: &'static str) -> Result<(), NpyError> {
        if self.take(wanted) { Ok(()) } else { Err(self.error(expected)) }
    }

    fn error(&mut self, expected: &'static str) -> NpyError {
        let found = match self.peek() {
            None => "the end".to_owned(),
            Some(_) => quoted(self.text[self.position..].trim_ascii_end()),
        };
        NpyError::Header { position: self.position, found, expected }
    }

    /// A string in single or double quotes, printable ASCII, no escapes.
    fn string(&mut self, expected: &'static str) -> Result<String, NpyError> {
        let Some(quote @ (b'\'' | b'"')) = self.peek() else {
            return Err(self.error(expected));
        };
        let rest = &self.text[self.position + 1..];
        let length =
            rest.iter().take_while(|&&b| b != quote && b != b'\\' && (b' '..=b'~').contains(&b)).count();
        if rest.get(length) != Some(&quote) {
            self.position += 1 + length;
            return Err(self.error("the end of the string, without escapes"));
        }
        self.position += length + 2;
        Ok(rest[..length].iter().map(|&b| char::from(b)).collect())
    }

    /// A plain type string, or the raw text of a bracketed structured type.
    fn descr(&mut self) -> Result<(bool, String), NpyError> {
        match self.peek() {
            Some(b'[' | b'(') => Ok((false, self.bracketed()?)),
            _ => Ok((true, self.string("a type string like '<f8'")?)),
        }
    }

    /// Everything up to the bracket that closes the one here; quoted brackets do not count.
    fn bracketed(&mut self) -> Result<String, NpyError> {
        let (mut depth, mut quote) = (0_usize, None);
        for (k, &byte) in self.text[self.position..].iter().enumerate() {
            match (quote, byte) {
                (Some(q), _) if q == byte => quote = None,
                (Some(_), _) => {}
                (None, b'\'' | b'"') => quote = Some(byte),
                (None, b'[' | b'(') => depth += 1,
                (None, b']' | b')') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let text =
                    String::from_utf8_lossy(&self.text[self.position..=self.position + k]).into_owned();
                self.position += k + 1;
                return Ok(text);
            }
        }
        self.position = self.text.len();
        Err(self.error("the closing bracket of the structured type"))
    }

    fn boolean(&mut self) -> Result<bool, NpyError> {
        self.peek();
        for (word, value) in [("True", true), ("False", false)] {
            if self.text[self.position..].starts_with(word.as_bytes()) {
                self.position += word.len();
                return Ok(value);
            }
        }
        Err(self.error("True or False"))
    }

    /// `()`, `(3,)`, `(3, 4)`, `(3, 4,)`; no negative lengths.
    fn shape(&mut self) -> Result<Vec<u64>, NpyError> {
        let mut shape = Vec::new();
        self.expect(b'(', "a tuple like (3, 4)")?;
        while !self.take(b')') {
            shape.push(self.length()?);
            let comma = self.take(b',');
            if !comma && (shape.len() == 1 || self.peek() != Some(b')')) {
                return Err(self.error(", between lengths (and after a single one)"));
            }
        }
        Ok(shape)
    }

    fn length(&mut self) -> Result<u64, NpyError> {
        const EXPECTED: &str = "a length from 0 to 2^64 - 1";
        self.peek();
        let rest = &self.text[self.position..];
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        let value = rest[..digits]
            .iter()
            .try_fold(0_u64, |value, digit| value.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
        match value {
            Some(value) if digits > 0 => {
                self.position += digits;
                Ok(value)
            }
            _ => Err(self.error(EXPECTED)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        parse(text.as_bytes()).expect_err(text).to_string()
    }

    #[test]
    fn accepts_keys_in_any_order_and_both_quotes() {
        let header =
            parse(b" {\"shape\" :(3 , 4,), 'fortran_order':True,\t'descr': \"<f8\"}  \n").expect("valid");
        let expected = Header { descr: "<f8".into(), plain: true, fortran_order: true, shape: vec![3, 4] };
        assert_eq!(header, expected);
        let header = parse(b"{'descr':'<f8','fortran_order':False,'shape':()}").expect("valid");
        assert!(header.shape.is_empty() && !header.fortran_order);
    }

    #[test]
    fn a_structured_type_is_kept_whole() {
        let text = b"{'descr': [('a)', '<f8'), ('b', '<i4', (2,))], 'fortran_order': False, 'shape': (3,), }";
        let header = parse(text).expect("valid");
        assert_eq!(header.descr, "[('a)', '<f8'), ('b', '<i4', (2,))]");
        assert!(!header.plain);
    }

    #[test]
    fn refuses_everything_else_with_the_place() {
        for (text, expected) in [
            ("", "at its byte 0: found the end, expected {"),
            ("[1]", "at its byte 0: found \"[1]\", expected {"),
            ("{'descr' '<f8'}", "at its byte 9: found \"'<f8'}\", expected :"),
            ("{'descr': '<f8'", "at its byte 15: found the end, expected , or }"),
            ("{'descr': '<\\x668'}", "at its byte 12: found \"\\\\x668'}\", expected the end of the string"),
            ("{'descr': [((", "at its byte 13: found the end, expected the closing bracket"),
            (
                "{'descr': '<f8', 'descr': '<f8'}",
                "at its byte 17: found \"'descr': '<f8'}\", expected one each",
            ),
            ("{'more': 1}", "at its byte 1: found \"'more': 1}\", expected one each"),
            ("{'shape': (3)}", "at its byte 12: found \")}\", expected ,"),
            ("{'shape': (3 4)}", "at its byte 13: found \"4)}\", expected ,"),
            ("{'shape': (-3,)}", "at its byte 11: found \"-3,)}\", expected a length"),
            ("{'shape': (18446744073709551616,)}", "expected a length"),
            ("{'shape': (3,)}", "expected the key 'descr'"),
            (
                "{'descr': '<f8', 'fortran_order': false}",
                "at its byte 34: found \"false}\", expected True or False",
            ),
            ("{'descr': '<f8', 'fortran_order': True}", "expected the key 'shape'"),
            (
                "{'descr':'<f8','fortran_order':True,'shape':()}x",
                "at its byte 47: found \"x\", expected nothing",
            ),
        ] {
            let found = message(text);
            assert!(found.contains(expected), "{text}: {found}");
        }
    }

    /// Deep nesting must not recurse, whatever its length.
    #[test]
    fn nesting_is_not_recursion() {
        let text = format!("{{'descr': {}", "(".repeat(LONGEST_HEADER as usize));
        assert!(message(&text).contains("closing bracket"));
    }
}
