"""Guard: foreign code under a lease, dead before the lease's deadline whatever happens to the lease's holder.

`run` is the holder's side, `guard` the small process between it and the command. Nothing is imported here: the guard
starts faster without its other half.
"""
