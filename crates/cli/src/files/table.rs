//! Tables of numbers in `.csv` files, with an optional header and an optional column of labels.
//!
//! The first row is a header if none of its cells is a number and one of them holds something; a number next to a word is
//! an error (or [`HeaderRow`] decides). Quotes and line ends follow RFC 4180, white space around cells is dropped, blank
//! lines are skipped, a UTF-8 mark at the start too. `nan` and `inf` are numbers here;
//! [`Samples::require_finite`](super::array::Samples::require_finite) refuses them. An empty cell is an error, or NaN where
//! that is asked for: then a blank line in a table of one column could be either, and is an error.
//! Cost: one pass over the text, which is held in memory.

use super::array::{Array, name_list, quoted, suggestion};
use super::error::CsvError;

/// How to read a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableOptions {
    /// The ASCII character between cells; default comma.
    pub delimiter: u8,
    /// Whether the first row names the columns; default: decided by its cells.
    pub header: HeaderRow,
    /// The column split off as labels; default none.
    pub label: Option<Column>,
    /// Whether an empty cell is NaN; default: it is an error.
    pub empty_is_nan: bool,
    /// Whether `true` and `false`, in any case, are 1 and 0; default: they are words.
    pub truth_values: bool,
}

impl Default for TableOptions {
    fn default() -> Self {
        Self {
            delimiter: b',',
            header: HeaderRow::Auto,
            label: None,
            empty_is_nan: false,
            truth_values: false,
        }
    }
}

/// Whether the first row names the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeaderRow {
    /// It does if none of its cells is a number and one of them is not empty; numbers next to words are an error.
    #[default]
    Auto,
    /// It does.
    Present,
    /// It holds numbers.
    Absent,
}

/// A column by name or place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    /// As in the header.
    Name(String),
    /// 0-based.
    Index(usize),
}

/// A table as read.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The features: every column except that of the labels.
    pub array: Array,
    /// The label column, if one was asked for.
    pub labels: Option<Vec<f64>>,
    /// Names of the feature columns; empty without header.
    pub column_names: Vec<String>,
    /// 1-based line in the file of each row.
    pub lines: Vec<u64>,
}

/// Reads a whole table from its text.
///
/// # Errors
/// See [`CsvError`]: nothing in it, another encoding, rows of different lengths, a cell that is not a number, no such
/// label column.
pub fn read(text: &[u8], options: &TableOptions) -> Result<Table, CsvError> {
    let table = read_all(text, options)?;
    let Some(column) = &options.label else {
        return Ok(table);
    };
    let columns = table.array.columns;
    let label = resolve(column, &table.column_names, columns)?;
    if columns == 1 {
        return Err(CsvError::OnlyLabels);
    }
    Ok(split_off(table, label))
}

/// A column of labels alone: the label column asked for, or the only one.
///
/// # Errors
/// As [`read`], and several columns of which none is named.
pub fn read_labels(text: &[u8], options: &TableOptions) -> Result<Vec<f64>, CsvError> {
    let table = read_all(text, options)?;
    let columns = table.array.columns;
    let j = match &options.label {
        Some(column) => resolve(column, &table.column_names, columns)?,
        None if columns == 1 => 0,
        None => return Err(CsvError::LabelsNeedOneColumn { columns }),
    };
    Ok(table.array.data.iter().skip(j).step_by(columns).copied().collect())
}

/// The table with every column among the features.
fn read_all(text: &[u8], options: &TableOptions) -> Result<Table, CsvError> {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    if text.starts_with(b"\xFF\xFE") || text.starts_with(b"\xFE\xFF") {
        return Err(CsvError::Encoding { found: "UTF-16" });
    }
    let mut rows = Rows::new(text, options.delimiter);
    let mut record = csv::ByteRecord::new();
    let first_line = rows.next(&mut record).ok_or(CsvError::Empty { after: "" })?;
    let columns = record.len();
    let (mut next, mut column_names) = (Some(first_line), Vec::new());
    if columns == 1 && options.empty_is_nan {
        blank_line(text).map_or(Ok(()), |line| Err(CsvError::BlankLine { line }))?;
    }
    if is_header(&record, first_line, options)? {
        column_names.extend(record.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()));
        next = rows.next(&mut record);
    }
    let (mut data, mut lines) = (Vec::new(), Vec::new());
    while let Some(line) = next {
        if record.len() != columns {
            let (found, hint) = (record.len(), ragged_hint(&record, options));
            return Err(CsvError::Ragged { line, found, expected: columns, first_line, hint });
        }
        for (j, cell) in record.iter().enumerate() {
            let place = Place { line, column: j, names: &column_names, is_first: line == first_line };
            data.push(entry(cell, place, options)?);
        }
        lines.push(line);
        next = rows.next(&mut record);
    }
    if lines.is_empty() {
        return Err(CsvError::Empty { after: " after its header" });
    }
    let array = Array { rows: lines.len(), columns, data, dtype: "text".to_owned() };
    Ok(Table { array, labels: None, column_names, lines })
}

