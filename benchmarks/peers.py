"""Ours against the peers on the same arrays: `cargo xtask bench --peers` starts this file and writes RESULTS.md.

peers.py PROGRAM CLOCKS CACHE RESULTS [CASE ..]: PROGRAM is the built example code_arrays, CLOCKS the same with the feature
`phases`, CACHE a folder for arrays, RESULTS the file to write; with names of cases only those are measured. Every pair of
runs is ours, then theirs; ratios are theirs / ours, pair by pair.
"""

import datetime
import importlib.metadata
import os
import platform
import subprocess
import sys
import traceback
import warnings
from pathlib import Path

import arrays
import checks
import numpy as np
import report
import sides
from checks import Lower

CORE_TYPES = [None, "Haswell", "Zen", "SkylakeX"]
PACKAGES = ["spams-bin", "scikit-learn", "skglm", "jax", "jaxlib", "jaxopt", "numpy", "scipy"]


class Bench:
    """Where things are, and the rows measured so far."""

    def __init__(self, program, with_clocks, cache):
        self.program, self.with_clocks, self.cache = program, with_clocks, arrays.Cache(cache)
        self.rows, self.phases, self.isa = [], [], None

    def patches(self, n, side):
        name = f"patches_{side}x{side}_{n}"
        return name, self.cache.get(name, lambda: arrays.patches(n, side, seed=side))

    def learned(self, n, side, k, iterations):
        name, samples = self.patches(n, side)
        atoms = f"{name}_learned_{k}_{iterations}"
        return name, samples, atoms, self.cache.get(atoms, lambda: arrays.learned(samples, k, iterations))

    def ours(self, samples, atoms, lower, **options):
        side = sides.Ours(self.program, self.cache.path(samples), self.cache.path(atoms), lower, **options)
        self.isa = self.isa or side.hello["isa"]
        return side

    def add(self, title, lower, samples, atoms, ours, theirs, names, bar, pairs=sides.PAIRS):
        """Measures two sides that give codes, checks both and keeps the row."""
        seconds = sides.in_turn(ours, theirs, pairs)
        codes = [side.codes(len(atoms)) for side in (ours, theirs)]
        kkt = [checks.violation(lower, samples, atoms, c) for c in codes]
        support = codes[0].nnz / len(samples)
        self.rows.append(report.Row(title, names, len(samples), seconds, kkt, support, bar))
        ours.close(), theirs.close()

    def add_phases(self, title, n, lower, samples, atoms, **options):
        """Where our time goes."""
        files = self.cache.path(samples), self.cache.path(atoms)
        side = sides.Ours(self.with_clocks, *files, lower, **options)
        seconds, phases = sides.phases(side)
        self.phases.append(report.Phases(title, n, seconds, phases))
        side.close()


def spams_lasso(samples, atoms, lower):
    import spams

    x, d = np.asfortranarray(samples.T), np.asfortranarray(atoms.T)
    call = lambda: spams.lasso(x, D=d, lambda1=lower.regularization, lambda2=0.0, mode=2, numThreads=1)
    return sides.Call(call, lambda codes: codes.T)


def against_spams(bench, n, side, k, regularization, bar, iterations=200, **options):
    name, samples, dictionary, atoms = bench.learned(n, side, k, iterations)
    lower = Lower(regularization)
    ours, theirs = bench.ours(name, dictionary, lower, **options), spams_lasso(samples, atoms, lower)
    title = f"k={k}, d={side * side}, regularization {regularization:g}" + "".join(f", {v}" for v in options.values())
    bench.add(title, lower, samples, atoms, ours, theirs, ("ours", "SPAMS"), bar)
    bench.add_phases(title, n, lower, name, dictionary, **options)


def two_of_ours(bench, label, names, bar, first, second):
    """Two settings of ours at k=256, d=64: the ratio is second / first."""
    name, samples, dictionary, atoms = bench.learned(20000, 8, 256, 200)
    lower = Lower(0.15)
    one, two = bench.ours(name, dictionary, lower, **first), bench.ours(name, dictionary, lower, **second)
    bench.add(f"k=256, d=64, {label}", lower, samples, atoms, one, two, names, bar)


