"""The choices that are made before anything is built: runtime, lock, packages, for each target."""
