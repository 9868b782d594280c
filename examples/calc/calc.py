"""Solve a small system of linear equations with numpy."""

import numpy as np

EQUATIONS = """
  2x +  y -  z =   8
 -3x -  y + 2z = -11
 -2x +  y + 2z =  -3
"""
COEFFICIENTS = np.array([[2, 1, -1], [-3, -1, 2], [-2, 1, 2]], dtype=float)
CONSTANTS = np.array([8, -11, -3], dtype=float)


def main() -> None:
    solution = np.linalg.solve(COEFFICIENTS, CONSTANTS)
    residual = np.abs(COEFFICIENTS @ solution - CONSTANTS).max()
    print(EQUATIONS.strip("\n"))
    print(", ".join(f"{name} = {value:.6g}" for name, value in zip("xyz", solution, strict=True)))
    print(f"largest error {residual:.1e}, numpy {np.__version__}")


if __name__ == "__main__":
    main()
