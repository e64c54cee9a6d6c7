"""Least squares without negative coefficients."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def non_negative(squares: Floats, products: Floats) -> Floats:
    """Solve the normal equations; what comes out negative is zero, and the rest is solved again."""
    left = list(range(len(products)))
    found = np.zeros(len(products))
    while left:
        solution = np.linalg.lstsq(squares[np.ix_(left, left)], products[left], rcond=None)[0]
        if solution.min() >= 0:
            found[left] = solution
            break
        left.pop(int(solution.argmin()))
    return found


def relative(rows: Floats, values: Floats) -> Floats:
    """Coefficients of `rows` (one a value) that are off by the least share of each value; no value is 0."""
    shares = rows / values[:, None]
    return non_negative(shares.T @ shares, shares.T @ np.ones(len(values)))
