"""Physics without I/O: what happens in a plant at an instant, and the counters that follow; a seed repeats it.

A plant answers with the states of `states`; what the registers of a device look like is not its business.
"""
