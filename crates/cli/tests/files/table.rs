//! `.csv`: headers, labels, delimiters, line numbers, finite values.

use cli::files::array::first_non_finite;
use cli::files::error::CsvError;
use cli::files::read::{ArrayFile, read_labels, read_samples};
use cli::files::table::{Column, HeaderRow, Table, TableOptions, read};

use crate::bytes::file;

fn parse(text: &str, label: Option<Column>) -> Result<Table, CsvError> {
    read(text.as_bytes(), &TableOptions { label, ..TableOptions::default() })
}

fn name(name: &str) -> Option<Column> {
    Some(Column::Name(name.to_owned()))
}

#[test]
fn a_header_is_a_first_row_of_words() {
    let with = parse("width,height\n1,2\n3,4\n", None).unwrap();
    assert_eq!((with.array.rows, with.array.columns, with.array.data), (2, 2, vec![1., 2., 3., 4.]));
    assert_eq!((with.column_names, with.lines), (vec!["width".into(), "height".into()], vec![2, 3]));
    let without = parse("1,2\n3,4", None).unwrap();
    assert_eq!((without.array.rows, without.column_names.len(), without.lines), (2, 0, vec![1, 2]));
}

/// No first sample is lost to a field that is empty or no number, whatever an empty field means.
#[test]
fn a_first_row_with_a_number_is_no_header() {
    for empty_is_nan in [false, true] {
        let options = TableOptions { empty_is_nan, ..TableOptions::default() };
        for text in ["0.1,2.3,,0.4\n1,2,3,4\n", ",0,1,2\n0,1,2,3\n", ",,,\n1,2,3,4\n"] {
            match read(text.as_bytes(), &options) {
                Ok(table) => assert!(empty_is_nan && table.lines == [1, 2], "{text:?}"),
                Err(CsvError::Cell { line, found, .. }) => {
                    assert!(!empty_is_nan && line == 1 && found == "\"\"", "{text:?}");
                }
                Err(problem) => panic!("{text:?}: {problem}"),
            }
        }
        for (text, place) in
            [("NA,2\n1,2\n", 0), ("1,1.2.3\n1,2\n", 1), ("\n,nan,x\n1,2,3\n", 2), ("id,2020\n1,2\n", 0)]
        {
            let line = if text.starts_with('\n') { 2 } else { 1 };
            match read(text.as_bytes(), &options) {
                Err(CsvError::HeaderOrData { line: found, column, .. }) => {
                    assert_eq!((found, column), (line, place), "{text:?}");
                }
                other => panic!("{text:?}: {other:?}"),
            }
        }
        let named = read(b"a,,c\n1,2,3\n", &options).unwrap();
        assert_eq!((named.array.rows, named.column_names), (1, vec!["a".into(), String::new(), "c".into()]));
    }
    let said = TableOptions { header: HeaderRow::Present, ..TableOptions::default() };
    assert_eq!(read(b"NA,2\n1,2\n", &said).unwrap().lines, [2]);
}

#[test]
fn truth_values_are_numbers_where_they_are_asked_for() {
    let options = TableOptions { truth_values: true, ..TableOptions::default() };
    for (text, lines) in [
        ("True,False\n0,TRUE\n", [1, 2]),
        ("a,b\ntrue,false\n0,1\n", [2, 3]),
        ("1,false\nFALSE,true\n", [1, 2]),
    ] {
        let table = read(text.as_bytes(), &options).unwrap();
        assert_eq!((table.array.data, table.lines), (vec![1.0, 0.0, 0.0, 1.0], lines.to_vec()), "{text:?}");
    }
    assert!(matches!(read(b"true,yes\n", &options), Err(CsvError::HeaderOrData { column: 1, .. })));
    assert!(matches!(parse("1,2\ntrue,2\n", None), Err(CsvError::Cell { line: 2, .. })));
}

/// Where an empty cell is a missing feature, a blank line in a single column would lose a sample.
#[test]
fn a_blank_line_in_one_column_is_no_missing_feature() {
    let options = TableOptions { empty_is_nan: true, ..TableOptions::default() };
    for (text, blank) in
        [("1\n\n2\n", 2), ("a\r\n1\r\n\r\n2\r\n", 3), ("1\r2\r\r3", 3), ("\n1\n", 1), ("1\n2\n\n", 3)]
    {
        match read(text.as_bytes(), &options) {
            Err(CsvError::BlankLine { line }) => assert_eq!(line, blank, "{text:?}"),
            other => panic!("{text:?}: {other:?}"),
        }
        assert!(parse(text, None).is_ok(), "{text:?}");
    }
    assert_eq!(read(b"1\n\"\"\n2\n", &options).unwrap().array.rows, 3);
    assert_eq!(read(b"1\n \n2", &options).unwrap().array.rows, 3);
}

#[test]
fn a_header_of_numbers_needs_to_be_said() {
    let text = b"2020,2021\n1,2\n";
    let present = TableOptions { header: HeaderRow::Present, ..TableOptions::default() };
    let table = read(text, &present).unwrap();
    assert_eq!((table.array.rows, table.column_names), (1, vec!["2020".into(), "2021".into()]));
    let absent = TableOptions { header: HeaderRow::Absent, ..TableOptions::default() };
    assert_eq!(read(text, &absent).unwrap().array.rows, 2);
    assert!(matches!(read(b"a,b\n1,2\n", &absent), Err(CsvError::Cell { line: 1, .. })));
}

