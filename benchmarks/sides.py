"""The two sides of a comparison, timed in turn: a side gives the seconds of one run and its last codes."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from scipy.sparse import csr_matrix

PAIRS = 5


class Process:
    """A child that answers each line with a line of JSON; `cpu` bounds it to one processor."""

    def __init__(self, command, cpu=None):
        bound = (lambda: os.sched_setaffinity(0, {cpu})) if cpu is not None else None
        self.child = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=bound,
        )
        self.hello = self.answer()

    def answer(self):
        line = self.child.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.child.args[0]} ended with {self.child.wait()}")
        return json.loads(line)

    def ask(self, line):
        self.child.stdin.write(line + "\n")
        self.child.stdin.flush()
        return self.answer()

    def run(self):
        return self.ask("run")["seconds"]

    def written(self, names):
        with tempfile.TemporaryDirectory() as folder:
            self.ask(f"write {folder}")
            return [np.load(Path(folder) / f"{name}.npy") for name in names]

    def close(self):
        self.child.stdin.close()
        self.child.wait()


class Ours(Process):
    """The example code_arrays on two files."""

    def __init__(self, program, samples, dictionary, lower, cpu=None, **options):
        words = [program, samples, dictionary, "--regularization", lower.regularization]
        words += ["--elastic-penalty", lower.elastic_penalty, "--loss", lower.loss]
        if lower.loss == "huber":
            words += ["--delta", lower.parameter]
        if lower.loss == "power":
            words += ["--exponent", lower.parameter]
        for name, value in options.items():
            words += [f"--{name}"] if value is True else [f"--{name}", value]
        super().__init__(words, cpu)

    def codes(self, k):
        indptr, indices, values = self.written(["indptr", "indices", "values"])
        return csr_matrix((values, indices.astype(np.int64), indptr.astype(np.int64)), shape=(len(indptr) - 1, k))


class Call:
    """A Python function that codes all samples; it returns what `as_rows` turns into CSR codes (n, k)."""

    def __init__(self, function, as_rows=csr_matrix):
        self.function, self.as_rows, self.result = function, as_rows, None

    def run(self):
        start = time.perf_counter()
        self.result = self.function()
        return time.perf_counter() - start

    def codes(self, _):
        return csr_matrix(self.as_rows(self.result))

    def close(self):
        pass


def in_turn(ours, theirs, pairs=PAIRS):
    """Seconds of ours and theirs, A B A B after one warm-up each."""
    ours.run(), theirs.run()
    return [(ours.run(), theirs.run()) for _ in range(pairs)]


def phases(ours, runs=PAIRS):
    """Medians over runs after a warm-up: seconds of a run, and of each phase."""
    ours.run()
    answers = [ours.ask("run") for _ in range(runs)]
    names = answers[0]["phases"]
    if any(min(a["phases"].values()) <= 0 or sum(a["phases"].values()) > a["seconds"] for a in answers):
        raise RuntimeError(f"phases that do not fit into their run: {answers}")
    return median(a["seconds"] for a in answers), {name: median(a["phases"][name] for a in answers) for name in names}


def medians(seconds):
    """Median of ours, of theirs, and median, least and greatest of the ratios theirs / ours pair by pair."""
    ours, theirs = zip(*seconds)
    ratios = [b / a for a, b in seconds]
    return median(ours), median(theirs), (median(ratios), min(ratios), max(ratios))


def jaxopt_side(samples, dictionary, lower, precision, cpu):
    worker = Path(__file__).with_name("jaxopt_worker.py")
    words = [sys.executable, worker, samples, dictionary, lower.regularization, lower.elastic_penalty]
    return Process(words + [lower.loss, lower.parameter, precision], cpu)
