"""The demonstration: three simulated plants, everything behind them, and the reckoning at the end.

`sites` says what stands where, `layout` writes a configuration file for each process, `system` starts and ends them,
`account` compares what the meters served with what the journal holds, `run` is `sakugen demo`; `sakugen.up` is the form
without an end.
"""
