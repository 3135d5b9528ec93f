"""The report RESULTS.md: machine, versions, one line a case."""

import os
from dataclasses import dataclass
from pathlib import Path

import sides
from threadpoolctl import threadpool_info

FLAGS = ["avx2", "fma", "avx512f", "avx512dq", "avx512bw", "avx512vl"]


@dataclass
class Row:
    """One case: names of both sides, seconds in pairs, accuracy of both, mean support, least ratio asked for."""

    title: str
    names: tuple
    n: int
    seconds: list
    accuracy: list
    support: float
    bar: float | None

    def verdict(self):
        if self.bar is None:
            return "none"
        ratio = sides.medians(self.seconds)[2][0]
        return f">= {self.bar:.3g}: " + ("reached" if ratio >= self.bar else "NOT reached")

    def line(self):
        ours, theirs, (middle, least, greatest) = sides.medians(self.seconds)
        micro = [1e6 * side / self.n for side in (ours, theirs)]
        cells = [self.title, " / ".join(self.names), str(self.n), f"{micro[0]:.2f}", f"{micro[1]:.2f}"]
        cells += [f"{middle:.2f} ({least:.2f} to {greatest:.2f})", f"{len(self.seconds)}"]
        cells += [f"{self.accuracy[0]:.1e} / {self.accuracy[1]:.1e}", f"{self.support:.1f}", self.verdict()]
        return "| " + " | ".join(cells) + " |"


@dataclass
class Phases:
    """Seconds of a run of ours on n samples, and of each phase."""

    title: str
    n: int
    seconds: float
    phases: dict

    def line(self):
        rest = self.seconds - sum(self.phases.values())
        micro = [f"{1e6 * seconds / self.n:.2f}" for seconds in [*self.phases.values(), rest, self.seconds]]
        return "| " + " | ".join([self.title, *micro, f"{self.seconds / self.phases['product']:.1f}"]) + " |"


PHASES = """
## Where our time goes

Microseconds a sample, one thread, clocks read between the phases of each block (feature `phases`), medians of {runs} runs.
*Product* is the floor that any exact coder pays: the correlations of all atoms, by one `f32` product a block. *Rest* is
the check of the samples, the preparation of the dictionary (its Gram matrix) and the joining of the blocks.

| case | {names} | rest | sum | sum / product |
|---|{dashes}---|---|---|
"""


def phases(rows):
    if not rows:
        return ""
    names = list(rows[0].phases)
    head = PHASES.format(runs=sides.PAIRS, names=" | ".join(names), dashes="---|" * len(names))
    return head + "".join(row.line() + "\n" for row in rows)


def machine():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    fields = dict(map(str.strip, line.split(":", 1)) for line in lines if ":" in line)
    flags = [flag for flag in FLAGS if flag in fields.get("flags", "").split()]
    family = f"family {fields.get('cpu family')}, model {fields.get('model')}"
    count = len(os.sched_getaffinity(0))
    return f"{fields.get('model name')} ({family}), {count} processors; {' '.join(flags)}"


def libraries():
    for found in threadpool_info():
        name = Path(found["filepath"]).name.split("-")[0]
        detail = f", core type {found['architecture']}" if found.get("architecture") else ""
        yield f"{name} {found['version'] or ''}{detail}, {found['num_threads']} thread(s)"


TABLE = (
    "| case | A / B | n | A us/sample | B us/sample | B / A: median (least to greatest) | pairs | accuracy A / B "
    "| mean support | bar |\n|---|---|---|---|---|---|---|---|---|---|\n"
)


def text(rows, phase_rows, left_out, versions, isa, date):
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    head = f"""# Measured: ours against the peers

Made by `cargo xtask bench --peers`, {date}. Machine: {machine()}. Load averages at the end: {load}
(above 1 others were at work on the machine; ratios of neighbouring runs bear that better than times do).

Ours: instruction set {isa}, where the case names no other. Versions: {", ".join(f"{name} {version}" for name, version in versions.items())}.
Libraries of the peers: {"; ".join(libraries())}.

One thread each unless the case says otherwise. Both sides get the same arrays and run in turn, A B A B, after one
warm-up each; the seconds include each side's preparation of the dictionary. Times are medians. The accuracy is the
largest KKT violation relative to `regularization` over all samples, computed from the codes of both sides by the same
NumPy function (`benchmarks/checks.py`); for hypergradients it is the relative error of the gradient against the closed
form on codes polished by Newton steps whose KKT violation is below 1e-12. Patches are 8x8 (d=64) and 16x16 (d=256),
centred, of norm 1, from `data/camera.png` and `data/chelsea.png`; dictionaries learned by SPAMS trainDL on them,
normalised. Hypergradients and Huber codes: 128 further patches as atoms, regularization .1; hypergradients with
elastic_penalty .1, both sides on one processor; the default of jax is f32.

"""
    missing = "".join(f"\nLeft out: {name} ({reason}).\n" for name, reason in left_out)
    return head + TABLE + "".join(row.line() + "\n" for row in rows) + missing + phases(phase_rows)
