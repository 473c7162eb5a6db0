"""Ready sites after projects of the programme: a plant of its size in its place, and what it saves in a year.

`shape` says what a ready site is, `ready` is the table of them, `report` makes docs/sites.md of it.
"""
