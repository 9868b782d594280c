# Runs inside an interpreter of the target's minor version, started with -s -S -B. Reads sources from stdin and
# writes bytecode to stdout, so it needs no file but its own. Imports built-in modules only.
#
# request:  length of name (4, little-endian), name (UTF-8), length of source (4), source; ends with 0xFFFFFFFF
# answer:   1 byte (0 = bytecode, 1 = error text), length (4), content; one for each request, in order
import sys

import _frozen_importlib_external as external
import _imp

END = 0xFFFFFFFF
RAW_MAGIC = int.from_bytes(external.MAGIC_NUMBER, "little")


def compiled(name, source, optimize):
    code = compile(source, name, "exec", dont_inherit=True, optimize=optimize)
    digest = _imp.source_hash(RAW_MAGIC, source)
    return bytes(external._code_to_hash_pyc(code, digest, False))


def told(error):
    where = "%s:%s" % (getattr(error, "filename", None) or "?", getattr(error, "lineno", None) or "?")
    lines = ["%s: %s: %s" % (where, type(error).__name__, getattr(error, "msg", None) or error)]
    text = (getattr(error, "text", None) or "").rstrip()
    if text:
        lines.append("    " + text.lstrip())
        column = (getattr(error, "offset", None) or 1) - 1 - (len(text) - len(text.lstrip()))
        lines.append("    " + " " * max(column, 0) + "^")
    return "\n".join(lines).encode("utf-8", "replace")


def serve(read, write, flush, optimize):
    while True:
        length = int.from_bytes(read(4), "little")
        if length == END:
            return
        name = read(length).decode("utf-8", "surrogateescape")
        source = read(int.from_bytes(read(4), "little"))
        try:
            status, answer = 0, compiled(name, source, optimize)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            status, answer = 1, told(error)
        write(bytes([status]) + len(answer).to_bytes(4, "little") + answer)
        flush()  # if the next one is the end of the interpreter, it is known which it was


if __name__ == "__main__":
    import _warnings

    _warnings.filters.insert(0, ("ignore", None, Warning, None, 0))  # a SyntaxWarning of a package is not ours to tell
    if sys.path[0] and __file__.startswith(sys.path[0]):  # -I would leave it out, and PYTHONHASHSEED as well
        del sys.path[0]
    out = sys.stdout.buffer
    serve(sys.stdin.buffer.read, out.write, out.flush, int(sys.argv[1]))
