"""How fast the engine is on this machine: against naive engines, against other programs, and against the machine itself.

`cases` makes what is timed, `contestants` is where the engine's own code is called, `naive` and `peers` are what it is
compared with, `clock` times them in turn, `measure` says what is timed against what, `figures` is what comes out.
"""