/// Whether the first row names the columns: never a row of numbers and empty cells, whatever an empty cell means.
fn is_header(first: &csv::ByteRecord, line: u64, options: &TableOptions) -> Result<bool, CsvError> {
    match options.header {
        HeaderRow::Present => return Ok(true),
        HeaderRow::Absent => return Ok(false),
        HeaderRow::Auto => {}
    }
    let find = |is_number: bool| {
        first.iter().position(|cell| !cell.is_empty() && number(cell, options).is_some() == is_number)
    };
    match (find(true), find(false)) {
        (Some(number), Some(word)) => {
            let [found, number] = [word, number].map(|j| quoted(&first[j]));
            let place = Place { line, column: word, names: &[], is_first: true };
            let hint = missing_hint(&first[word], place, options);
            Err(CsvError::HeaderOrData { line, column: word, found, number, hint })
        }
        (_, word) => Ok(word.is_some()),
    }
}

/// 1-based line of the first line without a character.
fn blank_line(text: &[u8]) -> Option<u64> {
    let (mut line, mut start) = (1, 0);
    for (k, &byte) in text.iter().enumerate() {
        let ends = byte == b'\n' || (byte == b'\r' && text.get(k + 1) != Some(&b'\n'));
        if ends {
            if matches!(text[start..k], [] | [b'\r']) {
                return Some(line);
            }
            (line, start) = (line + 1, k + 1);
        }
    }
    None
}

/// Moves one column from the features to the labels.
fn split_off(mut table: Table, label: usize) -> Table {
    let rows = table.array.data.chunks_exact(table.array.columns);
    table.labels = Some(rows.map(|row| row[label]).collect());
    let (mut k, columns) = (0, table.array.columns);
    table.array.data.retain(|_| {
        k += 1;
        (k - 1) % columns != label
    });
    table.array.columns -= 1;
    if !table.column_names.is_empty() {
        table.column_names.remove(label);
    }
    table
}

/// The index of a column.
fn resolve(column: &Column, names: &[String], columns: usize) -> Result<usize, CsvError> {
    let name = match column {
        Column::Index(index) if *index < columns => return Ok(*index),
        Column::Index(index) => {
            return Err(CsvError::ColumnRange { index: *index, columns });
        }
        Column::Name(name) if names.is_empty() => {
            return Err(CsvError::NoHeader { name: name.clone() });
        }
        Column::Name(name) => name,
    };
    let mut places = (0..columns).filter(|&j| names[j] == *name);
    match (places.next(), places.count()) {
        (Some(j), 0) => Ok(j),
        (Some(_), more) => Err(CsvError::AmbiguousColumn { name: name.clone(), count: more + 1 }),
        (None, _) => Err(CsvError::NoSuchColumn {
            name: name.clone(),
            suggestion: suggestion(name, names),
            available: name_list(names),
        }),
    }
}

/// Rows with the lines they start on.
struct Rows<'a> {
    text: &'a [u8],
    reader: csv::Reader<&'a [u8]>,
    /// Everything before this byte has been counted.
    byte: usize,
    /// 1-based line of `byte`.
    line: u64,
}

impl<'a> Rows<'a> {
    fn new(text: &'a [u8], delimiter: u8) -> Self {
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .delimiter(delimiter)
            .from_reader(text);
        Self { text, reader, byte: 0, line: 1 }
    }

    /// The next row and its line. The reader's own line is that of the blank lines before a row, so lines are counted here.
    fn next(&mut self, record: &mut csv::ByteRecord) -> Option<u64> {
        let before = self.reader.position().byte() as usize;
        let more =
            self.reader.read_byte_record(record).expect("bytes in memory, any lengths: nothing can fail");
        let blank = self.text[before..].iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let start = before + blank;
        let ends = (self.byte..start).filter(|&k| match self.text[k] {
            b'\n' => true,
            b'\r' => self.text.get(k + 1) != Some(&b'\n'),
            _ => false,
        });
        self.line += ends.count() as u64;
        self.byte = start;
        more.then_some(self.line)
    }
}

