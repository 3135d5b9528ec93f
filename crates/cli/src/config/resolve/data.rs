//! `[data]`: one source of samples, and what is done to them first.

use super::super::check::{Findings, Table, span_of};
use super::super::diagnostic::Problem;
use super::super::experiment::{FileSource, Source};
use super::super::forms;
use super::super::schema::{self, Value};
use crate::files::read::ArrayFile;
use crate::files::table::{Column, HeaderRow, TableOptions};
use dictlearn::dictionary::MOST_ENTRIES;
use dictlearn::preprocessing::Preprocessing;
use dictlearn::synthetic::SyntheticOptions;
use std::collections::BTreeSet;
use std::path::Path;

const SYNTHETIC: &str = "data.synthetic";
const DIGITS: &str = "data.digits";
const FILE: &str = "data.file";

/// Endings of files that hold a table.
const TABLES: &[&str] = &["npy", "npz", "csv"];

/// The source of the samples, and their preprocessing.
pub fn data(
    findings: &mut Findings<'_>,
    folder: &Path,
    table: Value<schema::Data>,
) -> (Source, Preprocessing) {
    let (table, raw) = Table::open(findings, "data", table);
    let tables = [
        (SYNTHETIC, raw.synthetic.is_some(), span_of(&raw.synthetic)),
        (DIGITS, raw.digits.is_some(), span_of(&raw.digits)),
        (FILE, raw.file.is_some(), span_of(&raw.file)),
    ];
    let mut given: Vec<_> =
        tables.into_iter().filter(|(_, is_given, _)| *is_given).map(|(path, _, span)| (path, span)).collect();
    given.sort_by_key(|(_, span)| span.as_ref().map_or(0, |span| span.start));
    if given.is_empty() {
        let problem = Problem::new("no source of data is given")
            .at(table.span.clone(), "exactly one source is needed here")
            .help("add one of the tables [data.synthetic], [data.digits], [data.file]");
        table.findings.push(problem);
    }
    table.findings.at_most_one(&given);
    let schema::Data { synthetic, digits, file, preprocessing } = raw;
    // Of several sources none is looked into: one error is enough.
    let source = match given.as_slice() {
        [(SYNTHETIC, _)] => synthetic_source(table.findings, synthetic),
        [(FILE, _)] => file_source(table.findings, folder, file),
        [(DIGITS, _)] => digits_source(table.findings, digits),
        _ => digits_source(table.findings, None),
    };
    (source, preprocess(table.findings, preprocessing))
}

fn synthetic_source(findings: &mut Findings<'_>, table: Value<schema::Synthetic>) -> Source {
    let (mut table, raw) = Table::open(findings, SYNTHETIC, table);
    let options = SyntheticOptions {
        n_samples: table.count("n_samples", raw.n_samples.clone()),
        n_features: table.count("n_features", raw.n_features.clone()),
        n_atoms: table.count("n_atoms", raw.n_atoms.clone()),
        n_nonzero: table.count("n_nonzero", raw.n_nonzero.clone()),
        scale: table.number("scale", raw.scale),
        noise: table.number("noise", raw.noise),
    };
    let counts = |value: &Value<i64>| value.as_ref().is_some_and(|count| *count.get_ref() >= 1);
    let both_counts = counts(&raw.n_atoms) && counts(&raw.n_nonzero);
    if both_counts && options.n_nonzero > options.n_atoms {
        let (n_nonzero, n_atoms) = (options.n_nonzero, options.n_atoms);
        let problem =
            Problem::new(format!("`{SYNTHETIC}.n_nonzero` = {n_nonzero} is more than `n_atoms` = {n_atoms}"))
                .at(span_of(&raw.n_nonzero), format!("accepted: 1 to {n_atoms}"))
                .at(span_of(&raw.n_atoms), "the planted atoms")
                .help("a code has at most one entry per atom");
        table.findings.push(problem);
    }
    let n_features = options.n_features;
    for (name, count, value) in
        [("n_samples", options.n_samples, &raw.n_samples), ("n_atoms", options.n_atoms, &raw.n_atoms)]
    {
        if counts(value) && counts(&raw.n_features) && count.saturating_mul(n_features) > MOST_ENTRIES {
            let most = MOST_ENTRIES / n_features;
            let problem = Problem::new(format!(
                "`{SYNTHETIC}.{name}` = {count} times `n_features` = {n_features} is more than memory is likely to hold"
            ))
            .at(span_of(value), format!("accepted: 1 to {most} with so many features"))
            .at(span_of(&raw.n_features), "the features")
            .help("a matrix that is drawn has at most a billion entries, 8 GB");
            table.findings.push(problem);
        }
    }
    Source::Synthetic { options, test_fraction: table.number("test_fraction", raw.test_fraction) }
}

