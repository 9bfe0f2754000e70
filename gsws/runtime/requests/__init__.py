"""One request, from its queue to its terminal frame; for whom it runs is not known here.

Who may send it is decided before, in `gsws.runtime.dispatch`.
"""