/// The number that a cell spells, as Rust reads it: `1`, `-2.5e-3`, `nan`, `inf`.
fn number(cell: &[u8], options: &TableOptions) -> Option<f64> {
    if cell.is_empty() && options.empty_is_nan {
        return Some(f64::NAN);
    }
    if options.truth_values {
        let truth = [(b"true".as_slice(), 1.0), (b"false".as_slice(), 0.0)];
        if let Some((_, value)) = truth.into_iter().find(|(word, _)| cell.eq_ignore_ascii_case(word)) {
            return Some(value);
        }
    }
    str::from_utf8(cell).ok()?.parse().ok()
}

/// Where a cell stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    line: u64,
    column: usize,
    /// Names of the columns; empty without header.
    names: &'a [String],
    /// Whether the line is the first of the table.
    is_first: bool,
}

impl Place<'_> {
    /// Index of the column, with its name where there is a header.
    fn column(self) -> String {
        match self.names.get(self.column) {
            Some(name) => format!("{} ({})", self.column, quoted(name.as_bytes())),
            None => self.column.to_string(),
        }
    }

    fn is_label(self, options: &TableOptions) -> bool {
        match &options.label {
            None => false,
            Some(Column::Index(index)) => *index == self.column,
            Some(Column::Name(name)) => self.names.get(self.column) == Some(name),
        }
    }
}

/// The number that a cell of data holds.
fn entry(cell: &[u8], place: Place<'_>, options: &TableOptions) -> Result<f64, CsvError> {
    match number(cell, options) {
        Some(value) if value.is_infinite() && cell.iter().any(u8::is_ascii_digit) => {
            Err(CsvError::TooLarge { line: place.line, column: place.column(), found: quoted(cell) })
        }
        Some(value) => Ok(value),
        None if cell.is_empty() && place.is_label(options) => {
            Err(CsvError::NoLabel { line: place.line, column: place.column() })
        }
        None => Err(not_a_number(cell, place, options)),
    }
}

fn not_a_number(cell: &[u8], place: Place<'_>, options: &TableOptions) -> CsvError {
    let missing = missing_hint(cell, place, options);
    let hint = if cell.is_empty() {
        "; fill the empty cell in or drop the row"
    } else if !missing.is_empty() {
        missing
    } else if cell.contains(&b'\n') {
        "; the cell spans several lines: is a quote left open?"
    } else if let Some(hint) = delimiter_hint(cell, options) {
        hint
    } else if cell.contains(&b',') {
        "; write the decimal mark as a point, and set data.file.delimiter = \",\" if cells are separated by commas"
    } else if place.is_first && options.header == HeaderRow::Absent {
        "; set data.file.header = \"yes\" if the line names the columns"
    } else if options.truth_values {
        "; accepted are 1, 0, true and false"
    } else {
        "; accepted are numbers like 1, -2.5e-3: encode categories as numbers"
    };
    CsvError::Cell { line: place.line, column: place.column(), found: quoted(cell), hint }
}

/// What to write in place of a word by which other tools mark a missing value, where one may be missing.
fn missing_hint(cell: &[u8], place: Place<'_>, options: &TableOptions) -> &'static str {
    const WORDS: [&str; 8] = ["na", "n/a", "<na>", "null", "none", "missing", "?", "-"];
    let is_word = WORDS.iter().any(|word| cell.eq_ignore_ascii_case(word.as_bytes()));
    let may_be_missing = options.empty_is_nan && !place.is_label(options);
    if is_word && may_be_missing { "; an empty field or nan marks a missing feature" } else { "" }
}

/// The key to set where a cell seems to hold several, separated by something else than the delimiter.
fn delimiter_hint(cell: &[u8], options: &TableOptions) -> Option<&'static str> {
    let numbers = cell.split(u8::is_ascii_whitespace).filter(|part| !part.is_empty());
    let are_numbers =
        numbers.clone().count() > 1 && numbers.clone().all(|part| number(part, options).is_some());
    if cell.contains(&b';') {
        Some("; set data.file.delimiter = \";\": cells seem to be separated by semicolons")
    } else if cell.contains(&b'\t') {
        Some("; set data.file.delimiter = \"\\t\": cells seem to be separated by tabs")
    } else if are_numbers {
        Some("; set data.file.delimiter = \" \": cells seem to be separated by blanks")
    } else {
        None
    }
}

fn ragged_hint(record: &csv::ByteRecord, options: &TableOptions) -> &'static str {
    if record.iter().any(|cell| cell.contains(&b'\n')) {
        return "; a cell spans several lines: is a quote left open?";
    }
    record.iter().find_map(|cell| delimiter_hint(cell, options)).unwrap_or_default()
}
