"""Third-party packages: resolved by uv into a lock, fetched by hash, unpacked into one image."""
