"""Linear algebra (LAPACK in a library beside the extension modules), transforms, random numbers, files."""

import io

import numpy as np

DISTRIBUTIONS = ["numpy"]


def work():
    """Compute what is known beforehand."""
    solution = np.linalg.solve([[2, 1, -1], [-3, -1, 2], [-2, 1, 2]], [8, -11, -3])
    assert np.allclose(solution, [2, 3, -1]), solution
    yield f"solved: {', '.join(f'{number:.6g}' for number in solution)}"
    rows = np.arange(5)
    hilbert = 1 / (rows[:, None] + rows + 1)
    assert np.isclose(1 / np.linalg.det(hilbert), 266716800000, rtol=1e-6)
    inverse = np.linalg.inv(hilbert)
    assert np.allclose(inverse[0], [25, -300, 1050, -1400, 630])
    left, sizes, right = np.linalg.svd(hilbert)
    assert np.allclose(left * sizes @ right, hilbert)
    yield f"inverse of a Hilbert matrix: {np.rint(inverse[0]).astype(int).tolist()}"
    times = np.arange(64) / 64
    spectrum = np.abs(np.fft.rfft(np.cos(2 * np.pi * 5 * times)))
    assert int(spectrum.argmax()) == 5
    assert np.isclose(spectrum[5], 32)
    drawn = np.random.default_rng(42).integers(0, 100, 5).tolist()  # PCG64 promises this stream
    assert drawn == [8, 77, 65, 43, 43], drawn
    stream = io.BytesIO()
    np.savez_compressed(stream, hilbert=hilbert)
    stream.seek(0)
    assert (np.load(stream)["hilbert"] == hilbert).all()
    yield f"peak of the spectrum at {spectrum.argmax()}, drawn {drawn}"
