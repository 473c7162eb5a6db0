"""Plants: physics, seeded; what each instrument shows at an instant, without any register.

`plant` is the shape that all have, `states` what instruments show, `climate`, `sky`, `steam`, `storage`, `cooling`,
`operation`, `water` and `mains` what several plants share, `places` where they stand; every other file is one plant.

A number here is one of two things: a constant of nature or of a published model, with its source in the docstring, or a
parameter of the plant that does not exist: a field of its site, or the mean and width that it hands to
`operation.around`. None was fitted to a result.
"""