#[test]
fn a_label_column_is_split_off_by_name_or_index() {
    for label in [name("class"), Some(Column::Index(1))] {
        let table = parse("a,class,b\n1,0,2\n3,1,4\n", label).unwrap();
        assert_eq!((table.array.columns, table.array.data), (2, vec![1., 2., 3., 4.]));
        assert_eq!((table.labels, table.column_names), (Some(vec![0., 1.]), vec!["a".into(), "b".into()]));
    }
    assert!(matches!(
        parse("1,2\n", Some(Column::Index(2))),
        Err(CsvError::ColumnRange { index: 2, columns: 2 })
    ));
    assert!(matches!(parse("1,2\n", name("a")), Err(CsvError::NoHeader { .. })));
    assert!(matches!(parse("a,b,a\n1,2,3\n", name("a")), Err(CsvError::AmbiguousColumn { count: 2, .. })));
    assert!(matches!(parse("a\n1\n", name("a")), Err(CsvError::OnlyLabels)));
}

#[test]
fn delimiters_quotes_marks_and_white_space() {
    for (delimiter, text) in [
        (b',', "\u{feff}\"1\", -2.5e-3 \r\n+3,\"4\"\r\n"),
        (b';', "1;-2.5e-3\n3;4\n"),
        (b'\t', "1\t-2.5e-3\n3\t4"),
    ] {
        let table = read(text.as_bytes(), &TableOptions { delimiter, ..TableOptions::default() }).unwrap();
        assert_eq!(table.array.data, [1.0, -0.0025, 3.0, 4.0]);
    }
}

/// The line of an error is that of an editor: blank lines, cells over several lines and every line end are counted.
#[test]
fn lines_are_those_of_an_editor() {
    for (text, lines) in [
        ("1,2\n3,4\n5,6", [1, 2, 3]),
        ("1,2\r\n3,4\r\n5,6\r\n", [1, 2, 3]),
        ("1,2\r3,4\r5,6\r", [1, 2, 3]),
        ("\n\n1,2\n\n3,4\n\n\n5,6\n", [3, 5, 8]),
        ("\r\n1,2\r\n\r\n3,4\r\n5,6", [2, 4, 5]),
        ("a,\"b\n\nc\"\n1,2\n\n3,4\n5,6\n", [4, 6, 7]),
    ] {
        assert_eq!(parse(text, None).unwrap().lines, lines, "{text:?}");
    }
}

#[test]
fn ragged_rows_and_empty_files() {
    assert!(matches!(
        parse("1,2\n\n3,4,5\n", None),
        Err(CsvError::Ragged { line: 3, found: 3, expected: 2, first_line: 1, .. })
    ));
    for text in ["", "\n\n", "\u{feff}", "a,b\n"] {
        assert!(matches!(parse(text, None), Err(CsvError::Empty { .. })), "{text:?}");
    }
}

#[test]
fn values_that_are_not_finite_are_found_with_their_line() {
    let (_folder, path) = file("t.csv", b"a,y,b\n\n1,0,2\n3,1,NaN\n");
    let mut source = ArrayFile::new(path);
    source.table.label = name("y");
    let samples = read_samples(&source).unwrap();
    let (row, column, value) = first_non_finite(&samples.array).unwrap();
    assert!((row, column) == (1, 1) && value.is_nan());
    let problem = samples.require_finite().unwrap_err();
    assert_eq!((problem.row, problem.column), (1, Some(1)));
    assert_eq!(problem.place, "row 1 (line 4), column 1 (\"b\")");

    let (_folder, path) = file("t.csv", b"a,y,b\n1,0,2\n3,-inf,4\n");
    source.path = path;
    let problem = read_samples(&source).unwrap().require_finite().unwrap_err();
    assert_eq!((problem.row, problem.column, problem.value), (1, None, f64::NEG_INFINITY));

    let (_folder, path) = file("t.csv", b"a,y,b\n1,0,2\n3,1,4\n");
    source.path = path;
    let samples = read_samples(&source).unwrap();
    assert!(samples.require_finite().is_ok());
    assert_eq!(first_non_finite(&samples.array), None);
}

#[test]
fn labels_alone() {
    let (_folder, path) = file("y.csv", b"class\n2\n0\n");
    let mut source = ArrayFile::new(path);
    assert_eq!(read_labels(&source).unwrap(), [2.0, 0.0]);
    let (_folder, path) = file("y.csv", b"id,class\n10,2\n11,0\n");
    source.path = path;
    assert!(read_labels(&source).is_err());
    source.table.label = name("class");
    assert_eq!(read_labels(&source).unwrap(), [2.0, 0.0]);
}

#[test]
fn an_empty_cell_is_nan_where_that_is_asked_for() {
    let options =
        TableOptions { empty_is_nan: true, label: Some(Column::Index(2)), ..TableOptions::default() };
    for text in ["a,b,c\n1,,0\n , 2,1\n", "1,,0\n\"\",2,1\n", ",,\n1,,0\n,2,1\n"] {
        let table = read(text.as_bytes(), &options).unwrap();
        let found = &table.array.data[table.array.data.len() - 4..];
        assert!(
            found[0] == 1.0 && found[1].is_nan() && found[2].is_nan() && found[3] == 2.0,
            "{text}: {found:?}"
        );
        assert_eq!(table.labels.unwrap().split_off(table.lines.len() - 2), [0.0, 1.0]);
        assert_eq!(table.lines.len(), if text.starts_with(",,") { 3 } else { 2 });
    }
    assert!(matches!(parse("1,\n2,3\n", None), Err(CsvError::Cell { line: 1, .. })));
    assert!(matches!(parse("2,3\n1,\n", None), Err(CsvError::Cell { line: 2, .. })));
}
