"""The parts of fetching: addresses as text, one download over HTTP, progress. ``pypack.fetch`` puts them together."""
