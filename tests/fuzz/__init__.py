"""Fuzzing of the launcher's readers: ``python -m tests.fuzz``, by ``nox -s fuzz``."""
