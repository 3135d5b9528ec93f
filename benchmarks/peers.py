"""Ours and the peers on the same arrays, in turn: the work of `cargo xtask bench --peers`.

    python peers.py PROGRAM DATA WORK RESULTS

PROGRAM is the example `code_arrays`, DATA the folder with the pictures, WORK a folder for arrays, RESULTS the Markdown
file to write. Every case: one warm-up of each side, then five pairs ours-theirs; the ratio is taken pair by pair. One
processor for both sides (affinity), one thread, except where a line says otherwise. One function checks the KKT
violation of every squared-loss result, relative to the regularization.
"""

import datetime
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

PROGRAM, DATA, WORK, RESULTS = (Path(p) for p in sys.argv[1:5])
PAIRS = 5
CORES = sorted(os.sched_getaffinity(0))


class Ours:
    """One running `code_arrays`: a timed run on request."""

    def __init__(self, samples, dictionary, *options, cores=CORES[:1]):
        self.folder = WORK / "out"
        self.folder.mkdir(exist_ok=True)
        np.save(WORK / "samples.npy", samples)
        np.save(WORK / "dictionary.npy", dictionary)
        self.process = subprocess.Popen(
            [PROGRAM, WORK / "samples.npy", WORK / "dictionary.npy", *map(str, options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        self.about = json.loads(self.process.stdout.readline())
        self.shape = (len(samples), len(dictionary))

    def ask(self, request):
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def run(self):
        return self.ask("run")["seconds"]

    def codes(self):
        self.ask(f"write {self.folder}")
        from scipy.sparse import csr_matrix

        parts = [np.load(self.folder / f"{name}.npy") for name in ("values", "indices", "indptr")]
        return csr_matrix((parts[0], parts[1].astype(int), parts[2].astype(int)), shape=self.shape)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def in_turn(ours, theirs):
    """Seconds of each side, pair by pair, after a warm-up."""
    ours(), theirs()
    return [(ours(), theirs()) for _ in range(PAIRS)]


def timed(work):
    def run():
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return run


def kkt(samples, dictionary, codes, regularization):
    """Largest violation of the lasso's optimality conditions, relative to the regularization."""
    worst = 0.0
    for first in range(0, len(samples), 2000):
        c = codes[first : first + 2000].toarray()
        v = (samples[first : first + 2000] - c @ dictionary) @ dictionary.T
        off = np.maximum(np.abs(v) - regularization, 0)
        violation = np.where(c == 0, off, np.abs(v - regularization * np.sign(c)))
        worst = max(worst, violation.max() / regularization)
    return worst


def patches(size, count, seed):
    """Unit-norm centred patches of the two pictures; flat ones are left out."""
    from PIL import Image

    generator = np.random.default_rng(seed)
    drawn = []
    for name in ("camera.png", "chelsea.png"):
        picture = np.asarray(Image.open(DATA / name).convert("L"), float)
        rows = generator.integers(0, picture.shape[0] - size + 1, count)
        columns = generator.integers(0, picture.shape[1] - size + 1, count)
        drawn += [picture[i : i + size, j : j + size].ravel() for i, j in zip(rows, columns)]
    drawn = np.array(drawn)
    drawn -= drawn.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(drawn, axis=1)
    drawn = drawn[norms > 20] / norms[norms > 20, None]
    generator.shuffle(drawn)
    return np.ascontiguousarray(drawn[:count])


def learned(k, size, count):
    """Patches and a dictionary that SPAMS learned on them, normalised; kept between runs."""
    import spams

    path = WORK / f"learned_{k}_{size}_{count}.npz"
    if not path.exists():
        x = patches(size, count, 0)
        rounds = 200 if k < 2000 else 60
        d = spams.trainDL(
            np.asfortranarray(x.T), K=k, lambda1=0.15, iter=rounds, batchsize=512, numThreads=1, verbose=False
        )
        np.savez(path, x=x, d=np.ascontiguousarray((d / np.linalg.norm(d, axis=0)).T))
    arrays = np.load(path)
    return arrays["x"], arrays["d"]


def row(name, pairs, n, bar, *cells):
    ratios = [theirs / ours for ours, theirs in pairs]
    reached = "" if bar is None else f">= {bar}: " + ("reached" if median(ratios) >= bar else "not reached")
    per_sample = [median(side) / n * 1e6 for side in zip(*pairs)]
    return [
        name,
        *(f"{t:.3g}" for t in per_sample),
        f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
        reached,
        *cells,
    ]


def against_spams():
    import spams

    rows = []
    cases = [
        (64, 8, 20000, 0.15, 8),
        (256, 8, 20000, 0.15, 11),
        (1024, 8, 20000, 0.15, 14),
        (512, 16, 10000, 0.15, 8),
        (4096, 16, 20000, 0.15, 8),
        (256, 8, 20000, 0.05, None),
        (256, 8, 20000, 0.02, 8),
    ]
    for k, size, n, regularization, bar in cases:
        x, d = learned(k, size, n)
        xf, df = np.asfortranarray(x.T), np.asfortranarray(d.T)
        ours = Ours(x, d, "--regularization", regularization)

        def peer():
            return spams.lasso(xf, D=df, lambda1=regularization, lambda2=0.0, mode=2, numThreads=1)

        pairs = in_turn(ours.run, timed(peer))
        codes = ours.codes()
        cells = [
            f"{kkt(x, d, codes, regularization):.0e}",
            f"{kkt(x, d, peer().T.tocsr(), regularization):.0e}",
            f"{codes.nnz / n:.1f}",
        ]
        rows.append(row(f"k={k}, d={size * size}, {regularization}", pairs, n, bar, *cells))
        ours.close()
        print(rows[-1], flush=True)
    return rows


def against_ourselves():
    """Other instruction sets, two threads and warm starts against one cold thread, on k=256, d=64."""
    x, d = learned(256, 8, 20000)
    rows = []
    cases = [
        ("avx2 / best set", ["--isa", "avx2"], CORES[:1], None),
        ("portable / best set", ["--isa", "portable"], CORES[:1], None),
        ("two threads / one", ["--threads", 2], CORES[:2], None),
        ("warm, atoms moved by .1 % / cold", ["--warm", 1e-3], CORES[:1], None),
    ]
    for name, options, cores, _ in cases:
        base = Ours(x, d, "--regularization", 0.15)
        other = Ours(x, d, "--regularization", 0.15, *options, cores=cores)
        pairs = in_turn(other.run, base.run)
        ratios = [ours / theirs for ours, theirs in pairs]
        rows.append([name, f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"])
        base.close(), other.close()
        print(rows[-1], flush=True)
    return rows


def against_jaxopt():
    """Codes and gradient of the reconstruction in the dictionary: one step of the seed."""
    import jax
    import jax.numpy as jnp
    import jaxopt

    x = patches(8, 2000, 1)
    d = np.ascontiguousarray(patches(8, 4000, 2)[:128])
    losses = {
        "squared": (lambda r: 0.5 * r * r, [], 200),
        "huber": (
            lambda r: jnp.where(jnp.abs(r) <= 0.05, 0.5 * r * r, 0.05 * (jnp.abs(r) - 0.025)),
            ["--loss", "huber", "--delta", 0.05],
            60,
        ),
        "power": (lambda r: jnp.abs(r) ** 2.1, ["--loss", "power", "--exponent", 2.1], 30),
    }
    rows = []
    for name, (phi, options, bar) in losses.items():

        def codes(dictionary):
            solver = jaxopt.ProximalGradient(
                fun=lambda c, dictionary: jnp.sum(phi(x32 - c @ dictionary)),
                prox=jaxopt.prox.prox_elastic_net,
                maxiter=100,
                tol=1e-3,
            )
            zero = jnp.zeros((len(x), len(d)), jnp.float32)
            return solver.run(zero, hyperparams_prox=(0.1, 0.1), dictionary=dictionary).params

        x32, d32 = jnp.asarray(x, jnp.float32), jnp.asarray(d, jnp.float32)
        step = jax.jit(jax.value_and_grad(lambda dictionary: jnp.sum(phi(x32 - codes(dictionary) @ dictionary))))
        shared = ["--regularization", 0.1, "--elastic-penalty", 0.1, "--hypergradient"]
        ours = Ours(x, d, *options, *shared)
        pairs = in_turn(ours.run, timed(lambda: jax.block_until_ready(step(d32))))
        ours.codes()
        gradient = np.load(WORK / "out" / "gradient.npy")
        difference = np.abs(np.asarray(step(d32)[1]) - gradient).max() / np.abs(gradient).max()
        rows.append(row(name, pairs, len(x), bar, f"{difference:.0e}"))
        ours.close()
        print(rows[-1], flush=True)
    return rows


def against_skglm():
    """Huber codes, one sample at a time on their side (the library takes one target)."""
    from skglm.datafits import Huber
    from skglm.estimators import GeneralizedLinearEstimator
    from skglm.penalties import L1
    from skglm.solvers import AndersonCD

    x = patches(8, 500, 1)
    d = np.ascontiguousarray(patches(8, 4000, 2)[:128])
    design = np.asfortranarray(d.T)
    # Their loss is a mean over the 64 features.
    model = GeneralizedLinearEstimator(
        Huber(0.05), L1(0.1 / x.shape[1]), AndersonCD(tol=1e-8, fit_intercept=False)
    )
    ours = Ours(x, d, "--loss", "huber", "--delta", 0.05, "--regularization", 0.1)
    pairs = in_turn(ours.run, timed(lambda: [model.fit(design, sample) for sample in x]))
    theirs = np.array([model.fit(design, sample).coef_ for sample in x[:50]])
    mine = ours.codes()[:50].toarray()

    def objective(c):
        r = np.abs(x[:50] - c @ d)
        return np.where(r <= 0.05, 0.5 * r * r, 0.05 * (r - 0.025)).sum(1) + 0.1 * np.abs(c).sum(1)

    excess = (objective(mine) - objective(theirs)).max()
    ours.close()
    return [row("huber codes, k=128, d=64", pairs, len(x), 20, f"{excess:.0e}")]


def table(header, rows):
    lines = ["| " + " | ".join(cells) + " |" for cells in [header, ["---"] * len(header), *rows]]
    return "\n".join(lines) + "\n"


def machine():
    import threadpoolctl

    text = Path("/proc/cpuinfo").read_text()
    lines = dict(line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    fields = {key.strip(): value.strip() for key, value in lines.items()}
    flags = [flag for flag in ("avx2", "fma", "avx512f", "avx512dq") if flag in fields["flags"].split()]
    blas = {pool.get("architecture", "?") for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}
    return (
        f"{fields['model name']}, {len(CORES)} processors, {' '.join(flags)}; OpenBLAS kernels: "
        f"{', '.join(sorted(blas)) or 'none loaded'}; {datetime.date.today()}"
    )


def versions():
    from importlib.metadata import version

    names = ["spams-bin", "jax", "jaxopt", "skglm", "numpy", "scipy"]
    return ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in names)])


def main():
    WORK.mkdir(parents=True, exist_ok=True)
    os.sched_setaffinity(0, CORES[:1])
    times = ["ours, us a sample", "theirs", "ratio, median (min to max)", "bar"]
    spams_rows = against_spams()
    own_rows = against_ourselves()
    jaxopt_rows = against_jaxopt()
    skglm_rows = against_skglm()
    text = f"""# Measured against the peers

Written by `cargo xtask bench --peers`; do not edit. {PAIRS} pairs in turn on the same arrays after a warm-up, one thread
and one processor each. A ratio above 1 means that ours is faster. Shared machines are noisy: trust ratios, not times.

{machine()}. {versions()}.

## Codes for the squared loss, against SPAMS `lasso(mode=2)`

Dictionaries learned by SPAMS on the same unit-norm centred patches, normalised; no ridge. The KKT violation is the
largest over all samples, relative to the regularization, computed by one function for both sides.

{table(["case, regularization", *times, "KKT ours", "KKT theirs", "support"], spams_rows)}
## Ours against ours (k=256, d=64, regularization .15): time ratios

{table(["", "ratio, median (min to max)"], own_rows)}
## Codes and gradient in the dictionary, against jaxopt's compiled `value_and_grad`

2000 patches of 8 x 8, 128 patches as atoms, regularization .1, elastic_penalty .1, Huber delta .05, power 2.1; the seed's
settings on their side (100 iterations, tolerance 1e-3, f32). "difference": of their gradient from ours, relative.

{table(["loss", *times, "difference"], jaxopt_rows)}
## Huber codes, against skglm (AndersonCD, tolerance 1e-8)

"excess": our objective less theirs, the largest over 50 samples.

{table(["case", *times, "excess"], skglm_rows)}"""
    RESULTS.write_text(text)
    print(text)


main()
