"""What makes a plan run: one module or package an engine, and they do not know each other.

`base` is the seam they share, `collector` takes the receipts of a run, `tracestore` its spans, `waiting` waits for
conditions, `health` asks a server how it is. Sockets, processes and files are at home here; numbers and verdicts are
not.
"""
