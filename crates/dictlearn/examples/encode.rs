//! Codes of an array of one's own, their certificate, and the derivative of a loss of one's own through them.
//!
//! A C-order array of shape (n, d), samples as rows, is the `d x n` matrix with samples as columns: no copy is made.
//! The loss here is `L_i = 1/2 |c*_i|^2`, and its hypergradient in the dictionary is compared with a central difference.
//! Run with `cargo run -p dictlearn --example encode`.

use dictlearn::active_set::CoderOptions;
use dictlearn::coder::encode;
use dictlearn::error::Error;
use dictlearn::hypergradient::hypergradient;
use dictlearn::loss::Loss;
use dictlearn::lower::{LowerLevel, Problem};
use dictlearn::upper::{Cotangent, SampleView, UpperLoss, total};
use faer::MatRef;

const N_FEATURES: usize = 4;

/// Three samples, one a row; the last entry of the second is an outlier.
#[rustfmt::skip]
const SAMPLES: [f64; 12] = [
    0.9, 0.1, 0.0, -0.2,
    0.1, 0.8, 0.5,  9.0,
    0.5, 0.4, 0.6,  0.1,
];

/// Five atoms, one a row.
#[rustfmt::skip]
const ATOMS: [f64; 20] = [
    1.0, 0.0, 0.0, 0.0,
    0.0, 0.8, 0.6, 0.0,
    0.0, 0.0, 1.0, 0.0,
    0.5, 0.5, 0.5, 0.5,
    0.6, 0.0, 0.8, 0.0,
];

/// How large the codes are.
struct CodeEnergy;

impl UpperLoss for CodeEnergy {
    fn sample(&self, view: SampleView<'_>, cotangent: &mut Cotangent) -> f64 {
        cotangent.code.copy_from_slice(view.code.values);
        0.5 * view.code.values.iter().map(|c| c * c).sum::<f64>()
    }
}

fn main() -> Result<(), Error> {
    let samples = columns(&SAMPLES);
    let problem = Problem::new(lower(), columns(&ATOMS));
    let coded = encode(&problem, samples, None, exact())?;
    for (i, code) in coded.codes.rows().enumerate() {
        println!("sample {i}: atoms {:?}, coefficients {:.4?}", code.support, code.values);
    }
    println!("largest KKT violation {:.0e} of lambda", coded.report.violation);

    let found = hypergradient(&problem, samples, &coded.codes, &CodeEnergy, false);
    println!("loss {:.6}, dL/dlambda {:.6}", found.value, found.lower.regularization);
    let (atom, entry, h) = (1, 2, 1e-5);
    let shifted = |by: f64| {
        let mut atoms = ATOMS;
        atoms[atom * N_FEATURES + entry] += by;
        loss_at(&atoms)
    };
    let difference = (shifted(h)? - shifted(-h)?) / (2.0 * h);
    let derivative = found.dictionary[(entry, atom)];
    println!("dL/dD at entry {entry} of atom {atom}: {derivative:.9}, by differences {difference:.9}");
    assert!((derivative - difference).abs() <= 1e-8, "{derivative} is not {difference}");
    Ok(())
}

/// The loss as a function of the atoms: its codes are solved anew.
fn loss_at(atoms: &[f64]) -> Result<f64, Error> {
    let problem = Problem::new(lower(), columns(atoms));
    let coded = encode(&problem, columns(&SAMPLES), None, exact())?;
    Ok(total(&problem, columns(&SAMPLES), &coded.codes, &CodeEnergy))
}

/// A view of a C-order array with rows of `N_FEATURES` entries.
fn columns(array: &[f64]) -> MatRef<'_, f64> {
    MatRef::from_column_major_slice(array, N_FEATURES, array.len() / N_FEATURES)
}

fn lower() -> LowerLevel {
    LowerLevel { elastic_penalty: 0.1, ..LowerLevel::new(Loss::Huber { delta: 0.3 }, 0.1) }
}

fn exact() -> CoderOptions {
    CoderOptions { tolerance: 1e-13, ..CoderOptions::default() }
}
