//! The seed's own experiment, reproduced from reference trajectories: `tests/golden/*.npz` hold what the seed's learner
//! computes in float64 with its implicit system solved to 1e-14 (74 samples, 13 features, 7 atoms, three losses).
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use dictlearn::active_set::CoderOptions;
use dictlearn::coder::encode;
use dictlearn::hypergradient::hypergradient;
use dictlearn::loss::Loss;
use dictlearn::lower::{LowerLevel, Problem};
use dictlearn::upper::Reconstruction;
use faer::MatRef;
use std::collections::HashMap;
use std::io::Read;

struct Golden {
    name: &'static str,
    loss: Loss,
    arrays: HashMap<String, (Vec<u64>, Vec<f64>)>,
}

/// A stored array of shape (a, b) in C order is the `b x a` matrix with rows of the array as columns.
impl Golden {
    fn load(name: &'static str, loss: Loss) -> Self {
        let path = format!(
            "{}/tests/golden/seed_{name}.npz",
            env!("CARGO_MANIFEST_DIR")
        );
        let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
        let mut arrays = HashMap::new();
        for i in 0..archive.len() {
            let mut bytes = Vec::new();
            let mut entry = archive.by_index(i).unwrap();
            let array = entry.name().unwrap().trim_end_matches(".npy").to_string();
            entry.read_to_end(&mut bytes).unwrap();
            let npy = npyz::NpyFile::new(&bytes[..]).unwrap();
            let (shape, order) = (npy.shape().to_vec(), npy.order());
            let values = match npy.dtype() {
                npyz::DType::Plain(t) if t.to_string().ends_with("f8") => {
                    npy.into_vec::<f64>().unwrap()
                }
                _ => npy
                    .into_vec::<i64>()
                    .unwrap()
                    .into_iter()
                    .map(|v| v as f64)
                    .collect(),
            };
            let values = if order == npyz::Order::C {
                values
            } else {
                c_order(&shape, &values)
            };
            arrays.insert(array, (shape, values));
        }
        Self { name, loss, arrays }
    }

    fn all() -> [Self; 3] {
        [
            Self::load("squared", Loss::Squared),
            Self::load("abs", Loss::Power { exponent: 2.1 }),
            Self::load("huber", Loss::Huber { delta: 0.01 }),
        ]
    }

    fn values(&self, array: &str) -> &[f64] {
        &self.arrays[array].1
    }

    fn matrix(&self, array: &str) -> MatRef<'_, f64> {
        let (shape, values) = &self.arrays[array];
        MatRef::from_column_major_slice(values, shape[1] as usize, shape[0] as usize)
    }

    fn lower(&self) -> LowerLevel {
        LowerLevel {
            loss: self.loss,
            regularization: 0.01,
            elastic_penalty: 0.01,
            l2_regularization: 0.0,
        }
    }
}

/// Values in Fortran order, reordered to C order.
fn c_order(shape: &[u64], values: &[f64]) -> Vec<f64> {
    let position = |mut flat: usize| {
        let mut index = vec![0; shape.len()];
        for axis in (0..shape.len()).rev() {
            index[axis] = flat % shape[axis] as usize;
            flat /= shape[axis] as usize;
        }
        shape
            .iter()
            .zip(index)
            .rev()
            .fold(0, |position, (&length, i)| position * length as usize + i)
    };
    (0..values.len())
        .map(|flat| values[position(flat)])
        .collect()
}

const EXACT: CoderOptions = CoderOptions {
    tolerance: 1e-12,
    max_iterations: 100,
};

fn flat(matrix: MatRef<'_, f64>) -> Vec<f64> {
    (0..matrix.ncols())
        .flat_map(|j| (0..matrix.nrows()).map(move |i| matrix[(i, j)]))
        .collect()
}

#[test]
fn codes_and_hypergradient_at_the_initial_dictionary() {
    for golden in Golden::all() {
        let problem = Problem::new(golden.lower(), golden.matrix("D_init"));
        let coded = encode(&problem, golden.matrix("X"), None, EXACT).unwrap();
        assert_eq!(
            coded.report.not_converged, 0,
            "{}: {:?}",
            golden.name, coded.report
        );
        let codes = flat(coded.codes.to_dense_columns().as_ref());
        let difference = testkit::max_abs_diff(&codes, golden.values("codes_init"));
        assert!(
            difference <= 1e-7,
            "{}: codes differ by {difference:e}",
            golden.name
        );
        let found = hypergradient(
            &problem,
            golden.matrix("X"),
            &coded.codes,
            &Reconstruction,
            false,
        );
        assert_eq!(found.rank_deficient, 0);
        testkit::assert_close(found.value, golden.values("notask_value0")[0], 1e-7, 0.0);
        let error = testkit::relative_error(
            &flat(found.dictionary.as_ref()),
            golden.values("notask_grad0"),
        );
        let bound = if golden.loss == Loss::Squared {
            1e-9
        } else {
            1e-7
        };
        println!(
            "{}: codes {difference:.1e}, hypergradient {error:.1e}, {:?}",
            golden.name, coded.report
        );
        assert!(
            error <= bound,
            "{}: hypergradient differs by {error:e}",
            golden.name
        );
    }
}
