"""Independent checks in NumPy, the same for every tool.

Problem of a sample x (atoms d_j, code c, residual r = x - sum_j c_j d_j), sums over the entries of r:
    sum phi(r) + regularization (|c|_1 + elastic_penalty/2 |c|^2)
With g_j = d_j . phi'(r) - regularization elastic_penalty c_j the code is optimal if and only if
g_j = regularization sign(c_j) on the support and |g_j| <= regularization off it. The violation is the largest distance
from that, relative to regularization.
"""

from dataclasses import dataclass

import numpy as np

CHUNK = 2000


@dataclass(frozen=True)
class Lower:
    """Loss and penalty; `parameter` is the Huber delta or the power's exponent."""

    regularization: float
    elastic_penalty: float = 0.0
    loss: str = "squared"
    parameter: float = 0.0

    @property
    def ridge(self):
        return self.regularization * self.elastic_penalty

    def slope(self, r):
        if self.loss == "huber":
            return np.clip(r, -self.parameter, self.parameter)
        if self.loss == "power":
            return self.parameter * np.sign(r) * np.abs(r) ** (self.parameter - 1)
        return r

    def curvature(self, r):
        if self.loss == "huber":
            return (np.abs(r) <= self.parameter).astype(float)
        if self.loss == "power":
            return self.parameter * (self.parameter - 1) * np.abs(r) ** (self.parameter - 2)
        return np.ones_like(r)


def violation(lower, samples, atoms, codes):
    """Largest KKT violation of CSR codes (n, k), relative to regularization."""
    worst, lam = 0.0, lower.regularization
    for start in range(0, len(samples), CHUNK):
        c = codes[start : start + CHUNK].toarray()
        g = lower.slope(samples[start : start + CHUNK] - c @ atoms) @ atoms.T - lower.ridge * c
        distance = np.where(c != 0, np.abs(g - lam * np.sign(c)), np.maximum(np.abs(g) - lam, 0))
        worst = max(worst, float(distance.max()))
    return worst / lam


def reference_gradient(lower, samples, atoms, codes, newton_steps=3):
    """Derivative of the sum of phi(r) over all samples in the atoms, through the codes: implicit function theorem on the
    supports of the codes given, each code first polished by Newton steps on its support. Returns the gradient and the
    polished codes."""
    gradient, polished = np.zeros_like(atoms), codes.copy()
    for i, x in enumerate(samples):
        stored = slice(codes.indptr[i], codes.indptr[i + 1])
        support, c = codes.indices[stored], codes.data[stored].copy()
        d, signs = atoms[support], np.sign(codes.data[stored])
        for step in range(newton_steps + 1):
            r = x - c @ d
            h = (d * lower.curvature(r)) @ d.T + lower.ridge * np.eye(len(c))
            if step < newton_steps:
                c += np.linalg.solve(h, d @ lower.slope(r) - lower.ridge * c - lower.regularization * signs)
        slopes = lower.slope(r)
        beta = np.linalg.solve(h, -d @ slopes)
        pulled = -slopes - lower.curvature(r) * (beta @ d)
        gradient[support] += np.outer(beta, slopes) + np.outer(c, pulled)
        polished.data[stored] = c
    return gradient, polished