def scikit_learn(bench, algorithm):
    from sklearn.decomposition import sparse_encode

    _, samples, dictionary, atoms = bench.learned(20000, 8, 256, 200)
    name = "patches_8x8_first_500"
    samples, lower = bench.cache.get(name, lambda: samples[:500]), Lower(0.15)
    call = lambda: sparse_encode(samples, atoms, algorithm=algorithm, alpha=0.15, n_jobs=1, max_iter=10000)
    ours, names = bench.ours(name, dictionary, lower), ("ours", f"scikit-learn {algorithm}")
    bench.add("k=256, d=64, regularization 0.15", lower, samples, atoms, ours, sides.Call(call), names, None)


def digits(bench):
    samples = bench.cache.get("digits", lambda: arrays.digits(1797))
    atoms = bench.cache.get("digits_learned_128", lambda: arrays.learned(samples, 128, 200))
    lower = Lower(0.1)
    ours, theirs = bench.ours("digits", "digits_learned_128", lower), spams_lasso(samples, atoms, lower)
    title = "digits, k=128, d=64, regularization 0.1"
    bench.add(title, lower, samples, atoms, ours, theirs, ("ours", "SPAMS"), None)


def gaussian(bench):
    generator = np.random.default_rng(7)
    draw = lambda rows: (lambda: arrays.unit(generator.standard_normal((rows, 64))))
    samples, atoms = bench.cache.get("gaussian", draw(10000)), bench.cache.get("gaussian_256", draw(256))
    lower = Lower(0.15)
    ours, theirs = bench.ours("gaussian", "gaussian_256", lower), spams_lasso(samples, atoms, lower)
    title = "Gaussian samples and atoms, k=256, d=64, regularization 0.15"
    bench.add(title, lower, samples, atoms, ours, theirs, ("ours", "SPAMS"), None)


def sampled_dictionary(bench, n):
    """n patches 8x8, and 128 further ones as atoms."""
    drawn = arrays.patches(n + 128, 8, seed=11)
    names = f"patches_{n}_for_128", f"samples_as_atoms_128_for_{n}"
    return names, bench.cache.get(names[0], lambda: drawn[:n]), bench.cache.get(names[1], lambda: drawn[n:])


def skglm_huber(bench):
    from skglm import GeneralizedLinearEstimator
    from skglm.datafits import Huber
    from skglm.penalties import L1
    from skglm.solvers import AndersonCD

    (name, dictionary), samples, atoms = sampled_dictionary(bench, 500)
    lower, d = Lower(0.1, loss="huber", parameter=0.05), samples.shape[1]
    design = np.asfortranarray(atoms.T)
    # Their fit is a mean over the d rows: the penalty is divided by d too.
    solver = AndersonCD(tol=1e-8, fit_intercept=False, max_iter=200)
    model = GeneralizedLinearEstimator(Huber(0.05), L1(0.1 / d), solver)
    call = lambda: np.array([model.fit(design, y).coef_.copy() for y in samples])
    ours, names = bench.ours(name, dictionary, lower), ("ours", "skglm AndersonCD")
    title = "Huber codes, delta 0.05, k=128, d=64, regularization 0.1"
    bench.add(title, lower, samples, atoms, ours, sides.Call(call), names, 20)


def hypergradient(bench, loss, parameter, bar, precision="f32"):
    (name, dictionary), samples, atoms = sampled_dictionary(bench, 2000)
    lower, cpu = Lower(0.1, 0.1, loss, parameter), min(os.sched_getaffinity(0))
    ours = bench.ours(name, dictionary, lower, cpu=cpu, hypergradient=True)
    theirs = sides.jaxopt_side(bench.cache.path(name), bench.cache.path(dictionary), lower, precision, cpu)
    seconds = sides.in_turn(ours, theirs)
    codes = ours.codes(len(atoms))
    reference, polished = checks.reference_gradient(lower, samples, atoms, codes)
    if checks.violation(lower, samples, atoms, polished) > 1e-12:
        raise RuntimeError("the reference codes are not optimal")
    gradients = [side.written(["gradient"])[0] for side in (ours, theirs)]
    error = [float(np.linalg.norm(g - reference) / np.linalg.norm(reference)) for g in gradients]
    title = f"hypergradient step, {loss}" + (f" {parameter:g}" if parameter else "") + ", k=128, d=64"
    names, support = ("ours", f"jaxopt {precision}"), codes.nnz / len(samples)
    bench.rows.append(report.Row(title, names, len(samples), seconds, error, support, bar))
    ours.close(), theirs.close()