fn digits_source(findings: &mut Findings<'_>, table: Value<schema::Digits>) -> Source {
    let (mut table, raw) = Table::open(findings, DIGITS, table);
    let split = table.count("split", raw.split);
    let listed = match &raw.positive {
        None => &[1, 3, 5, 7, 9][..],
        Some(digits) => digits.get_ref(),
    };
    let positive: BTreeSet<u8> = listed.iter().filter_map(|digit| u8::try_from(*digit).ok()).collect();
    let legal = positive.len() == listed.len() && positive.iter().all(|digit| *digit <= 9);
    if !legal || positive.is_empty() || positive.len() == 10 {
        table.refuse("positive", &raw.positive);
    }
    Source::Digits { split, positive: positive.into_iter().collect() }
}

fn file_source(findings: &mut Findings<'_>, folder: &Path, table: Value<schema::File>) -> Source {
    let (mut table, mut raw) = Table::open(findings, FILE, table);
    let missing = matches!(raw.missing.as_ref().map(|missing| *missing.get_ref()), Some(forms::Missing::Nan));
    let options = TableOptions {
        header: header(raw.header.as_ref()),
        delimiter: delimiter(&mut table, &raw.delimiter),
        label: label_column(&mut table, &raw.label_column),
        // A mask may lie over an empty field.
        empty_is_nan: missing || raw.mask.is_some(),
        truth_values: false,
    };
    let plain = TableOptions { label: None, empty_is_nan: false, ..options.clone() };
    let (samples, array) = (raw.samples.take(), raw.array.take());
    let samples = array_file(&mut table, folder, ["samples", "array"], samples, array, TABLES);
    if raw.labels.is_some() && raw.label_column.is_some() {
        let problem =
            Problem::new("`data.file.labels` and `data.file.label_column` are both given: keep one")
                .at(span_of(&raw.label_column), "labels from a column of the samples")
                .at(span_of(&raw.labels), "labels from a file of their own");
        table.findings.push(problem);
    }
    if !samples.has_ending("csv") {
        needs(&mut table, "label_column", &raw.label_column, "samples in a .csv file");
    }
    let other = |table: &mut Table<'_, '_>, names, path, array| {
        let file = optional_file(table, folder, names, path, array)?;
        Some(ArrayFile { table: plain.clone(), ..file })
    };
    let names = ["labels", "labels_array"];
    let labels = other(&mut table, names, raw.labels.take(), raw.labels_array.take());
    let names = ["weights", "weights_array"];
    let weights = other(&mut table, names, raw.weights.take(), raw.weights_array.take());
    let names = ["mask", "mask_array"];
    let mut mask = other(&mut table, names, raw.mask.take(), raw.mask_array.take());
    mask.iter_mut().for_each(|file| file.table.truth_values = true);
    let source = FileSource {
        positive: positive_labels(&mut table, &raw.positive),
        test_fraction: table.number("test_fraction", raw.test_fraction),
        samples: ArrayFile { table: options, ..samples },
        labels,
        weights,
        missing,
        mask,
    };
    if !source.has_labels() {
        needs(&mut table, "positive", &raw.positive, "labels");
    }
    if !source.reads_csv() {
        needs(&mut table, "header", &raw.header, "a .csv file");
        needs(&mut table, "delimiter", &raw.delimiter, "a .csv file");
    }
    Source::File(Box::new(source))
}

