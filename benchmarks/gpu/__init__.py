"""`python -m benchmarks gpu`: what a device takes for each part of a decode, and the pace fitted to it.

It needs a checkout and the wheels of `ctranslate2`, `tokenizers` and `faster-whisper` (without `av`), no network and no
weights: models have random ones (`workers/engines/random_model.py`), and the number of tokens is fixed, by leaving the
end of text out of what may be said.
"""