def learned_case(*arguments, **options):
    return lambda bench: against_spams(bench, *arguments, **options)


def step_case(*arguments):
    return lambda bench: hypergradient(bench, *arguments)


WARM = "atoms moved by .1 %, warm against cold", ("warm", "cold"), 1 / 0.6, {"warm": 1e-3}, {}
THREADS = "2 threads against 1", ("2 threads", "1 thread"), 1.85, {"threads": 2}, {}

CASES = {
    "k64": learned_case(20000, 8, 64, 0.15, 8),
    "k256": learned_case(20000, 8, 256, 0.15, 11),
    "k1024": learned_case(20000, 8, 1024, 0.15, 14),
    "k512": learned_case(10000, 16, 512, 0.15, 8),
    "k256-05": learned_case(20000, 8, 256, 0.05, None),
    "k256-02": learned_case(20000, 8, 256, 0.02, 8),
    "avx2": learned_case(20000, 8, 256, 0.15, 0.8 * 11, isa="avx2"),
    "threads": lambda bench: two_of_ours(bench, *THREADS),
    "warm": lambda bench: two_of_ours(bench, *WARM),
    "hypergradient-squared": step_case("squared", 0, 200),
    "hypergradient-huber": step_case("huber", 0.05, 60),
    "hypergradient-power": step_case("power", 2.1, 30),
    "hypergradient-squared-f64": step_case("squared", 0, 200, "f64"),
    "hypergradient-huber-f64": step_case("huber", 0.05, 60, "f64"),
    "hypergradient-power-f64": step_case("power", 2.1, 30, "f64"),
    "skglm": skglm_huber,
    "sklearn-cd": lambda bench: scikit_learn(bench, "lasso_cd"),
    "sklearn-lars": lambda bench: scikit_learn(bench, "lasso_lars"),
    "digits": digits,
    "gaussian": gaussian,
    "k4096": learned_case(20000, 16, 4096, 0.15, 8, iterations=40),
}


def seconds_of_spams():
    """Least time of SPAMS on made-up samples, for the choice of the core type of its OpenBLAS."""
    generator = np.random.default_rng(0)
    samples, atoms = (arrays.unit(generator.standard_normal((n, 64))) for n in (2000, 256))
    call = spams_lasso(samples, atoms, Lower(0.15))
    return min(call.run() for _ in range(7))


def with_best_core_type():
    """Restarts this file with the core type that is fastest for SPAMS (OpenBLAS reads it at its start)."""
    tried = {}
    for core in CORE_TYPES:
        environment = dict(os.environ, BENCH_STAGE="probe", **({"OPENBLAS_CORETYPE": core} if core else {}))
        done = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True)
        if done.returncode == 0:
            tried[core] = float(done.stdout)
            print(f"SPAMS with core type {core or 'as detected'}: {tried[core] / 2000 * 1e6:.1f} us/sample", flush=True)
    best = min(tried, key=tried.get)
    environment = dict(os.environ, BENCH_STAGE="measure", **({"OPENBLAS_CORETYPE": best} if best else {}))
    return subprocess.run([sys.executable, __file__, *sys.argv[1:]], env=environment).returncode


def main(program, with_clocks, cache, results, *wanted):
    unknown = set(wanted) - set(CASES)
    if unknown:
        sys.exit(f"unknown cases {sorted(unknown)}: accepted are {', '.join(CASES)}")
    warnings.filterwarnings("ignore")
    bench, left_out = Bench(program, with_clocks, cache), []
    for name in wanted or CASES:
        print(f"{name} ..", flush=True)
        try:
            CASES[name](bench)
            print("   " + bench.rows[-1].line(), flush=True)
        except Exception as error:  # a case that fails is named in the report, the others go on
            traceback.print_exc()
            left_out.append((name, f"{type(error).__name__}: {error}"))
    versions = {package: importlib.metadata.version(package) for package in PACKAGES}
    versions["Python"] = platform.python_version()
    tables = bench.rows, bench.phases
    Path(results).write_text(report.text(*tables, left_out, versions, bench.isa, datetime.date.today()))


if __name__ == "__main__":
    stage = os.environ.get("BENCH_STAGE")
    if stage == "probe":
        print(seconds_of_spams())
    elif stage == "measure":
        main(*sys.argv[1:])
    else:
        sys.exit(with_best_core_type())