fn label_column(table: &mut Table<'_, '_>, column: &Value<forms::Column>) -> Option<Column> {
    let found = match column.as_ref()?.get_ref() {
        forms::Column::Name(name) if !name.is_empty() => Some(Column::Name(name.clone())),
        forms::Column::Name(_) => None,
        forms::Column::Index(index) => usize::try_from(*index).ok().map(Column::Index),
    };
    if found.is_none() {
        table.refuse("label_column", column);
    }
    // Refused or not, labels were meant.
    found.or(Some(Column::Index(0)))
}

fn positive_labels(table: &mut Table<'_, '_>, positive: &Value<Vec<f64>>) -> Option<Vec<f64>> {
    let values = positive.as_ref()?.get_ref().clone();
    let repeated = (1..values.len()).any(|i| values[..i].contains(&values[i]));
    if values.is_empty() || repeated || !values.iter().all(|value| value.is_finite()) {
        table.refuse("positive", positive);
    }
    Some(values)
}

fn header(header: Option<&toml::Spanned<schema::Header>>) -> HeaderRow {
    match header.map(|header| *header.get_ref()) {
        None | Some(schema::Header::Auto) => HeaderRow::Auto,
        Some(schema::Header::Yes) => HeaderRow::Present,
        Some(schema::Header::No) => HeaderRow::Absent,
    }
}

fn delimiter(table: &mut Table<'_, '_>, delimiter: &Value<String>) -> u8 {
    match delimiter.as_ref().map(|text| text.get_ref().as_bytes()) {
        None => b',',
        Some(&[byte]) if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r' | 0) => byte,
        Some(_) => {
            table.refuse("delimiter", delimiter);
            b','
        }
    }
}

/// A file that may be absent; its array needs it.
fn optional_file(
    table: &mut Table<'_, '_>,
    folder: &Path,
    names: [&str; 2],
    path: Value<String>,
    array: Value<String>,
) -> Option<ArrayFile> {
    if path.is_none() {
        needs(table, names[1], &array, &format!("`{}`", names[0]));
        return None;
    }
    Some(array_file(table, folder, names, path, array, TABLES))
}

/// A file of one of the `endings`, and the array inside it; `names` are those of the two keys.
pub fn array_file(
    table: &mut Table<'_, '_>,
    folder: &Path,
    names: [&str; 2],
    path: Value<String>,
    array: Value<String>,
    endings: &[&str],
) -> ArrayFile {
    let found = ArrayFile {
        path: folder.join(path.as_ref().map_or("", |path| path.get_ref())),
        array: array.as_ref().map(|array| array.get_ref().clone()),
        array_key: table.path_of(names[1]),
        table: TableOptions::default(),
    };
    if path.is_none() {
        table.missing(names[0]);
        return found;
    }
    if !endings.iter().any(|ending| found.has_ending(ending)) {
        let written = path.as_ref().map_or("", |path| path.get_ref());
        let title = format!("`{}` = {written:?} is no file of a known kind", table.path_of(names[0]));
        let label = format!("accepted endings: .{}", endings.join(", ."));
        table.object(&path, title, label, "paths are relative to the config file");
    }
    if found.path.to_str().is_none() {
        let title = format!("`{}` is in a folder whose name is not UTF-8", table.path_of(names[0]));
        let label = format!("it is {}", found.path.display());
        table.object(&path, title, label, "the resolved config could not name it: rename the folder");
    }
    if !found.has_ending("npz") {
        needs(table, names[1], &array, "a .npz file");
    }
    found
}

/// Says that a key is of no use without something else.
fn needs<T>(table: &mut Table<'_, '_>, name: &str, value: &Value<T>, other: &str) {
    if value.is_some() {
        let title = format!("`{}` needs {other}", table.path_of(name));
        table.object(value, title, "of no use here", format!("leave `{name}` out, or give {other}"));
    }
}

fn preprocess(findings: &mut Findings<'_>, table: Value<schema::Preprocessing>) -> Preprocessing {
    let (mut table, raw) = Table::open(findings, "data.preprocessing", table);
    Preprocessing {
        scale: table.number("scale", raw.scale),
        center: table.flag("center", raw.center),
        unit_norm: table.flag("unit_norm", raw.unit_norm),
    }
}
