//! Codes of arrays in files, timed on request: our side of `cargo xtask bench --peers`.
//!
//! ```text
//! code_arrays SAMPLES.npy DICTIONARY.npy [--loss squared|huber|power] [--delta D] [--exponent P]
//!     [--regularization L] [--elastic-penalty G] [--tolerance T] [--threads N] [--isa NAME]
//!     [--warm RELATIVE] [--hypergradient]
//! ```
//!
//! Both files hold C-order f64 arrays: samples (n, d), atoms (k, d). They are read once; then every line `run` on the
//! standard input is answered by one line of JSON with the seconds that one coding of all samples took (the preparation
//! of the dictionary included, reading and writing excluded), and `write FOLDER` writes the last result for an
//! independent check: `indptr.npy`, `indices.npy`, `values.npy` (rows are samples) and, with `--hypergradient`, the
//! derivative of the reconstruction error in the atoms, `gradient.npy` (k, d). With `--warm R` every run starts from the
//! codes of the dictionary whose atoms are moved by R times their norm in random directions. With the feature `phases`
//! the seconds of each phase of the block coder follow. Without arguments, the example codes made-up samples once.

use dictlearn::active_set::CoderOptions;
use dictlearn::certificate::Coded;
use dictlearn::coder::encode;
use dictlearn::codes::Codes;
use dictlearn::hypergradient::{Hypergradient, hypergradient};
use dictlearn::loss::Loss;
use dictlearn::lower::{LowerLevel, Problem};
use dictlearn::phases::{PHASES, take};
use dictlearn::upper::Reconstruction;
use faer::MatRef;
use linalg::columns::norm;
use linalg::simd::Isa;
use npyz::WriterBuilder;
use std::error::Error;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;
use std::time::Instant;

/// What is computed, and how.
struct Options {
    lower: LowerLevel,
    coder: CoderOptions,
    threads: usize,
    isa: Isa,
    warm: Option<f64>,
    hypergradient: bool,
}

/// A C-order array; its rows are the columns of a matrix, without a copy.
struct Array {
    rows: usize,
    columns: usize,
    values: Vec<f64>,
}

/// What a run gives.
struct Outcome {
    seconds: f64,
    coded: Coded,
    derivative: Option<Hypergradient>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [samples, dictionary, options @ ..] = arguments.as_slice() else {
        let options = parse(&[])?;
        let array = |rows, seed| Array { rows, columns: 16, values: testkit::unit_columns(16, rows, seed) };
        println!("{}", report(&run(&array(200, 1), &array(32, 2), None, &options)?));
        return Ok(());
    };
    let options = parse(options)?;
    let (samples, dictionary) = (read(Path::new(samples))?, read(Path::new(dictionary))?);
    rayon::ThreadPoolBuilder::new().num_threads(options.threads).build_global()?;
    answer(&samples, &dictionary, &options)
}

