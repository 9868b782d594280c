"""Byte-pair encoding by tiktoken (in Rust), whose encodings are plugins in a namespace package."""

import tiktoken

DISTRIBUTIONS = ["tiktoken", "regex"]
MERGES = [b"he", b"ll", b"hell", b"hello", b" w", b"or", b" wor", b"ld", b" world"]
SPLIT = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+"""


def work():
    """Encode by an encoding of our own, and find those of the package."""
    ranks = {bytes([byte]): byte for byte in range(256)} | {word: 256 + at for at, word in enumerate(MERGES)}
    own = tiktoken.Encoding(
        name="own", pat_str=SPLIT, mergeable_ranks=ranks, special_tokens={"<|end|>": 256 + len(MERGES)}
    )
    tokens = own.encode("hello world<|end|>", allowed_special="all")
    assert tokens == [259, 264, 265], tokens
    text = "hello w\u00f6rld, \u4f60\u597d \U0001f40d 2024"
    assert own.decode(own.encode(text)) == text
    assert own.decode_tokens_bytes(tokens) == [b"hello", b" world", b"<|end|>"]
    many = own.encode_batch(["hello world"] * 100, num_threads=4)
    assert many == [[259, 264]] * 100
    yield f"tokens {tokens}, and back"
    try:
        own.encode("<|end|>")
    except ValueError as error:
        yield f"refused: {str(error).splitlines()[0][:60]}"
    names = tiktoken.list_encoding_names()
    assert "cl100k_base" in names, names
    yield f"plugins: {', '.join(names[:4])}, ..."
