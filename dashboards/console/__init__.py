"""The first page: live readings and tonnes, in a browser, with nothing installed but Python.

In: the journal (read-only) and compute's results. Out: one page at /console, drawn again each second.
`config` is its configuration, `sources` reads, `views` says what is shown in which words, `page` draws, `serve` runs.
"""
