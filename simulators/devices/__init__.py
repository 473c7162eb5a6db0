"""Register images: what the registers of one model of device hold when its instrument sees a given state.

One file a model, typed from datasheets and public register lists, each with a function `image(state) -> {address:
word}`. The addresses of an image are always the same; a request that touches any other answers exception 2, illegal
data address.
"""
