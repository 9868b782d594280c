"""The SCons tool and its actions: the only room that imports SCons."""
