# startup = "fast". When a bundle is built this stands in front of start.py, in the same file.


def has_finalizers():
    """Say whether there are objects that do something when they go, besides the standard streams.

    Files, generators, classes with __del__: their types have that name, also where it is C that does it.
    """
    import _collections
    import gc
    import sys

    numbers = {}
    _collections._count_elements(numbers, map(type, gc.get_objects()))
    streams = {}
    for text in (sys.__stdin__, sys.__stdout__, sys.__stderr__):
        buffer = getattr(text, "buffer", None)
        for each in (text, buffer, getattr(buffer, "raw", None)):
            streams[id(each)] = type(each)
    streams = list(streams.values())
    return any(hasattr(kind, "__del__") and numbers[kind] > streams.count(kind) for kind in numbers)


def hold_collector(finalizers, most=100000):
    """Let the garbage collector rest while the program is imported; return what ends that.

    It rests until ``most`` container objects more have come into being than have gone. It then looks whether an import is
    under way: if so it goes on resting, for as many again; if not, or when the function that is returned is called, it
    works as always. What is there at such a moment is left out of collections until the program ends (gc.freeze): it
    is what was imported. At the end it counts again, so that files in it are closed as ever. ``finalizers`` says whether
    objects with finalizers are there then.
    """
    import atexit
    import gc
    import sys

    usual = gc.get_threshold()

    def importing():
        frame = sys._getframe()
        while frame is not None:
            if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
                return True
            frame = frame.f_back
        return False

    def end():
        if look in gc.callbacks:
            gc.callbacks.remove(look)
            gc.freeze()
            if gc.get_threshold()[0] == most:  # the program may have set its own
                gc.set_threshold(*usual)

    def look(phase, facts):
        if phase == "stop":
            if importing():
                gc.freeze()
            else:
                end()

    def finish():
        # Python now looks for garbage, takes its modules apart, and looks again. The first time everything is still there.
        # Where nothing has a finalizer, that look is spared. Else it is needed: it puts the parts of open files into the
        # order in which they have to go, and after it finalizers find neither modules nor open().
        end()
        gc.unfreeze()
        if gc.isenabled() and not finalizers():
            gc.freeze()
            gc.callbacks.append(between)

    def between(phase, facts):
        if phase == "stop":
            gc.callbacks.remove(between)
            gc.unfreeze()

    gc.set_threshold(most, *usual[1:])
    gc.callbacks.append(look)
    atexit.register(finish)
    return end


def import_lazily():
    """Make all imports of modules lazy where CPython can do that (PEP 810, 3.15); elsewhere do nothing."""
    import sys

    if hasattr(sys, "set_lazy_imports"):
        sys.set_lazy_imports("all")