/// Answers the lines of the standard input until it ends.
fn answer(samples: &Array, dictionary: &Array, options: &Options) -> Result<(), Box<dyn Error>> {
    let start =
        options.warm.map(|relative| nearby_codes(samples, dictionary, relative, options)).transpose()?;
    println!(r#"{{"isa": "{}", "threads": {}}}"#, options.isa.name(), rayon::current_num_threads());
    let mut last = None;
    for line in std::io::stdin().lines() {
        let line = line?;
        match line.split_once(' ') {
            None if line == "run" => {
                let outcome = last.insert(run(samples, dictionary, start.as_ref(), options)?);
                println!("{}", report(outcome));
            }
            Some(("write", folder)) => {
                write(Path::new(folder), last.as_ref().ok_or("nothing was run")?)?;
                println!("{{}}");
            }
            _ => {
                return Err(format!("unknown request `{line}`: accepted are `run` and `write FOLDER`").into());
            }
        }
        std::io::stdout().flush()?;
    }
    Ok(())
}

/// One coding of all samples, with the hypergradient if asked for.
fn run(
    samples: &Array,
    dictionary: &Array,
    start: Option<&Codes>,
    options: &Options,
) -> Result<Outcome, Box<dyn Error>> {
    let clock = Instant::now();
    let problem = Problem::new(options.lower, dictionary.as_columns()).with_isa(options.isa);
    let coded = encode(&problem, samples.as_columns(), start, options.coder)?;
    let derivative = options
        .hypergradient
        .then(|| hypergradient(&problem, samples.as_columns(), &coded.codes, &Reconstruction, false));
    Ok(Outcome { seconds: clock.elapsed().as_secs_f64(), coded, derivative })
}

/// Codes for the dictionary whose atoms are moved by `relative` times their norm.
fn nearby_codes(
    samples: &Array,
    dictionary: &Array,
    relative: f64,
    options: &Options,
) -> Result<Codes, Box<dyn Error>> {
    let directions = testkit::unit_columns(dictionary.columns, dictionary.rows, 0);
    let mut moved = dictionary.values.clone();
    let pairs = moved.chunks_exact_mut(dictionary.columns).zip(directions.chunks_exact(dictionary.columns));
    for (atom, direction) in pairs {
        let length = relative * norm(atom);
        atom.iter_mut().zip(direction).for_each(|(a, u)| *a += length * u);
    }
    let moved = Array { values: moved, ..*dictionary };
    let problem = Problem::new(options.lower, moved.as_columns()).with_isa(options.isa);
    Ok(encode(&problem, samples.as_columns(), None, options.coder)?.codes)
}

/// One line of JSON.
fn report(outcome: &Outcome) -> String {
    let report = &outcome.coded.report;
    format!(
        r#"{{"seconds": {:e}, "violation": {:e}, "not_converged": {}, "undecided": {}{}}}"#,
        outcome.seconds,
        report.violation,
        report.not_converged,
        report.undecided,
        phases()
    )
}

/// A further entry of the line: the seconds of each phase since the last report, where clocks are read.
fn phases() -> String {
    if !cfg!(feature = "phases") {
        return String::new();
    }
    let pairs =
        PHASES.iter().zip(take()).map(|(phase, seconds)| format!(r#""{}": {seconds:e}"#, phase.name()));
    format!(r#", "phases": {{{}}}"#, pairs.collect::<Vec<String>>().join(", "))
}

/// Writes codes and derivative as arrays.
fn write(folder: &Path, outcome: &Outcome) -> Result<(), Box<dyn Error>> {
    let codes = &outcome.coded.codes;
    write_array(&folder.join("indptr.npy"), &[], codes.indptr().iter().map(|&i| i as u64))?;
    write_array(&folder.join("indices.npy"), &[], codes.indices().iter().copied())?;
    write_array(&folder.join("values.npy"), &[], codes.values().iter().copied())?;
    if let Some(derivative) = &outcome.derivative {
        let atoms = derivative.dictionary.as_ref();
        let values = (0..atoms.ncols()).flat_map(|j| linalg::columns::column(atoms, j).iter().copied());
        write_array(&folder.join("gradient.npy"), &[atoms.nrows() as u64], values)?;
    }
    Ok(())
}

/// Writes numbers in C order; `row` is the shape of a row, empty for a vector.
fn write_array<T: npyz::AutoSerialize>(
    path: &Path,
    row: &[u64],
    values: impl Iterator<Item = T>,
) -> Result<(), Box<dyn Error>> {
    let values: Vec<T> = values.collect();
    let rows = values.len() as u64 / row.iter().product::<u64>().max(1);
    let shape: Vec<u64> = std::iter::once(rows).chain(row.iter().copied()).collect();
    let file = BufWriter::new(File::create(path)?);
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(file).begin_nd()?;
    writer.extend(values)?;
    Ok(writer.finish()?)
}

/// Reads a C-order f64 matrix.
fn read(path: &Path) -> Result<Array, Box<dyn Error>> {
    let file = npyz::NpyFile::new(BufReader::new(File::open(path)?))?;
    let (&[rows, columns], npyz::Order::C) = (file.shape(), file.order()) else {
        return Err(format!("{}: accepted is a matrix in C order", path.display()).into());
    };
    Ok(Array { rows: rows as usize, columns: columns as usize, values: file.into_vec()? })
}

impl Array {
    /// Its rows as columns.
    fn as_columns(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(&self.values, self.columns, self.rows)
    }
}

/// The options from pairs of name and value.
fn parse(words: &[String]) -> Result<Options, Box<dyn Error>> {
    let lower = LowerLevel::new(Loss::Squared, 0.1);
    let (coder, isa) = (CoderOptions::default(), Isa::detect());
    let mut options = Options { lower, coder, threads: 1, isa, warm: None, hypergradient: false };
    let (mut loss, mut delta, mut exponent) = ("squared", 1.0, 2.0);
    let mut words = words.iter().map(String::as_str);
    while let Some(name) = words.next() {
        if name == "--hypergradient" {
            options.hypergradient = true;
            continue;
        }
        let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
        match name {
            "--loss" => loss = value,
            "--delta" => delta = value.parse()?,
            "--exponent" => exponent = value.parse()?,
            "--regularization" => options.lower.regularization = value.parse()?,
            "--elastic-penalty" => options.lower.elastic_penalty = value.parse()?,
            "--tolerance" => options.coder.tolerance = value.parse()?,
            "--threads" => options.threads = value.parse()?,
            "--warm" => options.warm = Some(value.parse()?),
            "--isa" => {
                let missing = || format!("this machine has no instruction set `{value}`");
                options.isa = Isa::named(value).ok_or_else(missing)?;
            }
            _ => return Err(format!("unknown option {name}").into()),
        }
    }
    options.lower.loss = match loss {
        "squared" => Loss::Squared,
        "huber" => Loss::Huber { delta },
        "power" => Loss::Power { exponent },
        _ => return Err(format!("unknown loss `{loss}`: accepted are squared, huber and power").into()),
    };
    Ok(options)
}
