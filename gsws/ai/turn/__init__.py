"""The run of one turn of a graph, from a handler's call to the terminal frame; it may import every package of `ai`."""
