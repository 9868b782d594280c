"""The finished artefact: layers, the app's zip, the trailer, and an independent reader of it all.

``docs/bundle-format.md`` gives the file byte by byte.
"""
